"""A copy of a model is changed for good, and the model is not."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_trainfix.backend import to_numpy
from keras_trainfix.diagnosis.experiments.mended import Mended
from keras_trainfix.diagnosis.experiments.training import Training, split_samples
from keras_trainfix.diagnosis.experiments.treatment import TREATMENTS, Case
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.models.clone import cloned
from tests.diagnosis.experiments.benches import compiled, mlp, table

X, Y = table()


def mended(model):
    copy = cloned(model)
    copy.set_weights(model.get_weights())
    return Mended(model, copy)


def treated(name, model, x=X, y=Y):
    """A mended copy with the first variant of a treatment."""
    snapshot = Snapshot(model, x, y)
    train, held_out = split_samples(snapshot.more(2304))
    case = Case(Training(model, train, held_out), snapshot)
    variant = next(iter(TREATMENTS[name].variants(case)))
    copy = mended(model)
    variant.mend(copy)
    return copy


def answers(model, x=X):
    return to_numpy(model(x[:8], training=False)).astype("float64")


def test_positions_become_a_part_of_the_copy():
    ids = np.random.default_rng(0).integers(1, 6, (64, 6)).astype("int32")
    y = (ids[:, 0] > 3).astype("float32")
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((6,), dtype="int32"),
            layers.Embedding(6, 4, embeddings_initializer="glorot_uniform"),
            layers.Dense(16, "relu"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(1),
        ]
    )
    compiled(model)
    copy = treated("positions-added", model, ids, y).copy
    backwards = ids[:, ::-1]
    assert np.allclose(answers(model, ids), answers(model, backwards), atol=1e-6)
    assert not np.allclose(answers(copy, ids), answers(copy, backwards), atol=1e-4)
    assert len(copy.trainable_variables) == len(model.trainable_variables) + 1


def test_attributes_are_those_of_the_copy():
    model = mlp(layers.Dropout(0.9))
    copy = mended(model)
    copy.set([(model.layers[1], "rate", 0.1)])
    assert (model.layers[1].rate, copy.copy.layers[1].rate) == (0.9, 0.1)


def test_a_layer_in_front():
    copy = mended(mlp())
    before = answers(copy.copy, 3 * X)
    copy.put_in_front(layers.Rescaling(3.0))
    np.testing.assert_allclose(answers(copy.copy), before, rtol=1e-5)


def test_layers_at_the_end_keep_the_names_of_the_outputs():
    inputs = keras.Input((4,))
    heads = [layers.Dense(1, name=name)(inputs) for name in "ab"]
    copy = mended(keras.Model(inputs, heads))
    before = [to_numpy(y) for y in copy.copy(X)]
    copy.put_at_end([layers.Rescaling(2.0), layers.Rescaling(1.0, 5.0)])
    assert copy.copy.output_names == ["a", "b"]
    one, other = (to_numpy(y) for y in copy.copy(X))
    np.testing.assert_allclose(one, 2 * before[0], rtol=1e-5)
    np.testing.assert_allclose(other, before[1] + 5, rtol=1e-5)


def test_several_inputs_have_no_layer_in_front():
    inputs = [keras.Input((2,)), keras.Input((2,))]
    model = keras.Model(inputs, layers.Add()(inputs))
    with pytest.raises(ValueError, match="with 2 inputs"):
        mended(model).put_in_front(layers.Rescaling(2.0))


def test_skip_and_normalization_are_those_of_the_bench():
    model = mlp(*[layers.Dense(16, "tanh") for _ in range(3)])
    copy = mended(model)
    hidden = model.layers[1:4]
    copy.replace_calls(hidden, lambda f, x: layers.LayerNormalization()(f(x)))
    copy.replace_calls(hidden, lambda f, x: layers.Add()([x, f(x)]))
    h = model.layers[0](X[:8])
    norm = layers.LayerNormalization()
    for layer in hidden:
        h = norm(h + layer(h))
    np.testing.assert_allclose(
        answers(copy.copy), to_numpy(model.layers[-1](h)), rtol=1e-4, atol=1e-5
    )


def test_a_layer_inside_of_another_has_no_other_call():
    inner = keras.Sequential([layers.Dense(4), layers.Dense(4)])
    model = mlp(inner)
    with pytest.raises(ValueError, match="does not hold 1 of 1 layers"):
        mended(model).replace_calls(inner.layers[:1], lambda f, x: x)


@pytest.mark.parametrize(
    ("name", "model", "check"),
    [
        ("dropout-off", mlp(layers.Dropout(0.9)), lambda m: m.layers[1].rate == 0),
        (
            "gelu",
            mlp(),
            lambda m: m.layers[0].activation is keras.activations.gelu,
        ),
        (
            "no-weight-penalties",
            mlp(kernel_regularizer="l2"),
            lambda m: not m.losses and m.layers[0].kernel_regularizer is None,
        ),
        (
            "no-activity-penalties",
            mlp(activity_regularizer="l2"),
            lambda m: m.layers[0].activity_regularizer is None,
        ),
        (
            "default-initializers",
            mlp(kernel_initializer="zeros"),
            lambda m: to_numpy(m.layers[0].kernel).std() > 0,
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_treatment_leaves(name, model, check):
    copy = treated(name, compiled(model)).copy
    assert check(copy)
    assert not check(model)
    again = type(copy).from_config(copy.get_config())
    again.set_weights(copy.get_weights())
    np.testing.assert_allclose(answers(again), answers(copy), rtol=1e-5)


def test_inputs_standardized_by_a_layer():
    x = 100 * X + 7
    model = compiled(mlp())
    copy = treated("inputs-standardized", model, x).copy
    kept = (x - x.mean(0)) / x.std(0)
    difference = np.abs(answers(copy, x) - answers(model, kept)).max()
    spread = answers(copy, x).std()
    assert difference < 0.25 * spread  # statistics of the trained part


def test_targets_on_their_scale():
    model = compiled(mlp())
    y = 1000 * Y + 50
    copy = treated("targets-standardized", model, X, y).copy
    slope, offset = np.polyfit(answers(model).ravel(), answers(copy).ravel(), 1)
    np.testing.assert_allclose(slope, y.std(), rtol=0.1)
    np.testing.assert_allclose(offset, y.mean(), atol=0.1 * y.std())


def test_the_standard_loss_and_clipping():
    model = compiled(mlp(), lambda y, p: keras.ops.mean(y - p))
    assert isinstance(
        treated("standard-loss", model).loss, keras.losses.MeanSquaredError
    )
    assert treated("gradients-clipped", model).settings == {"global_clipnorm": 1.0}
