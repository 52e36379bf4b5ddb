"""An instrument is asked once, and its exception is raised for each who asks."""

from types import SimpleNamespace

from keras_trainfix.diagnosis.experiments.instrument import (
    failures,
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


def test_an_exception_is_kept_and_named():
    snapshot = subject()
    assert [breaks(snapshot), breaks(snapshot)] == [None, None]
    assert snapshot.asked == 1
    assert failures(snapshot.measured) == {"breaks": "RuntimeError: broken"}


def test_only_answers_are_listed():
    snapshot = subject()
    works(snapshot), makes_no_sense(snapshot)
    breaks(snapshot)
    assert names_of_answers(snapshot.measured) == ("works",)
