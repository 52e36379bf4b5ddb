"""The losses are used as any other loss of Keras is."""

import json

import keras
import numpy as np
import pytest

import keras_trainfix as kt
from keras_trainfix.backend import to_numpy

BACKEND = keras.backend.backend()
RNG = np.random.default_rng(0)
X = RNG.normal(size=(8, 6, 5, 3)).astype("float32")
LABELS = RNG.integers(0, 3, (8, 6, 5))
LABELS[RNG.random(LABELS.shape) < 0.2] = 255
CLASSES = {
    "masked_crossentropy": kt.MaskedCrossentropy,
    "masked_soft_dice": kt.MaskedSoftDice,
    "masked_tversky": kt.MaskedTversky,
    "masked_lovasz": kt.MaskedLovasz,
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
def test_class_function_and_their_text_are_the_same_loss(name):
    y_pred = net().predict(X, verbose=0)
    expected = float(CLASSES[name]()(LABELS, y_pred))
    text = json.dumps(keras.losses.serialize(CLASSES[name]()))
    others = [
        getattr(kt, name),
        keras.losses.deserialize(json.loads(text)),
        keras.losses.get(json.loads(text)),
        keras.saving.get_registered_object(f"keras_trainfix>{name}"),
    ]
    for loss in others:
        np.testing.assert_allclose(float(loss(LABELS, y_pred)), expected, rtol=1e-6)


@by_name
def test_trains_as_class_and_as_function(name):
    y = LABELS.astype("uint8")
    histories = []
    for loss in (CLASSES[name](), getattr(kt, name)):
        model = net()
        model.compile(keras.optimizers.SGD(0.1), loss)
        fit = model.fit(X, y, batch_size=8, epochs=2, verbose=0)
        histories.append(fit.history["loss"])
    assert histories[0][1] < histories[0][0]
    np.testing.assert_allclose(histories[1], histories[0], rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("masked_crossentropy", (8, 6, 5)),
        ("masked_soft_dice", (8,)),
        ("masked_tversky", (8,)),
        ("masked_lovasz", (8,)),
    ],
)
def test_reductions(name, shape):
    y_pred = net().predict(X, verbose=0)
    weights = np.arange(1, 9, dtype="float32")
    results = {
        reduction: to_numpy(CLASSES[name](reduction=reduction)(LABELS, y_pred, weights))
        for reduction in ("none", "sum", "sum_over_batch_size", None)
    }
    mean = results["sum_over_batch_size"]
    weighted = results["none"]
    assert weighted.shape == shape
    np.testing.assert_array_equal(results[None], weighted)
    np.testing.assert_allclose(results["sum"], weighted.sum(), rtol=1e-5)
    counts = (
        (LABELS != 255) * weights[:, None, None] if len(shape) > 1 else weights
    ).sum()
    np.testing.assert_allclose(mean, weighted.sum() / counts, rtol=1e-5)
    for reduction in ("mean", "mean_with_sample_weight"):  # unknown to older classes
        function = getattr(kt, name)
        value = function(LABELS, y_pred, sample_weight=weights, reduction=reduction)
        assert float(value) == mean
    plain = to_numpy(CLASSES[name]().call(LABELS, y_pred))
    expanded = weights.reshape(-1, *(1,) * (len(shape) - 1))
    np.testing.assert_allclose(plain * expanded, weighted, rtol=1e-5)
    if len(shape) > 1:
        assert not plain[LABELS == 255].any()


def test_the_batch_as_one_scope_gives_one_value():
    y_pred = net().predict(X, verbose=0)
    for build in (kt.MaskedSoftDice, kt.MaskedTversky, kt.MaskedLovasz):
        values = build(scope="batch", reduction="none")(LABELS, y_pred)
        assert values.shape == (1,)
        mean = build(scope="batch")(LABELS, y_pred)
        np.testing.assert_allclose(to_numpy(values)[0], float(mean), rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float64"])
@by_name
def test_the_dtype_is_that_of_the_result_and_never_of_the_labels(name, dtype):
    if dtype == "float64" and BACKEND == "jax":
        pytest.skip("JAX has no float64 unless it is enabled for the whole process")
    y_pred = np.zeros((1, 4, 1000), "float32")
    y_pred[..., 999] = 1
    labels = np.full((1, 4), 999, "int32")
    loss = CLASSES[name](dtype=dtype)(labels, y_pred)
    assert keras.backend.standardize_dtype(loss.dtype) == dtype
    assert float(loss) == 0
    assert float(CLASSES[name](dtype=dtype)(labels - 1, y_pred)) > 0.5


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
    )
    edges = np.where(LABELS == 255, 255, LABELS == 1)
    targets = {"tissue": LABELS, "edge": edges}
    y_pred = model.predict(X, verbose=0)
    logits = y_pred["tissue"]
    expected = (
        float(kt.masked_soft_dice(LABELS, logits, from_logits=True))
        + float(kt.masked_crossentropy(LABELS, logits, from_logits=True))
        + 0.5 * float(kt.masked_tversky(edges, y_pred["edge"]))
    )
    history = model.fit(X, targets, batch_size=8, epochs=1, verbose=0).history
    np.testing.assert_allclose(history["loss"][0], expected, rtol=1e-5)


@by_name
def test_weights_of_samples_in_fit(name):
    weights = np.array([0, 0, 0, 0, 1, 1, 2, 2], "float32")
    model = net()
    model.compile("sgd", CLASSES[name]())
    expected = CLASSES[name]()(LABELS, model.predict(X, verbose=0), weights)
    got = model.evaluate(X, LABELS, sample_weight=weights, batch_size=8, verbose=0)
    np.testing.assert_allclose(got, float(expected), rtol=1e-5)


def test_what_a_mask_of_keras_hides_is_void():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((7,), dtype="int32"),
            keras.layers.Embedding(5, 4, mask_zero=True),
            keras.layers.LSTM(4, return_sequences=True),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    words = np.array([[1, 2, 3, 0, 0, 0, 0], [4, 3, 2, 1, 1, 0, 0]])
    labels = np.array([[0, 1, 2, 0, 0, 0, 0], [2, 255, 0, 1, 1, 0, 0]])
    model.compile("sgd", kt.MaskedCrossentropy())
    y_pred = model.predict(words, verbose=0)
    hidden = np.where(words == 0, 255, labels)
    expected = float(kt.masked_crossentropy(hidden, y_pred))
    got = model.evaluate(words, labels, verbose=0)
    np.testing.assert_allclose(got, expected, rtol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("activation", ["softmax", None])
@by_name
def test_functions_are_finite_in_a_custom_step_of_mixed_precision(
    name, policy, activation
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
    model.compile(keras.optimizers.SGD(0.1))
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
    expected = [
        float(CLASSES[name]()(y, model.predict(x, verbose=0))) for x, y in batches
    ]
    counts = [size[0] for size in sizes]
    got = model.evaluate(data, verbose=0)
    np.testing.assert_allclose(got, np.average(expected, weights=counts), rtol=1e-5)


def test_a_second_derivative_is_right_or_refused():
    labels = LABELS[:1, :1, :2] % 3
    logits = RNG.normal(size=(1, 1, 2, 3)).astype("float32")

    def compute(z):
        return kt.masked_crossentropy(labels, z, from_logits=True)

    if BACKEND == "jax":
        import jax

        def slope(z):
            return jax.numpy.sum(jax.grad(compute)(z) ** 2)

        def reference(z):
            p = jax.nn.softmax(z) - jax.nn.one_hot(labels, 3)
            return jax.numpy.sum((p / 2) ** 2)

        got, expected = jax.grad(slope)(logits), jax.grad(reference)(logits)
        np.testing.assert_allclose(to_numpy(got), to_numpy(expected), atol=1e-6)
    elif BACKEND == "tensorflow":
        import tensorflow as tf

        z = tf.constant(logits)
        with tf.GradientTape() as outer:
            outer.watch(z)
            with tf.GradientTape() as inner:
                inner.watch(z)
                loss = compute(z)
            slope = tf.reduce_sum(inner.gradient(loss, z) ** 2)
        with pytest.raises(NotImplementedError, match="differentiated once"):
            outer.gradient(slope, z)
    else:
        import torch

        z = torch.tensor(logits, requires_grad=True)
        (gradient,) = torch.autograd.grad(compute(z), z, create_graph=True)
        with pytest.raises(NotImplementedError, match="differentiated once"):
            (gradient**2).sum().backward()
