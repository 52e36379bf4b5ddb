"""The head and the loss that a fact asks for, on the bench."""

import keras
import numpy as np
import pytest

from keras_trainfix import diagnose
from tests.diagnosis.experiments.benches import pair, table

X, Y = table()
BINARY = (Y > 0).astype("float32")
CLASSES = np.digitize(Y[:, 0], [-0.5, 0.5])
LOGITS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def net(units, activation, loss):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(16, "relu"),
            keras.layers.Dense(units, activation, name="head"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), loss)
    return model


@pair("fitting-head", cured="softmax", sound="sigmoid")
def test_fitting_head(activation):
    """A softmax over one unit."""
    codes = ("KTF201",) if activation == "softmax" else ()
    return net(1, activation, "binary_crossentropy"), X, BINARY, {"codes": codes}


@pytest.mark.usefixtures("whole_bench")
@pytest.mark.parametrize(
    ("code", "head", "y", "words"),
    [
        (
            "KTF201",
            (1, "softmax", "binary_crossentropy"),
            BINARY,
            "softmax of 'head' -> sigmoid",
        ),
        ("KTF202", (1, "sigmoid", "mse"), 5 * Y, "sigmoid of 'head' -> linear"),
        (
            "KTF205",
            (1, "sigmoid", "categorical_crossentropy"),
            BINARY,
            "loss categorical_crossentropy -> binary_crossentropy",
        ),
    ],
)
def test_a_head_that_cannot_learn(code, head, y, words):
    model = net(*head)
    activation = model.layers[-1].activation
    diagnosis = diagnose(model, X, y)
    (finding,) = [f for f in diagnosis.findings if f.code == code]
    assert finding.proof.holds
    assert words in finding.proof.treatment
    assert finding.proof.skill_with > 0.6
    assert model.layers[-1].activation is activation


def test_a_head_that_fits_is_left_alone():
    diagnosis = diagnose(net(3, None, LOGITS), X, CLASSES)
    assert all(finding.proof is None for finding in diagnosis.findings)
