"""Values that are not ids of an `Embedding` are found."""

import keras
import numpy as np
import pytest
from keras import layers

from tests.diagnosis.checks.data.cases import (
    all_findings,
    binary,
    findings,
    ids,
    only,
    word_net,
)
from tests.diagnosis.nets import inputs, view

REAL = {
    "between 0 and 1": lambda: np.random.default_rng(1).random((64, 10)),
    "standardized": lambda: np.random.default_rng(1).normal(size=(64, 10)),
    "some": lambda: np.where(ids() % 5, ids(), 0.5),
    "negative": lambda: ids() - 1,
}


@pytest.mark.parametrize("variant", REAL)
def test_ids_layer_on_real_values(variant):
    finding = only(word_net(), REAL[variant]().astype("float32"), binary())
    assert (finding.code, finding.name) == ("KTF128", "ids-layer-on-real-values")
    assert finding.severity == "error"
    assert finding.evidence["input_dim"] == 50


@pytest.mark.parametrize("shift", [1, 30])
def test_ids_beyond_the_table(shift):
    """TensorFlow and torch refuse to run such a model, so it is looked at before."""
    one = view(word_net(), ids(), binary())
    one.inputs["input"] = np.where(ids() == 49, 49 + shift, ids())
    finding = all_findings(one)["KTF128"]
    assert finding.evidence["beyond"] == (ids() == 49).sum()
    assert f"Embedding({50 + shift}, 4)" in finding.fix


@pytest.mark.backend_only("jax", reason="the others stop at an id out of range")
@pytest.mark.parametrize("shift", [1, 1000])
def test_ids_beyond_the_table_on_jax(shift):
    assert "KTF128" in findings(word_net(), ids() + shift, binary())


@pytest.mark.parametrize("dtype", ["int32", "int64", "float32"])
def test_ids_of_any_dtype(dtype):
    given = ids().astype(dtype)
    assert findings(word_net(), given, binary()) == {}
    assert findings(word_net(dtype="int32"), given, binary()) == {}
    assert list(findings(word_net(), given - 1, binary())) == ["KTF128"]


def test_real_values_beside_ids():
    words, numbers = keras.Input((10,), name="words"), keras.Input((6,), name="numbers")
    embedded = layers.Flatten()(layers.Embedding(50, 4)(words))
    y = layers.Concatenate()([embedded, layers.Dense(4)(numbers)])
    model = keras.Model([words, numbers], layers.Dense(1, activation="sigmoid")(y))
    model.compile("adam", "binary_crossentropy")
    assert findings(model, [ids(), inputs()], binary()) == {}
    swapped = [np.abs(inputs(features=10)), inputs()]
    assert list(findings(model, swapped, binary())) == ["KTF128"]
