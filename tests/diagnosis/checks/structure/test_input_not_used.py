"""An input that leads nowhere is found, by the name that the user knows."""

from keras import ops

from tests.diagnosis.experiments.instruments.test_unused_inputs import X, two
from tests.diagnosis.single import assert_page, run


def compiled(*arguments):
    model = two(*arguments)
    model.compile("adam", "mse")
    return model


def test_the_message_names_the_input():
    finding = run("KTF431", compiled(ops.add, lambda a, b: a), X, X[0][:, :1])
    assert finding.severity == "warning"
    assert "depends on x[1]:" in finding.message
    assert run("KTF431", compiled(ops.add), X, X[0][:, :1]) is None


def test_the_page():
    assert_page("KTF431")
