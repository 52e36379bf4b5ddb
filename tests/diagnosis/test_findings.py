"""Findings as data: what JSON can hold."""

import json

import keras
import numpy as np

from keras_trainfix.diagnosis.findings import Diagnosis
from tests.diagnosis.report.samples import CAUSE, SYMPTOM, finding, full


def test_the_dict_is_strict_json():
    evidence = {
        "nan": np.nan,
        "inf": np.float32(np.inf),
        "count": np.int64(3),
        "flag": np.bool_(True),
        "list": np.array([1.0, -np.inf]),
        "tuple": (1, None, "a"),
        2: {"deep": np.float64(0.5)},
        "other": keras.layers.Dense,
    }
    diagnosis = Diagnosis([finding(evidence=evidence)])
    loaded = json.loads(json.dumps(diagnosis.to_dict(), allow_nan=False))
    assert loaded["ok"] is False
    assert loaded["findings"][0]["evidence"] == {
        "nan": None,
        "inf": None,
        "count": 3,
        "flag": True,
        "list": [1.0, None],
        "tuple": [1, None, "a"],
        "2": {"deep": 0.5},
        "other": str(keras.layers.Dense),
    }


def test_pictures_are_no_part_of_what_is_found():
    with_pictures = full()
    assert with_pictures == Diagnosis([CAUSE, SYMPTOM])
    assert "outputs" not in with_pictures.to_dict()
    assert "OutputSummary" not in repr(with_pictures)
