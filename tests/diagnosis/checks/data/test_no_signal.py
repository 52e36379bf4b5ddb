"""Inputs without information about the targets are found; signals are not."""

import keras
import numpy as np
from keras import layers

from tests.diagnosis.checks.data.learners import (
    X,
    answering,
    codes,
    findings,
    trained,
)
from tests.diagnosis.measure.tasks import BINARY, SPARSE, masks, segmenter
from tests.diagnosis.nets import net


def test_noise_is_a_note_before_training_and_a_warning_after(rng):
    noise = rng.normal(size=(256, 1)).astype("float32")
    x = np.c_[0.01 * rng.normal(size=(256, 1)), X, X[:, :2]].astype("float32")
    for steps, severity in ((0, "note"), (100, "note"), (300, "warning")):
        (finding,) = findings(answering(noise, "mse", steps), x, noise)
        assert (finding.code, finding.severity) == ("KTF131", severity)
    assert finding.evidence["power"] > 0.9
    assert abs(finding.evidence["skill"]) < 0.05
    assert finding.evidence["linear_skill"] < 0.05


def test_memorized_samples_is_a_note(rng):
    noise = rng.integers(0, 3, 256)
    x = rng.normal(size=(256, 8)).astype("float32")
    # Finds the sample among those that it knows, and gives its label.
    known = layers.Dense(256, "softmax")
    labels = layers.Dense(3, "softmax")
    wide = keras.Sequential([keras.Input((8,)), known, labels])
    wide.compile("adam", SPARSE)
    known.set_weights([20 * x.T, -10 * (x**2).sum(1)])
    labels.set_weights([9 * np.eye(3)[noise], np.zeros(3)])
    trained(wide)
    (finding,) = findings(wide, x, noise)
    assert (finding.code, finding.severity) == ("KTF131", "note")
    assert "memorized" in finding.message
    assert finding.evidence["skill"] > 0.9


def digits(rng):
    """Ten shapes, noisy and shifted, as images of 8 x 8."""
    shapes = np.random.default_rng(5).random((5, 6, 6)) > 0.5
    y = rng.integers(0, 5, 256)
    x = 0.1 * rng.normal(size=(256, 8, 8, 1))
    for image, label, (a, b) in zip(x, y, rng.integers(0, 3, (256, 2)), strict=True):
        image[a : a + 6, b : b + 6, 0] += shapes[label]
    return x.astype("float32"), y


def cnn():
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(8, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(10, "softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), SPARSE)
    return model


def test_images_with_and_without_their_labels(rng):
    x, y = digits(rng)
    assert "KTF131" not in codes(trained(cnn()), x, y)
    shuffled = rng.permutation(y)
    (fresh,) = findings(trained(cnn()), x, shuffled)
    assert (fresh.code, fresh.severity) == ("KTF131", "warning")
    model = cnn()
    model.fit(x, shuffled, batch_size=16, epochs=13, verbose=0)
    (finding,) = findings(model, x, shuffled)
    assert finding.code == "KTF131"


def test_masks_without_their_images(rng):
    y = masks(rng)[..., None]
    x = (y + 0.5 * rng.normal(size=y.shape)).astype("float32")
    model = trained(segmenter(1, BINARY))
    assert codes(model, x, y) == []
    (finding,) = findings(model, x, np.roll(y, 1, 0))
    assert finding.code == "KTF131"


def test_a_net_that_learns_what_simple_learners_do_not_see(rng):
    """XOR of two of forty features: none but the net finds it."""
    x = np.sign(rng.normal(size=(256, 40))).astype("float32")
    y = ((x[:, :1] * x[:, 1:2]) > 0).astype("float32")
    logits = (4 * y - 2).astype("float32")
    model = answering(logits, keras.losses.BinaryCrossentropy(from_logits=True))
    hidden = np.c_[logits, x[:, :8]].astype("float32")
    assert [f for f in findings(model, hidden, y) if f.severity != "note"] == []
    fresh = net(1, "sigmoid", BINARY, shape=(40,))
    assert all(f.severity == "note" for f in findings(fresh, x, y))


def test_losses_of_ones_own_are_no_more_than_a_note(rng):
    noise = rng.normal(size=(256, 1)).astype("float32")

    def own(y, predictions):
        return keras.ops.mean(keras.ops.square(predictions))

    found = findings(trained(net(1, None, own)), X, noise)
    assert [f.severity for f in found] == ["note"]
