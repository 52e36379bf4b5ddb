"""Callbacks whose own errors never end a training."""

from collections.abc import Callable
from typing import Any

import keras

from keras_trainfix.arguments import KnownNames
from keras_trainfix.messages import in_one_line, warn_caller


class GuardedCallback(KnownNames, keras.callbacks.Callback):
    """Runs its parts by `_safely`: an error in one ends it with one line of warning.

    A subclass says in its warning what no longer happens, of which category the warning
    is, and which errors are the user's to see.
    """

    _what_ends = "The callback does no more."
    _category: type[Warning] = UserWarning
    _meant: tuple[type[Exception], ...] = ()

    def __init__(self):
        super().__init__()
        self._is_off = False

    def _safely(self, work: Callable[[], Any], uses_model: bool = True) -> Any:
        """The result of `work`; None once an error has ended the callback."""
        if self._is_off:
            return None
        try:
            if uses_model:
                _ = self.model  # on JAX this brings its weights up to date
            return work()
        except self._meant:
            raise
        except Exception as error:
            self._is_off = True
            message = f"{self._what_ends} {in_one_line(error)}"
            warn_caller(message, self._category)
            return None
