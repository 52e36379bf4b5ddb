"""Images that move while masks, boxes or points stay; classes and counts may stay."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_trainfix import diagnose
from tests.diagnosis.measure.test_positional import squares
from tests.diagnosis.nets import judge, view

X, MIDDLE, SIZE = squares(200, sizes=(3, 9))
X = X.astype("float32")
LOW, HIGH = MIDDLE - SIZE[:, None] / 2, MIDDLE + SIZE[:, None] / 2
NOISE = np.random.default_rng(3).uniform(0, 1e-3, (200, 1))  # tells samples apart
TARGETS = {
    "masks": (X > 0.5).astype("float32"),
    "boxes": np.hstack([LOW, HIGH])[:, [1, 0, 3, 2]].astype("float32"),
    "coordinates": (MIDDLE / 12 - 1 + NOISE).astype("float32"),
}
STILL = {
    "size": (SIZE[:, None] + NOISE).astype("float32"),
    "brightness": X.mean((1, 2)),
    "classes": (SIZE > 5).astype("int32"),
    "one-hot": np.eye(6)[SIZE - 3],
}


class Mirrored(keras.utils.PyDataset):
    """Half of the images mirrored, and the targets too if a function does it."""

    def __init__(self, y, move=lambda y: y):
        super().__init__()
        self.y, self.move, self.rng = y, move, np.random.default_rng(0)

    def __len__(self):
        return 10

    def __getitem__(self, index):
        part = slice(20 * index, 20 * index + 20)
        chosen = self.rng.random(20) < 0.5
        x, y = X[part].copy(), self.y[part].copy()
        x[chosen] = x[chosen, :, ::-1]
        y[chosen] = self.move(y[chosen])
        return x, y


def model_for(y, *first, loss="mse"):
    keras.utils.set_random_seed(0)
    last = [layers.Conv2D(1, 3, padding="same")]
    if y.ndim < 4:
        last = [layers.Flatten(), layers.Dense(y.shape[-1] if y.ndim > 1 else 1)]
    model = keras.Sequential([keras.Input((24, 24, 1)), *first, *last])
    model.compile("adam", loss)
    return model


def finding(y, move=lambda y: y):
    return judge("KTF138", view(model_for(y), Mirrored(y, move)))


@pytest.mark.parametrize("kind", TARGETS)
def test_targets_that_stay(kind):
    found = finding(TARGETS[kind])
    assert found.severity == "error"
    assert found.evidence["targets"] == kind
    assert f"their {kind} stay" in found.message
    assert 0.3 < found.evidence["moved"] / found.evidence["pairs"] < 0.7


def mirrored_boxes(y):
    return np.stack([24 - y[:, 2], y[:, 1], 24 - y[:, 0], y[:, 3]], 1)


MOVES = {
    "masks": lambda y: y[:, :, ::-1],
    "boxes": mirrored_boxes,
    "coordinates": lambda y: y * [1, -1],
}


@pytest.mark.parametrize("kind", TARGETS)
def test_targets_that_move(kind):
    assert finding(TARGETS[kind], MOVES[kind]) is None


@pytest.mark.parametrize("kind", STILL)
def test_targets_that_may_stay(kind):
    assert finding(STILL[kind]) is None


def test_a_layer_in_the_model():
    for layer, is_found in ((layers.RandomFlip(), True), (layers.Dropout(0.1), False)):
        for name in ("masks", "boxes"):
            one = view(model_for(TARGETS[name], layer), X, TARGETS[name])
            assert (judge("KTF138", one) is not None) == is_found
    model = model_for(STILL["size"], layers.RandomFlip())
    assert judge("KTF138", view(model, X, STILL["size"])) is None


@pytest.mark.parametrize("is_faulty", [True, False])
def test_it_is_the_first_finding(is_faulty):
    y = TARGETS["coordinates"]
    data = Mirrored(y) if is_faulty else Mirrored(y, MOVES["coordinates"])
    found = diagnose(model_for(y), data, fit=False).findings
    codes = [one.code for one in found if one.severity != "note"]
    assert codes == (["KTF138"] if is_faulty else [])
