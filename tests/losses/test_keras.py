"""Keras trains with the losses as with any other.

Most of it is run eagerly, since compiling takes longer than everything else:
`test_contracts.py` compiles each class, and `test_reference.py` each function.
"""

import itertools

import keras
import numpy as np
import pytest

import keras_trainfix as kt
from keras_trainfix.backend import to_numpy

RNG = np.random.default_rng(0)
X = RNG.normal(size=(8, 6, 5, 3)).astype("float32")
LABELS = RNG.integers(0, 3, (8, 6, 5))
LABELS[RNG.random(LABELS.shape) < 0.2] = 255
CLASSES = {
    "masked_crossentropy": kt.MaskedCrossentropy,
    "masked_soft_dice": kt.MaskedSoftDice,
    "masked_tversky": kt.MaskedTversky,
    "masked_lovasz": kt.MaskedLovasz,
    "masked_cl_dice": kt.MaskedClDice,
    "masked_boundary": kt.MaskedBoundary,
    "masked_hausdorff": kt.MaskedHausdorff,
}
by_name = pytest.mark.parametrize("name", CLASSES)


def net(classes=3, activation="softmax"):
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((6, 5, 3)),
            keras.layers.Dense(8, activation="relu"),
            keras.layers.Dense(classes, activation=activation),
        ]
    )


@by_name
def test_trains_as_class_and_as_function(name):
    y = LABELS.astype("uint8")
    histories = []
    for loss in (CLASSES[name](), getattr(kt, name)):
        model = net()
        model.compile(keras.optimizers.SGD(0.1), loss, run_eagerly=True)
        fit = model.fit(X, y, batch_size=8, epochs=2, verbose=0)
        histories.append(fit.history["loss"])
    assert histories[0][1] < histories[0][0]
    np.testing.assert_allclose(histories[1], histories[0], rtol=1e-5)


def test_several_outputs_each_with_its_loss():
    inputs = keras.Input((6, 5, 3))
    hidden = keras.layers.Dense(8, activation="relu")(inputs)
    outputs = {
        "tissue": keras.layers.Dense(3, name="tissue")(hidden),
        "edge": keras.layers.Dense(1, activation="sigmoid", name="edge")(hidden),
    }
    model = keras.Model(inputs, outputs)
    model.compile(
        "sgd",
        loss={
            "tissue": kt.WeightedSum(
                [
                    kt.MaskedSoftDice(from_logits=True),
                    kt.MaskedCrossentropy(from_logits=True),
                ]
            ),
            "edge": kt.MaskedTversky(),
        },
        loss_weights={"tissue": 1.0, "edge": 0.5},
        run_eagerly=True,
    )
    edges = np.where(LABELS == 255, 255, LABELS == 1)
    targets = {"tissue": LABELS, "edge": edges}
    y_pred = {name: to_numpy(output) for name, output in model(X).items()}
    logits = y_pred["tissue"]
    expected = (
        float(kt.masked_soft_dice(LABELS, logits, from_logits=True))
        + float(kt.masked_crossentropy(LABELS, logits, from_logits=True))
        + 0.5 * float(kt.masked_tversky(edges, y_pred["edge"]))
    )
    history = model.fit(X, targets, batch_size=8, epochs=1, verbose=0).history
    np.testing.assert_allclose(history["loss"][0], expected, rtol=1e-5)


@by_name
def test_sample_weights_in_fit(name):
    weights = np.array([0, 0, 0, 0, 1, 1, 2, 2], "float32")
    model = net()
    model.compile("sgd", CLASSES[name](), run_eagerly=True)
    y_pred = to_numpy(model(X))
    expected = float(CLASSES[name]()(LABELS, y_pred, weights))
    got = model.evaluate(X, LABELS, sample_weight=weights, batch_size=8, verbose=0)
    np.testing.assert_allclose(got, expected, rtol=1e-5)
    assert got != pytest.approx(float(CLASSES[name]()(LABELS, y_pred)), rel=1e-4)


@pytest.mark.parametrize(
    ("name", "policy", "activation", "run_eagerly"),
    [
        *itertools.product(
            CLASSES, ["mixed_float16", "mixed_bfloat16"], ["softmax", None], [True]
        ),
        ("masked_soft_dice", "mixed_float16", None, False),
    ],
)
def test_functions_are_finite_in_a_custom_step_of_mixed_precision(
    name, policy, activation, run_eagerly
):
    keras.config.set_dtype_policy(policy)
    function = getattr(kt, name)

    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.head = keras.layers.Dense(3, activation=activation)

        def call(self, x):
            return self.head(x)

        def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
            assert "16" in keras.backend.standardize_dtype(y_pred.dtype)
            return function(y, y_pred, from_logits=activation is None)

    keras.utils.set_random_seed(0)
    model = Model()
    model.compile(keras.optimizers.SGD(0.1), run_eagerly=run_eagerly)
    x = RNG.normal(size=(1, 256, 256, 3)).astype("float32")
    y = (x[..., 0] > 0).astype("uint8")
    y[:, :20] = 255
    losses = model.fit(x, y, epochs=3, verbose=0).history["loss"]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


@pytest.mark.backend_only("tensorflow", reason="only it traces unknown sizes")
@by_name
def test_images_of_any_size_and_number(name):
    import tensorflow as tf

    inputs = keras.Input((None, None, 3))
    outputs = keras.layers.Dense(3, activation="softmax")(inputs)
    model = keras.Model(inputs, outputs)
    model.compile("sgd", CLASSES[name](), jit_compile=False)
    sizes = [(2, 4, 6), (1, 5, 3), (3, 1, 1)]
    batches = [
        (RNG.normal(size=(*size, 3)).astype("float32"), RNG.integers(0, 3, size))
        for size in sizes
    ]
    data = tf.data.Dataset.from_generator(
        lambda: iter(batches),
        output_signature=(
            tf.TensorSpec((None, None, None, 3), "float32"),
            tf.TensorSpec((None, None, None), "int64"),
        ),
    ).apply(tf.data.experimental.assert_cardinality(3))
    expected = [float(CLASSES[name]()(y, to_numpy(model(x)))) for x, y in batches]
    counts = [size[0] for size in sizes]
    got = model.evaluate(data, verbose=0)
    np.testing.assert_allclose(got, np.average(expected, weights=counts), rtol=1e-5)
