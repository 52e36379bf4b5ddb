"""What float16 cannot hold is found, and skipped steps in the beginning are not."""

import keras
from keras import layers, ops

from tests.diagnosis.nets import inputs
from tests.diagnosis.single import run

X = inputs()
Y = X[:, :1]


def halves(factor):
    """A net that squares its features in float16."""
    keras.utils.set_random_seed(1)
    policy = {"dtype": "mixed_float16"}
    hidden = layers.Dense(8, **policy)
    inside = layers.Lambda(lambda h: ops.square(factor * h), name="inside", **policy)
    last = layers.Dense(1, dtype="float32")
    model = keras.Sequential([keras.Input((6,)), hidden, inside, last])
    adam = keras.optimizers.Adam()
    model.compile(keras.optimizers.LossScaleOptimizer(adam), "mse")
    return model


def test_numbers_that_float16_lacks():
    finding = run("KTF418", halves(1000.0), X, Y)
    assert finding.severity == "error"
    assert "from layer 'inside' on" in finding.message
    assert run("KTF418", halves(1.0), X, Y) is None


def test_a_scale_that_has_fallen():
    model = halves(1.0)
    model.fit(X, Y, verbose=0)
    assert run("KTF418", model, X, Y) is None
    model.optimizer.dynamic_scale.assign(0.25)
    assert "fallen to 0.25" in run("KTF418", model, X, Y).message
