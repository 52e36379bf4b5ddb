import inspect

import keras
import numpy as np
import pytest
from keras import layers
from keras.layers import BatchNormalization

from keras_trainfix import FrozenBatchNorm, freeze_batch_norm, unfreeze_batch_norm
from keras_trainfix.backend import to_numpy
from keras_trainfix.models.batch_norm_layers import all_layers
from tests.models import nets
from tests.models.nets import (
    affines,
    equal,
    nested,
    norms,
    sequential,
    shared,
    statistics,
    subclassed,
    trained,
    wrapped,
)

BUILDERS = [sequential, nested, subclassed, wrapped, shared]
every_kind = pytest.mark.parametrize("build", BUILDERS, ids=lambda f: f.__name__)


@pytest.fixture
def x(rng):
    return rng.normal(3, 2, (16, 6, 6, 3)).astype("float32")


@pytest.fixture
def y(rng):
    return rng.normal(size=(16, 2)).astype("float32")


@every_kind
def test_a_trained_model_honors_it_without_recompiling(build, x, y):
    model = trained(build, x, y)
    before = statistics(model), affines(model)
    assert freeze_batch_norm(model) is model
    assert [type(layer) for layer in norms(model)] == [FrozenBatchNorm] * 2
    model.fit(x, y, batch_size=8, epochs=1, verbose=0)
    assert all(equal(before[0], statistics(model)))
    assert not any(equal(before[1], affines(model)))


@every_kind
def test_names_weights_outputs_and_optimizer_state_stay(build, x, y):
    model = trained(build, x, y)
    output = model.predict(x, verbose=0)
    names = [layer.name for layer in all_layers(model)]
    weights = list(model.weights)
    state = [to_numpy(variable) for variable in model.optimizer.variables]
    for convert in (freeze_batch_norm, unfreeze_batch_norm):
        convert(model)
        assert [layer.name for layer in all_layers(model)] == names
        assert [id(w) for w in model.weights] == [id(w) for w in weights]
        np.testing.assert_array_equal(model.predict(x, verbose=0), output)
        after = [to_numpy(variable) for variable in model.optimizer.variables]
        assert all(equal(state, after))


@every_kind
def test_unfreezing_lets_the_statistics_move_again(build, x, y):
    model = freeze_batch_norm(trained(build, x, y))
    model.fit(x, y, batch_size=8, epochs=1, verbose=0)
    before = statistics(model)
    assert unfreeze_batch_norm(model) is model
    assert norms(model, FrozenBatchNorm) == []
    model.fit(x, y, batch_size=8, epochs=1, verbose=0)
    assert not any(equal(before, statistics(model)))


@every_kind
def test_training_equals_that_of_a_model_built_frozen(build, x, y, monkeypatch):
    """Adam continues as in a model that had the frozen layer from the start."""
    losses = []
    for frozen_from_the_start in (True, False):
        keras.utils.set_random_seed(1)
        with monkeypatch.context() as patch:
            if frozen_from_the_start:
                patch.setattr(nets, "BatchNormalization", FrozenBatchNorm)
            model = build()
        model.compile(keras.optimizers.Adam(0.01), "mse")
        freeze_batch_norm(model)
        history = model.fit(
            x, y, batch_size=8, epochs=3, shuffle=False, verbose=0
        ).history
        losses.append(history["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-5)


def test_evaluation_and_training_give_the_same_loss_once_frozen(x, y):
    model = keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            BatchNormalization(),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    model.compile(keras.optimizers.SGD(0.0), "mse")
    model.fit(x, y, epochs=3, batch_size=16, verbose=0)
    gap = abs(model.train_on_batch(x, y) - model.evaluate(x, y, verbose=0))
    assert gap > 0.1
    freeze_batch_norm(model)
    trained_loss = model.train_on_batch(x, y)
    np.testing.assert_allclose(trained_loss, model.evaluate(x, y, verbose=0), rtol=1e-5)


def test_trainable_flags_keep_their_meaning(x, y, capsys):
    model = sequential()
    model.get_layer("first").trainable = False
    model.compile("sgd", "mse")
    freeze_batch_norm(model)
    assert "1 of 2 have trainable=False" in capsys.readouterr().out
    before = statistics(model), affines(model)
    model.fit(x, y, epochs=1, verbose=0)
    assert all(equal(before[0], statistics(model)))
    assert equal(before[1], affines(model)) == [True, True, False, False]


@pytest.mark.parametrize("convert", [freeze_batch_norm, unfreeze_batch_norm])
def test_a_model_without_batch_norm_warns(convert):
    model = keras.Sequential([keras.Input((2,)), layers.Dense(2)], name="plain")
    with pytest.warns(UserWarning, match="'plain' has no BatchNormalization layer"):
        assert convert(model) is model


def test_switching_the_model_off_and_on_unfreezes_no_statistics(x, y):
    """With ordinary layers it would, and differently on each backend."""
    model = freeze_batch_norm(sequential())
    before = statistics(model)
    model.trainable = False
    model.trainable = True
    model.compile("sgd", "mse")
    model.fit(x, y, verbose=0)
    assert all(equal(before, statistics(model)))


def test_a_clone_stays_frozen():
    clone = keras.models.clone_model(freeze_batch_norm(nested()))
    assert len(norms(clone, FrozenBatchNorm)) == 2


def test_a_single_layer_can_be_frozen():
    layer = BatchNormalization()
    layer.build((None, 3))
    assert type(freeze_batch_norm(layer)) is FrozenBatchNorm


@pytest.mark.parametrize(
    "settings", [{"renorm": True}, {"synchronized": True}, {"axis": 1}]
)
def test_settings_survive_the_round_trip(settings, rng):
    if not set(settings) <= set(inspect.signature(BatchNormalization).parameters):
        pytest.skip(f"this Keras has no {settings}")
    if "synchronized" in settings and keras.backend.backend() != "tensorflow":
        pytest.skip("Keras has synchronized layers on TensorFlow only")
    model = keras.Sequential([keras.Input((3, 4)), BatchNormalization(**settings)])
    config = model.layers[0].get_config()
    freeze_batch_norm(model)
    assert model.layers[0].get_config() == config
    model.compile("sgd", "mse")
    x = rng.normal(4, 2, (8, 3, 4))
    before = statistics(model)
    model.fit(x, x, verbose=0)
    assert all(equal(before, statistics(model)))
    unfreeze_batch_norm(model)
    assert model.layers[0].get_config() == config
    model.fit(x, x, verbose=0)
    assert not any(equal(before, statistics(model)))


def test_reports_how_many_layers_changed(capsys, x, y):
    model = sequential()
    freeze_batch_norm(model, "first")
    out = capsys.readouterr().out
    assert out.startswith(
        "freeze_batch_norm: 1 layer changed. 1 of them still has mean"
    )
    assert "recalibrate_batch_norm, before freezing" in out
    model.compile("sgd", "mse")
    model.fit(x, y, verbose=0)
    freeze_batch_norm(model)
    expected = "freeze_batch_norm: 1 layer changed, 1 already frozen.\n"
    assert capsys.readouterr().out == expected
    unfreeze_batch_norm(model)
    assert capsys.readouterr().out == "unfreeze_batch_norm: 2 layers changed.\n"


def test_is_silent_without_interactive_logging(capsys, caplog):
    keras.config.disable_interactive_logging()
    with caplog.at_level("INFO", logger="keras_trainfix"):
        freeze_batch_norm(sequential())
    assert capsys.readouterr().out == ""
    assert "2 layers changed" in caplog.text


def test_the_file_of_a_frozen_model_stays_frozen(tmp_path, x, y):
    model = freeze_batch_norm(trained(nested, x, y))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert len(norms(loaded, FrozenBatchNorm)) == 2
    np.testing.assert_array_equal(
        loaded.predict(x, verbose=0), model.predict(x, verbose=0)
    )
    before = statistics(loaded)
    loaded.fit(x, y, epochs=1, verbose=0)
    assert all(equal(before, statistics(loaded)))


def test_the_best_weights_from_before_the_freeze_come_back(tmp_path, x, y):
    model = trained(sequential, x, y)
    model.save_weights(tmp_path / "best.weights.h5")
    best = model.get_weights()
    freeze_batch_norm(model, "second")
    model.fit(x, y, epochs=2, verbose=0)
    model.load_weights(tmp_path / "best.weights.h5")
    assert all(equal(best, model.get_weights()))


APPLICATIONS = {
    "MobileNetV2": 52,
    "ResNet50V2": 49,
    "EfficientNetV2B0": 59,
    "Xception": 40,
}


class Classifier(keras.Model):
    def __init__(self, base):
        super().__init__()
        self.base = base
        self.head = layers.Dense(2)

    def call(self, inputs, training=None):
        return self.head(self.base(inputs, training=training))


@pytest.mark.slow
@pytest.mark.parametrize("name", APPLICATIONS)
def test_applications_convert_inside_functional_and_subclassed(name, rng):
    base = getattr(keras.applications, name)(
        weights=None, include_top=False, pooling="avg", input_shape=(71, 71, 3)
    )
    x = rng.normal(size=(2, 71, 71, 3)).astype("float32")
    inputs = keras.Input((71, 71, 3))
    functional = keras.Model(inputs, layers.Dense(2)(base(inputs)))
    outer = Classifier(base)
    outer(x)
    compiled = lambda: functional.predict(x, verbose=0)  # noqa: E731
    eager = lambda: to_numpy(outer(x, training=False))  # noqa: E731
    for model, output in ((functional, compiled), (outer, eager)):
        before = output()
        assert len(norms(model)) == APPLICATIONS[name]
        freeze_batch_norm(model)
        assert len(norms(model, FrozenBatchNorm)) == APPLICATIONS[name]
        np.testing.assert_array_equal(output(), before)
        unfreeze_batch_norm(model)
        assert norms(model, FrozenBatchNorm) == []


@pytest.mark.slow
def test_the_transfer_learning_recipe_keeps_its_statistics_once_frozen(rng):
    """The official recipe moves all 52 on released versions of Keras 3."""
    base = keras.applications.MobileNetV2(
        weights=None, include_top=False, pooling="avg", input_shape=(32, 32, 3)
    )
    inputs = keras.Input((32, 32, 3))
    outputs = layers.Dense(1)(base(inputs, training=False))
    model = keras.Model(inputs, outputs)
    freeze_batch_norm(base)
    model.compile("sgd", "mse")
    before = statistics(model)
    model.fit(rng.normal(size=(8, 32, 32, 3)), np.zeros(8), verbose=0)
    assert all(equal(before, statistics(model)))
