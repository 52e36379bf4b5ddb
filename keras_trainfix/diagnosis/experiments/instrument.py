"""An instrument asks one question of a snapshot, at most once."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from keras_trainfix.messages import in_one_line

Answer = TypeVar("Answer")


def instrument(
    name: str,
) -> Callable[[Callable[[Any], Answer | None]], Callable[[Any], Answer | None]]:
    """Decorates a function of a `Snapshot` that measures something.

    The answer is kept on the snapshot, so that several checks can ask for it.
    `Diagnosis.instruments` lists the names of those that gave an answer. One that
    raises, as the user's loss may, has none; `Diagnosis.skipped` says why.

    Args:
        name: String, a few words for the user: `"gradient of each sample"`.

    Returns:
        Decorator. The function returns None where the question makes no sense.

    Examples:
        >>> from types import SimpleNamespace
        >>> @instrument("number of samples")
        ... def count(snapshot):
        ...     print("counted")
        ...     return snapshot.samples
        >>> snapshot = SimpleNamespace(samples=3, measured={})
        >>> count(snapshot) + count(snapshot)
        counted
        6
        >>> list(snapshot.measured)
        ['number of samples']
    """

    def decorate(
        function: Callable[[Any], Answer | None],
    ) -> Callable[[Any], Answer | None]:
        @functools.wraps(function)
        def once(snapshot: Any) -> Answer | None:
            measured = snapshot.measured
            if name not in measured:
                try:
                    measured[name] = function(snapshot)
                except Exception as error:
                    measured[name] = error
            answer = measured[name]
            return None if isinstance(answer, Exception) else answer

        return once

    return decorate


def failures(measured: dict[str, Any]) -> dict[str, str]:
    """The names of the instruments that raised, and what."""
    return {
        name: in_one_line(answer)
        for name, answer in measured.items()
        if isinstance(answer, Exception)
    }


def names_of_answers(measured: dict[str, Any]) -> tuple[str, ...]:
    """The names of the instruments that gave an answer, in their order."""
    return tuple(
        name
        for name, answer in measured.items()
        if answer is not None and not isinstance(answer, Exception)
    )
