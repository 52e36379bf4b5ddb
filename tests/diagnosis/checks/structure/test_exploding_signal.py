"""Values that grow from layer to layer are found, unless the data explain them."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import initializers, layers

from tests.diagnosis.nets import inputs, net
from tests.diagnosis.single import answers, run, sequential

X = inputs(128)
Y = X[:, :1] + X[:, 1:2] * X[:, 2:3]
LARGE = initializers.RandomNormal(stddev=1.0, seed=1)


def deep(initializer="he_normal", width=128, depth=2):
    same = {"kernel_initializer": initializer}
    hidden = [layers.Dense(width, "relu", **same) for _ in range(depth)]
    return sequential(*hidden, layers.Dense(1, **same))


@settings(max_examples=2)
@given(width=st.sampled_from([128, 384]), depth=st.integers(2, 4))
def test_numbers_that_explode(width, depth):
    large = run("KTF406", deep(LARGE, width, depth), X, Y)
    assert large.evidence["overshoot"] > 30
    assert run("KTF406", deep("he_normal", width, depth), X, Y) is None


def test_inputs_on_a_large_scale_explode_nothing():
    assert run("KTF406", net(loss="mse"), 1e5 * X, Y) is None
    assert run("KTF406", deep(LARGE), 1e5 * X, Y) is None  # for KTF101 to say
    assert run("KTF406", deep(LARGE), X, Y).severity == "warning"


def test_a_bias_explodes_nothing():
    model = net(loss="mse")
    model.layers[-1].bias.assign([1000.0])
    assert run("KTF406", model, X, 1000 + Y) is None
    kernel = model.layers[-1].kernel
    kernel.assign(1000 * np.ones(kernel.shape))
    assert run("KTF406", model, X, 1000 + Y).severity == "warning"


def test_a_head_that_multiplies_by_the_scale_of_the_targets():
    """A last layer may turn values of order 1 into those of the targets."""
    model = sequential(*net().layers, layers.Rescaling(1e4), loss="mse")
    assert run("KTF406", model, X, Y).severity == "warning"
    assert run("KTF406", model, X, answers(model, X)) is None


def test_a_trainable_head_on_the_scale_of_the_targets():
    """It is meant so, even before training."""
    model = net(loss="mse")
    head = model.layers[-1]
    head.kernel.assign(3000 * head.kernel)
    assert run("KTF406", model, X, Y).severity == "warning"
    assert run("KTF406", model, X, 3000 * Y) is None
