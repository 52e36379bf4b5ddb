"""A model of two parts whose first part never changes.

Encoder and decoder are trained by a step of their own. It computes the gradient for
the weights of the decoder and updates these; the encoder keeps the weights that it was
born with. The repair is to update all weights.
"""

import keras
from keras import layers

from benchmarks.programs.common import answers, arrays, explained, generator

URL = "https://github.com/keras-team/keras-io/issues/796"
CAUSE = "The user's `train_step` updates the decoder and leaves the encoder out."
FIRST = ("KTF417", "KTF414", "KTF601: `train_step` of Keras")
BACKEND = "torch"
HALF = "chosen"
QUALITY = (0.07, 0.97)


class OfTwoParts(keras.Model):
    """A decoder behind an encoder, and a step that updates some of their weights."""

    def __init__(self, updated, **settings):
        super().__init__(**settings)
        self.updated = updated

    def train_step(self, data):
        x, y = data[:2]
        weights = [v for part in self.updated for v in part.trainable_weights]
        self.zero_grad()
        loss = self.compute_loss(x, y, self(x, training=True))
        loss.backward()
        self.optimizer.apply([v.value.grad for v in weights], weights)
        return {"loss": loss}


def wells(count=1500):
    """Forty measurements at a well, and its yield, which depends on two of them."""
    rng = generator()
    x = rng.normal(size=(count, 40)).astype("float32")
    return x, (x[:, :1] * x[:, 1:2] + x[:, :1]).astype("float32")


def program(parts):
    x, y = wells()
    encoder = keras.Sequential(
        [
            keras.Input((40,)),
            layers.Dense(32, activation="relu"),
            layers.Dense(3, activation="tanh"),
        ]
    )
    decoder = keras.Sequential(
        [keras.Input((3,)), layers.Dense(32, activation="relu"), layers.Dense(1)]
    )
    inputs = keras.Input((40,))
    model = OfTwoParts(
        parts(encoder, decoder), inputs=inputs, outputs=decoder(encoder(inputs))
    )
    model.compile(keras.optimizers.Adam(0.005), "mse")

    def quality(model):
        return explained(y, answers(model, x))

    return arrays(model, x, y, quality, epochs=25, batch_size=32)


def faulty():
    return program(lambda encoder, decoder: [decoder])


def repaired():
    return program(lambda encoder, decoder: [encoder, decoder])
