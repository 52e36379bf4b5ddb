"""A step that keeps something from call to call is found."""

from tests.diagnosis.experiments.instruments.test_step import (
    Collects,
    Grows,
    Own,
    Uphill,
    snapshot,
)
from tests.diagnosis.nets import judge


def finding(kind):
    return judge("KTF416", snapshot(kind).views()[0])


def test_a_step_that_grows():
    found = finding(Grows)
    assert found.severity == "error"
    assert "`Grows.train_step` grows" in found.message
    assert "1, 2, 3, 4" in found.message
    for sound in (Own, Collects, Uphill):
        assert finding(sound) is None
