import keras
import numpy as np
import pytest
from keras import layers
from keras.layers import BatchNormalization

from keras_trainfix import (
    batch_norm_gap,
    freeze_batch_norm,
    recalibrate_batch_norm,
)
from keras_trainfix.backend import to_numpy


def classifier():
    return keras.Sequential(
        [
            keras.Input((4,)),
            BatchNormalization(name="first"),
            layers.Dropout(0.5),
            layers.Dense(6, activation="relu"),
            BatchNormalization(name="second"),
            layers.Dense(3),
        ]
    )


@pytest.fixture
def x(rng):
    return rng.normal([3, 0, -2, 10], [2, 1, 0.1, 5], (64, 4)).astype("float32")


def test_the_numbers_of_a_layer(x):
    model = classifier()
    layer = model.get_layer("first")
    mean, variance = np.array([1.0, 0, 0, 4]), np.array([4.0, 1, 1, 9])
    layer.moving_mean.assign(mean)
    layer.moving_variance.assign(variance)
    gap = batch_norm_gap(model, x).layers[0]
    x = x.astype("float64")
    shift = np.abs(x.mean(0) - mean) / np.sqrt(variance + 1e-3)
    ratio = np.sqrt((x.var(0) + 1e-3) / (variance + 1e-3))
    assert (gap.name, gap.channels, gap.by_batch) == ("first", 4, True)
    np.testing.assert_allclose(gap.mean_shift, np.sqrt((shift**2).mean()), rtol=1e-4)
    np.testing.assert_allclose(gap.max_mean_shift, shift.max(), rtol=1e-4)
    np.testing.assert_allclose(gap.std_ratio, np.exp(np.log(ratio).mean()), rtol=1e-4)


def test_the_gap_of_the_output(x):
    model = keras.Sequential([keras.Input((4,)), BatchNormalization()])
    gap = batch_norm_gap(model, x)
    x = x.astype("float64")
    training = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-3)
    inference = x / np.sqrt(1 + 1e-3)
    difference = np.sqrt(((training - inference) ** 2).mean())
    expected = difference / max(training.std(), inference.std())
    np.testing.assert_allclose(gap.output_gap, expected, rtol=1e-4)
    changed = (training.argmax(1) != inference.argmax(1)).mean()
    assert gap.changed_answers == pytest.approx(changed)


def test_it_goes_to_zero_by_freezing_and_by_recalibrating(x):
    model = classifier()
    before = batch_norm_gap(model, x)
    assert before.output_gap > 0.5
    recalibrate_batch_norm(model, x, batch_size=64)
    recalibrated = batch_norm_gap(model, x)
    assert recalibrated.output_gap < 1e-3
    assert recalibrated.layers[0].mean_shift < 1e-5
    model = freeze_batch_norm(classifier())
    frozen = batch_norm_gap(model, x)
    assert frozen.output_gap == 0
    assert frozen.changed_answers == 0
    assert not any(layer.by_batch for layer in frozen.layers)
    assert frozen.layers[0].mean_shift > 1  # still reported


def test_the_model_stays_as_it_is(x):
    model = classifier()
    model.compile("adam", "mse")
    weights = model.get_weights()
    first = batch_norm_gap(model, x)
    assert batch_norm_gap(model, x) == first  # dropout draws nothing
    for a, b in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert type(model.get_layer("first")) is BatchNormalization


def test_several_outputs_and_one_channel(x):
    inputs = keras.Input((4,))
    h = BatchNormalization()(inputs)
    outputs = {"value": layers.Dense(1)(h), "other": layers.Dense(1)(inputs)}
    gap = batch_norm_gap(keras.Model(inputs, outputs), x)
    assert gap.output_gap > 0.1
    assert gap.changed_answers is None


def test_a_dataset_gives_its_first_batch(x):
    model = classifier()
    batches = [(x[:32], None), (x[32:], None)]
    assert batch_norm_gap(model, batches) == batch_norm_gap(model, x[:32])


def test_prints_as_a_table(x):
    lines = str(batch_norm_gap(classifier(), x)).splitlines()
    assert lines[0].split() == [
        *("layer", "channels", "training", "uses"),
        *("mean", "shift", "(max)", "std", "ratio"),
    ]
    assert lines[1].split()[:3] == ["first", "4", "batch"]
    assert lines[-1].startswith("output: training and inference differ by")
    assert lines[-1].endswith("% of the answers")
    assert len({len(line) for line in lines[:-1]}) == 1


def test_a_dead_channel_stays_finite(x):
    """Its statistics are those of a pretrained model in use."""
    model = classifier()
    layer = model.get_layer("first")
    layer.moving_mean.assign([-2e-35] * 4)
    layer.moving_variance.assign([1e-36] * 4)
    gap = batch_norm_gap(model, x * 0)
    assert np.isfinite([gap.output_gap, gap.layers[0].std_ratio]).all()
    assert gap.layers[0].mean_shift < 1e-6


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda x: x[:0], "must contain at least one sample"),
        (lambda x: x * np.nan, "must be finite. Received: 256 values"),
        (lambda x: x[:, :2], r"must fit the model.*\(64, 2\)"),
    ],
)
def test_bad_input(x, spoil, message):
    model = classifier()
    with pytest.raises(ValueError, match=message):
        batch_norm_gap(model, spoil(x))
    assert type(model.get_layer("first")) is BatchNormalization


def test_a_model_without_batch_norm_warns(x):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2)], name="plain")
    with pytest.warns(UserWarning, match="'plain' has no BatchNormalization"):
        gap = batch_norm_gap(model, x)
    assert gap.layers == []
    assert gap.output_gap == 0
    assert str(gap) == "No batch normalization layer to measure."
    assert repr(gap) == str(gap)


def test_it_names_what_fit_reports(rng):
    """Training mode and inference mode disagree as `fit` and `evaluate` do."""
    x = rng.uniform(0, 255, (128, 4)).astype("float32")
    y = (x[:, 0] > x[:, 1]).astype("int32")
    model = classifier()
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x, y, epochs=3, verbose=0)
    gap = batch_norm_gap(model, x[:32])
    assert gap.output_gap > 0.5
    assert gap.layers[0].max_mean_shift > 1
    assert to_numpy(model.get_layer("first").moving_mean).max() < 120
