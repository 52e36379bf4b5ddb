"""A term that leaves another one without a say is found, in its right place."""

import keras
import numpy as np
import pytest
from keras import layers, ops, regularizers

from tests.diagnosis.nets import inputs
from tests.diagnosis.single import assert_page, run, sequential

X = inputs(64, 16)
Y = X[:, :1]


class Sampling(layers.Layer):
    def __init__(self, weight, **kwargs):
        super().__init__(**kwargs)
        self.weight = weight

    def call(self, inputs):
        mean, log_var = inputs
        kl = ops.sum(ops.square(mean) + ops.exp(log_var) - log_var - 1, axis=-1)
        self.add_loss(self.weight * ops.mean(kl) / 2)
        return mean + ops.exp(log_var / 2) * keras.random.normal(ops.shape(mean))


def autoencoder(weight, loss="mse"):
    """A variational autoencoder; without a compiled loss it adds its error."""
    keras.utils.set_random_seed(1)
    image = keras.Input((16,))
    h = layers.Dense(32, "relu")(image)
    z = Sampling(weight, name="sampling")([layers.Dense(4)(h), layers.Dense(4)(h)])
    y = layers.Dense(16)(layers.Dense(32, "relu")(z))
    if loss is None:
        y = AddsError()([image, y])
    model = keras.Model(image, y)
    model.compile("adam", loss)
    return model


class AddsError(layers.Layer):
    def call(self, inputs):
        self.add_loss(ops.mean((inputs[0] - inputs[1]) ** 2))
        return inputs[1]


@pytest.mark.parametrize("loss", ["mse", None])
def test_a_divergence(loss):
    y = X if loss else None
    finding = run("KTF415", autoencoder(30.0, loss), X, y)
    assert finding.severity == "error"
    assert finding.evidence["ratio"] > 30
    assert "'sampling'" in finding.message
    assert run("KTF415", autoencoder(0.01, loss), X, y) is None
    assert run("KTF415", autoencoder(1e-6, loss), X, y) is None


def test_after_a_collapse():
    model = autoencoder(30.0)
    model.fit(X, X, epochs=40, verbose=0)
    assert "'sampling'" in run("KTF415", model, X, X).message
    sound = autoencoder(0.001)
    sound.fit(X, X, epochs=40, verbose=0)
    assert run("KTF415", sound, X, X) is None


@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_one_of_two_outputs(scale):
    keras.utils.set_random_seed(1)
    image = keras.Input((16,))
    h = layers.Dense(8, "relu")(image)
    model = keras.Model(image, [layers.Dense(1, name=name)(h) for name in "pq"])
    model.compile("adam", ["mse", "mse"])
    finding = run("KTF415", model, X, [Y, scale * Y])
    assert (finding and finding.severity) == ("warning" if scale > 1 else None)
    if finding:
        assert "output 'q' pulls" in finding.message
        assert "loss_weights" in finding.fix


def test_a_part_that_only_chooses():
    """A gate that a term governs is a few weights, and the experts learn on."""

    class Gate(layers.Layer):
        def build(self, shape):
            self.gate = layers.Dense(2, "softmax", name="gate")
            self.gate.build(shape)

        def call(self, x):
            chosen = self.gate(x)
            self.add_loss(1e4 * ops.sum(ops.mean(chosen, axis=0) ** 2))
            return chosen

    def model(units):
        keras.utils.set_random_seed(1)
        image = keras.Input((16,))
        experts = layers.Dense(units, "relu")(image)
        experts = layers.Dense(2)(experts)
        answer = layers.Dense(1)(layers.multiply([experts, Gate()(image)]))
        built = keras.Model(image, answer)
        built.compile("adam", "mse")
        return built

    assert run("KTF415", model(64), X, Y) is None
    assert run("KTF415", model(2), X, Y)


def test_penalties_of_weights_have_their_own_finding():
    decay = regularizers.L2(100.0)
    parts = [layers.Dense(8, kernel_regularizer=decay), layers.Dense(1)]
    assert run("KTF415", sequential(*parts, shape=(16,)), X, Y) is None
    active = layers.Dense(8, activity_regularizer=regularizers.L2(1000.0))
    strong = sequential(active, layers.Dense(1), shape=(16,))
    assert "activity regularizer" in run("KTF415", strong, X, np.sign(Y)).message


def test_the_page():
    assert_page("KTF415")


@pytest.mark.parametrize("weights", [[1.0, 0.0], {"p": 1.0, "q": 0.0}, [1.0, 0.5]])
def test_an_output_that_weighs_nothing(weights):
    image = keras.Input((16,))
    model = keras.Model(image, [layers.Dense(1, name=name)(image) for name in "pq"])
    named = isinstance(weights, dict)
    losses = dict.fromkeys("pq", "mse") if named else ["mse", "mse"]
    model.compile("adam", losses, loss_weights=weights)
    finding = run("KTF415", model, X, [Y, Y])
    assert bool(finding) == (0.0 in (weights.values() if named else weights))
    if finding:
        assert "Output 'q' has the loss weight 0" in finding.message


@pytest.mark.parametrize(
    ("losses", "y", "is_left_out"),
    [
        ({"p": "mse"}, [Y, Y], True),
        ({"p": "mse", "q": None}, [Y, Y], False),
        ({"p": "mse"}, {"p": Y}, False),
        ({"p": "mse", "q": "mae"}, [Y, Y], False),
    ],
)
def test_an_output_without_a_loss(losses, y, is_left_out):
    image = keras.Input((16,))
    model = keras.Model(image, {n: layers.Dense(1, name=n)(image) for n in "pq"})
    model.compile("adam", losses)
    y = y if isinstance(y, dict) else dict(zip("pq", y, strict=True))
    finding = run("KTF415", model, X, y)
    assert (finding is not None) == is_left_out
    if finding:
        assert finding.severity == "error"
        assert "Of 2 outputs 'q' has targets, and no loss" in finding.message
