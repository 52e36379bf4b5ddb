"""What the scores of masks share: their scope, and its state."""

import keras
import numpy as np
import pytest

import keras_trainfix as kt
from tests.metrics.helpers import (
    COMPILED,
    LABELS,
    LOGITS,
    MATRIX,
    MODES,
    X,
    compiled_net,
    evaluate,
    message,
    net,
    updated,
)

SCORES = [kt.MeanIoU, kt.DiceScore]
each = pytest.mark.parametrize("metric_class", SCORES)


@each
@pytest.mark.parametrize("scope", ["batch", "images", None])
def test_a_scope_that_does_not_exist(metric_class, scope):
    text = message(lambda: metric_class(3, scope=scope))
    assert "`scope` must be 'dataset'" in text
    assert f"scope={scope!r}" in text


@each
def test_the_mean_over_images_is_that_of_each_image_alone(metric_class):
    whole = updated(metric_class(3, scope="image"))
    alone = []
    for n in range(len(LABELS)):
        one = metric_class(3)
        one.update_state(LABELS[n : n + 1], LOGITS[n : n + 1])
        alone.append(float(one.result()))  # each of these images has all classes
    assert float(whole.result()) == pytest.approx(np.mean(alone), rel=1e-6)
    assert (whole.confusion_matrix() == MATRIX).all()
    assert whole.class_table() == updated(metric_class(3)).class_table()


@pytest.mark.parametrize("mode", [MODES["eager"], COMPILED], ids=["eager", "compiled"])
def test_evaluate_gives_it_in_any_mode(mode):
    expected = float(updated(kt.DiceScore(3, scope="image")).result())
    model = compiled_net(net(), kt.DiceScore(3, scope="image"), **mode)
    for batch_size in (4, 8):
        values = evaluate(model, X, LABELS, batch_size=batch_size)
        assert values["dice_score"] == pytest.approx(expected, rel=1e-6)


@each
def test_merged_states_are_one_pass(metric_class):
    labels = LABELS.copy()
    labels[3] = 255
    whole, *parts = (metric_class(3, scope="image") for _ in range(3))
    whole.update_state(labels, LOGITS)
    parts[0].update_state(labels[:3], LOGITS[:3])
    parts[1].update_state(labels[3:], LOGITS[3:])
    parts[0].merge_state(parts[1])
    assert float(parts[0].result()) == float(whole.result())
    assert parts[0].images_left_out() == whole.images_left_out() == 1


@pytest.mark.parametrize(
    "other",
    [
        kt.MeanIoU(3),
        kt.DiceScore(3, scope="image"),
        kt.MeanIoU(3, scope="image", include_background=False),
    ],
    ids=["data set", "another score", "no background"],
)
def test_states_that_cannot_be_merged(other):
    metric = kt.MeanIoU(3, scope="image")
    assert "Received: " in message(lambda: metric.merge_state([metric, other]))
    assert "Received: " in message(lambda: other.merge_state(metric))


def test_a_confusion_matrix_has_no_scores_of_images():
    metric = kt.MeanIoU(3, scope="image")
    text = message(lambda: metric.load_confusion_matrix(MATRIX))
    assert "Pass it to a metric with scope='dataset'" in text


@each
def test_the_configuration_has_the_new_arguments(metric_class):
    options = {"scope": "image", "multi_label": True, "include_background": False}
    metric = metric_class(3, **options)
    again = keras.metrics.deserialize(keras.metrics.serialize(metric))
    assert again.get_config().items() >= options.items()


@each
def test_the_data_set_has_no_images_left_out(metric_class):
    metric = metric_class(3)
    metric.update_state(np.full_like(LABELS, 255), LOGITS)
    assert metric.images_left_out() == 0
