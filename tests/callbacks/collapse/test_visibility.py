"""What cannot be seen is said, and nothing else."""

import numpy as np
import pytest

from keras_trainfix.callbacks.collapse import visibility
from keras_trainfix.callbacks.collapse.watch import Watch
from keras_trainfix.diagnosis.observe.sample import Sample
from tests.callbacks.collapse.nets import SPARSE, X, Y, mlp

IDS = np.arange(256) % 3


def classifier():
    return mlp(3, "softmax", SPARSE)


@pytest.mark.parametrize(
    ("build", "y", "loud", "quiet"),
    [
        (mlp, Y, [], []),
        (mlp, None, [], ["no targets"]),
        (mlp, np.hstack([Y, Y]), ["do not fit the output"], []),
        (classifier, IDS, [], []),
        (classifier, 0 * IDS, [], ["have one class"]),
    ],
)
def test_limits(build, y, loud, quiet):
    for found, wanted in zip(
        visibility.limits(Watch(build(), Sample(X, y))), (loud, quiet), strict=True
    ):
        assert len(found) == len(wanted)
        assert all(words in line for words, line in zip(wanted, found, strict=True))


def test_targets_that_do_not_fit_are_left_out():
    watch = Watch(mlp(), Sample(X, Y))
    assert visibility.without_misfits(watch) is watch
    watch = Watch(mlp(), Sample(X, np.hstack([Y, Y])))
    watch.was_dead = True
    other = visibility.without_misfits(watch)
    assert (other.sample.y, other.was_dead) == (None, True)


def test_one_class():
    assert visibility.has_one_class(Watch(classifier(), Sample(X, 0 * IDS)))
    assert not visibility.has_one_class(Watch(classifier(), Sample(X, IDS)))


def test_skill_that_was_never_a_number():
    nan = float("nan")
    assert "at none of 2 looks" in visibility.unmeasured_line([nan, nan])
    assert visibility.unmeasured_line([nan, 0.0]) is None
    assert visibility.unmeasured_line([]) is None
