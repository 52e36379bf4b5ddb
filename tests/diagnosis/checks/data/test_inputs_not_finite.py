"""NaN and infinity among the inputs are found unless the model replaces them."""

import keras
import numpy as np
import pytest
from keras import layers

from tests.diagnosis.checks.data.cases import (
    binary,
    conv_net,
    findings,
    images,
    only,
)
from tests.diagnosis.nets import inputs, net


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [(3, 2), (slice(10), 0), (slice(None), 5)])
def test_inputs_not_finite(bad, place):
    x = inputs()
    model = net(1, "sigmoid", "binary_crossentropy")
    assert findings(model, x, binary()) == {}
    x[place] = bad
    finding = only(model, x, binary())
    assert (finding.code, finding.name) == ("KTF102", "inputs-not-finite")
    assert finding.severity == "error"
    assert finding.evidence["not_finite"] == (~np.isfinite(x)).sum()
    assert finding.evidence["features"] == [place[1]]


def test_inputs_not_finite_of_images():
    x = images()
    x[1, 2, 3, 1] = np.nan
    finding = only(conv_net(), x, binary())
    assert finding.evidence["first_samples"] == [1]


def test_nan_that_the_model_replaces():
    x = inputs()
    x[3, 2] = np.nan
    inside = keras.Input((6,))
    replaced = keras.ops.where(keras.ops.isnan(inside), 0.0, inside)
    for features, expected in ((replaced, []), (inside, ["KTF102"])):
        y = layers.Dense(1, activation="sigmoid")(features)
        model = keras.Model(inside, y)
        model.compile("adam", "binary_crossentropy")
        assert list(findings(model, x, binary())) == expected
