"""The traps of docs/keras-traps.md, each reproduced on the Keras that runs.

A test here that fails says that this Keras no longer has a trap: give it `until=`, the
last minor version that has it, and say so in its line of the table. From the next one
on the test passes where the trap is gone.
"""

import functools
import re
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers, losses, metrics, ops

from keras_trainfix.backend import to_numpy

PAGE = Path(__file__).parent.parent / "docs" / "keras-traps.md"
BACKENDS = ("tensorflow", "jax", "torch")
BACKEND = keras.backend.backend()
minor = tuple(int(part) for part in keras.__version__.split(".")[:2])
TRAPS = {}

pytestmark = pytest.mark.filterwarnings("ignore")  # what Keras says on the way


def trap(*backends, since=(3, 6), until=None):
    """Marks a test that passes where the trap is.

    Args:
        backends: Those that have it; all by default.
        since: The first minor version of Keras that has it.
        until: The last one, or None.
    """

    def decorate(test):
        name = test.__name__.removeprefix("test_")
        TRAPS[name] = (backends or BACKENDS, since, until)

        @functools.wraps(test)
        def run(*args, **kwargs):
            if since > minor:
                pytest.skip(f"not in Keras {keras.__version__}")
            try:
                test(*args, **kwargs)
            except (Exception, pytest.fail.Exception) as error:
                if until is None or until >= minor:
                    what_to_do = f"Give its test `until=`, and say so. ({error})"
                    pytest.fail(f"{out_of_date(name)} is gone. {what_to_do}")
                return
            if until is not None and until < minor:
                pytest.fail(f"{out_of_date(name)} is there (again).")

        only = pytest.mark.backend_only(*(backends or BACKENDS), reason="has the trap")
        return only(run)

    return decorate


def out_of_date(name):
    running = f"Keras {keras.__version__} on {BACKEND}"
    return f"docs/keras-traps.md is out of date: on {running} the trap '{name}'"


def lines():
    """Dict of the name of each line of the page to its cells."""
    rows = re.findall(r"^\| `(\w+)` \|(.*)\|$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert len(rows) == len(dict(rows))
    return {name: [cell.strip() for cell in row.split(" | ")] for name, row in rows}


def test_each_line_has_a_test_and_each_test_a_line():
    assert lines().keys() == TRAPS.keys()


def test_the_page_says_where_each_trap_is():
    names = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "torch"}
    for name, (backends, since, until) in TRAPS.items():
        versions = ".".join(map(str, since))
        versions += " to " + ".".join(map(str, until)) if until else "+"
        where = ", ".join(names[b] for b in BACKENDS if b in backends)
        where = "all" if set(backends) == set(BACKENDS) else where
        assert lines()[name][1:3] == [where, versions], name


def value(tensor):
    return float(to_numpy(tensor))


def gradient(function, start):
    """The gradient of a scalar function of one tensor."""
    start = np.asarray(start, "float32")
    if BACKEND == "tensorflow":
        import tensorflow as tf

        x = tf.Variable(start)
        with tf.GradientTape() as tape:
            result = function(x)
        return to_numpy(tape.gradient(result, x))
    if BACKEND == "jax":
        import jax

        return np.asarray(jax.grad(function)(start))
    import torch

    x = torch.tensor(start, requires_grad=True)
    function(x).backward()
    return x.grad.numpy()


def normalized(**settings):
    """A compiled functional net with batch normalization, as `model, layer`."""
    inputs = keras.Input((3,))
    layer = layers.BatchNormalization()
    model = keras.Model(inputs, layers.Dense(1)(layer(inputs, **settings)))
    model.compile(keras.optimizers.SGD(0.01), "mse")
    return model, layer


def fit(model, shape=(3,), epochs=1):
    rng = np.random.default_rng(1)
    x = rng.normal(5, 1, (16, *shape)).astype("float32")
    return model.fit(x, np.ones((16, 1), "float32"), verbose=0, epochs=epochs)


# Training, freezing, normalization


@trap(until=(3, 15))
def test_training_false_in_fit():
    model, layer = normalized(training=False)
    fit(model)
    assert np.abs(to_numpy(layer.moving_mean)).max() > 0.01


@trap(until=(3, 15))
def test_training_true_in_predict():
    inputs = keras.Input((100,))
    model = keras.Model(inputs, layers.Dropout(0.5)(inputs, training=True))
    assert (model.predict(np.ones((4, 100)), verbose=0) == 1).all()


@trap("tensorflow", "jax")
def test_freeze_after_fit():
    model, layer = normalized()
    fit(model)
    layer.trainable = False
    if BACKEND == "jax":
        with pytest.raises(ValueError, match="optimizer_variables"):
            fit(model)
        return
    before = to_numpy(layer.moving_mean)
    fit(model)
    assert not np.array_equal(before, to_numpy(layer.moving_mean))


@trap()
def test_unfreeze_after_fit():
    model, layer = normalized()
    layer.trainable = False
    fit(model)
    layer.trainable = True
    if BACKEND != "tensorflow":
        with pytest.raises(ValueError, match="optimizer_variables|Unknown variable"):
            fit(model)
        return
    fit(model)
    assert (to_numpy(layer.moving_mean) == 0).all()


@trap("tensorflow")
def test_trainable_true_again():
    model, layer = normalized()
    layer.trainable = False
    model.trainable = True
    assert not layer.trainable


@trap()
def test_trainable_head_of_a_frozen_model():
    model, _ = normalized()
    model.trainable = False
    model.layers[-1].trainable = True
    assert model.trainable_weights == []


@trap("torch")
def test_variance_of_large_means(rng):
    x = (1e5 + rng.normal(size=(4096, 4))).astype("float32")
    layer = layers.BatchNormalization(momentum=0.0)
    layer(x, training=True)
    assert (np.abs(to_numpy(layer.moving_variance) - 1) > 0.5).any()


@trap("jax", "torch")
def test_masked_batch_norm_of_one_channel():
    layer = layers.BatchNormalization()
    with pytest.raises(IndexError):
        layer(np.ones((2, 3, 1)), training=True, mask=np.ones((2, 3), bool))


@trap("tensorflow")
def test_softmax_of_one_unit(rng):
    x = rng.normal(size=(256, 4)).astype("float32")
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1, activation="softmax")])
    model.compile(keras.optimizers.SGD(1.0), "binary_crossentropy")
    y = (x[:, :1] > 0).astype("float32")
    history = model.fit(x, y, epochs=5, verbose=0).history["loss"]
    assert history[-1] < 0.6 * history[0]
    assert (model.predict(x, verbose=0) > 0.9999).all()


# Losses


def saturated(loss, activation="softmax", one_hot=False):
    """The first and last loss of a classifier that begins sure of the wrong class."""
    model = keras.Sequential([keras.Input((1,)), layers.Dense(3, activation)])
    model.set_weights([np.zeros((1, 3)), np.array([0, 0, 60])])
    model.compile(keras.optimizers.SGD(1.0), loss)
    y = np.zeros((8,), "int32")
    x, y = np.ones((8, 1), "float32"), np.eye(3)[y] if one_hot else y
    history = model.fit(x, y, epochs=30, verbose=0).history["loss"]
    return history[0], history[-1]


@trap("jax", "torch")
def test_saturated_softmax():
    first, last = saturated(losses.SparseCategoricalCrossentropy())
    assert first == last > 16
    logits = losses.SparseCategoricalCrossentropy(from_logits=True)
    assert saturated(logits, None)[1] < 0.1


@trap()
def test_saturated_softmax_with_ignore_class():
    first, last = saturated(losses.SparseCategoricalCrossentropy(ignore_class=255))
    assert first == last > 16


@trap()
def test_saturated_focal_loss():
    loss = losses.CategoricalFocalCrossentropy(from_logits=True)
    first, last = saturated(loss, None, one_hot=True)
    assert first == last > 1


@trap("tensorflow")
def test_row_of_zeros():
    loss = losses.CategoricalCrossentropy(from_logits=True)
    void = np.zeros((1, 3), "float32")
    slope = gradient(lambda z: loss(void, z), [[1.0, 2.0, 3.0]])
    assert value(loss(void, np.array([[1.0, 2.0, 3.0]]))) == 0
    assert np.abs(slope).max() > 0.5


@trap("torch")
def test_one_hot_of_void():
    with pytest.raises(RuntimeError):
        ops.one_hot(np.array([0, 255]), 3)


@trap("jax")
def test_label_out_of_range():
    y = np.array([0, 1, 2, 255])
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    assert np.isfinite(value(loss(y, np.zeros((4, 3), "float32"))))


@trap("torch")
def test_rotation_of_images_and_masks():
    mask = np.zeros((4, 32, 32, 1), "float32")
    mask[:, 8:20, 4:12] = 1
    keras.utils.set_random_seed(1)
    layer = layers.RandomRotation(0.1, interpolation="nearest")
    both = layer({"images": mask, "segmentation_masks": mask}, training=True)
    images, masks = (to_numpy(both[key]) for key in ("images", "segmentation_masks"))
    assert (images != masks).mean() > 0.01


@trap()
def test_sparse_labels_into_dice():
    y = np.array([0, 1, 255, 255]).reshape(1, 2, 2, 1)
    probabilities = np.full((1, 2, 2, 3), 1 / 3, "float32")
    assert value(losses.Dice()(y, probabilities)) < -0.3


@trap()
def test_dice_of_an_empty_mask():
    y = np.zeros((1, 8, 8, 1), "float32")
    slope = gradient(lambda p: losses.Dice()(y, p), np.full((1, 8, 8, 1), 0.5))
    assert (slope == 0).all()


@trap()
def test_dice_of_absent_classes():
    y = np.eye(3, dtype="float32")[np.zeros((1, 4, 4), int)]
    assert value(losses.Dice(axis=(1, 2))(y, y)) == pytest.approx(2 / 3, abs=1e-4)


@trap()
def test_dice_of_a_rare_class():
    labels = np.zeros((1, 50, 50), int)
    labels[0, 0, :10] = 1
    background = np.eye(2, dtype="float32")[0 * labels]
    loss = losses.Dice()(np.eye(2, dtype="float32")[labels], background)
    assert value(loss) < 0.005


@trap()
def test_pixel_weights_of_dice(rng):
    y = np.eye(2, dtype="float32")[rng.integers(0, 2, (1, 4, 4))]
    valid = np.ones((1, 4, 4), "float32")
    valid[:, :2] = 0
    p = np.where(valid[..., None] == 1, y, 1 - y)  # right where it counts
    assert value(losses.Dice()(y, p, valid)) > 0.2


@trap(until=(3, 15))
def test_alpha_of_tversky():
    y, p = np.array([[1.0, 1, 1, 0]]), np.array([[1.0, 0, 0, 0]])  # two misses
    loss = losses.Tversky(alpha=0.9, beta=0.1)  # which the text says is cheap
    assert value(loss(y, p)) == pytest.approx(1 - 1 / (1 + 0.9 * 2), abs=1e-5)


@trap()
def test_sample_weight_on_columns():
    y, logits = np.zeros((2, 2, 2), int), np.zeros((2, 2, 2, 2), "float32")
    logits[0, ..., 1] = 5  # the first sample is wrong
    loss = losses.SparseCategoricalCrossentropy(from_logits=True, reduction=None)
    weighted = to_numpy(loss(y, logits, np.array([0.0, 1.0])))
    assert (weighted[0, :, 1] > 1).all()
    assert (weighted[1, :, 0] == 0).all()


@trap("torch")
def test_sample_weight_and_ignore_class():
    y, logits = np.zeros((2, 2, 2), int), np.zeros((2, 2, 2, 2), "float32")
    loss = losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
    with pytest.raises(RuntimeError):
        loss(y, logits, np.ones((2, 1, 1), "float32"))


@trap()
def test_class_weight_of_masks():
    model = keras.Sequential([keras.Input((4, 4, 1)), layers.Conv2D(2, 1)])
    model.compile("sgd", losses.SparseCategoricalCrossentropy(from_logits=True))
    x, y = np.ones((2, 4, 4, 1), "float32"), np.zeros((2, 4, 4), "int32")
    with pytest.raises((TypeError, ValueError)):
        model.fit(x, y, class_weight={0: 1.0, 1: 2.0}, verbose=0)


@trap()
def test_labels_in_bfloat16():
    logits = np.zeros((1, 1000), "float32")
    logits[0, 999] = 10
    y = np.array([999])
    right = value(losses.SparseCategoricalCrossentropy(from_logits=True)(y, logits))
    loss = losses.SparseCategoricalCrossentropy(from_logits=True, dtype="bfloat16")
    try:
        rounded = value(ops.cast(loss(y, logits), "float32"))
    except Exception:
        return  # of TensorFlow and torch: there is no label 1000
    assert abs(rounded - right) > 0.01


@trap("torch", since=(3, 14))
def test_softmax_of_images():
    p = np.full((2, 4, 4, 3), 1 / 3, "float32")
    loss = losses.SparseCategoricalCrossentropy()
    with pytest.raises(RuntimeError, match="contiguous"):
        gradient(lambda p: loss(np.zeros((2, 4, 4), "int32"), ops.softmax(p)), p)


@trap()
def test_val_loss_depends_on_the_batch_size():
    model = keras.Sequential([keras.Input((2, 2)), layers.Activation("linear")])
    loss = losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
    model.compile(loss=loss)
    x, y = np.zeros((2, 2, 2), "float32"), np.full((2, 2), 255)
    y[0] = 0
    one, both = (model.evaluate(x, y, batch_size=n, verbose=0) for n in (1, 2))
    assert one == pytest.approx(both / 2, rel=1e-4)


# Metrics


@trap(since=(3, 13), until=(3, 15))
def test_class_weight_of_text_keys():
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1, "sigmoid", False)])
    model.compile("sgd", "binary_crossentropy")
    x, y = np.ones((8, 1)), np.arange(8) % 2

    def loss(class_weight):
        start = model.get_weights()
        history = model.fit(x, y, class_weight=class_weight, verbose=0).history
        model.set_weights(start)
        return history["loss"][0]

    assert loss({"0": 1, "1": 50}) == pytest.approx(loss(None))
    assert loss({0: 1, 1: 50}) > 5 * loss(None)


@trap(since=(3, 13), until=(3, 15))
def test_delta_of_huber():
    loss = losses.Huber(delta=5.0)
    again = losses.Huber.from_config(loss.get_config())
    wrong = np.zeros((1, 1)), np.full((1, 1), 10.0)
    assert value(loss(*wrong)) == 37.5
    assert value(again(*wrong)) == 9.5


@trap(since=(3, 13))
def test_attention_mask_of_what_to_hide():
    attention = layers.MultiHeadAttention(2, 4)
    x = keras.random.normal((1, 6, 8), seed=1)
    changed = x + keras.utils.to_categorical([5], 6).reshape(1, 6, 1)
    future = np.triu(np.ones((1, 6, 6), bool), 1)  # 1 = hide, as in other libraries

    def moved(mask):
        before, after = (attention(z, z, attention_mask=mask) for z in (x, changed))
        return np.abs(to_numpy(after - before))[0, :4].max()

    assert moved(future) > 0.01
    assert moved(~future) == 0


@trap(since=(3, 13), until=(3, 15))
def test_momentum_above_1():
    normalization = layers.BatchNormalization(momentum=1.5)
    for _ in range(40):
        normalization(np.full((4, 1), 10.0, "float32") + np.eye(4, 1), training=True)
    assert abs(to_numpy(normalization.moving_mean)).max() > 1e4


@trap()
def test_mean_iou_of_a_sigmoid():
    metric = metrics.MeanIoU(2)
    metric.update_state([0, 1], [0.03, 0.97])
    assert value(metric.result()) == pytest.approx(0.25, abs=1e-4)


@trap()
def test_mean_iou_of_a_softmax():
    metric = metrics.MeanIoU(3)
    with pytest.raises(Exception):  # noqa: B017, PT011 - each backend has its own
        metric.update_state(np.zeros((1, 4, 4), int), np.full((1, 4, 4, 3), 1 / 3))


@trap()
def test_mean_iou_without_a_class_in_range():
    metric = metrics.MeanIoU(3, ignore_class=0)
    metric.update_state([0, 0, 1, 1, 2, 2], [1, 2, 1, 1, 2, 0])
    assert value(metric.result()) == pytest.approx(0.5, abs=1e-4)  # and not 0.75


@trap("jax", "torch", since=(3, 8))
def test_mean_iou_of_many_pixels():
    metric = metrics.MeanIoU(2)
    metric.total_cm.assign(np.array([[1_500_000_000, 0], [700_000_000, 1]]))
    assert value(metric.result()) < 0.01  # and not 0.341


@trap(until=(3, 15))
def test_mean_iou_axis():
    metric = metrics.MeanIoU(3, sparse_y_pred=False, axis=1)
    metric.update_state(np.zeros((1, 4, 4), int), np.full((1, 3, 4, 4), 1 / 3))
    with pytest.raises(Exception):  # noqa: B017, PT011 - each backend has its own
        metric.result()


@trap(since=(3, 8))
def test_mean_iou_weights():
    metric = metrics.MeanIoU(2)
    weights = [0.3, 0.3, 0.3, 0.1]
    metric.update_state([0, 0, 1, 1], [0, 1, 0, 1], sample_weight=weights)
    assert value(metric.result()) == 0  # and not 0.238


@trap(since=(3, 15))
def test_mean_iou_of_unknown_labels():
    metric = metrics.MeanIoU(2)
    metric.update_state([0, 1, 7, 7], [0, 1, 1, 1])
    assert value(metric.result()) == pytest.approx(1, abs=1e-4)


@trap("torch", until=(3, 15))
def test_mean_iou_in_a_loop():
    from torch.utils._python_dispatch import TorchDispatchMode

    class Count(TorchDispatchMode):
        calls = 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            Count.calls += 1
            return function(*args, **(kwargs or {}))

    y = np.zeros((16, 16), int)
    with Count():
        metrics.MeanIoU(2).update_state(y, y)
    assert Count.calls > y.size


@trap()
def test_accuracy_of_void():
    metric = metrics.SparseCategoricalAccuracy()
    metric.update_state(np.array([0, 1, 255, 255]), np.eye(2)[[0, 1, 0, 0]])
    assert value(metric.result()) == 0.5
