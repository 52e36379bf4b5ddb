"""Exchanged targets come first, without the faults that follow from them."""

import pytest

from keras_trainfix import diagnose
from tests.diagnosis.experiments.instruments.test_exchanged_targets import (
    MIXED,
    ON,
    REAL,
    X,
    branches,
    inputs,
)
from tests.diagnosis.single import assert_page, run


def test_page():
    assert_page("KTF148")


@pytest.mark.parametrize("name", MIXED)
def test_it_is_the_only_error(name):
    build, y = MIXED[name]
    found = diagnose(build(), X, y[::-1], fit=False)
    assert found.codes[0] == "KTF148"
    assert diagnose(build(), X, y, fit=False).ok


def test_the_fix_exchanges_them():
    build, y = MIXED["numbers and labels"]
    model = build()
    for given in ([ON, REAL], dict(zip(model.output_names, [ON, REAL], strict=True))):
        scope = {"y": given}
        exec(run("KTF148", model, X, given).fix, scope)
        values = list(scope["y"].values()) if isinstance(given, dict) else scope["y"]
        assert values[0] is REAL
        assert values[1] is ON
    assert run("KTF148", build(), X, y) is None


def test_by_what_outputs_see():
    left, right = inputs(256, seed=2), inputs(256, seed=3)
    y = [left[:, :1] - left[:, 1:2], right[:, :1] + right[:, 2:3]]
    finding = run("KTF148", branches(), [left, right], y[::-1])
    assert "R2" in finding.message
    assert run("KTF148", branches(), [left, right], y) is None
