"""Nets for the trainings: each is a function of the input shape and a generator.

A net draws its widths at random unless they are given, so each seed gives another net.
"""

import functools

import keras
import numpy as np
from keras import layers

WIDTHS = (16, 24, 32, 48, 64)


def net(function):
    """Turns a function of inputs, generator and settings into a net of settings alone.

    The function returns the output tensor or tensors.
    """

    @functools.wraps(function)
    def configured(*args, **settings):
        def build(shape, rng):
            several = isinstance(shape, list)
            inputs = [keras.Input(s) for s in shape] if several else keras.Input(shape)
            return keras.Model(inputs, function(inputs, rng, *args, **settings))

        return build

    return configured


def width(rng):
    """A random number of units."""
    return int(rng.choice(WIDTHS))


@net
def mlp(
    x,
    rng,
    units,
    head=None,
    hidden=None,
    activation="relu",
    norm=None,
    dropout=0,
    before=(),
    after=(),
    head_settings=None,
    **settings,
):
    """Dense layers.

    Args:
        x: Inputs.
        rng: Generator.
        units: Units of the head.
        head: Activation of the head.
        hidden: Widths, or the number of layers; random if None.
        activation: Activation of the hidden layers.
        norm: Factory for a normalization layer after each hidden layer.
        dropout: Dropout rate after each hidden layer.
        before: Factories for layers before the rest, such as `layers.Flatten`.
        after: Factories for layers after the head.
        head_settings: Dict of settings of the head.
        **settings: Settings of the hidden `Dense` layers.
    """
    for make in before:
        x = make()(x)
    if len(x.shape) > 2 and not before:
        x = layers.Flatten()(x)
    for size in _widths(hidden, rng):
        x = layers.Dense(size, activation=activation, **settings)(x)
        x = norm()(x) if norm else x
        x = layers.Dropout(dropout)(x) if dropout else x
    x = layers.Dense(units, activation=head, **(head_settings or {}))(x)
    for make in after:
        x = make()(x)
    return x


@net
def cnn(
    x,
    rng,
    units,
    head=None,
    filters=None,
    norm=None,
    pool=layers.Flatten,
    dropout=0,
    hidden=None,
    activation="relu",
    before=(),
    halve=True,
    **settings,
):
    """Convolutions, each halving the image, and a dense head.

    Args:
        x: Inputs.
        rng: Generator.
        units: Units of the head.
        head: Activation of the head.
        filters: Tuple of channel numbers; random if None.
        norm: Factory for a normalization layer after each convolution.
        pool: Factory for the layer between convolutions and head.
        dropout: Dropout rate before the head.
        hidden: Units of a dense layer before the head.
        activation: Activation of the convolutions.
        before: Factories for layers before the rest.
        halve: Whether each convolution halves the image.
        **settings: Settings of the convolutions.
    """
    for make in before:
        x = make()(x)
    for size in filters or (int(rng.choice([8, 12, 16])), int(rng.choice([16, 24]))):
        x = layers.Conv2D(size, 3, padding="same", **settings)(x)
        x = norm()(x) if norm else x
        x = layers.Activation(activation)(x)
        x = layers.MaxPooling2D()(x) if halve and x.shape[1] > 3 else x
    x = pool()(x)
    x = layers.Dense(hidden, activation=activation)(x) if hidden else x
    x = layers.Dropout(dropout)(x) if dropout else x
    return layers.Dense(units, activation=head)(x)


@net
def conv1d(x, rng, units, head=None, activation="relu", pool=layers.Flatten):
    """Convolutions over a series."""
    x = layers.Conv1D(width(rng) // 2, 3, padding="same", activation=activation)(x)
    x = layers.MaxPooling1D()(x)
    x = layers.Conv1D(width(rng), 3, padding="same", activation=activation)(x)
    return layers.Dense(units, activation=head)(pool()(x))


@net
def rnn(x, rng, units, head=None, cell=layers.LSTM, both=False, deep=False, **settings):
    """One or two recurrent layers and a head; `return_sequences` for one per step."""
    size = width(rng)
    if deep:
        x = cell(size, return_sequences=True)(x)
    last = cell(size, **settings)
    x = (layers.Bidirectional(last) if both else last)(x)
    return layers.Dense(units, activation=head)(x)


@net
def words(x, rng, units, head=None, rows=60, body="mean", size=8, **settings):
    """An embedding, then the mean, a recurrent layer, or convolutions."""
    x = layers.Embedding(rows, size, **settings)(x)
    if body == "mean":
        x = layers.GlobalAveragePooling1D()(x)
        x = layers.Dense(width(rng), activation="relu")(x)
    elif body == "conv":
        x = layers.Conv1D(width(rng), 3, activation="relu")(x)
        x = layers.GlobalMaxPooling1D()(x)
    else:
        x = body(width(rng))(x)
    return layers.Dense(units, activation=head)(x)


@net
def transformer(x, rng, units, head=None, blocks=1, size=16, rows=None):
    """Self-attention with residuals and layer normalization."""
    x = (layers.Embedding(rows, size) if rows else layers.Dense(size))(x)
    for _ in range(blocks):
        attended = layers.MultiHeadAttention(2, size // 2)(x, x)
        x = layers.LayerNormalization()(layers.Add()([x, attended]))
        fed = layers.Dense(size)(layers.Dense(2 * size, activation="gelu")(x))
        x = layers.LayerNormalization()(layers.Add()([x, fed]))
    return layers.Dense(units, activation=head)(layers.GlobalAveragePooling1D()(x))


@net
def residual(x, rng, units, head=None, blocks=3, activation="relu"):
    """Dense residual blocks."""
    size = width(rng)
    x = layers.Dense(size)(x)
    for _ in range(blocks):
        x = layers.Add()([x, layers.Dense(size, activation=activation)(x)])
    return layers.Dense(units, activation=head)(x)


@net
def residual_cnn(x, rng, units, head=None, size=12):
    """Convolutions with batch normalization and a shortcut."""
    x = layers.Conv2D(size, 3, padding="same")(x)
    short = x
    x = layers.BatchNormalization(momentum=0.9)(x)
    x = layers.Conv2D(size, 3, padding="same")(layers.ReLU()(x))
    x = layers.Add()([x, short])
    return layers.Dense(units, activation=head)(layers.Flatten()(x))


@net
def segmenter(x, rng, units=1, head=None, filters=None, after=(), **settings):
    """Convolutions at full resolution and a head per pixel."""
    for size in filters or (int(rng.choice([8, 12])),) * int(rng.choice([1, 2])):
        x = layers.Conv2D(size, 3, padding="same", activation="relu", **settings)(x)
    x = layers.Conv2D(units, 1, activation=head)(x)
    for make in after:
        x = make()(x)
    return x


@net
def unet(x, rng, units=1, head=None, size=8, norm=None):
    """One level down and up again."""

    def block(x, size):
        x = layers.Conv2D(size, 3, padding="same")(x)
        x = norm()(x) if norm else x
        return layers.ReLU()(x)

    wide = block(x, size)
    deep = block(layers.MaxPooling2D()(wide), 2 * size)
    up = layers.Conv2DTranspose(size, 2, strides=2, activation="relu")(deep)
    x = block(layers.Concatenate()([wide, up]), size)
    return layers.Conv2D(units, 1, activation=head)(x)


@net
def two_inputs(x, rng, units=1, head=None):
    """One branch per input, and their product."""
    a, b = (layers.Dense(24, activation="relu")(part) for part in x)
    x = layers.Concatenate()([a, b, layers.Multiply()([a, b])])
    x = layers.Dense(width(rng), activation="relu")(x)
    return layers.Dense(units, activation=head)(x)


@net
def two_outputs(x, rng, first=(3, "softmax"), second=(1, None)):
    """A body with two heads named `first` and `second`."""
    x = layers.Dense(width(rng), activation="relu")(x)
    x = layers.Dense(width(rng), activation="relu")(x)
    return {
        name: layers.Dense(units, activation=head, name=name)(x)
        for name, (units, head) in {"first": first, "second": second}.items()
    }


@net
def on_frozen(x, rng, units, head=None, body=None, epochs=4):
    """A head on a frozen body, pretrained on digits or random.

    Args:
        x: Inputs.
        rng: Generator.
        units: Units of the head.
        head: Activation of the head.
        body: Source of the body's training data; random weights if None.
        epochs: Epochs of that pretraining.
    """
    frozen = keras.Sequential(
        [
            keras.Input(x.shape[1:]),
            layers.Conv2D(12, 3, activation="relu"),
            layers.BatchNormalization(momentum=0.8),
            layers.Conv2D(24, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(32, activation="relu"),
        ]
    )
    if body is not None:
        data = body(rng)
        classes = int(np.max(data.y)) + 1
        whole = keras.Sequential([frozen, layers.Dense(classes, activation="softmax")])
        whole.compile("adam", "sparse_categorical_crossentropy")
        whole.fit(data.x, data.y, epochs=epochs, verbose=0)
    frozen.trainable = False
    return layers.Dense(units, activation=head)(frozen(x, training=False))


def _widths(hidden, rng):
    if hidden is None:
        hidden = int(rng.integers(1, 4))
    if isinstance(hidden, int):
        return [width(rng) for _ in range(hidden)]
    return hidden
