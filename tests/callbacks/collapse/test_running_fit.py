"""What is known of the arguments of a running `fit`, on every backend."""

import keras
import numpy as np
import pytest

import keras_trainfix as kt
from keras_trainfix.callbacks.collapse.running_fit import running_fit
from keras_trainfix.callbacks.collapse.session import CollapseWarning
from keras_trainfix.diagnosis.observe.sample import take
from tests.callbacks.collapse.nets import X, Y, collected, fit, mlp

VALIDATION = (X + 100, Y + 1)


class Batches(keras.utils.PyDataset):
    def __init__(self):
        super().__init__()

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return VALIDATION


def seen_in(probe=(X, Y), model=None, **arguments):
    """The `FitArguments` at the beginning of a `fit` of these arguments."""
    model, found = model or mlp(), []
    sample = take(probe)
    look = keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: found.append(running_fit(model, probe, sample))
    )
    arguments = {"x": X, "y": Y, "epochs": 2, "verbose": 0, **arguments}
    model.fit(**arguments, callbacks=[look])
    return found[0]


def test_numbers_and_class_weights():
    weights = {0: 1.0, 1: 5.0}
    seen = seen_in(class_weight=weights, batch_size=64, shuffle=False, y=Y > 1)
    assert (seen.epochs, seen.batch_size, seen.shuffle) == (2, 64, False)
    assert seen.class_weight == weights
    assert seen.validation_data is None
    outside = running_fit(mlp(), (X, Y), take((X, Y)))
    assert (outside.epochs, outside.class_weight) == (1, None)


@pytest.mark.parametrize(
    ("probe", "data", "is_read"),
    [
        ((X, Y), VALIDATION, True),
        ((X, Y), (X, Y), True),  # the samples of the training, again
        ((X[::2], Y[::2]), (X, Y), False),  # the probe may be the validation data
        ((X[::2], Y[::2]), VALIDATION, True),
        ((X, Y), Batches(), False),
    ],
)
def test_validation_data(probe, data, is_read):
    assert (seen_in(probe, validation_data=data).validation_data is data) == is_read


@pytest.mark.parametrize(
    ("probe", "rows", "is_compared"),
    [((X, Y), 256, False), ((X / 255, Y), 256, True), ((X / 255, Y), 32, False)],
)
def test_other_samples_than_the_probe(probe, rows, is_compared):
    x = X if rows == 256 else X[:rows]
    seen = seen_in(probe, x=x, y=Y[:rows]).in_fit
    assert (seen is not None) == is_compared
    assert seen is None or seen[0] is X


def test_samples_in_another_form_than_in_fit_are_named():
    detector = kt.CollapseDetector((X * 300, Y))
    with collected() as texts:
        fit(mlp(rate=1e-9), detector)
    assert "KTF146" in "".join(texts)
    detector = kt.CollapseDetector((X.copy(), Y))
    with collected() as texts:
        fit(mlp(rate=1e-9), detector)
    assert "KTF146" not in "".join(texts)


def test_a_part_of_the_samples_is_no_separate_validation_set():
    assert seen_in(validation_split=0.25).validation_data is None


def test_iterators_are_left_to_fit():
    taken = []

    def batches():
        for start in range(0, 256, 32):
            taken.append(start)
            yield X[start : start + 32], Y[start : start + 32]

    detector, validation = kt.CollapseDetector((X, Y)), batches()
    model = mlp()
    model.fit(
        batches(),
        epochs=1,
        steps_per_epoch=6,
        shuffle=False,
        verbose=0,
        validation_data=validation,
        validation_steps=2,
        callbacks=[detector],
    )
    assert detector.history["step"][-1] == 6
    assert taken.count(0) == 2
    assert len(taken) <= 8 + 4  # Keras itself reads ahead


def test_a_fit_within_another():
    inner, outer = mlp(), mlp()

    class Nested(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.seen = seen_in(model=inner, epochs=3)
            self.own = running_fit(outer, (X, Y), take((X, Y)))

    look = Nested()
    fit(outer, others=[look], epochs=1)
    assert (look.seen.epochs, look.own.epochs) == (3, 1)


def test_the_diagnosis_rests_on_it():
    """Validation inputs at another scale can only be seen there."""
    texts = {}
    for scale in (1, 300):
        detector = kt.CollapseDetector((X, Y), action="warn")
        model = mlp(rate=1e-9)
        with collected() as texts[scale]:
            other = np.random.default_rng(9).normal(size=X.shape) * scale
            data = (other.astype("float32"), 2 * other[:, :1] / scale + 1)
            fit(model, detector, epochs=2, validation_data=data)
    assert "KTF141" in "".join(texts[300])
    assert "KTF141" not in "".join(texts[1])


def test_arrays_of_another_preparation_are_compared():
    scaled = X / 255, Y
    in_fit = seen_in(scaled).in_fit
    assert in_fit[0] is X
    assert in_fit[1] is Y
    assert seen_in((X, Y)).in_fit is None
    assert seen_in(scaled, x=Batches(), y=None).in_fit is None


@pytest.mark.parametrize(
    ("probe", "given", "share"),
    [
        ((X, Y), {"validation_split": 0.25}, 0.25),
        ((X[::3], Y[::3]), {"validation_split": 0.25}, 0.0),  # of which part?
        ((X, Y), {}, 0.0),
    ],
)
def test_a_split_of_the_samples(probe, given, share):
    assert seen_in(probe, **given).validation_split == share


@pytest.mark.parametrize("epochs", [1, 3])
def test_the_samples_at_hand_are_not_counted_for_those_of_fit(epochs):
    """The probe has 8 samples, one batch; `fit` makes enough updates."""
    optimizer = keras.optimizers.Adam(0.01, gradient_accumulation_steps=6)
    model = mlp()
    model.compile(optimizer, "mse")
    detector = kt.CollapseDetector((X[:8], Y[:8]))
    fit(model, detector, epochs=epochs)
    assert detector.diagnosis is None


def test_gradients_that_are_collected_for_longer_than_fit_lasts():
    model = mlp()
    model.compile(keras.optimizers.Adam(0.01, gradient_accumulation_steps=10**6), "mse")
    detector = kt.CollapseDetector((X, Y))
    with pytest.warns(CollapseWarning, match="No weight will move"):
        fit(model, detector, epochs=2)
