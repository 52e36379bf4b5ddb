"""An error in a callback ends the callback, and never the training."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_trainfix.callbacks.guarded import GuardedCallback


class PartWarning(UserWarning):
    pass


class MeantError(ValueError):
    pass


class Parts(GuardedCallback):
    """Runs one function at the end of each epoch."""

    _what_ends = "It ends here."
    _category = PartWarning
    _meant = (MeantError,)

    def __init__(self, work, **kwargs):
        super().__init__()
        self.work, self.kwargs, self.results = work, kwargs, []

    def on_epoch_end(self, epoch, logs=None):
        self.results.append(self._safely(lambda: self.work(epoch), **self.kwargs))


def fail(error):
    def work(epoch):
        raise error

    return work


def fit(callback, epochs=3):
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.ones((4, 2), "float32")
    return model.fit(x, x[:, :1], epochs=epochs, verbose=0, callbacks=[callback])


def test_a_result_comes_back():
    callback = Parts(lambda epoch: 10 * epoch)
    fit(callback)
    assert callback.results == [0, 10, 20]


def test_an_error_ends_the_callback_with_one_warning_and_not_the_training():
    calls = []

    def work(epoch):
        calls.append(epoch)
        if epoch == 1:
            raise KeyError("the first line\nand another")
        return epoch

    callback = Parts(work)
    with pytest.warns(PartWarning) as caught:
        history = fit(callback, epochs=4)
    assert len(history.epoch) == 4
    assert calls == [0, 1]  # nothing runs after the error
    assert callback.results == [0, None, None, None]
    (warning,) = [w for w in caught if w.category is PartWarning]
    assert str(warning.message).startswith("It ends here. KeyError: ")
    assert len(str(warning.message).splitlines()) == 1


@pytest.mark.parametrize("error", [MeantError("bad"), KeyboardInterrupt()])
def test_errors_that_are_meant_for_the_user_pass(error):
    callback = Parts(fail(error))
    with pytest.raises(type(error)):
        fit(callback)
    assert callback.results == []


def test_the_default_is_a_user_warning():
    class Plain(GuardedCallback):
        pass

    callback = Plain()
    with pytest.warns(UserWarning, match="ValueError: text") as caught:
        assert callback._safely(lambda: fail(ValueError("text"))(0), False) is None
    assert [warning.category for warning in caught] == [UserWarning]


@pytest.mark.parametrize(("kwargs", "touched"), [({}, 1), ({"uses_model": False}, 0)])
def test_the_model_is_touched_only_if_it_is_used(kwargs, touched):
    class Watched(Parts):
        touches = 0

        @property
        def model(self):  # on JAX this synchronizes the weights, which takes time
            Watched.touches += 1

    callback = Watched(lambda epoch: "result", **kwargs)
    callback.on_epoch_end(0)
    assert callback.results == ["result"]
    assert Watched.touches == touched


def test_the_weights_are_those_after_the_last_step():
    """On JAX, `fit` keeps them outside of the model between its steps."""
    sums = []

    class Sums(Parts):
        def on_train_batch_end(self, batch, logs=None):
            self._safely(lambda: sums.append(self.model.get_weights()[0].sum()))

    callback = Sums(lambda epoch: None)
    fit(callback)
    assert len(set(map(float, sums))) == 3
