"""Counting reads labels as the losses do, exactly, in chunks of any size."""

import sys

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_trainfix.labels import class_ids, counting, read_labels
from tests.labels.reference import array


@pytest.mark.parametrize("form", ["sparse", "one-hot"])
@pytest.mark.parametrize("ignored", [(255,), (255, 0)])
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.sampled_from([(5, 11), (1, 4, 11), (3, 7, 4)]),
    chunk=st.sampled_from([1, 7, 64]),
)
def test_chunks_add_up(form, ignored, seed, shape, chunk):
    y = np.random.default_rng(seed).choice(
        [0, 1, 2, 255], shape, p=[0.5, 0.2, 0.1, 0.2]
    )
    counted = y if form == "sparse" else np.float32(y[..., None] == np.arange(3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting, "CHUNK", chunk)
        counts, areas = counting.count_classes(counted, 3, ignored, by_image=True)
    assert counts.dtype == areas.dtype == "int64"
    images = [image[~np.isin(image, ignored)] for image in y]
    for index in range(3):
        having = [image for image in images if index in image]
        assert counts[index] == sum((image == index).sum() for image in having)
        assert areas[index] == sum(image.size for image in having)


def test_counts_above_the_exact_range_of_float32():
    y = np.broadcast_to(np.uint8(1), (17, 2**20))  # takes no memory
    counts, _ = counting.count_classes([y, np.zeros((1, 3, 1), int)], 2, ())
    assert counts.tolist() == [3, 17 * 2**20]


VALUES = {
    "integers": np.arange(-3, 9),
    "wide integers": np.array([2**32, 2**32 + 1, 2**40, 1, 0, 255], "uint64"),
    "booleans": np.array([True, False]),
    "floats": np.array([-1, 0, 1, 2, 255, 1.5, np.nan, np.inf, 2**31, -0.0]),
    "probabilities": np.array([0.2, 0.5, 0.7, 1, 0, 255, -0.1, 1.5, np.nan]),
}


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("ignored", [(), (255,), (0,), (-1, 1), (5, 255)])
def test_each_sparse_label_means_what_it_means_to_the_losses(kind, ignored):
    num_classes = 2 if kind in ("booleans", "probabilities") else 3
    channels = 1 if kind == "probabilities" else num_classes
    y = VALUES[kind][None]
    labels = read_labels(y, (*y.shape, channels), ignored, check=False)
    check_same(y, labels, num_classes, ignored)


@pytest.mark.parametrize("ignored", [(), (255,), (0,), (-1, 1), (2, 255)])
def test_each_row_means_what_it_means_to_the_losses(ignored):
    values = [0, 0.3, 0.4, 1, 255, -1, np.nan]
    rows = np.stack(np.meshgrid(values, values, [0, 0.3, 2]), -1).reshape(1, -1, 3)
    labels = read_labels(rows, rows.shape, ignored, check=False)
    check_same(rows, labels, 3, ignored)


def check_same(y, labels, num_classes, ignored):
    valid, invalid = array(labels.valid)[0], array(labels.invalid)[0]
    expected = np.where(valid, array(class_ids(labels))[0], num_classes)
    got = counting._classes(y[:, ~invalid], num_classes, ignored)
    np.testing.assert_array_equal(got[0], expected[~invalid])
    for wrong in np.flatnonzero(invalid):
        with pytest.raises(ValueError, match=r"(`y_true` must be|must sum).*Received"):
            counting._classes(y[:, wrong : wrong + 1], num_classes, ignored)


@pytest.fixture
def shown(monkeypatch, capsys):
    """A function: what counting prints if it has taken long, or not yet."""

    def shown(data, after=0.0, verbose="auto", is_terminal=True):
        monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
        monkeypatch.setattr(counting, "SHOWN_AFTER", after)
        counting.count_classes(data, 2, (), verbose=verbose)
        return capsys.readouterr().out

    return shown


def test_shows_progress_if_it_takes_long(shown):
    batches = [np.array([[0, 1]])] * 3
    assert shown(batches, after=float("inf")) == ""
    assert "1/3 batches" in shown(batches)
    assert "1 batch" in shown(iter(batches))  # of unknown length
    assert shown(batches, verbose=0) == ""
    assert shown(batches, is_terminal=False) == ""
    keras.config.disable_interactive_logging()
    assert shown(batches) == ""
