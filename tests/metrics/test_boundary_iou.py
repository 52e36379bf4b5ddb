"""Boundary IoU: against naive erosion, and as a metric."""

import json

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from keras_trainfix import BoundaryIoU, MeanIoU, backend, boundary_iou
from keras_trainfix.backend import to_numpy
from keras_trainfix.metrics import exact
from tests.metrics import reference
from tests.metrics.helpers import (
    COMPILED,
    MODES,
    compiled,
    compiled_net,
    evaluate,
    message,
    net,
    op_by_op,
    tensor,
)
from tests.metrics.reference import CLASSES, SHAPE, logits_of, patches

CLOSE = {"rtol": 1e-6}


def by_class(metric):
    """The values of the classes of a metric with `per_class=True`."""
    scores = {name: float(value) for name, value in metric.result().items()}
    scores.pop(metric.name)
    return np.array(list(scores.values()))


@given(
    seed=st.integers(0, 2**32 - 1),
    distance=st.sampled_from([1, 2, 3, 20]),
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
    labels, predicted = patches(rng, size=size), patches(rng, size=size)
    share = rng.random(SHAPE) < 0.7
    predicted = np.where(share, labels, predicted)
    valid = rng.random(SHAPE) >= void
    scores = logits_of(predicted)
    scores[~valid] = rng.choice([np.nan, np.inf, 7.0], scores[~valid].shape)
    if prediction == "ids":
        y_pred, axis = predicted[..., None], -1
    else:
        y_pred = np.moveaxis(scores, -1, axis)
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

    expected = reference.boundary_iou(
        labels, predicted, valid, distance, weights=weights
    )
    metric = BoundaryIoU(CLASSES, distance=distance, axis=axis, per_class=True)
    with op_by_op():
        metric.update_state(y_true, y_pred, sample_weight)
    np.testing.assert_allclose(by_class(metric), expected, **CLOSE)
    mean = np.nan if np.isnan(expected).all() else np.nanmean(expected)
    np.testing.assert_allclose(float(metric.result()["boundary_iou"]), mean, **CLOSE)
    if weight is None:
        with op_by_op():
            values = boundary_iou(y_true, y_pred, CLASSES, distance=distance, axis=axis)
        np.testing.assert_allclose(to_numpy(values), expected, **CLOSE)


@pytest.mark.backend_only("tensorflow", "jax", reason="torch does not compile")
def test_compiled_code_agrees(rng):
    function = compiled(lambda y, z: boundary_iou(y, z, CLASSES, distance=2))
    for _ in range(10):  # one trace
        labels, predicted = patches(rng), patches(rng)
        labels[rng.random(SHAPE) < 0.1] = 255
        labels = labels.astype("int32")
        logits = tensor(logits_of(predicted))
        expected = reference.boundary_iou(labels, predicted, labels < 255, 2)
        np.testing.assert_allclose(
            to_numpy(function(tensor(labels), logits)), expected, **CLOSE
        )
    wrong = tensor(np.where(labels == labels[0, 0, 0], 9, labels))
    assert np.isnan(to_numpy(function(wrong, logits))).all()


@pytest.mark.parametrize("shape", [SHAPE, (*SHAPE, 1)])
def test_one_sigmoid_unit(rng, shape):
    labels, predicted = patches(rng, 2), patches(rng, 2)
    labels[0, 0, :3] = 255
    logits = np.where(predicted, 0.9, -0.8).astype("float32").reshape(shape)
    expected = reference.boundary_iou(labels, predicted, labels < 255, 1, 2)
    values = boundary_iou(labels, logits, 2, distance=1, from_logits=True)
    np.testing.assert_allclose(to_numpy(values), expected, **CLOSE)
    probabilities = 1 / (1 + np.exp(-logits))
    values = boundary_iou(labels, probabilities, 2, distance=1, threshold=0.6)
    np.testing.assert_allclose(to_numpy(values), expected, **CLOSE)
    floats = np.where(labels == 255, 255.0, labels).astype("float32")
    values = boundary_iou(floats.reshape(shape), probabilities, 2, distance=1)
    np.testing.assert_allclose(to_numpy(values), expected, **CLOSE)


def test_a_shifted_square_by_hand():
    labels, predicted = np.zeros((2, 1, 10, 10), int)
    labels[0, 2:8, 2:8] = predicted[0, 2:8, 3:9] = 1
    # Bands of 20 pixels; they share 2 rows of 5, and no column.
    values = to_numpy(boundary_iou(labels, predicted, 2, distance=1))
    np.testing.assert_allclose(values[1], 10 / 30, **CLOSE)


def test_nothing_under_void_changes_anything(maps, rng):
    labels, predicted = maps
    expected = to_numpy(boundary_iou(labels, logits_of(predicted), CLASSES, distance=2))
    for junk in (np.nan, np.inf, -1e30, 5.0):
        scores = logits_of(predicted)
        scores[labels == 255, 1:] = junk
        values = to_numpy(boundary_iou(labels, scores, CLASSES, distance=2))
        np.testing.assert_array_equal(values, expected)
    ids = np.where(labels == 255, 99, predicted)[..., None]
    values = to_numpy(boundary_iou(labels, ids, CLASSES, distance=2))
    np.testing.assert_array_equal(values, expected)


def test_weight_0_and_the_mask_of_keras_are_void(maps):
    labels, predicted = maps
    expected = to_numpy(boundary_iou(labels, logits_of(predicted), CLASSES, distance=1))
    hidden = labels == 255
    known = np.where(hidden, predicted, labels)
    metric = BoundaryIoU(CLASSES, distance=1, per_class=True)
    metric.update_state(known, logits_of(predicted), ~hidden)
    np.testing.assert_array_equal(by_class(metric), expected)
    scores = logits_of(predicted)
    scores[hidden] = 0
    masked = keras.layers.Masking()(ops.convert_to_tensor(scores))
    if backend.keras_mask(masked) is not None:
        metric.reset_state()
        metric.update_state(known, masked)
        np.testing.assert_array_equal(by_class(metric), expected)


def test_ignored_classes_leave_the_mean(maps):
    labels, predicted = maps
    options = {"ignore_class": (255, 1), "distance": 1}
    values = to_numpy(boundary_iou(labels, logits_of(predicted), CLASSES, **options))
    valid = (labels < 255) & (labels != 1)
    expected = reference.boundary_iou(labels, predicted, valid, 1)
    expected[1] = np.nan
    np.testing.assert_allclose(values, expected, **CLOSE)
    metric = BoundaryIoU(CLASSES, **options)
    metric.update_state(labels, logits_of(predicted))
    np.testing.assert_allclose(float(metric.result()), np.nanmean(expected), **CLOSE)


def test_without_the_background_the_mean_is_over_the_other_classes(maps):
    labels, predicted = maps
    expected = reference.boundary_iou(labels, predicted, labels < 255, 1)
    metric = BoundaryIoU(CLASSES, distance=1, include_background=False)
    metric.update_state(labels, logits_of(predicted))
    np.testing.assert_allclose(float(metric.result()), expected[1:].mean(), **CLOSE)


def test_what_is_absent_is_nan_and_leaves_the_mean():
    names = ["sky", "road", "car", "bus"]
    metric = BoundaryIoU(4, per_class=True, class_names=names)
    assert all(np.isnan(float(value)) for value in metric.result().values())
    labels, predicted = np.zeros((2, 1, 5, 5), int)
    labels[0, 3:], predicted[0, 2:] = 1, 3
    metric.update_state(labels, logits_of(predicted))
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
        np.testing.assert_array_equal(to_numpy(metric.limbs()), to_numpy(one.limbs()))


def test_counts_are_exact_beyond_32_bits(maps):
    labels, predicted = maps
    metric = BoundaryIoU(CLASSES, distance=1)
    metric.update_state(labels, logits_of(predicted))
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


@pytest.mark.parametrize("mode", [MODES["eager"], COMPILED], ids=["eager", "compiled"])
def test_fit_gives_what_a_direct_call_gives(rng, mode):
    labels, x = patches(rng, shape=(6, *SHAPE[1:])), rng.normal(size=(6, *SHAPE[1:], 3))
    labels[rng.random(labels.shape) < 0.2] = 255
    x = x.astype("float32")
    model = net(shape=SHAPE[1:])
    compiled_net(model, BoundaryIoU(3, distance=0.2), **mode)
    labels[labels == 3] = 0
    history = model.fit(x, labels, batch_size=4, shuffle=False, verbose=0).history
    scores = evaluate(model, x, labels, batch_size=4)
    direct = BoundaryIoU(3, distance=2)
    direct.update_state(labels, model.predict(x, verbose=0))
    for value in (history["boundary_iou"][-1], scores["boundary_iou"]):
        np.testing.assert_allclose(value, float(direct.result()), **CLOSE)


def test_bad_labels_and_predictions_are_named(maps):
    labels, predicted = maps
    metric = BoundaryIoU(CLASSES, distance=1)
    wrong = labels.copy()
    wrong[0, 0, :3] = 7
    text = message(lambda: metric.update_state(wrong, logits_of(predicted)))
    assert "7 (3 times)" in text
    text = message(lambda: metric.update_state(labels, predicted[..., None] + 3))
    assert "`y_pred` must be classes, 0 to 3" in text
    text = message(
        lambda: metric.update_state(labels, logits_of(predicted), [1.0, -2.0])
    )
    assert "`sample_weight` must be finite numbers from 0" in text
    text = message(
        lambda: metric.update_state(labels, logits_of(predicted), np.ones(3))
    )
    assert "sample_weight.shape=(3,)" in text
    text = message(
        lambda: BoundaryIoU(2).update_state(predicted % 2, predicted * 3.0 - 1)
    )
    assert "pass `from_logits=True`" in text
    assert np.isnan(float(metric.result()))
    assert not exact.to_numpy(metric.limbs()).any()


def test_nan_at_a_valid_pixel_is_not_hidden(maps):
    labels, predicted = maps
    scores = logits_of(predicted)
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
    metric.update_state(labels, logits_of(predicted))
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
