"""Faults that an experiment shows: of gradients, of layers, of the step."""

import keras
import numpy as np
from keras import layers

from benchmarks.diagnosis.cases import BINARY, SPARSE
from benchmarks.diagnosis.data import (
    Data,
    blobs,
    but,
    curved,
    digits,
    linear,
    one_hot,
    source,
    table,
    unit,
)
from benchmarks.diagnosis.faults import before
from benchmarks.diagnosis.faults_of_training import root_of
from benchmarks.diagnosis.nets import mlp, net, width

DIGITS = digits()
DIABETES = but(table("diabetes"), y=unit)


def of_mean_error(y, p):
    """A squared error that averages the batch before the square."""
    return keras.ops.mean(keras.ops.square(keras.ops.mean(p - y, axis=0)))


def of_sums(y, p):
    """The squared error of the sum of the columns."""
    return keras.ops.square(keras.ops.sum(p - y, axis=-1))


def uphill_error(y, p):
    """A squared error with the wrong sign."""
    return -keras.ops.square(p - y)


def nearness(y, p):
    """Falls while the error grows."""
    return 1 / (1 + keras.ops.square(p - y))


def divergence(y, p):
    """The Kullback-Leibler divergence without the logarithm of the answers."""
    return keras.ops.sum(y * (keras.ops.log(y + 1e-7) - p), axis=-1)


def doubts(y, rng):
    """Rows of probabilities: a teacher that is sure by a half."""
    rows = one_hot(y, rng)
    return ((rows + 1 / rows.shape[1]) / 2).astype("float32")


def two_columns(y, rng):
    """Standardized targets, and others beside them."""
    return np.stack([unit(y).ravel(), rng.normal(size=len(y))], 1).astype("float32")


def of_mean_target(y, p):
    """The squared distance to the mean target of the batch."""
    return keras.ops.mean(keras.ops.square(p - keras.ops.mean(y, axis=0)), axis=-1)


def backwards(y, p):
    """Falls while the error grows."""
    return 1 / (1 + keras.ops.mean(keras.ops.square(p - y), axis=-1))


def likelihood(y, p):
    """A gain where a loss belongs."""
    return keras.ops.sum(y * p, axis=-1)


def some_zero(y, rng):
    """Positive targets, of which a few are 0."""
    y = np.abs(unit(y, rng)) + 1
    y[rng.random(len(y)) < 0.04] = 0
    return y


def one_sentinel(y, rng):
    """Targets of scale 1, and a missing one that is coded as a large number."""
    y = unit(y, rng)
    y[rng.integers(0, len(y))] = 1e9
    return y


def repeated_rows(x, _):
    """Inputs of which some are all 0."""
    x = x.copy()
    x[::20] = 0
    return x


@net
def with_norm(x, rng, units, head=None):
    """Features divided by their length, which is 0 for inputs of 0."""
    h = layers.Dense(width(rng), use_bias=False)(x)
    length = layers.Lambda(_length)(h)
    return layers.Dense(units, activation=head)(layers.Concatenate()([h, length]))


def _length(h):
    return keras.ops.sqrt(keras.ops.sum(h**2, axis=-1, keepdims=True))


def root_error(y, p):
    """The distance of an answer to its target, with an infinite slope at 0."""
    return keras.ops.sqrt(keras.ops.sum(keras.ops.square(y - p), axis=-1))


def root_of_size(h):
    """The root of the absolute value, with an infinite slope at 0."""
    return keras.ops.sqrt(keras.ops.abs(h))


def relative_error(y, p):
    """A squared error of which each target is the unit."""
    return keras.ops.mean(keras.ops.square((p - y) / (y + 1e-6)), axis=-1)


def last_kernel_0(model, data):
    """The first answers are 0, and so are some targets."""
    model.layers[-1].kernel.assign(0 * model.layers[-1].kernel)


class _Sampling(layers.Layer):
    """A normal latent vector, and its divergence from the standard normal one."""

    def __init__(self, weight, **settings):
        super().__init__(**settings)
        self.weight = weight
        self.seed = keras.random.SeedGenerator(1)

    def call(self, inputs):
        mean, log_var = inputs
        terms = keras.ops.square(mean) + keras.ops.exp(log_var) - log_var - 1
        divergence = keras.ops.mean(keras.ops.sum(terms, axis=-1)) / 2
        self.add_loss(self.weight * divergence)
        noise = keras.random.normal(keras.ops.shape(mean), seed=self.seed)
        return mean + keras.ops.exp(log_var / 2) * noise


@net
def autoencoder(x, rng, weight=1.0, head="sigmoid"):
    """A variational autoencoder."""
    units = x.shape[-1]
    h = layers.Dense(2 * width(rng), activation="relu")(x)
    size = int(rng.choice([2, 4, 8]))
    h = _Sampling(weight)([layers.Dense(size)(h), layers.Dense(size)(h)])
    h = layers.Dense(2 * width(rng), activation="relu")(h)
    return layers.Dense(units, activation=head)(h)


@source
def itself(rng, data):
    """Inputs as targets."""
    old = data(rng)
    return Data(old.x, old.x)


@net
def two_heads(x, rng, units):
    """A classifier that predicts a number as well."""
    h = layers.Dense(width(rng), activation="relu")(x)
    h = layers.Dense(width(rng), activation="relu")(h)
    return [
        layers.Dense(units, activation="softmax", name="kind")(h),
        layers.Dense(1, name="number")(h),
    ]


class Climbs(keras.optimizers.SGD):
    """Adds the gradient."""

    def update_step(self, gradient, variable, learning_rate):
        self.assign_add(variable, learning_rate * gradient)


@net
def one_branch_twice(x, rng, units, head=None):
    """Both branches begin at the first of two inputs."""
    h = [layers.Dense(width(rng), activation="relu")(x[0]) for _ in x]
    return layers.Dense(units, activation=head)(layers.Concatenate()(h))


@source
def in_halves(rng, data):
    """The columns of a table as two inputs."""
    old = data(rng)
    half = old.x.shape[1] // 2
    return old._replace(x=[old.x[:, :half], old.x[:, half:]])


@source
def with_a_number(rng, data, scale):
    """The class, and the sum of the inputs, at some scale."""
    old = data(rng)
    return Data(old.x, [old.y, scale * old.x.sum(axis=1, keepdims=True)])


def own_step(changed, first_batch=False):
    """Gives a model a `train_step` of its own, which spoils that of Keras.

    Args:
        changed: Function of the number of the call, a weight and the same weight after
            a step of Keras, that returns what the weight becomes.
        first_batch: Whether all steps take the batch of the first.
    """

    def prepare(model, _):
        calls = []

        class Own(type(model)):
            def train_step(self, *arguments):
                calls.append(arguments[-1])
                data = calls[0] if first_batch else arguments[-1]
                old = [keras.ops.copy(v.value) for v in self.trainable_variables]
                number = len(calls)
                if len(arguments) == 1:
                    logs = super().train_step(data)
                    for variable, value in zip(
                        self.trainable_variables, old, strict=True
                    ):
                        variable.assign(changed(number, value, variable.value))
                    return logs
                logs, (new, *rest) = super().train_step(arguments[0], data)
                pairs = zip(arguments[0][0], new, strict=True)
                return logs, ([changed(number, *pair) for pair in pairs], *rest)

        model.__class__ = Own

    return prepare


@net
def cut_branch(x, rng, units, head=None, cut=keras.ops.stop_gradient, twice=False):
    """Two branches, of which an operation cuts one off the gradient."""
    x = layers.Flatten()(x) if len(x.shape) > 2 else x
    one = layers.Dense(4 * width(rng), activation="relu")(x)
    one = layers.Dense(width(rng), activation="relu")(one) if twice else one
    other = layers.Dense(4, activation="relu")(x)
    joined = layers.Concatenate()([layers.Lambda(cut)(one), other])
    return layers.Dense(units, activation=head)(joined)


def as_whole_numbers(h):
    """Features cast to integers and back."""
    return keras.ops.cast(keras.ops.cast(10 * h, "int32"), "float32")


@net
def half(x, rng, units, function, head=None):
    """A net whose hidden layers compute in float16."""
    policy = {"dtype": "mixed_float16"}
    h = layers.Dense(width(rng), activation="relu", use_bias=False, **policy)(x)
    h = layers.Lambda(function, **policy)(h)
    h = layers.Dense(width(rng), activation="relu", **policy)(h)
    return layers.Dense(units, activation=head, dtype="float32")(h)


def of_length_1(h):
    """Vectors divided by their length, with a constant that float16 lacks."""
    length = keras.ops.sqrt(keras.ops.sum(h * h, axis=-1, keepdims=True))
    return h / (length + 1e-8)


def as_shares(h):
    """Positive numbers that sum to 1, by exponentials that overflow."""
    powers = keras.ops.exp(20 * keras.ops.relu(h))
    return powers / keras.ops.sum(powers, axis=-1, keepdims=True)


def centered(h):
    """Differences to a mean that is taken over squares of large numbers."""
    return keras.ops.sqrt(keras.ops.mean(keras.ops.square(500 * h), -1, True)) / 500 + h


# The formatter would put every argument on its own line.
# fmt: off
HALVES = [
    before("418", "a length of 0 in float16", but(table("wine"), x=repeated_rows),
        half(3, of_length_1, "softmax"), SPARSE),
    before("418", "exponentials in float16", DIABETES, half(1, as_shares), "mse"),
    before("418", "squares in float16", DIABETES, half(1, centered), "mse"),
]
MISSING = [
    before("414", "a branch behind stop_gradient", DIGITS, cut_branch(10, "softmax"),
        SPARSE),
    before("414", "a branch of two layers", DIABETES, cut_branch(1, twice=True), "mse"),
    before("414", "a branch of whole numbers", curved(),
        cut_branch(1, cut=as_whole_numbers), "mse"),
]
STEPS = [
    before("416", "a sum of all steps", DIGITS, mlp(10, "softmax"), SPARSE,
        prepare=own_step(lambda number, old, new: old + number * (new - old))),
    before("416", "a sum, of a regression", DIABETES, mlp(1), "mse",
        prepare=own_step(lambda number, old, new: old + 2.0 ** number * (new - old))),
    before("416", "a velocity that is kept", curved(), mlp(1), "mse", prepare=own_step(
        lambda number, old, new: old + (1 - 0.8**number) * (new - old))),
    before("417", "no weight is moved", DIGITS, mlp(10, "softmax"), SPARSE,
        prepare=own_step(lambda number, old, new: old)),
    before("417", "uphill", DIABETES, mlp(1), "mse",
        prepare=own_step(lambda number, old, new: 2 * old - new)),
    before("417", "an optimizer that climbs", curved(), mlp(1), "mse",
        lambda: Climbs(0.01)),
    before("417", "always the first batch", curved(), mlp(1), "mse",
        prepare=own_step(lambda number, old, new: new, first_batch=True)),
]
GRADIENTS = [
    before("412", "the length of a vector of 0",
        but(table("wine"), x=repeated_rows), with_norm(3, "softmax"), SPARSE),
    before("412", "a loss with a root, at a perfect answer",
        but(table("diabetes"), y=some_zero), mlp(1), root_error, change=last_kernel_0),
    before("412", "the root of a size", but(table("wine"), x=repeated_rows),
        root_of(3, "softmax", function=root_of_size), SPARSE),
    before("216", "an error with the wrong sign", DIABETES, mlp(1), uphill_error),
    before("216", "a nearness for an error", curved(), mlp(1), nearness),
    before("216", "a divergence without a logarithm", but(digits(), y=doubts),
        mlp(10, "softmax"), divergence),
    before("212", "the mean of a class", but(table("iris"), y=one_hot),
        mlp(3, "softmax"), of_mean_error),
    before("212", "the mean before the square", DIABETES, mlp(1), of_mean_error),
    before("212", "the sum of the columns", but(table("diabetes"), y=two_columns),
        mlp(2), of_sums),
    before("212", "the mean of the targets", curved(), mlp(1), of_mean_target),
    before("413", "a percentage of 0", but(table("diabetes"), y=some_zero), mlp(1),
        "mape", first="413 206"),
    before("415", "a divergence beside the mean of pixels", itself(digits()),
        autoencoder(), "mse"),
    before("415", "a divergence beside a crossentropy", itself(digits()),
        autoencoder(5.0), BINARY),
    before("415", "two outputs of two scales", with_a_number(table("wine"), 300.0),
        two_heads(3), [SPARSE, "mse"], first="415 111"),
    before("431", "two branches of one input", in_halves(table("wine")),
        one_branch_twice(3, "softmax"), SPARSE),
    before("431", "two branches of one input, of a regression",
        in_halves(table("diabetes")), one_branch_twice(1), "mse", first="431 111"),
    before("431", "two branches of one input, of two classes",
        in_halves(table("breast_cancer", most=300)), one_branch_twice(1, "sigmoid"),
        BINARY, first="431 101"),
    before("413", "an error relative to 0", but(table("boston_housing"), y=some_zero),
        mlp(1), relative_error),
    before("413", "a missing target as a large number",
        but(table("boston_housing"), y=one_sentinel), mlp(1), "mse",
        first="413 111 108"),
]
# fmt: on


def bounded(model, rng):
    """Keeps all kernels too small."""
    for variable in model.trainable_variables:
        if len(variable.shape) > 1:
            variable.constraint = keras.constraints.MaxNorm(0.01)


@net
def torn(x, rng, units, head=None):
    """A wave that is much too short hides the inputs from the layers behind it."""
    hidden = layers.Dense(16, "tanh")(keras.ops.sign(keras.ops.sin(1e3 * x)))
    return layers.Dense(units, head)(hidden)


BENCH = [
    before("602", "inputs torn, numbers", curved(), torn(1), "mse"),
    before("602", "inputs torn, linear", linear(), torn(1), "mse"),
    before("602", "inputs torn, classes", blobs(), torn(3, "softmax"), SPARSE),
    before("216", "falls with the error", curved(), mlp(1), backwards),
    before(
        "216",
        "the likelihood is minimized",
        but(DIGITS, y=one_hot),
        mlp(10, "softmax"),
        likelihood,
    ),
    before("601", "bounded weights", DIABETES, mlp(1), "mse", prepare=bounded),
    before(
        "601",
        "bounded weights of a classifier",
        DIGITS,
        mlp(10, "softmax"),
        SPARSE,
        prepare=bounded,
    ),
]

FAULTS = [
    *BENCH,
    *GRADIENTS,
    *STEPS,
    *MISSING,
    *HALVES,
]
