"""An instrument is asked once, and its exception is raised for each who asks."""

from types import SimpleNamespace

import pytest

from keras_trainfix.diagnosis.experiments.instrument import (
    instrument,
    names_of_answers,
)


def subject():
    return SimpleNamespace(measured={}, asked=0)


@instrument("works")
def works(snapshot):
    """Counts how often it is asked."""
    snapshot.asked += 1
    return snapshot.asked


@instrument("makes no sense")
def makes_no_sense(snapshot):
    """Has no answer."""


@instrument("breaks")
def breaks(snapshot):
    """Raises."""
    snapshot.asked += 1
    raise RuntimeError("broken")


def test_an_answer_is_kept():
    snapshot = subject()
    assert [works(snapshot), works(snapshot)] == [1, 1]


def test_an_exception_is_kept_and_raised_again():
    snapshot = subject()
    for _ in range(2):
        with pytest.raises(RuntimeError, match="broken"):
            breaks(snapshot)
    assert snapshot.asked == 1


def test_only_answers_are_listed():
    snapshot = subject()
    works(snapshot), makes_no_sense(snapshot)
    with pytest.raises(RuntimeError):
        breaks(snapshot)
    assert names_of_answers(snapshot.measured) == ("works",)
