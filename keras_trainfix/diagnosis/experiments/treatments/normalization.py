"""Treatments of the statistics of batch normalization."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from keras_trainfix import backend
from keras_trainfix.data import mapped
from keras_trainfix.diagnosis.experiments.in_place import all_trainable, with_calls
from keras_trainfix.diagnosis.experiments.mended import Mended
from keras_trainfix.diagnosis.experiments.treatment import Case, Variant, treatment
from keras_trainfix.models.batch_norm_layers import batch_norm_layers
from keras_trainfix.models.batch_statistics import call_on_batch, observed

SAMPLES = 256
SHIFT = 1.0  # standard deviations of a channel, and
SCALE = 4.0  # times its variance, from which statistics are those of other data

Values = list[tuple[keras.Variable, np.ndarray]]


@treatment("statistics-frozen", 19, ("KTF301", "KTF307"), in_fit=True, sure=("KTF301",))
def statistics_frozen(case: Case) -> Iterator[Variant]:
    """Batch normalization by its moving averages."""
    layers = [x for x in batch_norm_layers(case.training.model) if x.trainable]
    is_of_use = case.snapshot.iterations or case.snapshot.batch_size == 1
    if not layers or not is_of_use:
        return

    def frozen(call: Callable) -> Callable:
        def in_inference(*args: Any, **kwargs: Any) -> Any:
            return call(*args, **{**kwargs, "training": False})

        return in_inference

    yield Variant(
        "the statistics of batch normalization frozen",
        case.training.changed(with_calls(layers, frozen)),
        "from keras_trainfix import freeze_batch_norm\n\nfreeze_batch_norm(model)",
        lambda mended: mended.freeze_statistics(),
    )


@treatment("statistics-recalibrated", 18)
def statistics_recalibrated(case: Case) -> Iterator[Variant]:
    """Frozen statistics computed from these data."""
    values = _of_these_data(case)
    if not values:
        return

    @contextlib.contextmanager
    def recalibrated(model: keras.Model) -> Iterator[None]:
        before = [(variable, backend.to_numpy(variable)) for variable, _ in values]
        _assign(values)
        try:
            yield
        finally:
            _assign(before)

    yield Variant(
        "the statistics of the frozen batch normalization computed from these data",
        case.training.changed(recalibrated),
        "import keras_trainfix as kt\n\n"
        "kt.recalibrate_batch_norm(model, x, layers=[model])",
        lambda mended: _assign([(mended.of(v), value) for v, value in values]),
    )


@treatment("statistics-of-batch", 20)
def statistics_of_batch(case: Case) -> Iterator[Variant]:
    """Frozen batch normalization by the statistics of each batch."""
    layers = _frozen(case.training.model)
    if not _of_these_data(case):
        return
    yield Variant(
        "batch normalization by the statistics of each batch",
        case.training.changed(all_trainable(layers)),
        "for layer in model.layers:\n"
        "    if isinstance(layer, keras.layers.BatchNormalization):\n"
        "        layer.trainable = True  # and compile again",
        lambda mended: _thaw(mended, layers),
    )


def _frozen(model: keras.Model) -> list[keras.Layer]:
    """The layers that would normalize by the batch if they were trainable."""
    return [
        layer
        for layer in batch_norm_layers(model)
        if type(layer) is keras.layers.BatchNormalization and not layer.trainable
    ]


def _of_these_data(case: Case) -> Values:
    """Statistics for the frozen layers, where theirs are those of other data."""
    model = case.training.model
    layers = _frozen(model)
    if not layers:
        return []
    x = mapped(lambda leaf: leaf[:SAMPLES], case.training.train.x)
    with observed(layers, layers) as seen:
        call_on_batch(model, x, 0)
    values, is_other = [], False
    for layer in layers:
        if id(layer) not in seen:
            continue
        _, mean, variance = seen[id(layer)]
        is_other |= _are_other(layer, mean, variance)
        values += [(layer.moving_mean, mean), (layer.moving_variance, variance)]
    return values if is_other else []


def _are_other(layer: keras.Layer, mean: np.ndarray, variance: np.ndarray) -> bool:
    """Whether the moving statistics of most channels are far from these."""
    moving = backend.to_numpy(layer.moving_mean).astype("float64")
    ratio = backend.to_numpy(layer.moving_variance).astype("float64") + layer.epsilon
    ratio = ratio / (variance + layer.epsilon)
    shift = np.abs(moving - mean) / np.sqrt(variance + layer.epsilon)
    is_scaled = np.median(np.abs(np.log(ratio))) > np.log(SCALE)
    return bool(np.median(shift) > SHIFT or is_scaled)


def _assign(values: Values) -> None:
    for variable, value in values:
        variable.assign(value)


def _thaw(mended: Mended, layers: list[keras.Layer]) -> None:
    """Makes layers of the copy trainable; the optimizer of a running `fit` is built."""
    chosen = {id(mended.of(layer)) for layer in layers}
    for layer in batch_norm_layers(mended.copy):
        if id(layer) in chosen:
            layer.trainable = True
