"""Masks that do not lie over their images."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_trainfix import diagnose
from tests.diagnosis.experiments.instruments.test_moved_masks import MASKS, X
from tests.diagnosis.nets import judge, view

X32, Y = X.astype("float32"), MASKS[..., None].astype("float32")
MOVED = {
    "y = y[:, :, ::-1]": Y[:, :, ::-1],
    "y = y.swapaxes(1, 2)": Y.swapaxes(1, 2),
    "y = y.swapaxes(1, 2)[:, ::-1]": Y.swapaxes(1, 2)[:, :, ::-1],
    "y = np.roll(y, (0, 6), (1, 2))": np.roll(Y, -6, 2),
    "x, y = x[:-1], y[1:]": np.roll(Y, 1, 0),
}


def segmenter():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((20, 20, 1)),
            layers.Conv2D(8, 3, padding="same", activation="relu"),
            layers.Conv2D(1, 1, activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy")
    return model


def finding(y, x=X32):
    return judge("KTF140", view(segmenter(), x, y))


@pytest.mark.parametrize("fix", MOVED)
def test_mask_mispaired(fix):
    found = finding(MOVED[fix])
    assert (found.severity, found.fix) == ("error", fix)
    names = {"x": X32, "y": MOVED[fix], "np": np}
    exec(fix, names)
    assert finding(names["y"], names["x"]) is None


def test_files_by_name_and_by_number():
    by_name = np.argsort([str(number) for number in range(len(X32))])
    found = finding(Y[by_name])
    assert "sorted by name (0, 1, 10, 11, ...)" in found.message
    names = {"y": Y[by_name], "np": np}
    exec(found.fix, names)
    np.testing.assert_array_equal(names["y"], Y)
    assert finding(Y[by_name], X32[by_name]) is None


def test_masks_that_nothing_predicts():
    noise = np.random.default_rng(0).permutation(Y)
    assert finding(noise) is None
    assert finding(Y) is None
    assert finding(Y[:, ::-1]) is not None


@pytest.mark.parametrize("is_faulty", [True, False])
def test_it_is_the_first_finding(is_faulty):
    y = Y[:, ::-1] if is_faulty else Y
    found = diagnose(segmenter(), X32, y, fit=False).findings
    codes = [one.code for one in found if one.severity != "note"]
    assert codes[:1] == (["KTF140"] if is_faulty else [])
