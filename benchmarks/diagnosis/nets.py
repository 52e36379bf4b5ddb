"""Nets for the trainings: each is a function of the shape of inputs and a generator.

Where a net is not told its widths it draws them, so that another seed is another net.
"""

import functools

import keras
import numpy as np
from keras import layers

WIDTHS = (16, 24, 32, 48, 64)


def net(function):
    """Makes a function of inputs, a generator and settings a net of settings alone.

    The function returns the tensor, or tensors, of the outputs.
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
    """A number of units."""
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
        units: Of the head.
        head: Its activation.
        hidden: Widths; drawn if None; an integer is a number of layers.
        activation: Of the hidden layers.
        norm: A class of layers, after each.
        dropout: Its rate, after each.
        before: Makers of layers for the inputs, such as `layers.Flatten`.
        after: Makers of layers behind the head.
        head_settings: Dict of settings of the head.
        **settings: Of the hidden `Dense` layers.
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
        units: Of the head.
        head: Its activation.
        filters: Tuple of numbers of channels; drawn if None.
        norm: Maker of a layer, after each.
        pool: Maker of the layer between images and head.
        dropout: Its rate, before the head.
        hidden: Units of a dense layer before the head.
        activation: Of the convolutions.
        before: Makers of layers for the inputs.
        halve: Whether each halves the image.
        **settings: Of the convolutions.
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
    """Convolutions along a series."""
    x = layers.Conv1D(width(rng) // 2, 3, padding="same", activation=activation)(x)
    x = layers.MaxPooling1D()(x)
    x = layers.Conv1D(width(rng), 3, padding="same", activation=activation)(x)
    return layers.Dense(units, activation=head)(pool()(x))


@net
def rnn(x, rng, units, head=None, cell=layers.LSTM, both=False, deep=False, **settings):
    """A recurrent layer, or two, and a head; `return_sequences` for a head a step."""
    size = width(rng)
    if deep:
        x = cell(size, return_sequences=True)(x)
    last = cell(size, **settings)
    x = (layers.Bidirectional(last) if both else last)(x)
    return layers.Dense(units, activation=head)(x)


@net
def words(x, rng, units, head=None, rows=60, body="mean", size=8, **settings):
    """An embedding, and the mean, a recurrent layer, or convolutions over it."""
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
    """Dense blocks, each added to what came before."""
    size = width(rng)
    x = layers.Dense(size)(x)
    for _ in range(blocks):
        x = layers.Add()([x, layers.Dense(size, activation=activation)(x)])
    return layers.Dense(units, activation=head)(x)


@net
def residual_cnn(x, rng, units, head=None, size=12):
    """Convolutions with batch normalization, and a shortcut."""
    x = layers.Conv2D(size, 3, padding="same")(x)
    short = x
    x = layers.BatchNormalization(momentum=0.9)(x)
    x = layers.Conv2D(size, 3, padding="same")(layers.ReLU()(x))
    x = layers.Add()([x, short])
    return layers.Dense(units, activation=head)(layers.Flatten()(x))


@net
def segmenter(x, rng, units=1, head=None, filters=None, after=(), **settings):
    """Convolutions at full size, and a head for each pixel."""
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
    """A branch for each input, and their product."""
    a, b = (layers.Dense(24, activation="relu")(part) for part in x)
    x = layers.Concatenate()([a, b, layers.Multiply()([a, b])])
    x = layers.Dense(width(rng), activation="relu")(x)
    return layers.Dense(units, activation=head)(x)


@net
def two_outputs(x, rng, first=(3, "softmax"), second=(1, None)):
    """A body, and two heads named `first` and `second`."""
    x = layers.Dense(width(rng), activation="relu")(x)
    x = layers.Dense(width(rng), activation="relu")(x)
    return {
        name: layers.Dense(units, activation=head, name=name)(x)
        for name, (units, head) in {"first": first, "second": second}.items()
    }


@net
def on_frozen(x, rng, units, head=None, body=None, epochs=4):
    """A head on a body that was trained on digits, and is frozen.

    Args:
        x: Inputs.
        rng: Generator.
        units: Of the head.
        head: Its activation.
        body: Source of what the body was trained on; random weights if None.
        epochs: Of that training.
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
