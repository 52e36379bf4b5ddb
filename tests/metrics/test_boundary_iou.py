"""Boundary IoU: against naive erosion, void, what counts, what is refused."""

import json

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from keras_trainfix import MeanIoU, backend
from keras_trainfix.metrics import exact
from keras_trainfix.metrics.boundary_iou import BoundaryIoU, boundary_iou

BACKEND = keras.backend.backend()
EXAMPLES = settings().max_examples
SHAPE = (2, 8, 9)
CLASSES = 4
CLOSE = {"rtol": 1e-6}
# JAX compiles for every form and width.
DISTANCES = [2] if BACKEND == "jax" else [1, 2, 3, 20]
SHARE = 0.6 if BACKEND == "jax" else 1.0


# --- the reference ---


def eroded(mask, distance):
    """What is left of a mask after some erosions by 3x3; there is none outside."""
    height, width = mask.shape
    for _ in range(distance):
        padded = np.pad(mask, 1)
        mask = np.ones_like(mask)
        for row in range(3):
            for column in range(3):
                mask &= padded[row : row + height, column : column + width]
    return mask


def reference(labels, found, valid, distance, num_classes=CLASSES, weights=None):
    """Boundary IoU of each class, one mask of one image at a time."""
    weights = np.ones(labels.shape) if weights is None else weights
    scores = []
    for index in range(num_classes):
        both = either = 0.0
        for n in range(len(labels)):
            bands = []
            for ids in (labels[n], found[n]):
                mask = (ids == index) | ~valid[n]
                bands.append(mask & ~eroded(mask, distance) & valid[n])
            both += weights[n][bands[0] & bands[1]].sum()
            either += weights[n][bands[0] | bands[1]].sum()
        scores.append(both / either if either else np.nan)
    return np.array(scores)


def patches(rng, number=CLASSES, size=4, shape=SHAPE):
    """Maps of classes in squares, so that they have an inside."""
    coarse = rng.integers(0, number, (shape[0], *(-(-n // size) for n in shape[1:])))
    full = coarse.repeat(size, axis=1).repeat(size, axis=2)
    return full[:, : shape[1], : shape[2]].copy()


def logits_of(ids, number=CLASSES):
    return np.eye(number, dtype="float32")[ids] * 3 - 1


def by_class(metric):
    """The values of the classes of a metric with `per_class=True`."""
    scores = {name: float(value) for name, value in metric.result().items()}
    scores.pop(metric.name)
    return np.array(list(scores.values()))


def array(values):
    return backend.to_numpy(values)


@pytest.fixture
def batch(rng):
    """Labels with void and predictions, ids both."""
    labels, found = patches(rng), patches(rng)
    labels[rng.random(SHAPE) < 0.1] = 255
    return labels, found


# --- the value ---


@settings(max_examples=int(SHARE * EXAMPLES))
@given(
    seed=st.integers(0, 2**32 - 1),
    distance=st.sampled_from(DISTANCES),
    size=st.sampled_from([1, 3, 5, 9]),
    void=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    form=st.sampled_from(["sparse", "channel", "one-hot"]),
    prediction=st.sampled_from(["scores", "scores", "ids"]),
    axis=st.sampled_from([-1, 1]),
    weight=st.sampled_from([None, None, "sample", "pixel"]),
)
def test_it_agrees_with_naive_erosion(
    seed, distance, size, void, form, prediction, axis, weight
):
    rng = np.random.default_rng(seed)
    labels, found = patches(rng, size=size), patches(rng, size=size)
    share = rng.random(SHAPE) < 0.7
    found = np.where(share, labels, found)
    valid = rng.random(SHAPE) >= void
    scores = logits_of(found)
    scores[~valid] = rng.choice([np.nan, np.inf, 7.0], scores[~valid].shape)
    y_pred = found[..., None] if prediction == "ids" else np.moveaxis(scores, -1, axis)
    axis = -1 if prediction == "ids" else axis
    y_true = np.where(valid, labels, 255)
    if form == "channel":
        y_true = y_true[..., None]
    if form == "one-hot":
        y_true = np.moveaxis(np.eye(CLASSES)[labels] * valid[..., None], -1, axis)
    sample_weight = weights = None
    if weight is not None:
        shape = SHAPE if weight == "pixel" else SHAPE[:1]
        sample_weight = rng.choice([0.0, 0.25, 1.0, 3.0], shape).astype("float32")
        columns = (1,) * (3 - len(shape))
        weights = np.broadcast_to(sample_weight.reshape(shape + columns), SHAPE)
        valid = valid & (weights > 0)

    expected = reference(labels, found, valid, distance, weights=weights)
    metric = BoundaryIoU(CLASSES, distance=distance, axis=axis, per_class=True)
    metric.update_state(y_true, y_pred, sample_weight)
    np.testing.assert_allclose(by_class(metric), expected, **CLOSE)
    mean = np.nan if np.isnan(expected).all() else np.nanmean(expected)
    np.testing.assert_allclose(float(metric.result()["boundary_iou"]), mean, **CLOSE)
    if weight is None:
        values = boundary_iou(y_true, y_pred, CLASSES, distance=distance, axis=axis)
        np.testing.assert_allclose(array(values), expected, **CLOSE)


@pytest.mark.backend_only("tensorflow", "jax", reason="the others compile")
@pytest.mark.parametrize("jit_compile", [True, False])
def test_compiled_code_agrees(batch, jit_compile):
    labels, found = batch
    expected = reference(labels, found, labels < 255, 2)

    def function(y_true, y_pred):
        return boundary_iou(y_true, y_pred, CLASSES, distance=2)

    if BACKEND == "jax":
        import jax

        compiled = jax.jit(function) if jit_compile else function
    else:
        import tensorflow as tf

        compiled = tf.function(function, jit_compile=jit_compile)
    y_true = ops.convert_to_tensor(labels.astype("int32"))
    values = compiled(y_true, ops.convert_to_tensor(logits_of(found)))
    np.testing.assert_allclose(array(values), expected, **CLOSE)
    y_true = ops.convert_to_tensor(np.where(labels == 0, 9, labels).astype("int32"))
    if BACKEND == "tensorflow" or jit_compile:
        values = compiled(y_true, ops.convert_to_tensor(logits_of(found)))
        assert np.isnan(array(values)).all()


def test_large_images_of_many_classes(rng):
    shape = (3, 300, 310)  # several pieces, compiled, one image after the other
    labels, found = (patches(rng, 12, 40, shape) for _ in range(2))
    labels[rng.random(shape) < 0.01] = 255
    found = np.where(rng.random(shape) < 0.9, labels % 255, found)
    distance = round(0.02 * np.hypot(*shape[1:]))
    expected = reference(labels, found, labels < 255, distance, 12)
    values = boundary_iou(labels.astype("uint8"), logits_of(found, 12), 12)
    np.testing.assert_allclose(array(values), expected, **CLOSE)


@pytest.mark.parametrize("shape", [SHAPE, (*SHAPE, 1)])
def test_one_sigmoid_unit(rng, shape):
    labels, found = patches(rng, 2), patches(rng, 2)
    labels[0, 0, :3] = 255
    logits = np.where(found, 0.9, -0.8).astype("float32").reshape(shape)
    expected = reference(labels, found, labels < 255, 1, 2)
    values = boundary_iou(labels, logits, 2, distance=1, from_logits=True)
    np.testing.assert_allclose(array(values), expected, **CLOSE)
    probabilities = 1 / (1 + np.exp(-logits))
    values = boundary_iou(labels, probabilities, 2, distance=1, threshold=0.6)
    np.testing.assert_allclose(array(values), expected, **CLOSE)
    floats = np.where(labels == 255, 255.0, labels).astype("float32")
    values = boundary_iou(floats.reshape(shape), probabilities, 2, distance=1)
    np.testing.assert_allclose(array(values), expected, **CLOSE)


def test_a_share_of_the_diagonal_is_rounded_and_at_least_a_pixel(batch):
    labels, found = batch
    for share, distance in ((0.001, 1), (0.12, 1), (0.13, 2), (0.9, 11)):
        values = boundary_iou(labels, logits_of(found), CLASSES, distance=share)
        expected = reference(labels, found, labels < 255, distance)
        np.testing.assert_allclose(array(values), expected, **CLOSE)
    metric = BoundaryIoU(2, distance=0.1)
    for size, counted in ((4, 12), (40, 40**2 - 28**2)):  # 1 pixel, and 6
        metric.reset_state()
        metric.update_state(
            np.zeros((1, size, size), int), np.zeros((1, size, size, 1), int)
        )
        assert exact.to_numpy(metric.limbs())[0, 0] == counted


def test_in_bands_as_wide_as_the_image_it_is_the_iou(batch):
    labels, found = batch
    metrics = MeanIoU(CLASSES), BoundaryIoU(CLASSES, distance=4)
    for metric in metrics:
        metric.update_state(labels, logits_of(found))
    iou, boundary = (float(metric.result()) for metric in metrics)
    np.testing.assert_allclose(boundary, iou, **CLOSE)
    metrics[1].distance = 10**9  # takes no memory either
    metrics[1].reset_state()
    metrics[1].update_state(labels, logits_of(found))
    assert float(metrics[1].result()) == boundary


def test_a_shifted_square_by_hand():
    labels, found = np.zeros((2, 1, 10, 10), int)
    labels[0, 2:8, 2:8] = found[0, 2:8, 3:9] = 1
    # Bands of 20 pixels; they share 2 rows of 5, and no column.
    values = array(boundary_iou(labels, found, 2, distance=1))
    np.testing.assert_allclose(values[1], 10 / 30, **CLOSE)


@pytest.mark.parametrize("width", [1, CLASSES, CLASSES + 1])
def test_images_as_wide_as_there_are_classes(rng, width):
    labels, found = (patches(rng, size=2, shape=(2, 8, width)) for _ in range(2))
    expected = reference(labels, found, labels < 255, 1)
    values = array(boundary_iou(labels, logits_of(found), CLASSES, distance=1))
    np.testing.assert_allclose(values, expected, **CLOSE)
    labels = np.zeros((1, 2, width), int)
    labels[..., 0] = 1  # rows of them look as if they were one-hot
    values = array(boundary_iou(labels, logits_of(labels), CLASSES, distance=1))
    np.testing.assert_array_equal(
        values, [1 if width > 1 else np.nan, 1] + 2 * [np.nan]
    )


# --- void ---


def test_where_void_begins_there_is_no_contour():
    labels = np.zeros((1, 9, 20), int)
    labels[..., 10:] = 255
    metric = BoundaryIoU(2, distance=2)
    metric.update_state(labels, np.zeros((1, 9, 20, 1), int))
    # The ends of the image are: 2 rows at the top and the bottom, 2 columns.
    assert exact.to_numpy(metric.limbs())[0, 0] == 2 * 2 * 10 + 2 * 5
    labels[..., 10:] = 1
    metric.reset_state()
    metric.update_state(labels, labels[..., None])
    assert exact.to_numpy(metric.limbs())[0, 0] == 2 * 2 * 10 + 2 * 5 + 2 * 5


def test_a_contour_on_the_far_side_of_void_counts_if_it_is_near():
    labels = np.zeros((1, 30, 30), int)
    labels[:, :, 14], labels[:, :, 15:] = 255, 1
    metric = BoundaryIoU(2, distance=2)
    metric.update_state(labels, np.where(labels == 255, 0, labels)[..., None])
    inside = exact.to_numpy(metric.limbs())[0, 0] - (2 * 2 * 14 + 2 * 26)
    assert inside == 26  # the column beside void, 2 pixels from class 1


def test_nothing_under_void_changes_anything(batch, rng):
    labels, found = batch
    expected = array(boundary_iou(labels, logits_of(found), CLASSES, distance=2))
    for junk in (np.nan, np.inf, -1e30, 5.0):
        scores = logits_of(found)
        scores[labels == 255, 1:] = junk
        values = array(boundary_iou(labels, scores, CLASSES, distance=2))
        np.testing.assert_array_equal(values, expected)
    ids = np.where(labels == 255, 99, found)[..., None]
    values = array(boundary_iou(labels, ids, CLASSES, distance=2))
    np.testing.assert_array_equal(values, expected)


def test_weight_0_and_the_mask_of_keras_are_void(batch):
    labels, found = batch
    expected = array(boundary_iou(labels, logits_of(found), CLASSES, distance=1))
    hidden = labels == 255
    known = np.where(hidden, found, labels)
    metric = BoundaryIoU(CLASSES, distance=1, per_class=True)
    metric.update_state(known, logits_of(found), ~hidden)
    np.testing.assert_array_equal(by_class(metric), expected)
    scores = logits_of(found)
    scores[hidden] = 0
    masked = keras.layers.Masking()(ops.convert_to_tensor(scores))
    if backend.keras_mask(masked) is not None:
        metric.reset_state()
        metric.update_state(known, masked)
        np.testing.assert_array_equal(by_class(metric), expected)


def test_ignored_classes_leave_the_mean(batch):
    labels, found = batch
    options = {"ignore_class": (255, 1), "distance": 1}
    values = array(boundary_iou(labels, logits_of(found), CLASSES, **options))
    valid = (labels < 255) & (labels != 1)
    expected = reference(labels, found, valid, 1)
    expected[1] = np.nan
    np.testing.assert_allclose(values, expected, **CLOSE)
    metric = BoundaryIoU(CLASSES, **options)
    metric.update_state(labels, logits_of(found))
    np.testing.assert_allclose(float(metric.result()), np.nanmean(expected), **CLOSE)


# --- the metric ---


def test_what_is_absent_is_nan_and_leaves_the_mean():
    names = ["sky", "road", "car", "bus"]
    metric = BoundaryIoU(4, per_class=True, class_names=names)
    assert all(np.isnan(float(value)) for value in metric.result().values())
    labels, found = np.zeros((2, 1, 5, 5), int)
    labels[0, 3:], found[0, 2:] = 1, 3
    metric.update_state(labels, logits_of(found))
    scores = {name: float(value) for name, value in metric.result().items()}
    entries = ["boundary_iou", *(f"boundary_iou/{name}" for name in names)]
    assert list(scores) == entries
    assert np.isnan(scores["boundary_iou/car"])
    assert scores["boundary_iou/road"] == scores["boundary_iou/bus"] == 0
    np.testing.assert_allclose(
        scores["boundary_iou"], scores["boundary_iou/sky"] / 3, **CLOSE
    )
    metric.reset_state()
    assert np.isnan(float(metric.result()["boundary_iou"]))


def test_entries_have_the_name_of_the_metric():
    metric = BoundaryIoU(3, ignore_class=(255, 1), per_class=True, name="edges")
    assert list(metric.result()) == ["edges", "edges/0", "edges/2"]


def test_batches_and_merged_metrics_are_as_one_pass(rng):
    batches = [(patches(rng), logits_of(patches(rng))) for _ in range(4)]
    whole, *parts = (BoundaryIoU(CLASSES, distance=1) for _ in range(3))
    for n, batch in enumerate(batches):
        whole.update_state(*batch)
        parts[n % 2].update_state(*batch)
    one = BoundaryIoU(CLASSES, distance=1)
    one.update_state(*(np.concatenate(x) for x in zip(*batches, strict=True)))
    merged = BoundaryIoU(CLASSES, distance=1)
    merged.merge_state(parts[0])
    merged.merge_state(parts[1:])
    for metric in (whole, merged):
        assert float(metric.result()) == float(one.result())
        np.testing.assert_array_equal(array(metric.limbs()), array(one.limbs()))


def test_counts_are_exact_beyond_32_bits(batch):
    labels, found = batch
    metric = BoundaryIoU(CLASSES, distance=1)
    metric.update_state(labels, logits_of(found))
    once, score = exact.to_numpy(metric.limbs()), float(metric.result())
    for _ in range(40):
        metric.merge_state(metric)
    np.testing.assert_array_equal(exact.to_numpy(metric.limbs()), once * 2**40)
    np.testing.assert_allclose(float(metric.result()), score, **CLOSE)


def test_it_is_saved_with_its_arguments():
    metric = BoundaryIoU(
        3, (255, 1), np.int64(4), 1, 0.3, True, True, ["a", "b", "c"], "edges"
    )
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(metric)))
    assert config["registered_name"] == "keras_trainfix>BoundaryIoU"
    again = keras.saving.deserialize_keras_object(config)
    assert json.dumps(again.get_config()) == json.dumps(metric.get_config())
    assert again._setting == metric._setting
    assert again.get_config()["distance"] == 4


@pytest.mark.parametrize("eager", [False, True])
def test_fit_gives_what_a_direct_call_gives(rng, eager):
    labels, x = patches(rng, shape=(6, *SHAPE[1:])), rng.normal(size=(6, *SHAPE[1:], 3))
    labels[rng.random(labels.shape) < 0.2] = 255
    x = x.astype("float32")
    model = keras.Sequential(
        [keras.Input((*SHAPE[1:], 3)), keras.layers.Dense(CLASSES)]
    )

    def loss(y_true, y_pred):
        return 0 * ops.sum(y_pred)

    model.compile(
        "sgd", loss, metrics=[BoundaryIoU(CLASSES, distance=0.2)], run_eagerly=eager
    )
    history = model.fit(x, labels, batch_size=4, shuffle=False, verbose=0).history
    scores = model.evaluate(x, labels, batch_size=4, verbose=0, return_dict=True)
    direct = BoundaryIoU(CLASSES, distance=2)
    direct.update_state(labels, model.predict(x, verbose=0))
    for found in (history["boundary_iou"][-1], scores["boundary_iou"]):
        np.testing.assert_allclose(found, float(direct.result()), **CLOSE)


@pytest.mark.backend_only("tensorflow", reason="sizes are always known elsewhere")
def test_images_of_unknown_size_need_a_distance_in_pixels(batch):
    import tensorflow as tf

    labels, found = batch

    def compiled(distance):
        specs = [
            tf.TensorSpec((None, None, None), "int32"),
            tf.TensorSpec((None, None, None, CLASSES), "float32"),
        ]

        def function(y_true, y_pred):
            return boundary_iou(y_true, y_pred, CLASSES, distance=distance)

        function = tf.function(function, input_signature=specs, autograph=False)
        return function(tf.constant(labels, "int32"), tf.constant(logits_of(found)))

    expected = reference(labels, found, labels < 255, 2)
    np.testing.assert_allclose(array(compiled(2)), expected, **CLOSE)
    text = message(lambda: compiled(0.02))
    assert "The image size must be known" in text
    assert "Pass an integer, the distance in pixels" in text


# --- what is refused ---


def message(call):
    with pytest.raises(ValueError, match="Received: ") as error:
        call()
    return str(error.value)


@pytest.mark.parametrize("distance", [0, -1, 0.0, 1.0, 1.5, True, "2", None, np.nan])
def test_a_distance_is_pixels_or_a_share(distance):
    for build in (
        lambda: BoundaryIoU(3, distance=distance),
        lambda: boundary_iou([[[0]]], [[[0]]], 3, distance=distance),
    ):
        text = message(build)
        assert "an integer number of pixels, 1 or more, or a float between" in text
        assert f"distance={distance!r}" in text


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"num_classes": 1}, "`num_classes` must be an integer, 2 or more"),
        ({"ignore_class": (0, 1, 2)}, "must leave at least one class"),
        ({"threshold": 1}, "between 0 and 1"),
        ({"axis": None}, "`axis` must be an integer"),
        ({"class_names": ["a", "b"]}, "must be 3 different names"),
    ],
)
def test_bad_arguments(arguments, expected):
    text = message(lambda: BoundaryIoU(**{"num_classes": 3, **arguments}))
    assert expected in text


@pytest.mark.parametrize("shape", [(4,), (4, 5), (2, 4, 5, 6)])
def test_only_images_have_boundaries(shape):
    labels = np.zeros(shape, int)
    text = message(lambda: BoundaryIoU(3).update_state(labels, logits_of(labels, 3)))
    assert "must be images, with two axes besides" in text
    assert f"y_pred.shape={(*shape, 3)}" in text
    assert "to (N, H, W)" in text


def test_bad_labels_and_predictions_are_named(batch):
    labels, found = batch
    metric = BoundaryIoU(CLASSES, distance=1)
    wrong = labels.copy()
    wrong[0, 0, :3] = 7
    text = message(lambda: metric.update_state(wrong, logits_of(found)))
    assert "7 (3 times)" in text
    text = message(lambda: metric.update_state(labels, found[..., None] + 3))
    assert "`y_pred` must be classes, 0 to 3" in text
    text = message(lambda: metric.update_state(labels, logits_of(found), [1.0, -2.0]))
    assert "`sample_weight` must be finite numbers from 0" in text
    text = message(lambda: metric.update_state(labels, logits_of(found), np.ones(3)))
    assert "sample_weight.shape=(3,)" in text
    text = message(lambda: BoundaryIoU(2).update_state(found % 2, found * 3.0 - 1))
    assert "pass `from_logits=True`" in text
    assert np.isnan(float(metric.result()))
    assert not exact.to_numpy(metric.limbs()).any()


def test_nan_at_a_valid_pixel_is_not_hidden(batch):
    labels, found = batch
    scores = logits_of(found)
    scores[0, 4, 4] = np.nan
    labels[0, 4, 4] = 0
    text = message(lambda: boundary_iou(labels, scores, CLASSES))
    assert "1 valid pixels with NaN" in text
    metric = BoundaryIoU(CLASSES)
    metric.update_state(labels, scores)
    with pytest.warns(
        UserWarning, match="`boundary_iou` is NaN because.* 1 invalid pred"
    ):
        assert np.isnan(float(metric.result()))
    metric.reset_state()
    metric.update_state(labels, logits_of(found))
    assert np.isfinite(float(metric.result()))


def test_metrics_of_another_kind_are_not_merged():
    metric = BoundaryIoU(3)
    for other in (
        BoundaryIoU(4),
        BoundaryIoU(3, ignore_class=0),
        BoundaryIoU(3, distance=5),
        MeanIoU(3),
    ):
        text = message(lambda other=other: metric.merge_state([metric, other]))
        assert "that count the same classes" in text
