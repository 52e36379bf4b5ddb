"""What the notebooks on broken trainings measure with: data, scores, images."""

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from examples import box_regression, broken_models


@pytest.fixture
def data(monkeypatch):
    monkeypatch.setattr(box_regression, "TRAIN", 30)
    monkeypatch.setattr(box_regression, "VALIDATION", 10)
    return box_regression.load_data(1)


def test_boxes_are_where_the_targets_say(data):
    (x, y), (x_val, y_val) = data
    assert (len(x), len(y), len(x_val), len(y_val)) == (30, 30, 10, 10)
    for image, target in zip(x_val, y_val, strict=True):
        rows, columns = np.nonzero(image[..., 0])
        assert (len(rows), np.ptp(rows), np.ptp(columns)) == (16, 3, 3)
        corner = np.array([rows.min(), columns.min()])
        np.testing.assert_allclose(target, 2 * corner / 12 - 1, atol=1e-6)


def test_an_error_is_a_distance_in_pixels():
    targets = np.zeros((2, 2))
    predictions = np.array([[3 / 6, 4 / 6], [0, 0]])  # 3 and 4 pixels off
    assert box_regression.pixel_error(predictions, targets) == pytest.approx(2.5)


@pytest.mark.parametrize(
    ("predictions", "collapsed"),
    [
        ([[0.1, 0.2], [0.1, 0.2]], True),
        ([[np.nan, 0.2], [0.1, 0.2]], True),
        ([[0.1, 0.2], [0.1, 0.9]], False),
    ],
)
def test_a_run_has_collapsed_where_answers_are_the_same(predictions, collapsed):
    run = box_regression.Run(None, np.array(predictions), [], [], 0.0)
    assert run.collapsed is collapsed


def test_images_prepared_in_other_ways(data):
    x = data[0][0]
    standardised = box_regression.standardised(x)
    np.testing.assert_allclose(standardised.mean((1, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(standardised.std((1, 2, 3)), 1, rtol=1e-5)
    assert box_regression.up_to_255(x).max() == 255
    equalised = box_regression.equalised(x)
    assert equalised.shape == x.shape
    # 240 of 256 pixels are black.
    np.testing.assert_array_equal(np.unique(equalised), [0.9375, 1])
    np.testing.assert_array_equal(equalised == 1, x == 1)


def test_a_training_in_pixels_gives_predictions_from_minus_1_to_1(data):
    run = box_regression.train(
        data, 1, net=box_regression.no_hidden_layer, in_pixels=True, epochs=60
    )
    (_, _), (_, y) = data
    assert len(run.losses) == len(run.errors) == 60
    assert run.errors[-1] == box_regression.pixel_error(run.predictions, y)
    assert np.abs(run.predictions.mean(axis=0) - y.mean(axis=0)).max() < 0.4
    assert not run.collapsed


class Answers:
    """A model that gives the scores it was made with."""

    def __init__(self, scores):
        self.scores = np.array(scores)

    def __call__(self, x, training):
        assert training is False
        return self.scores


def test_accuracy_of_one_unit_and_of_several():
    y = np.array([0, 1, 1])
    assert broken_models.accuracy([Answers([[0.1], [0.9], [0.2]])], None, y) == [2 / 3]
    scores = [[2.0, 1.0], [-3.0, 1.0], [0.0, 4.0]]
    assert broken_models.accuracy([Answers(scores)], None, y) == [1]


def test_r2_is_0_for_the_mean_and_1_for_the_targets():
    y = np.array([1.0, 2.0, 6.0])
    models = [Answers([[3.0], [3.0], [3.0]]), Answers(y[:, None])]
    assert broken_models.r2(models, None, y) == [0, 1]


def test_iou_leaves_void_out():
    y = np.array([[[0], [1], [1], [255]]])
    assert broken_models.iou([Answers([[[0.1], [2.0], [-0.1], [0.9]]])], None, y) == [
        1 / 3
    ]


def test_sentences_are_labelled_by_most_of_their_words():
    data = broken_models.sentences()
    assert (len(data.x), len(data.x_test)) == (900, 300)
    many = [sum(word < 10 for word in words) > 6 for words in data.x]
    np.testing.assert_array_equal(data.y, many)
    assert 0.3 < data.y.mean() < 0.5


def test_strokes_have_void_at_their_border():
    load_digits = pytest.importorskip("sklearn.datasets").load_digits
    data = broken_models.strokes(load_digits)
    assert data.x.shape == data.y.shape == (600, 8, 8, 1)
    assert set(np.unique(data.y)) == {0, 1, 255}
    assert 0.1 < (data.y == 255).mean() < 0.3


def test_a_table_is_scaled_by_its_training_part():
    load_wine = pytest.importorskip("sklearn.datasets").load_wine
    data = broken_models.table(load_wine)
    np.testing.assert_allclose(data.x.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(data.x.std(axis=0), 1, rtol=0.02)
    assert (np.abs(data.x_test.mean(axis=0)) > 1e-3).any()
    targets = broken_models.scaled_targets(data)
    assert targets.y.mean() == pytest.approx(0, abs=1e-5)
    assert targets.y.std() == pytest.approx(1, rel=1e-5)
