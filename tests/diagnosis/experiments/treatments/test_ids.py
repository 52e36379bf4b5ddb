"""Ids that count from another number."""

import keras
import numpy as np
import pytest
from keras import layers

from tests.diagnosis.experiments.benches import compiled, gains, mlp, pair, table

X, Y = table()
SPARSE = keras.losses.SparseCategoricalCrossentropy
CLASSES = np.digitize(X[:, 0], [-0.5, 0.5])


def besides_background(y_true, y_pred):
    """Cross-entropy of the pixels that are not background, class 0."""
    loss = keras.losses.sparse_categorical_crossentropy(y_true, y_pred)
    return keras.ops.mean(loss * keras.ops.cast(y_true[:, 0] > 0, loss.dtype))


def of_all(y_true, y_pred):
    """The same of all pixels."""
    loss = keras.losses.sparse_categorical_crossentropy(y_true, y_pred)
    return keras.ops.mean(loss)


def classifier(units, loss):
    head = layers.Dense(units, "softmax")
    return compiled(keras.Sequential([*mlp().layers[:-1], head]), loss)


@pair("target-ids-shifted", cured=besides_background, sound=of_all)
def test_target_ids_shifted(loss):
    """Two classes, the first of which the loss takes for background."""
    return classifier(3, loss), X, (Y > 0).astype("int32"), {"steps": 64}


def test_a_trained_model_knows_its_ids():
    model = compiled(mlp(units=4), SPARSE(from_logits=True))
    model.fit(X, CLASSES + 1, epochs=12, verbose=0)
    model.optimizer.learning_rate = 1e-4
    found = gains("target-ids-shifted", model, X, CLASSES, steps=8)
    assert found["the class ids +1"] > 0.5


def test_to_a_new_model_all_ids_are_alike():
    model = compiled(mlp(units=4), SPARSE(from_logits=True))
    assert gains("target-ids-shifted", model, X, CLASSES, steps=2) == {}


@pytest.mark.parametrize("units", [3, 5])
def test_ids_stay_within_the_classes(units):
    found = gains("target-ids-shifted", classifier(units, of_all), X, CLASSES, steps=2)
    assert len(found) == (units > 3)


@pair("token-ids-shifted", cured=True, sound=False)
def test_token_ids_shifted(mask_zero):
    """How many of the tokens are 0, which is masked."""
    x = np.random.default_rng(0).integers(0, 3, (512, 9)).astype("int32")
    y = ((x == 0).sum(1) > 3).astype("float32")
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((9,), dtype="int32"),
            layers.Embedding(4, 8, mask_zero=mask_zero),
            layers.GlobalAveragePooling1D(),
            layers.Dense(1, "sigmoid"),
        ]
    )
    return compiled(model, "binary_crossentropy", rate=0.03), x, y
