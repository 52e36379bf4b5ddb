"""What a trained model lacks is not what its inputs do not allow."""

import keras
import numpy as np
import pytest

from keras_trainfix.diagnosis.measure.eval_pairs import EvalPairs
from keras_trainfix.diagnosis.measure.shortfall import has_no_skill, shortfall
from keras_trainfix.diagnosis.measure.skill import score
from tests.diagnosis.nets import inputs, view

X = inputs(256)
Y = X[:, :1] - X[:, 1:2]


def answering(answers, loss="mse"):
    """Inputs with answers beside them, and a model that gives these."""
    parts = [keras.Input((X.shape[1],)), keras.Input(answers.shape[1:])]
    model = keras.Model(parts, parts[1])
    if loss is not None:
        model.compile("adam", loss)
    return model, [X, answers.astype("float32")]


def short(answers, y, loss="mse"):
    return shortfall(view(*answering(answers, loss), y))


@pytest.mark.parametrize("loss", ["mse", "mae", None])
def test_noise_is_no_better_than_a_constant(rng, loss):
    seen = short(rng.normal(size=Y.shape), Y, loss)
    assert seen.kind == "constant"
    assert seen.skill < 0
    assert short(Y + 0.3 * rng.normal(size=Y.shape), Y, loss) is None


def test_a_linear_model_is_far_better(rng):
    weak = 0.3 * Y + 0.2 * rng.normal(size=Y.shape)
    hidden = 0.1 * Y + 0.3 * rng.normal(size=Y.shape)
    assert short(hidden, Y).kind == "linear"
    assert short(weak, Y) is None  # its order is right


def test_what_cannot_be_learned_is_no_shortfall(rng):
    y = rng.normal(size=Y.shape).astype("float32")
    noise = rng.normal(size=Y.shape)
    assert short(noise, y) is None
    assert short(noise, Y).kind == "constant"


def test_a_small_gain_that_is_real(rng):
    y = 0.25 * Y[:, :1] + rng.normal(size=Y.shape)
    assert short(0.25 * Y, y.astype("float32")) is None
    assert short(rng.normal(size=Y.shape), (y + 2 * Y).astype("float32"))


def test_classes(rng):
    ids = (Y[:, 0] > 0).astype("int32")
    noise = rng.dirichlet([1, 1], 256)
    assert short(noise, ids, "sparse_categorical_crossentropy").kind == "constant"
    right = 0.6 * np.eye(2)[ids] + 0.4 * noise
    assert short(right, ids, "sparse_categorical_crossentropy") is None


def test_a_distance_is_judged_by_its_loss(rng):
    def contrastive(y, d):
        far = keras.ops.maximum(1.0 - d, 0)
        return keras.ops.mean(y * d**2 + (1 - y) * far**2)

    similar = (Y > 0).astype("float32")
    distance = np.clip(1 - similar + 0.2 * rng.normal(size=Y.shape), 0, None)
    assert short(distance, similar, contrastive) is None
    blind = short(rng.uniform(size=Y.shape), similar, contrastive)
    assert blind.kind == "loss"


def test_few_samples_of_a_class_are_not_enough(rng):
    y = np.zeros(256, int)
    y[:8] = 1
    scores = 0.5 + 0.01 * rng.normal(size=256) + 0.01 * y

    def seen(y):
        both = np.stack([1 - scores, scores], 1)
        return score(EvalPairs("classes", both, np.eye(2)[y]))

    assert not has_no_skill(seen(y))
    assert has_no_skill(seen(rng.permutation(np.arange(256) % 2)))


def test_without_anything_to_compare():
    assert short(Y, None) is None
    assert short(X, Y) is None
    assert short(-Y, Y) is None  # they rank, though the other way
