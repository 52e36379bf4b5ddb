"""`Diagnosis.fixed`: a corrected copy, and the model as it was."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_trainfix import Diagnosis, FrozenBatchNorm, diagnose
from keras_trainfix.diagnosis.repair import fixed_copy

X = np.random.default_rng(0).normal(size=(96, 4)).astype("float32")
TWO = (X[:, :1] > 0).astype("float32")
FOUR = (X[:, 0] > 0) + 2 * (X[:, 1] > 0)
REAL = 3 * X[:, :1] + 1
LOGITS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def net(units, activation=None, loss="mse", **settings):
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(8, "relu"), layers.Dense(units, activation)]
    )
    model.compile("adam", loss, **settings)
    return model


@pytest.mark.parametrize(
    ("code", "model", "y"),
    [
        ("KTF201", (1, "softmax", "binary_crossentropy"), TWO),
        ("KTF201", (1, "softmax", "mse"), REAL),
        ("KTF202", (1, "sigmoid", "mse"), REAL),
        ("KTF202", (1, "relu", "mae"), REAL),
        ("KTF203", (1, None, "binary_crossentropy"), TWO),
        ("KTF203", (4, "relu", "sparse_categorical_crossentropy"), FOUR),
        ("KTF203", (4, None, keras.losses.CategoricalCrossentropy()), np.eye(4)[FOUR]),
        ("KTF204", (4, "softmax", LOGITS), FOUR),
        ("KTF205", (1, "sigmoid", "categorical_crossentropy"), TWO),
        ("KTF205", (4, "sigmoid", "sparse_categorical_crossentropy"), FOUR),
        ("KTF205", (4, "softmax", "binary_crossentropy"), np.eye(4)[FOUR]),
        ("KTF206", (4, "softmax", "categorical_crossentropy"), FOUR),
    ],
)
def test_a_head_is_mended(code, model, y):
    model = net(*model)
    before = [w.copy() for w in model.get_weights()]
    loss = model.loss
    diagnosis = diagnose(model, X, y, fit=False)
    assert code in diagnosis.codes
    copy = diagnosis.fixed(model)
    assert code not in diagnose(copy, X, y, fit=False).codes
    assert model.loss is loss
    for old, kept, new in zip(
        before, model.get_weights(), copy.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(old, kept)
        np.testing.assert_array_equal(old, new)
    copy.fit(X, y, verbose=0)


def test_an_activation_of_its_own_layer_is_replaced():
    inputs = keras.Input((4,))
    outputs = layers.Softmax()(layers.Dense(1)(layers.Dense(8)(inputs)))
    model = keras.Model(inputs, layers.Reshape((1,))(outputs))
    model.compile("adam", "binary_crossentropy")
    copy = diagnose(model, X, TWO, fit=False).fixed(model)
    predictions = copy.predict(X, verbose=0)
    assert predictions.shape == (96, 1)
    assert 0 < predictions.min() < predictions.max() < 1


def test_the_copy_is_compiled_as_the_model():
    def own(y_true, y_pred):
        return keras.ops.mean(y_true - y_pred)

    model = net(
        1,
        "softmax",
        "binary_crossentropy",
        metrics=[keras.metrics.BinaryAccuracy(name="hits"), own],
    )
    model.optimizer.learning_rate = 0.25
    copy = diagnose(model, X, TWO, fit=False).fixed(model)
    assert float(copy.optimizer.learning_rate) == 0.25
    assert copy.optimizer is not model.optimizer
    logs = copy.evaluate(X, TWO, verbose=0, return_dict=True)
    assert {"hits", "own"} <= set(logs)


def test_the_output_that_is_meant():
    inputs = keras.Input((4,))
    good, bad = (layers.Dense(1, a)(inputs) for a in (None, "softmax"))
    model = keras.Model(inputs, [good, bad])
    losses = {"good": "mse", "bad": "binary_crossentropy"}
    names = dict(zip(model.output_names, losses, strict=True))
    by_name = {name: losses[which] for name, which in names.items()}
    model.compile("adam", by_name)
    y = dict(zip(model.output_names, (REAL, TWO), strict=True))
    copy = diagnose(model, X, y, fit=False).fixed(model)
    last = [layer.activation.__name__ for layer in copy.layers[1:]]
    assert last == ["linear", "sigmoid"]
    assert list(copy.loss) == model.output_names
    copy.fit(X, y, verbose=0)


def test_batch_normalization_is_frozen():
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(8),
            layers.BatchNormalization(),
            layers.Dense(1),
        ]
    )
    model.compile("adam", "mse")
    x = 20 * X + 90
    model.fit(x, REAL, verbose=0, epochs=40)
    diagnosis = diagnose(model, x, REAL, fit=False)
    assert "KTF301" in diagnosis.codes
    copy = diagnosis.fixed(model)
    kinds = {type(layer) for layer in copy.layers}
    assert FrozenBatchNorm in kinds
    assert FrozenBatchNorm not in {type(layer) for layer in model.layers}


def test_frozen_layers_are_thawed():
    model = net(1)
    model.trainable = False
    model.compile("adam", "mse")
    copy = diagnose(model, X, REAL, fit=False).fixed(model)
    assert len(copy.trainable_weights) == 4
    assert not model.trainable_weights


def test_a_rate_that_is_better_comes_with_new_weights():
    keras.utils.set_random_seed(1)
    model = net(1, loss=keras.losses.MeanSquaredError())
    model.compile(keras.optimizers.SGD(30.0), "mse")
    diagnosis = diagnose(model, X, REAL)
    assert diagnosis.codes[0] == "KTF401"
    copy = diagnosis.fixed(model)
    assert float(copy.optimizer.learning_rate) < 30
    assert np.any(copy.get_weights()[0] != model.get_weights()[0])


def test_what_was_done_is_said(capsys):
    keras.config.enable_interactive_logging()
    model = net(1, "softmax", "binary_crossentropy")
    diagnose(model, X, TWO, fit=False).fixed(model)
    said = capsys.readouterr().out
    assert said.startswith("fixed: softmax of 'dense")
    assert "-> sigmoid" in said


def test_nothing_to_mend():
    with pytest.raises(ValueError, match="`fixed` mends heads.*no finding.*`fix` of"):
        Diagnosis([]).fixed(net(1))


def test_another_number_of_units_is_not_mended():
    model = net(1, "sigmoid", "sparse_categorical_crossentropy")
    diagnosis = diagnose(model, X, FOUR, fit=False)
    assert "KTF205" in diagnosis.codes
    reason = "KTF205 loss-does-not-fit-head: the head needs 4 units, which are new"
    with pytest.raises(ValueError, match=f"Received: {reason}"):
        diagnosis.fixed(model)


def test_what_was_not_mended_is_said_with_the_reason(capsys):
    keras.config.enable_interactive_logging()
    inputs = keras.Input((4,))
    names = ("one", "many", "scores")
    heads = [layers.Dense(1, "softmax", name="one")(inputs)]
    heads += [layers.Dense(1, "sigmoid", name=name)(inputs) for name in names[1:]]
    model = keras.Model(inputs, dict(zip(names, heads, strict=True)))
    sparse = "sparse_categorical_crossentropy"
    loss = {"one": "binary_crossentropy", "many": sparse, "scores": sparse}
    model.compile("adam", loss)
    y = {"one": TWO, "many": FOUR, "scores": TWO}
    copy = diagnose(model, 1e4 * X, y, fit=False).fixed(model)
    said = capsys.readouterr().out
    done, left = said.split("Left to you:")
    assert "softmax of 'one' -> sigmoid" in done
    assert "loss sparse_categorical_crossentropy -> binary_crossentropy" in done
    assert "KTF205 loss-does-not-fit-head: the head needs 4 units" in left
    assert "KTF101 inputs-unscaled: the data must change" in left
    assert "KTF201" not in left
    assert copy.loss["many"] == sparse


class Plain(layers.Layer):
    """Not registered, and without a `get_config`."""

    def __init__(self, width):
        super().__init__()
        self.dense = layers.Dense(width, "relu")

    def call(self, x):
        return self.dense(x)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden = Plain(8)
        self.dense = layers.Dense(1, trainable=False)

    def call(self, x):
        return self.dense(self.hidden(x))


def with_own_layer():
    inner = keras.Sequential([keras.Input((4,)), Plain(6)])
    return keras.Sequential([keras.Input((4,)), inner, layers.Dense(1)])


def functional_with_own_layer():
    inputs = keras.Input((4,))
    return keras.Model(inputs, layers.Dense(1)(Plain(8)(inputs)))


@pytest.mark.every_backend
@pytest.mark.parametrize(
    "make", [with_own_layer, functional_with_own_layer, Subclassed]
)
def test_a_rate_of_a_model_with_classes_of_the_user(make):
    def own(y_true, y_pred):
        return keras.ops.mean(keras.ops.square(y_true - y_pred))

    keras.utils.set_random_seed(1)
    model = make()
    model(X[:1])
    model.trainable = True
    model.compile(keras.optimizers.SGD(30.0), own)
    weights = [w.copy() for w in model.get_weights()]
    diagnosis = diagnose(model, X, REAL)
    assert "KTF401" in diagnosis.codes
    copy = diagnosis.fixed(model)
    assert float(copy.optimizer.learning_rate) < 30
    assert type(copy) is type(model)
    copy.fit(X, REAL, verbose=0)
    assert float(model.optimizer.learning_rate) == 30
    for old, kept in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, kept)


@pytest.mark.every_backend
def test_a_subclassed_model_is_thawed_with_its_weights():
    model = Subclassed()
    model(X[:1])
    model.trainable = False
    model.compile("adam", "mse")
    diagnosis = diagnose(model, X, REAL, fit=False)
    assert "KTF303" in diagnosis.codes
    copy = diagnosis.fixed(model)
    assert len(copy.trainable_weights) == 4
    assert not model.trainable_weights
    expected = model.predict(X, verbose=0)
    np.testing.assert_allclose(copy.predict(X, verbose=0), expected, rtol=1e-5)


class Parts(keras.Model):
    """Made from layers, which no configuration can hold."""

    def __init__(self, *parts):
        super().__init__()
        self.parts = list(parts)

    def call(self, x):
        for part in self.parts:
            x = part(x)
        return x


def test_a_model_that_cannot_be_copied():
    model = Parts(layers.Dense(1, trainable=False))
    model(X[:1])
    model.compile("adam", "mse")
    diagnosis = diagnose(model, X, REAL, fit=False)
    with pytest.raises(ValueError, match="functional and sequential.*Parts"):
        fixed_copy(diagnosis, model)


def alike(initializer):
    keras.utils.set_random_seed(1)
    settings = {"activation": "relu", "kernel_initializer": initializer}
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(16, name="first", **settings),
            layers.Dense(16, name="second", **settings),
            layers.Dense(1, name="last"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return model


@pytest.mark.parametrize("initializer", ["zeros", keras.initializers.Constant(0.05)])
def test_initial_weights_are_drawn_as_by_default(initializer):
    y = np.abs(REAL)
    model = alike(initializer)
    diagnosis = diagnose(model, X, y)
    assert diagnosis.findings[0].code == "KTF407"
    # A model built again is mended as well, and a clone of the copy draws the same way.
    for one in (model, alike(initializer)):
        copy = diagnosis.fixed(one)
        clone = keras.models.clone_model(copy)
        assert np.std(clone.get_layer("second").get_weights()[0]) > 0.1
        copy.fit(X, y, epochs=60, verbose=0)
        assert copy.evaluate(X, y, verbose=0) < 0.2 * y.var()


def test_a_cure_needs_the_layers_that_were_diagnosed():
    diagnosis = diagnose(alike("zeros"), X, np.abs(REAL))
    other = net(1)
    with pytest.raises(ValueError, match="must be the one that was diagnosed"):
        diagnosis.fixed(other)


def test_a_diagnosis_offers_what_fixed_mends():
    model = net(1, "softmax", "binary_crossentropy")
    diagnosis = diagnose(model, X, TWO, fit=False)
    assert diagnosis.codes[0] == "KTF201"
    assert 1 in diagnosis.mendable
    assert diagnose(net(1, None), X, REAL, fit=False).mendable == ()


def test_nothing_is_offered_where_fixed_raises():
    wrong = net(5, "softmax", "sparse_categorical_crossentropy")
    diagnosis = diagnose(wrong, X, FOUR + 9, fit=False)
    assert not diagnosis.ok
    assert diagnosis.mendable == ()
    with pytest.raises(ValueError, match="`fixed` mends"):
        diagnosis.fixed(wrong)


def test_nothing_is_offered_for_a_model_that_cannot_be_copied():
    class Own(layers.Layer):
        def get_config(self):
            raise NotImplementedError

        def call(self, x):
            return x + 0

    model = keras.Sequential([keras.Input((4,)), Own(), layers.Dense(1, "softmax")])
    model.compile("adam", "binary_crossentropy")
    diagnosis = diagnose(model, X, TWO, fit=False)
    assert diagnosis.codes[0] == "KTF201"
    assert diagnosis.mendable == ()
