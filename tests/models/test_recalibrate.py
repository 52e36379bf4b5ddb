import inspect
import re
import sys

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers
from keras.layers import BatchNormalization

from keras_trainfix import freeze_batch_norm, recalibrate_batch_norm
from keras_trainfix.backend import to_numpy
from keras_trainfix.messages import Progress
from tests import test_data


def statistics(model, name):
    layer = model.get_layer(name)
    return to_numpy(layer.moving_mean), to_numpy(layer.moving_variance)


def one_layer(shape=(4,), **settings):
    return keras.Sequential(
        [keras.Input(shape), BatchNormalization(name="bn", **settings)]
    )


def two_layers():
    return keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(5, name="below"),
            BatchNormalization(name="first"),
            layers.ReLU(),
            layers.Dropout(0.5),
            layers.Dense(3, name="between"),
            BatchNormalization(name="second"),
        ]
    )


@pytest.fixture
def x(rng):
    return rng.normal(3, 2, (50, 4)).astype("float32")


@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=5),
    mean=st.sampled_from([0.0, -30.0, 1e4]),
    seed=st.integers(0, 1000),
)
def test_statistics_are_those_of_all_values_together(sizes, mean, seed):
    """Pooled over batches of different size, to float64's mean and variance."""
    keras.config.disable_interactive_logging()
    rng = np.random.default_rng(seed)
    batches = [
        rng.normal(mean + i, 1 + i, (size, 3, 2)).astype("float32")
        for i, size in enumerate(sizes)
    ]
    model = one_layer((3, 2))
    recalibrate_batch_norm(model, iter(batches))
    values = np.concatenate(batches).reshape(-1, 2).astype("float64")
    got_mean, got_variance = statistics(model, "bn")
    np.testing.assert_allclose(got_mean, values.mean(0), rtol=1e-5, atol=1e-5)
    scale = 1e-7 * abs(mean) * values.std(0)
    np.testing.assert_allclose(got_variance, values.var(0), rtol=1e-4, atol=scale.max())


def test_a_large_mean_does_not_cancel(rng):
    """E[x^2] - E[x]^2, as torch's moments have it, gives a negative variance here."""
    x = (1e5 + rng.normal(size=(4096, 4))).astype("float32")
    model = recalibrate_batch_norm(one_layer(), x)
    np.testing.assert_allclose(
        statistics(model, "bn")[1], x.astype("float64").var(0), rtol=1e-3
    )


def test_each_batch_goes_up_normalized_by_itself(x):
    """The definition of Wu and Johnson, computed by hand for two layers."""
    model = two_layers()
    recalibrate_batch_norm(model, x, batch_size=20)
    below, between = model.get_layer("below"), model.get_layer("between")
    first, second = [], []
    for batch in (x[:20], x[20:40], x[40:]):
        h = batch.astype("float64") @ to_numpy(below.kernel) + to_numpy(below.bias)
        first.append(h)
        h = np.maximum((h - h.mean(0)) / np.sqrt(h.var(0) + 1e-3), 0)
        second.append(h @ to_numpy(between.kernel) + to_numpy(between.bias))
    for name, values in (("first", first), ("second", second)):
        values = np.concatenate(values)
        mean, variance = statistics(model, name)
        np.testing.assert_allclose(mean, values.mean(0), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(variance, values.var(0), rtol=1e-4)


def test_nothing_else_changes(x):
    model = two_layers()
    model.compile("adam", "mse")
    model.fit(x, x[:, :3], verbose=0)
    trainable = [to_numpy(w) for w in model.trainable_weights]
    state = [to_numpy(v) for v in model.optimizer.variables]
    seed = model.get_layer("dropout").seed_generator.state
    seed_before = to_numpy(seed)
    kinds = [type(layer) for layer in model.layers]
    assert recalibrate_batch_norm(model, x) is model
    for before, after in (
        (trainable, model.trainable_weights),
        (state, model.optimizer.variables),
        ([seed_before], [seed]),
    ):
        for a, b in zip(before, after, strict=True):
            np.testing.assert_array_equal(a, to_numpy(b))
    assert [type(layer) for layer in model.layers] == kinds


def test_inference_after_it_equals_training(x):
    model = two_layers()
    model.compile("sgd", "mse")
    before = model.predict(x, verbose=0)
    recalibrate_batch_norm(model, x, batch_size=50)
    after = model.predict(x, verbose=0)
    np.testing.assert_allclose(after.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(after.std(0), 1, atol=0.05)
    assert np.abs(before.mean(0)).max() > 0.1


@pytest.mark.parametrize("source", test_data.SOURCES, ids=lambda s: s[0])
def test_takes_what_fit_takes(source):
    model = recalibrate_batch_norm(one_layer((2,)), source[1](), batch_size=4)
    mean, variance = statistics(model, "bn")
    np.testing.assert_allclose(mean, test_data.X.mean(0), rtol=1e-6)
    np.testing.assert_allclose(variance, test_data.X.var(0), rtol=1e-6)


def test_several_inputs(x):
    inputs = {"a": keras.Input((4,), name="a"), "b": keras.Input((4,), name="b")}
    norm = BatchNormalization(name="bn")
    model = keras.Model(inputs, norm(layers.Add()(list(inputs.values()))))
    recalibrate_batch_norm(model, {"a": x, "b": x})
    np.testing.assert_allclose(statistics(model, "bn")[0], 2 * x.mean(0), rtol=1e-5)


def test_masked_positions_do_not_count(rng):
    x = rng.normal(3, 2, (6, 5, 1)).astype("float32")
    x[:, 3:] = 0.0
    model = keras.Sequential(
        [keras.Input((5, 1)), layers.Masking(), BatchNormalization(name="bn")]
    )
    recalibrate_batch_norm(model, x, batch_size=4)
    mean, variance = statistics(model, "bn")
    np.testing.assert_allclose(mean, x[:, :3].mean(), rtol=1e-5)
    np.testing.assert_allclose(variance, x[:, :3].var(), rtol=1e-5)


def test_channels_first_and_steps(rng):
    x = rng.normal(3, 2, (12, 4, 3)).astype("float32")
    model = one_layer((4, 3), axis=1)
    recalibrate_batch_norm(model, x, steps=2, batch_size=4)
    np.testing.assert_allclose(
        statistics(model, "bn")[0], x[:8].mean((0, 2)), rtol=1e-5
    )


def test_layers_inside_wrappers_are_reached(rng):
    x = rng.normal(3, 2, (8, 5, 2)).astype("float32")
    norm = BatchNormalization()
    model = keras.Sequential([keras.Input((5, 2)), layers.TimeDistributed(norm)])
    recalibrate_batch_norm(model, x)
    np.testing.assert_allclose(to_numpy(norm.moving_mean), x.mean((0, 1)), rtol=1e-4)


def test_frozen_layers_are_left_alone_unless_named(x):
    model = two_layers()
    freeze_batch_norm(model, "first")
    recalibrate_batch_norm(model, x)
    assert (statistics(model, "first")[0] == 0).all()
    assert (statistics(model, "second")[0] != 0).all()
    recalibrate_batch_norm(model, x, layers="first")
    assert (statistics(model, "first")[0] != 0).all()
    assert type(model.get_layer("first")).__name__ == "FrozenBatchNorm"


@pytest.mark.parametrize("how", ["freeze_batch_norm", "trainable=False"])
def test_nothing_to_recalibrate_is_an_error(x, how):
    model = two_layers()
    if how == "freeze_batch_norm":
        freeze_batch_norm(model)
    else:
        model.trainable = False
    with pytest.raises(ValueError, match="whose 2 are frozen or have trainable=False"):
        recalibrate_batch_norm(model, x)
    assert (statistics(model, "first")[0] == 0).all()


def test_a_model_without_batch_norm_warns(x):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2)], name="plain")
    with pytest.warns(UserWarning, match="'plain' has no BatchNormalization"):
        assert recalibrate_batch_norm(model, x) is model


def with_nan(x):
    x = x.copy()
    x[40, 1] = np.nan
    x[41, 0] = np.inf
    return x


BAD_DATA = {
    "empty array": (lambda x: x[:0], "at least one batch.*Received: no batch"),
    "used-up generator": (lambda x: iter(()), "at least one batch.*create a new one"),
    "NaN": (with_nan, r"must be finite. Received: 2 values NaN or Inf in batch 1"),
    "wrong shape": (
        lambda x: x[:, :3],
        r"must fit the model.*\(32, 3\).*input_shape=\(None, 4\)",
    ),
    "overflow": (
        lambda x: np.full_like(x, 3e38) * np.sign(x - 3),
        "'first' must be finite in its dtype.*float32",
    ),
}


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
@pytest.mark.parametrize("case", BAD_DATA)
def test_bad_data_leave_the_model_as_it_was(case, x):
    spoil, message = BAD_DATA[case]
    model = two_layers()
    recalibrate_batch_norm(model, x)
    before = model.get_weights()
    kinds = [type(layer) for layer in model.layers]
    with pytest.raises(ValueError, match=message) as error:
        recalibrate_batch_norm(model, spoil(x))
    assert "model is unchanged" in re.sub(r"\s+", " ", str(error.value))
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert [type(layer) for layer in model.layers] == kinds


def test_an_interrupt_leaves_the_model_as_it_was(x):
    def interrupted():
        yield x
        raise KeyboardInterrupt

    model = two_layers()
    kinds = [type(layer) for layer in model.layers]
    with pytest.raises(KeyboardInterrupt):
        recalibrate_batch_norm(model, interrupted())
    assert [type(layer) for layer in model.layers] == kinds
    assert (statistics(model, "first")[0] == 0).all()


def test_an_unbuilt_model_is_an_error(x):
    model = keras.Sequential([layers.Dense(2), BatchNormalization()])
    with pytest.raises(ValueError, match="must be built"):
        recalibrate_batch_norm(model, x)


def test_too_few_batches_warn(x):
    with pytest.warns(UserWarning, match="Received: steps=9, batches=2"):
        recalibrate_batch_norm(one_layer(), x, steps=9)


def test_shows_progress_in_a_terminal_and_the_result(x, capsys, monkeypatch):
    def shown(is_terminal):
        monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
        recalibrate_batch_norm(two_layers(), x)
        return capsys.readouterr().out

    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    monkeypatch.setattr(Progress, "AFTER", 0)
    monkeypatch.setattr(Progress, "INTERVAL", 0)
    result = "recalibrate_batch_norm: 2 layers changed.\n"
    out = shown(is_terminal=True)
    assert "1/2 batches" in out
    assert "2/2 batches" in out
    assert out.endswith(f"\r{result}")
    assert shown(is_terminal=False) == result
    keras.config.disable_interactive_logging()
    assert shown(is_terminal=True) == ""


def test_a_layer_that_is_not_called_is_reported(x, capsys):
    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.used = BatchNormalization(name="used")
            self.spare = BatchNormalization(name="spare")
            self.spare.build((None, 4))

        def call(self, inputs):
            return self.used(inputs)

    model = Model()
    model(x)
    recalibrate_batch_norm(model, x)
    assert "1 layer changed; the model never calls 'spare'" in capsys.readouterr().out


@pytest.mark.backend_only("jax", reason="the other backends run the scan eagerly")
def test_a_layer_inside_a_scan_is_named(rng):
    class Cell(layers.Layer):
        state_size = 2

        def __init__(self):
            super().__init__()
            self.norm = BatchNormalization(name="inside")

        def build(self, input_shape):
            self.norm.build(input_shape)

        def call(self, inputs, states, training=None):
            return self.norm(inputs, training=False), states

    model = keras.Sequential([keras.Input((5, 2)), layers.RNN(Cell())])
    with pytest.raises(ValueError, match="'inside' cannot be observed.*unroll=True"):
        recalibrate_batch_norm(model, rng.normal(size=(4, 5, 2)))
    assert type(model.layers[0].cell.norm) is BatchNormalization


@pytest.mark.skipif(
    "renorm" not in inspect.signature(BatchNormalization).parameters,
    reason="this Keras has no batch renormalization",
)
def test_renorm_gets_all_its_statistics(x):
    model = one_layer(renorm=True)
    recalibrate_batch_norm(model, x)
    layer = model.get_layer("bn")
    np.testing.assert_allclose(to_numpy(layer.renorm_mean), x.mean(0), rtol=1e-5)
    expected = np.sqrt(x.var(0) + 1e-3)
    np.testing.assert_allclose(to_numpy(layer.renorm_stddev), expected, rtol=1e-5)
    np.testing.assert_allclose(to_numpy(layer.moving_stddev), expected, rtol=1e-5)
