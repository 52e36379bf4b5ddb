"""The page of each code, on every backend: its fault is found, and not its repair."""

import pytest

from keras_trainfix import diagnose
from keras_trainfix.diagnosis.registry import CHECKS
from tests.diagnosis.snippets import faulty_and_fixed


def codes(names, fit):
    """The codes that `diagnose` finds in the namespace of a snippet."""
    weights = names.get("sample_weight")
    model, x, y = (names[name] for name in ("model", "x", "y"))
    return diagnose(model, x, y, sample_weight=weights, fit=fit).codes


@pytest.mark.filterwarnings("ignore:(?s).*You are using a softmax over axis")
@pytest.mark.filterwarnings("ignore:The model does not have any trainable")
@pytest.mark.parametrize("code", CHECKS)
def test_the_page_shows_the_fault_and_its_repair(code):
    faulty, fixed = faulty_and_fixed(CHECKS[code])
    fit = code not in codes(faulty, fit=False)  # it takes a trial to show it
    assert not fit or code in codes(faulty, fit=True)
    assert code not in codes(fixed, fit=fit)
