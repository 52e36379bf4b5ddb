"""A step that moves nothing, goes uphill or ignores the batch is found."""

import pytest

from tests.diagnosis.experiments.instruments.test_step import (
    Collects,
    Grows,
    Own,
    Same,
    Still,
    Uphill,
    snapshot,
)
from tests.diagnosis.nets import judge


def finding(kind):
    return judge("KTF417", snapshot(kind).views()[0])


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Still, "moves no weight, in 32 calls"),
        (Uphill, "goes uphill"),
        (Same, "the same step for two different batches"),
    ],
)
def test_steps_that_are_not_the_gradient(kind, words):
    found = finding(kind)
    assert found.severity == "error"
    assert words in found.message
    for sound in (Own, Collects, Grows):
        assert finding(sound) is None
