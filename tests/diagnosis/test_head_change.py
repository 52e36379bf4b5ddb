"""The head and the loss that a finding asks for."""

import keras
import pytest

from keras_trainfix.diagnosis.findings import Finding
from keras_trainfix.diagnosis.head_change import head_change, output_of
from tests.diagnosis.nets import net

BINARY = "binary classification"


def finding(code, output=None, **evidence):
    return Finding(code, "", "error", evidence, "", "", "", output)


def change(model, code, task, **evidence):
    return head_change(model, [model.loss], [task], 0, finding(code, **evidence))


def test_a_softmax_over_one_unit():
    model = net(1, "softmax", "binary_crossentropy")
    found = change(model, "KTF201", BINARY)
    assert found.layer is model.layers[-1]
    assert found.change.activation == "sigmoid"
    assert found.words == [f"softmax of '{found.layer.name}' -> sigmoid"]


def test_the_task_decides():
    found = change(net(1, "softmax", "mse"), "KTF201", "regression")
    assert found.change.activation == "linear"


def test_more_classes_than_units_are_left_to_the_user():
    model = net(1, "softmax", "binary_crossentropy")
    assert "5 units" in change(model, "KTF201", BINARY, classes=5)


def test_a_head_that_is_not_in_the_graph():
    class Own(keras.Model):
        def call(self, x):
            return x

    said = head_change(Own(), ["mse"], [], 0, finding("KTF201"))
    assert "not in the graph" in said


@pytest.mark.parametrize(("output", "number"), [("b", 1), ("x", 0), (None, 0)])
def test_the_output_of_a_finding(output, number):
    assert output_of(["a", "b"], finding("KTF201", output)) == number
