"""The private names of Keras that the package uses, and that no other module does."""

import ast
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

import keras_trainfix
from keras_trainfix import keras_internals as internals
from keras_trainfix.backend import to_numpy

PACKAGE = Path(keras_trainfix.__file__).parent
X = np.ones((4, 3), "float32")


class Penalized(layers.Layer):
    def call(self, inputs):
        self.add_loss(keras.ops.mean(inputs))
        return inputs


def test_the_arguments_of_a_running_fit(model):
    found = []
    look = keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: found.append(internals.arguments_of_fit(model)),
        on_epoch_end=lambda epoch, logs: found.append(internals.arguments_of_fit(own)),
    )
    y = np.ones((4, 2), "float32")
    model.fit(X, y, epochs=1, verbose=0, callbacks=[look], sample_weight=np.ones(4))
    first, other = found
    assert first["x"] is X
    assert (first["epochs"], first["batch_size"], other) == (1, None, {})
    assert internals.arguments_of_fit(model) == {}


def own(y_true, y_pred):
    return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)


@pytest.fixture
def model():
    """A functional, compiled model with a wrapper, an added loss and a schedule."""
    inputs = keras.Input((3,), name="entry")
    x = layers.BatchNormalization(name="norm")(inputs, training=False)
    x = Penalized(name="penalized")(x)
    x = layers.Reshape((1, 3))(x)
    x = layers.TimeDistributed(layers.Dense(2, name="inner"), name="wrapper")(x)
    model = keras.Model(inputs, layers.Flatten(name="last")(x))
    rate = keras.optimizers.schedules.CosineDecay(0.1, 10)
    model.compile(keras.optimizers.SGD(rate, momentum=0.9), own, metrics=[own])
    return model


def test_child_layers(model):
    assert internals.child_layers(model) == model.layers
    (inner,) = internals.child_layers(model.get_layer("wrapper"))
    assert inner.name == "inner"
    assert internals.child_layers(inner) == []


def test_graph_nodes(model):
    (norm,) = [
        node
        for node in internals.graph_nodes(model)
        if node.operation is model.get_layer("norm")
    ]
    assert norm.arguments.kwargs["training"] is False
    assert internals.graph_nodes(model.get_layer("norm")) == []


def test_producer(model):
    assert internals.producer(model.outputs[0]) is model.get_layer("last")
    assert internals.producer(model.inputs[0]).name == "entry"


def test_lambda_output_shape():
    layer = keras.layers.Lambda(lambda x: x, output_shape=(3,))
    assert internals.lambda_output_shape(layer) == (3,)


def test_what_is_lent_is_given_back(model):
    optimizer, metrics = model.optimizer, model._compile_metrics
    other = keras.optimizers.SGD()
    with internals.lent(model, optimizer=other), internals.unbuilt_metrics_lent(model):
        assert model.optimizer is other
        assert model._compile_metrics is not metrics
    assert model.optimizer is optimizer
    assert model._compile_metrics is metrics
    model.fit(X, X[:, :2], verbose=0)
    with internals.unbuilt_metrics_lent(model):  # they are built by now
        assert model._compile_metrics is metrics


def test_added_metrics(model):
    metric = keras.metrics.Mean(name="added")
    before = model.metrics
    internals.added_metrics(model).append(metric)
    assert model.metrics == [*before, metric]
    internals.added_metrics(model).remove(metric)
    assert model.metrics == before


def test_build_as_fit(model):
    internals.build_as_fit(model, (X, X[:, :2]))
    assert model.optimizer.built


def test_losses_in_call(model):
    layer = model.get_layer("penalized")
    model(X)
    (loss,) = internals.losses_in_call(layer)
    np.testing.assert_allclose(to_numpy(loss), 1 / np.sqrt(1.001), rtol=1e-4)


def test_added_losses_are_restored(model):
    layer = model.get_layer("penalized")
    model(X)
    before = internals.added_losses(layer)
    assert len(before.losses) == 1
    model(2 * X)
    assert internals.added_losses(layer).losses[0] is not before.losses[0]
    internals.restore_added_losses(layer, before)
    assert internals.added_losses(layer) == before
    assert layer.losses[0] is before.losses[0]


def test_compile_arguments(model):
    arguments = internals.compile_arguments(model)
    assert arguments["loss"] is own
    assert arguments["metrics"] == [own]
    assert arguments["optimizer"] is model.optimizer
    arguments.clear()  # a copy
    assert internals.compile_arguments(model)["loss"] is own
    assert internals.compile_arguments(keras.Model(model.inputs, model.outputs)) == {}


def test_a_fit_after_own_compiled_loss_is_the_one_without():
    """With an eager call of the model's own loss the random numbers differ."""

    def weights_after_fit(with_call):
        keras.utils.set_random_seed(1)
        model = keras.Sequential(
            [keras.Input((3,)), layers.Dropout(0.5), layers.Dense(2)]
        )
        model.compile("sgd", "mse")
        if with_call:
            with internals.own_compiled_loss(model):
                loss = model.compute_loss(x=X, y=X[:, :2], y_pred=model(X))
            assert np.isfinite(float(to_numpy(keras.ops.stop_gradient(loss))))
        model.fit(X, X[:, :2], verbose=0, shuffle=False)
        return model.get_weights()

    for a, b in zip(weights_after_fit(False), weights_after_fit(True), strict=True):
        np.testing.assert_array_equal(a, b)


def test_own_compiled_loss_needs_no_compile(model):
    with internals.own_compiled_loss(keras.Model(model.inputs, model.outputs)) as lent:
        assert lent is None


@pytest.mark.parametrize(
    ("loss", "settings"),
    [
        (
            keras.losses.BinaryCrossentropy(label_smoothing=0.1),
            {"label_smoothing": 0.1},
        ),
        (keras.losses.Huber(delta=2.0), {"delta": 2.0}),
        (own, {}),
    ],
)
def test_loss_settings(loss, settings):
    found = internals.loss_settings(loss)
    assert {key: found.get(key) for key in settings} == settings
    assert bool(found) == bool(settings)


def test_rate_or_schedule(model):
    schedule = internals.rate_or_schedule(model.optimizer)
    assert isinstance(schedule, keras.optimizers.schedules.CosineDecay)
    rate = internals.rate_or_schedule(keras.optimizers.SGD(0.5))
    assert float(to_numpy(rate)) == 0.5


def test_optimized_variables(model):
    assert internals.optimized_variables(model.optimizer) == []
    model.optimizer.build(model.trainable_variables)
    found = internals.optimized_variables(model.optimizer)
    assert [id(v) for v in found] == [id(v) for v in model.trainable_variables]


def test_stored_value(model):
    variable = model.trainable_variables[0]
    np.testing.assert_array_equal(
        to_numpy(internals.stored_value(variable)), to_numpy(variable)
    )


def test_global_seeds():
    keras.utils.clear_session(free_memory=False)
    assert internals.global_seeds() == []
    keras.random.normal((1,))
    (state,) = internals.global_seeds()
    before = to_numpy(state)
    first = to_numpy(keras.random.normal((3,)))
    state.assign(before)
    np.testing.assert_array_equal(to_numpy(keras.random.normal((3,))), first)


def test_keras_mask():
    x = np.array([[1.0], [0.0]], "float32")[None]
    mask = internals.keras_mask(layers.Masking()(x))
    assert to_numpy(mask).tolist() == [[True, False]]
    assert internals.keras_mask(layers.ReLU()(x)) is None


def test_is_symbolic_scope():
    class Spy(layers.Layer):
        def call(self, inputs):
            seen.append(internals.is_symbolic_scope())
            return inputs

    seen = []
    Spy()(X)
    Spy()(keras.Input((3,)))
    assert seen[0] is False
    assert seen[-1] is True


def test_is_weights_io(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "keras_trainfix.layers.frozen_batch_norm.is_weights_io",
        lambda module: bool(seen.append(module)),
    )
    model = keras.Sequential([keras.Input((3,)), keras_trainfix.FrozenBatchNorm()])
    seen.clear()
    model.save_weights(tmp_path / "model.weights.h5")
    assert any(map(internals.is_weights_io, seen))
    assert not internals.is_weights_io("keras.src.layers.layer")
    assert not internals.is_weights_io(None)


# --- nowhere else ---


@pytest.fixture
def private_names(model):
    """The private attributes that objects of Keras have."""
    model.fit(X, X[:, :2], verbose=0)
    objects = [
        *(model, *model.layers, model.optimizer, model.outputs[0], model.weights[0]),
        *(keras.losses.MeanSquaredError(), keras.metrics.Mean(), layers.LSTM(2)),
        *(keras.callbacks.Callback(), keras.optimizers.SGD(0.1), model._compile_loss),
    ]
    names = {name for thing in objects for name in dir(thing)}
    return {n for n in names if n.startswith("_") and not n.startswith("__")} - {"_"}


def private_uses(source, names):
    """Yields what a module takes from Keras that is private, with its line."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(value=ast.Name(id="self" | "cls")):
                pass
            case ast.Attribute(value=ast.Call(func=ast.Name(id="super"))):
                pass
            case ast.Attribute(attr=name) if name in names:
                yield f"{node.lineno}: {ast.unparse(node)}"
            case ast.Constant(value=str(name)) if name in names:
                yield f"{node.lineno}: {name!r}"
            case ast.ImportFrom(module=str(name)) if name.startswith("keras.src"):
                yield f"{node.lineno}: {name}"
            case ast.Import(names=aliases):
                for alias in aliases:
                    if alias.name.startswith("keras.src"):
                        yield f"{node.lineno}: {alias.name}"
            case ast.Attribute(value=ast.Name(id="keras"), attr="src"):
                yield f"{node.lineno}: keras.src"


def test_no_other_module_uses_private_names_of_keras(private_names):
    modules = [
        path for path in PACKAGE.rglob("*.py") if path.name != "keras_internals.py"
    ]
    assert len(modules) > 50
    uses = [
        f"{path.relative_to(PACKAGE)}:{use}"
        for path in modules
        for use in private_uses(path.read_text("utf-8"), private_names)
    ]
    assert uses == []


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("layer._layers", 1),
        ("getattr(loss, '_fn_kwargs', {})", 1),
        ("model.outputs[0]._keras_history.operation", 1),
        ("from keras.src.backend import get_keras_mask", 1),
        ("import keras.src.layers", 1),
        ("keras.src.backend", 1),
        ("self._layers; super()._flatten_layers(); row._replace(x=1)", 0),
        ("import keras; layer.weights", 0),
    ],
)
def test_the_check_above_can_fail(source, count, private_names):
    assert len(list(private_uses(source, private_names))) == count


def test_each_function_says_why_no_public_name_serves():
    source = (PACKAGE / "keras_internals.py").read_text("utf-8")
    functions = [n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef)]
    assert len(functions) > 10
    for function in functions:
        summary, _, reason = ast.get_docstring(function).partition("\n\n")
        assert summary, function.name
        assert reason, function.name
        assert function.returns is not None, function.name
