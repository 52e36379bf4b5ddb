"""The best threshold is that of a search over all of them."""

import functools
import importlib.util
import math

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_trainfix as kt
from tests.metrics.helpers import BACKEND, message, op_by_op

SHAPE = (6, 3, 4)
BINS = 10
THRESHOLDS = [k / BINS for k in range(1, BINS)]


@functools.cache
def model_of(channels):
    """A model that answers its inputs."""
    return keras.Sequential([keras.Input((3, 4, channels)), keras.layers.Identity()])


def scores_of(rng, labels):
    """Probabilities, some of them exactly a threshold, that know a little."""
    steps = rng.integers(2, 2 * BINS - 2, labels.shape) + rng.integers(0, 4) * labels
    return np.clip(steps / (2 * BINS), 0.05, 0.95).astype("float32")


class Case:
    """Labels of one sigmoid unit, or of three, some of them void, and probabilities."""

    def __init__(self, rng, multi_label):
        self.channels = 3 if multi_label else 1
        rows = rng.integers(0, 2, (*SHAPE, self.channels))
        rows[rng.random(len(rows)) < 0.3] = 0  # empty masks
        self.scores = scores_of(rng, rows)
        void = rng.random(SHAPE) < rng.choice([0.0, 0.3])
        self.weights = rng.integers(0, 3, SHAPE)
        self.labels = np.where(void[..., None], 255, rows)
        self.options = {"num_classes": 3 if multi_label else 2}
        self.options["multi_label"] = multi_label

    @property
    def data(self):
        return self.scores, self.labels


def score(case, metric_class, threshold, weights=None, y_pred=None, **options):
    metric = metric_class(threshold=threshold, **case.options, **options)
    metric.update_state(case.labels, case.scores if y_pred is None else y_pred, weights)
    return float(metric.result())


def check(case, found, metric_class, **options):
    """`found` is as good as the best of all thresholds."""
    assert found in THRESHOLDS
    of = {t: score(case, metric_class, t, **options) for t in THRESHOLDS}
    assert of[found] == pytest.approx(max(of.values()), rel=1e-6)


@settings(max_examples=10 if BACKEND != "torch" else 25)
@given(
    seed=st.integers(0, 2**32 - 1),
    metric_class=st.sampled_from([kt.MeanIoU, kt.DiceScore]),
    scope=st.sampled_from(["dataset", "image"]),
    multi_label=st.booleans(),
    background=st.booleans(),
)
def test_it_is_the_best_of_all(seed, metric_class, scope, multi_label, background):
    case = Case(np.random.default_rng(seed), multi_label)
    options = {"scope": scope, "include_background": background}
    metric = metric_class(**case.options, **options)
    with op_by_op():
        found = metric.best_threshold(
            model_of(case.channels), case.data, bins=BINS, batch_size=4
        )
        check(case, found, metric_class, **options)


@pytest.mark.parametrize("scope", ["dataset", "image"])
@pytest.mark.parametrize("of_samples", [False, True])
def test_weights_count(rng, scope, of_samples):
    case = Case(rng, multi_label=False)
    weights = case.weights[:, 0, 0] if of_samples else case.weights
    metric = kt.DiceScore(2, scope=scope)
    data = *case.data, weights
    found = metric.best_threshold(model_of(1), data, bins=BINS, batch_size=4)
    check(case, found, kt.DiceScore, weights=weights, scope=scope)


@pytest.mark.parametrize(("weights", "best"), [((3, 1), 0.1), ((1, 3), 0.8)])
def test_weights_of_samples_decide_between_images(weights, best):
    labels, scores = np.ones((2, 3, 4), int), np.full((2, 3, 4, 1), 0.25, "float32")
    labels[1], scores[1] = 0, 0.65
    data = scores, labels, np.array(weights)
    found = kt.MeanIoU(2, scope="image").best_threshold(model_of(1), data, bins=BINS)
    assert abs(found - best) <= 0.1


@pytest.mark.parametrize("multi_label", [False, True])
def test_logits(rng, multi_label):
    case = Case(rng, multi_label)
    # Float32 may move a logit over a threshold that its probability equals.
    case.scores = np.clip(case.scores + 0.01, 0, 1)
    logits = np.log(case.scores / (1 - case.scores))
    metric = kt.MeanIoU(from_logits=True, **case.options)
    model = model_of(case.channels)
    found = metric.best_threshold(model, (logits, case.labels), bins=BINS)
    check(case, found, kt.MeanIoU, y_pred=logits, from_logits=True)


def test_the_middle_of_equally_good_thresholds():
    labels = np.zeros(SHAPE, int)
    labels[:, 0] = 1
    scores = np.where(labels, 0.9, 0.2).astype("float32")[..., None]
    data = scores, labels
    assert kt.MeanIoU(2).best_threshold(model_of(1), data) == 0.55
    assert kt.MeanIoU(2).best_threshold(model_of(1), data, bins=4) == 0.5
    metric = kt.MeanIoU(2, threshold=0.55)
    metric.update_state(labels, scores)
    assert float(metric.result()) == 1


class Batches(keras.utils.PyDataset):
    def __init__(self, data):
        super().__init__()
        self.data = data

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return tuple(part[2 * index : 2 * index + 2] for part in self.data)


def test_arrays_datasets_and_sequences_give_the_same(rng):
    case = Case(rng, multi_label=False)
    metric = kt.MeanIoU(2, scope="image")
    batches = Batches(case.data)
    sources = [case.data, batches, (batches[index] for index in range(3))]
    if importlib.util.find_spec("tensorflow"):
        import tensorflow as tf

        sources.append(tf.data.Dataset.from_tensor_slices(case.data).batch(4))
    if importlib.util.find_spec("torch"):
        import torch

        tensors = torch.utils.data.TensorDataset(*map(torch.tensor, case.data))
        sources.append(torch.utils.data.DataLoader(tensors, batch_size=5))
    found = [metric.best_threshold(model_of(1), data, bins=BINS) for data in sources]
    assert len(set(found)) == 1
    endless = (batches[index % 3] for index in range(10**9))
    assert metric.best_threshold(model_of(1), endless, BINS, steps=3) == found[0]


def test_the_state_of_the_metric_stays(rng):
    case = Case(rng, multi_label=False)
    metric = kt.DiceScore(2)
    metric.best_threshold(model_of(1), case.data)
    assert not metric.confusion_matrix().any()
    assert metric.threshold == 0.5


# --- errors ---


def two_outputs():
    inputs = keras.Input((3, 4, 1))
    return keras.Model(inputs, {"a": inputs + 0, "b": inputs + 0})


GOOD = np.full((*SHAPE, 1), 0.3, "float32"), np.ones(SHAPE, int)
THREE = np.full((*SHAPE, 3), 0.3, "float32")


@pytest.mark.parametrize(
    ("metric", "model", "data", "options", "expected"),
    [
        (kt.MeanIoU(2), 1, GOOD, {"bins": 1}, "`bins` must be an integer, 2 or more"),
        (kt.MeanIoU(2), 1, GOOD, {"bins": 9.5}, "bins=9.5"),
        (
            kt.MeanIoU(3),
            3,
            (THREE, GOOD[1]),
            {},
            "of several scores the highest counts",
        ),
        (kt.MeanIoU(2), 1, GOOD[0], {}, "`data` must have labels"),
        (kt.MeanIoU(2), 1, (GOOD[0], 255 * GOOD[1]), {}, "must have a valid pixel"),
        (kt.MeanIoU(2), 1, (GOOD[0], 7 * GOOD[1]), {}, "a class, 0 to 1, or ignored"),
        (kt.MeanIoU(2), 1, (9 * GOOD[0], GOOD[1]), {}, "pass `from_logits=True`"),
        (kt.MeanIoU(2), 1, (math.nan * GOOD[0], GOOD[1]), {}, "must not be NaN"),
        (kt.MeanIoU(2), 2, GOOD, {}, "`model` must have one output"),
        (kt.MeanIoU(2), 1, (GOOD[0], GOOD[1][:2]), {}, "same number of samples"),
        (kt.MeanIoU(2), 1, GOOD, {"batch_size": 0}, "`batch_size` must be a positive"),
    ],
)
def test_what_has_no_best_threshold(metric, model, data, options, expected):
    model = two_outputs() if model == 2 else model_of(model)
    call = lambda: metric.best_threshold(model, data, **options)  # noqa: E731
    assert expected in message(call)


def test_data_that_are_not_batches():
    text = message(lambda: kt.MeanIoU(2).best_threshold(model_of(1), 3), TypeError)
    assert "`data` must be arrays" in text
