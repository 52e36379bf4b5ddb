"""Treatments of the optimization, beside the learning rate."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import keras
from keras.optimizers.schedules import PiecewiseConstantDecay

from keras_trainfix import backend
from keras_trainfix.diagnosis.experiments.mended import Mended
from keras_trainfix.diagnosis.experiments.treatment import Case, Variant, treatment
from keras_trainfix.keras_internals import optimizer_config
from keras_trainfix.models.batch_norm_layers import all_layers
from keras_trainfix.models.optimizers import inner_of, rate_to_come

CLIP = 1.0
INITIALIZERS = {
    "kernel_initializer": "glorot_uniform",
    "recurrent_initializer": "glorot_uniform",
    "depthwise_initializer": "glorot_uniform",
    "pointwise_initializer": "glorot_uniform",
    "embeddings_initializer": "glorot_uniform",
    "bias_initializer": "zeros",
}
SETTINGS = (
    *("weight_decay", "clipnorm", "clipvalue", "global_clipnorm"),
    *("momentum", "beta_1", "beta_2", "rho", "epsilon", "use_ema"),
)


@treatment("no-schedule", 66, ("KTF402",), in_fit=True, sure=("KTF402",))
def no_schedule(case: Case) -> Iterator[Variant]:
    """The learning rate at the start of a schedule that ends at once."""
    if case.training.schedule is None:
        return
    rate = rate_to_come(case.training.model.optimizer)
    constant = PiecewiseConstantDecay([1], [rate, rate])  # in place, a number cannot be
    yield Variant(
        f"a constant learning rate of {rate:.3g}",
        replace(case.training, schedule=None),
        f"# compile with a constant learning rate: learning_rate={rate:.3g}",
        lambda mended: mended.settings.update(learning_rate=constant),
    )


@treatment("optimizer-defaults", 67, ("KTF402",))
def optimizer_defaults(case: Case) -> Iterator[Variant]:
    """The settings of the optimizer beside its rate as they are by default."""
    optimizer = inner_of(case.training.model.optimizer)
    changed = _unusual_settings(optimizer)
    if not changed:
        return
    kind = type(optimizer).__name__
    shown = ", ".join(f"{name}={value!r}" for name, value in changed.items())
    yield Variant(
        f"the default settings of {kind} ({shown})",
        case.training.with_settings(**changed),
        "\n".join(
            f"model.optimizer.{name} = {value!r}" for name, value in changed.items()
        ),
        lambda mended: mended.settings.update(changed),
    )


def _unusual_settings(optimizer: keras.Optimizer) -> dict[str, Any]:
    """The default of each setting that differs, and that a step reads each time."""
    try:
        usual = optimizer_config(type(optimizer)())
    except Exception:  # the user's own, with arguments it must have
        return {}
    given = optimizer_config(optimizer)
    return {
        name: usual[name]
        for name in SETTINGS
        if name in usual and given.get(name) != usual[name]
    }


@treatment("gradients-clipped", 70, ("KTF401", "KTF409"), in_fit=True, sure=("KTF401",))
def gradients_clipped(case: Case) -> Iterator[Variant]:
    """Gradients clipped to a norm of 1."""
    optimizer = inner_of(case.training.model.optimizer)
    names = ("clipnorm", "global_clipnorm", "clipvalue")
    if any(getattr(optimizer, name, None) for name in names):
        return
    yield Variant(
        "gradients clipped to a norm of 1",
        case.training.with_settings(
            clipnorm=None, clipvalue=None, global_clipnorm=CLIP
        ),
        f"model.optimizer.global_clipnorm = {CLIP}",
        lambda mended: mended.settings.update(global_clipnorm=CLIP),
    )


@treatment(
    "default-initializers",
    75,
    ("KTF403", "KTF405", "KTF406", "KTF407", "KTF409"),
    in_fit=True,
)
def default_initializers(case: Case) -> Iterator[Variant]:
    """New initial weights as Keras draws them by default."""
    kernels = [v for v in case.training.model.trainable_variables if len(v.shape) > 1]
    if not kernels:
        return

    @contextlib.contextmanager
    def drawn(model: keras.Model) -> Iterator[None]:
        before = [(v, backend.to_numpy(v)) for v in model.trainable_variables]
        _draw(model.trainable_variables)
        try:
            yield
        finally:
            for variable, value in before:
                variable.assign(value)

    yield Variant(
        "new initial weights from the default initializers",
        case.training.changed(drawn),
        "# build the layers without `kernel_initializer` and `bias_initializer`",
        lambda mended: _drawn_for_good(mended, case.training.model),
    )


def _drawn_for_good(mended: Mended, model: keras.Model) -> None:
    _draw([mended.of(v) for v in model.trainable_variables])
    # A clone of the copy has to draw the same way.
    mended.set(
        (layer, name, keras.initializers.get(default))
        for layer in all_layers(model)
        if layer.trainable
        for name, default in INITIALIZERS.items()
        if name in vars(layer)
    )


def _draw(variables: list[keras.Variable]) -> None:
    for number, variable in enumerate(variables):
        variable.assign(_initial(variable, number))


def _initial(variable: keras.Variable, seed: int) -> Any:
    """New values: Glorot for kernels; others stay, but for biases, which are 0."""
    if len(variable.shape) > 1:
        return keras.initializers.GlorotUniform(seed=seed)(variable.shape)
    if variable.path.endswith("bias"):
        return keras.ops.zeros(variable.shape)
    return variable.value
