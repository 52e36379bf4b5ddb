"""The page of each code, on every backend: its fault is found, and not its repair."""

import pytest

from keras_trainfix.diagnosis.experiments.proving import try_treatments
from keras_trainfix.diagnosis.registry import CHECKS
from keras_trainfix.diagnosis.trial.attempt import attempt
from tests.diagnosis.nets import judge, view_of_names
from tests.diagnosis.snippets import faulty_and_fixed

# The severity of the fault on the page, if it is not that of the check.
SEVERITIES = {"KTF131": "note", "KTF210": "error"}


@pytest.mark.filterwarnings("ignore:(?s).*You are using a softmax over axis")
@pytest.mark.filterwarnings("ignore:The model does not have any trainable")
@pytest.mark.parametrize("code", CHECKS)
def test_the_page_shows_the_fault_and_its_repair(code, whole_bench):
    faulty, fixed = (view_of_names(names) for names in faulty_and_fixed(CHECKS[code]))
    finding = judge(code, faulty)
    if finding is None:  # it takes a trial to show it
        for one in (faulty, fixed):
            attempt(one.snapshot, show_progress=False)
        finding = judge(code, faulty)
    if finding is None:  # or the bench
        for one in (faulty, fixed):
            try_treatments(one.snapshot, [])
        finding = judge(code, faulty)
    assert finding.severity == SEVERITIES.get(code, CHECKS[code].severity)
    assert judge(code, fixed) is None
