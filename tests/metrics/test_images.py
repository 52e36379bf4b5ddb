"""Scores of images are those of a loop over images, whatever the batches."""

import functools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import keras_trainfix as kt
from keras_trainfix.backend import to_numpy
from keras_trainfix.metrics import images
from keras_trainfix.metrics.setting import checked_setting
from tests.metrics.helpers import compiled, op_by_op, tensor

CLASSES = 4
SHAPE = (5, 3, 4)


class Case:
    """A few images: labels, some of them void, whole images too; and predictions."""

    def __init__(self, rng):
        self.labels = rng.integers(0, CLASSES, SHAPE)
        for image in range(len(self.labels)):  # each lacks some classes
            absent = rng.random(CLASSES) < 0.4
            self.labels[image][absent[self.labels[image]]] = rng.integers(0, CLASSES)
        self.void = rng.random(SHAPE) < rng.choice([0.0, 0.3])
        self.void[rng.random(len(self.void)) < 0.3] = True
        self.labels[self.void] = 255
        self.scores = rng.integers(1, 8, (*SHAPE, CLASSES)) / 8
        self.scores += np.arange(CLASSES) / 64  # no two are equal
        self.scores = self.scores.astype("float32")
        self.rows = rng.integers(0, 2, (*SHAPE, CLASSES))
        self.rows[self.void] = 255


@st.composite
def cases(draw):
    return Case(np.random.default_rng(draw(st.integers(0, 2**32 - 1))))


def tables_of(case, multi_label, weights=None):
    """For each image the true positives, false positives, false negatives, and size."""
    weights = np.ones(SHAPE, int) if weights is None else weights
    for n, valid in enumerate(~case.void):
        if multi_label:
            label = np.moveaxis(case.rows[n] == 1, -1, 0)
            found = np.moveaxis(case.scores[n] > 0.5, -1, 0)
        else:
            label = case.labels[n] == np.arange(CLASSES)[:, None, None]
            found = case.scores[n].argmax(-1) == np.arange(CLASSES)[:, None, None]
        counts = np.where(valid, weights[n], 0)
        hit, extra, missed = (
            (part * counts).sum(axis=(1, 2))
            for part in (label & found, ~label & found, label & ~found)
        )
        yield hit, extra, missed, counts.sum()


def expected(case, score, multi_label=False, background=True, weights=None, of=None):
    """The mean over images, the mean of each class, and the images left out."""
    of = np.ones(len(case.labels), int) if of is None else of
    means, by_class, left_out = [], {c: [] for c in range(CLASSES)}, 0
    for weight, (hit, extra, missed, size) in zip(
        of, tables_of(case, multi_label, weights), strict=True
    ):
        wanted = [c for c in range(CLASSES) if c or background]
        if not size * weight:
            left_out += 1
            continue
        present = [c for c in wanted if hit[c] + missed[c] or multi_label] or wanted
        values = {c: score(*map(int, (hit[c], extra[c], missed[c]))) for c in present}
        means.append((sum(values.values()) / len(values), weight))
        for c, value in values.items():
            by_class[c].append((value, weight))
    classes = [mean(by_class[c]) for c in range(CLASSES) if c or background]
    return mean(means), classes, left_out


def mean(pairs):
    total = sum(int(weight) for _, weight in pairs)
    return float(sum(v * int(w) for v, w in pairs) / total) if total else math.nan


def iou(hit, extra, missed):
    return Fraction(hit, hit + extra + missed) if hit + extra + missed else Fraction(1)


def dice(hit, extra, missed):
    return iou(2 * hit, extra, missed)


SCORES = [(kt.MeanIoU, iou), (kt.DiceScore, dice)]


@given(case=cases(), multi_label=st.booleans(), background=st.booleans())
def test_scores_are_those_of_a_loop_over_images(case, multi_label, background):
    for metric_class, score in SCORES:
        metric = metric_class(
            CLASSES,
            scope="image",
            per_class=True,
            multi_label=multi_label,
            include_background=background,
        )
        labels = case.rows if multi_label else case.labels
        with op_by_op():
            metric.update_state(labels, case.scores)
        value, classes, left_out = expected(case, score, multi_label, background)
        result = [float(entry) for entry in metric.result().values()]
        np.testing.assert_allclose(result, [value, *classes], rtol=1e-6, atol=1e-7)
        assert metric.images_left_out() == left_out


CUTS = [(1,), (2, 4), (1, 3), (1, 2, 3, 4)]


@given(
    case=cases(),
    multi_label=st.booleans(),
    cuts=st.sampled_from(CUTS),
    seed=st.integers(0, 99),
)
def test_any_split_into_batches_gives_the_same_value(case, multi_label, cuts, seed):
    options = {"scope": "image", "per_class": True, "multi_label": multi_label}
    labels = case.rows if multi_label else case.labels
    order = np.random.default_rng(seed).permutation(len(labels))
    whole, parts = kt.DiceScore(CLASSES, **options), kt.DiceScore(CLASSES, **options)
    with op_by_op():
        whole.update_state(labels, case.scores)
        for part in np.split(order, cuts):
            parts.update_state(labels[part], case.scores[part])
    one, other = ([float(v) for v in m.result().values()] for m in (whole, parts))
    np.testing.assert_array_equal(one, other)  # to the bit
    assert whole.images_left_out() == parts.images_left_out()
    assert (whole.confusion_matrix() == parts.confusion_matrix()).all()


@pytest.mark.parametrize("multi_label", [False, True])
def test_weights_of_samples_weigh_images_and_those_of_pixels_pixels(rng, multi_label):
    case = Case(rng)
    case.void[2:] = False
    case.labels[2:], case.rows[2:] = 1, 0
    labels = case.rows if multi_label else case.labels
    of_images = np.array([1, 3, 0, 2, 1])
    of_pixels = rng.integers(0, 4, SHAPE)
    for weights, settings in (
        (of_images, {"of": of_images}),
        (of_images[:, None, None], {"of": of_images}),
        (of_pixels, {"weights": of_pixels}),
    ):
        metric = kt.MeanIoU(CLASSES, scope="image", multi_label=multi_label)
        metric.update_state(labels, case.scores, weights)
        value, _, left_out = expected(case, iou, multi_label, **settings)
        assert float(metric.result()) == pytest.approx(value, rel=1e-6)
        assert metric.images_left_out() == left_out


@pytest.mark.parametrize(("found", "value"), [(0, 1.0), (3, 0.0)])
def test_an_empty_mask_is_right_if_nothing_is_predicted(found, value):
    labels, probabilities = np.zeros((1, 4)), np.full((1, 4), 0.1)
    probabilities[0, :found] = 0.9
    for options in (
        {"num_classes": 2, "include_background": False},
        {"num_classes": 1, "multi_label": True},
    ):
        metric = kt.DiceScore(scope="image", **options)
        shape = (1, 4, 1) if "multi_label" in options else (1, 4)
        metric.update_state(labels, probabilities.reshape(shape))
        assert float(metric.result()) == value


def test_a_class_without_a_valid_entry_in_an_image_does_not_count_there():
    rows = np.array([[[1, 1]], [[1, 1]]])
    probabilities = np.array([[[0.9, 0.1]], [[0.9, 0.9]]])
    weights = np.array([[[1, 0]], [[1, 1]]])
    metric = kt.MeanIoU(2, scope="image", multi_label=True)
    metric.update_state(rows, probabilities, weights)
    assert float(metric.result()) == 1


def test_nothing_to_score_is_nan():
    metric = kt.MeanIoU(3, scope="image")
    assert math.isnan(metric.result())
    metric.update_state(np.full((2, 4), 255), np.zeros((2, 4, 3)))
    assert math.isnan(metric.result())
    assert metric.images_left_out() == 2
    metric.reset_state()
    assert metric.images_left_out() == 0


@functools.cache
def compiled_scores(multi_label):
    setting = checked_setting(CLASSES, 255, -1, 0.5, False, multi_label)
    score = kt.MeanIoU.score
    wanted = (True,) * CLASSES

    def function(y, z, w):
        plain = images.count_images(y, z, None, setting, score, wanted)
        weighted = images.count_images(y, z, w, setting, score, wanted)
        return [images.mean_scores(counts.sums) for counts in (plain, weighted)]

    return compiled(function)


@given(case=cases())
@pytest.mark.parametrize("multi_label", [False, True])
def test_compiled_code_scores_as_eager_code_does(case, multi_label):
    labels = (case.rows if multi_label else case.labels).astype("int32")
    of_images = np.arange(5, dtype="float32")
    arrays = tensor(labels), tensor(case.scores), tensor(of_images)
    means = compiled_scores(multi_label)(*arrays)
    for found, of in zip(means, (None, of_images), strict=True):
        value, classes, _ = expected(case, iou, multi_label, of=of)
        result = to_numpy(found)
        np.testing.assert_allclose(result, [value, *classes], rtol=1e-6, atol=1e-7)


@pytest.mark.backend_only("tensorflow", reason="only it traces unknown sizes")
@pytest.mark.parametrize("multi_label", [False, True])
def test_images_of_any_size_and_number(rng, multi_label):
    import tensorflow as tf

    of_graph, eager = (
        kt.MeanIoU(3, scope="image", multi_label=multi_label) for _ in range(2)
    )

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, None, None), "int64"),
            tf.TensorSpec((None, None, None, 3), "float32"),
            tf.TensorSpec((None,), "float32"),
        ]
    )
    def step(y, z, w):
        of_graph.update_state(y, z)
        of_graph.update_state(y, z, w)

    for shape in [(2, 4, 6), (1, 5, 3), (3, 1, 1)]:
        y, z = rng.integers(0, 3, shape), rng.random((*shape, 3)).astype("float32")
        w = rng.integers(0, 3, shape[0]).astype("float32")
        step(y, z, w)
        eager.update_state(y, z)
        eager.update_state(y, z, w)
    assert float(of_graph.result()) == float(eager.result())
    assert (of_graph.confusion_matrix() == eager.confusion_matrix()).all()
