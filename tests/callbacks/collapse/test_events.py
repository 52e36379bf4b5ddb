"""Each event is one that the policy may be given."""

from typing import NamedTuple, get_args

from keras_trainfix.callbacks.collapse import events


def test_every_event_is_listed():
    classes = [c for c in vars(events).values() if isinstance(c, type)]
    assert set(get_args(events.Event)) == set(classes) - {NamedTuple}
