"""A copy of a model to which treatments are applied for good."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import keras

from keras_trainfix.models.batch_norm_layers import all_layers
from keras_trainfix.models.clone import with_calls_changed
from keras_trainfix.models.freeze import freeze_batch_norm


class Mended:
    """A copy of a model that is changed.

    Args:
        model: The `keras.Model`; it stays as it is.
        copy: A copy of it, with the same layers in the same order.

    Attributes:
        copy: The copy; changes of its graph make another model of the same layers.
        loss: What it is to be compiled with, or None for the present loss.
        loss_weights: The same of `loss_weights`.
        settings: Dict of attributes of the optimizer.

    Examples:
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dropout(0.9)])
        >>> mended = Mended(model, keras.models.clone_model(model))
        >>> mended.set([(model.layers[0], "rate", 0.0)])
        >>> mended.copy.layers[0].rate, model.layers[0].rate
        (0.0, 0.9)
    """

    def __init__(self, model: keras.Model, copy: keras.Model) -> None:
        self.copy = copy
        self.loss: Any = None
        self.loss_weights: Any = None
        self.settings: dict[str, Any] = {}
        self._names = list(getattr(model, "output_names", None) or [])
        in_order = zip(all_layers(model), all_layers(copy), strict=True)
        variables = zip(model.variables, copy.variables, strict=True)
        pairs = [*in_order, *variables]
        self._of: dict[int, Any] = {id(a): b for a, b in pairs}
        often = Counter(_name(a) for a, _ in pairs)
        self._named = {_name(a): b for a, b in pairs if often[_name(a)] == 1}

    def of(self, owner: Any) -> Any:
        """The layer or variable of the copy for one of the model.

        It may also be that of the same name in the model that was diagnosed, if this
        one has been built in the same way.

        Raises:
            ValueError: If the model has none.
        """
        found = self._of.get(id(owner), self._named.get(_name(owner)))
        if found is None:
            raise ValueError(
                "The model must be the one that was diagnosed, or one with the same "
                f"names. Received: a model without {_name(owner)!r}."
            )
        return found

    def set(self, changes: Iterable[tuple[Any, str, Any]]) -> None:
        """Sets attributes of layers or variables.

        Args:
            changes: Triples of a layer or variable of the model, the name of an
                attribute, and its value.
        """
        for owner, name, value in changes:
            setattr(self.of(owner), name, value)

    def freeze_statistics(self) -> None:
        """Makes batch normalization use its moving averages in training too."""
        freeze_batch_norm(self.copy)

    def replace_calls(
        self, layers: Iterable[keras.Layer], call: Callable[[keras.Layer, Any], Any]
    ) -> None:
        """Changes what layers of the graph do with their input.

        Args:
            layers: Layers of the model.
            call: Function of a layer of the copy and its symbolic input that returns
                the output.
        """
        self.copy = with_calls_changed(self.copy, [self.of(x) for x in layers], call)

    def put_in_front(self, layer: keras.Layer) -> None:
        """Passes the input through another layer first.

        Args:
            layer: `keras.Layer`.

        Raises:
            ValueError: If the model has several inputs.
        """
        inputs = self._input()
        self._become(inputs, self.copy(layer(inputs)))

    def put_at_end(self, layers: list[keras.Layer]) -> None:
        """Passes each output through another layer.

        Args:
            layers: A `keras.Layer` for each output.
        """
        inputs = self._input()
        outputs = keras.tree.flatten(self.copy(inputs))
        ends = [end(y) for end, y in zip(layers, outputs, strict=True)]
        self._become(inputs, ends if len(ends) > 1 else ends[0])

    def _input(self) -> Any:
        inputs = self.copy.inputs
        if len(inputs) != 1:
            raise ValueError(
                "A layer is put around a model with one input. Received: a model with "
                f"{len(inputs)} inputs."
            )
        return keras.Input(batch_shape=inputs[0].shape, dtype=inputs[0].dtype)

    def _become(self, inputs: Any, outputs: Any) -> None:
        """Takes another graph whose outputs keep the names that a loss may go by."""
        if isinstance(outputs, (list, tuple)):
            outputs = [
                keras.layers.Identity(name=name)(y)
                for name, y in zip(self._names, outputs, strict=True)
            ]
        self.copy = keras.Model(inputs, outputs, name=self.copy.name)


def _name(owner: Any) -> str:
    """The name of a layer, or that of a variable behind that of its layer."""
    if isinstance(owner, keras.Layer):
        return f"layer {owner.name}"
    return "/".join(str(getattr(owner, "path", owner)).split("/")[-2:])


class InPlace(Mended):
    """A model that is changed itself, while `fit` runs: its graph has to stay.

    Args:
        model: The `keras.Model`.
    """

    def __init__(self, model: keras.Model) -> None:
        super().__init__(model, model)

    def replace_calls(self, *_: Any) -> Any:
        """Raises `NotImplementedError`, as all that changes the graph."""
        raise NotImplementedError("A running `fit` keeps the graph of its model.")

    def put_in_front(self, layer: keras.Layer) -> None:
        """Raises `NotImplementedError`."""
        self.replace_calls()

    def put_at_end(self, layers: list[keras.Layer]) -> None:
        """Raises `NotImplementedError`."""
        self.replace_calls()


class _Tentative(InPlace):
    """Takes only changes of attributes, and makes none."""

    @property
    def copy(self) -> keras.Model:
        """Raises: what changes the whole model cannot be taken back."""
        return self.replace_calls()

    @copy.setter
    def copy(self, model: keras.Model) -> None:
        """Keeps nothing."""

    def set(self, changes: Iterable[tuple[Any, str, Any]]) -> None:
        """Sets nothing."""

    def freeze_statistics(self) -> None:
        """Freezes nothing."""


def can_be_made_in_place(
    model: keras.Model, mend: Callable[[Mended], None] | None
) -> bool:
    """Whether a running `fit` can make a change: of attributes, or of the optimizer.

    Args:
        model: The `keras.Model`; it stays as it is.
        mend: Function that changes a `Mended`.
    """
    if mend is None:
        return False
    tentative = _Tentative(model)
    before = model.get_weights()
    try:
        mend(tentative)
    except NotImplementedError:
        return False
    finally:
        model.set_weights(before)
    return tentative.loss is None and tentative.loss_weights is None
