"""What could not be judged is said first, and is never good news."""

import keras
import numpy as np
import pytest

from keras_trainfix import cli
from keras_trainfix.diagnosis.diagnose import diagnose
from keras_trainfix.diagnosis.findings import Diagnosis
from tests.diagnosis.nets import inputs, net

X = inputs()
Y = (X[:, :1] > 0).astype("float32")
TEXT = np.where(Y > 0, "cat", "dog")


def sound():
    return net(1, "sigmoid", "binary_crossentropy")


@pytest.mark.parametrize("fit", [True, False])
def test_without_targets(fit):
    diagnosis = diagnose(sound(), X, fit=fit)
    text = str(diagnosis)
    assert text.startswith("No targets: only inputs and layers were checked. ")
    assert "No fault found" not in text
    assert "Error" not in text
    assert str(diagnose(sound(), X, Y, fit=False)).startswith("No fault found in ")


def test_a_list_of_inputs_and_targets_is_a_pair():
    expected = diagnose(sound(), X, Y, fit=False)
    assert str(diagnose(sound(), [X, Y], fit=False)) == str(expected)


@pytest.mark.parametrize("fit", [True, False])
@pytest.mark.parametrize(
    ("build", "y"),
    [
        (sound, TEXT),
        (sound, TEXT.astype(object)),
        (lambda: net(2, "softmax", "sparse_categorical_crossentropy"), TEXT[:, 0]),
        (lambda: net(loss="mse"), TEXT),
        (lambda: net(), TEXT),
    ],
)
def test_text_is_no_target(build, y, fit):
    diagnosis = diagnose(build(), X, y, fit=fit)
    assert diagnosis.codes[0] == "KTF206"
    assert not diagnosis.ok
    assert "such as 'cat'" in diagnosis.findings[0].message
    assert "Error" not in str(diagnosis)
    names = {"np": np, "y": y}
    exec(diagnosis.findings[0].fix, names)
    assert "KTF206" not in diagnose(build(), X, names["y"], fit=False).codes


def test_objects_that_are_numbers_are_targets():
    assert diagnose(sound(), X, Y.astype(object), fit=False).ok


def test_the_command_line_says_so(tmp_path):
    sound().save(tmp_path / "model.keras")
    for name, y, code in (("text", TEXT, cli.FOUND), ("numbers", Y, cli.FINE)):
        np.savez(tmp_path / f"{name}.npz", x=X, y=y)
        paths = str(tmp_path / "model.keras"), str(tmp_path / f"{name}.npz")
        assert cli.main(["diagnose", *paths, "--no-fit"]) == code


def test_a_model_that_is_not_compiled():
    first = "Loss and learning rate were not judged: the model is not compiled."
    for fit in (True, False):
        text = str(diagnose(net(1, "sigmoid"), X, Y, fit=fit))
        assert " ".join(text.split()).startswith(first)
        assert "No fault found" not in text


def test_targets_of_other_outputs_are_an_error():
    entry = keras.Input((6,))
    outputs = {name: keras.layers.Dense(1, name=name)(entry) for name in "ab"}
    model = keras.Model(entry, outputs)
    model.compile("adam", {"a": "mse", "b": "mse"})
    with pytest.raises(ValueError, match=r"targets of the outputs.*\['c'\]"):
        diagnose(model, X, {"c": Y})
    with pytest.raises(ValueError, match=r"each of the 2 outputs.*1 arrays"):
        diagnose(model, X, [Y])
    assert not diagnose(model, X, {"a": Y, "b": Y}, fit=False).skipped


def test_the_only_output_may_have_any_name():
    model = sound()
    assert not diagnose(model, X, {"answer": Y}, fit=False).skipped


@pytest.mark.parametrize(
    ("skipped", "first", "last"),
    [
        ({"trial": "It was late."}, "It was late.", "checked."),
        ({"KTF301": "KeyError: 'x'"}, "Incomplete:", "Not checked: KTF301 (KeyError"),
        ({"targets": "None.", "trial": "Late."}, "None.\n\nLate.", "targets."),
    ],
)
def test_nothing_found_takes_all_to_be_judged(skipped, first, last):
    diagnosis = Diagnosis([], {}, skipped)
    text = str(diagnosis)
    assert text.startswith(first)
    assert last in text.splitlines()[-1]
    assert "Incomplete: no fault in what could be checked" in text
    page = diagnosis._repr_html_()
    assert "Incomplete" in page
    assert "#1a7436" not in page  # green
    assert "#1a7436" in Diagnosis([])._repr_html_()
