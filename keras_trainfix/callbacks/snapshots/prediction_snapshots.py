"""Draws what a model predicts for the same samples, epoch by epoch."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_trainfix import backend
from keras_trainfix.callbacks.collapse.samples import (
    ArgumentError,
    MisfitError,
    check_inputs,
)
from keras_trainfix.callbacks.guarded import GuardedCallback
from keras_trainfix.callbacks.snapshots.outputs import Settings, decoded, find_output
from keras_trainfix.callbacks.snapshots.pictures import Column
from keras_trainfix.callbacks.snapshots.publish import (
    is_notebook,
    pixels_of,
    png_of,
    show_inline,
    write_image,
)
from keras_trainfix.callbacks.snapshots.readers import NumberReader, reader_of
from keras_trainfix.data import inputs, is_arrays
from keras_trainfix.diagnosis.observe.layer_outputs import unchanged
from keras_trainfix.diagnosis.observe.sample import (
    MOST,
    numbers_of,
    some_of,
    take,
)
from keras_trainfix.diagnosis.snapshot import (
    MOST_NUMBERS,
    CallError,
    Snapshot,
    call_named,
)
from keras_trainfix.labels import ignored_ids
from keras_trainfix.labels.types import IgnoreClass

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TASKS = ("segmentation", "classification", "regression")
MOST_IMAGES = 8
MOST_EPOCHS = 12  # in a picture
MOST_OF_BATCHES = 64  # samples of batches, whose size in memory is not known yet
ERRORS_OF_VALUES = (ValueError, TypeError)  # of calls whose arguments are to blame


class SnapshotWarning(UserWarning):
    """Predictions can no longer be drawn; training continues."""


class PredictionSnapshots(GuardedCallback):
    """Draws the predictions for the same samples after each epoch, as one picture.

    - Segmentation: one row per image, with input, label, and the classes predicted
      after each epoch. Void is striped.
    - Classification: the same, with class names; correct ones are green.
    - Regression: predicted against true values, one panel per epoch. Points on a
      horizontal line mean a constant prediction. Predictions that are images are shown
      as images.

    The picture has up to 8 images (256 samples for regression), spread over those you
    pass, and up to 12 epochs; of more epochs every second, every fourth, ... and the
    last are kept. Each `fit` starts a new picture. Images may be in [0, 1], [-1, 1] or
    0 ... 255.

    Training stays the same to the bit. A bug in the callback, or samples that do not
    fit the model, end the pictures with one warning and never the training.

    Args:
        images: Inputs of the model: an array, or a list or dict of arrays; or batches
            `(x, y)` as `fit` takes them.
        labels: Labels as `fit` takes them: sparse, `(N, H, W)` or `(N, H, W, 1)`,
            one-hot, binary, or real numbers; None to show predictions alone. With
            several outputs, those of `output`, or a dict or list of all. Defaults to
            `None`.
        every: Integer, the number of epochs from one drawing to the next. Defaults to
            `1`.
        folder: String or `pathlib.Path`: where to write `snapshots.png` after each
            epoch drawn, or `snapshots-OUTPUT.png` if `output` is given. The files of an
            earlier run are replaced. Defaults to `None`.
        writer: A writer of `tf.summary.create_file_writer`, a `SummaryWriter` of torch
            or tensorboardX, or a function of `(tag, image, step)` that gets the picture
            as an array `(height, width, 3)` of uint8. Defaults to `None`.
        output: String, the name of the output to draw; None for the first. Defaults to
            `None`.
        task: `"segmentation"`, `"classification"` or `"regression"`; None to infer it
            from predictions, labels and loss. Defaults to `None`.
        class_names: List of strings; None for numbers. Defaults to `None`.
        ignore_class: Integer, tuple of integers, or None: ids of void. Defaults to
            `255`.
        axis: Integer, the class axis of the predictions. Defaults to `-1`.
        from_logits: Boolean, whether a single unit is a logit, so that class 1 begins
            at 0 instead of 0.5; None to infer it from head and loss. Defaults to
            `None`.
        decode: Function of the predictions of the output, a NumPy array `(N, ...)`,
            that returns one answer per sample, to draw instead: numbers like the
            labels, such as the mean of a mixture density; or strings, such as what a
            CTC head reads, with `labels` that are strings. Defaults to `None`.

    Raises:
        ImportError: If matplotlib is not installed.
        ValueError: If an argument is invalid, if there are no samples, or, when
            training begins, if `output`, `task` or `class_names` does not fit the
            model.
        TypeError: If an argument has the wrong type.
        OSError: If `folder` cannot be created.

    Examples:
        >>> x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        >>> model.compile("adam", "mse")
        >>> snapshots = PredictionSnapshots(x, x[:, :1])
        >>> history = model.fit(
        ...     x, x[:, :1], epochs=3, verbose=0, callbacks=[snapshots]
        ... )
        >>> [axes.get_title() for axes in snapshots.plot().axes]
        ['epoch 1', 'epoch 2', 'epoch 3']
    """

    _what_ends = "PredictionSnapshots draws no more; training continues."
    _category = SnapshotWarning
    _meant = (ArgumentError,)

    def __init__(
        self,
        images: Any,
        labels: Any = None,
        every: int = 1,
        folder: str | Path | None = None,
        *,
        writer: Any = None,
        output: str | None = None,
        task: str | None = None,
        class_names: Sequence[str] | None = None,
        ignore_class: IgnoreClass = 255,
        axis: int = -1,
        from_logits: bool | None = None,
        decode: Callable[[np.ndarray], Any] | None = None,
    ) -> None:
        super().__init__()
        _require_matplotlib()
        if not isinstance(every, int) or isinstance(every, bool) or every < 1:
            raise ValueError(
                f"`every` must be an integer of 1 or more. Received: every={every!r}."
            )
        if task is not None and task not in TASKS:
            raise ValueError(
                f"`task` must be one of {', '.join(map(repr, TASKS))}, or None. "
                f"Received: task={task!r}."
            )
        if isinstance(class_names, str):
            raise TypeError(
                "`class_names` must be a list of strings. Received: "
                f"class_names={class_names!r}."
            )
        if writer is not None and not (
            hasattr(writer, "add_image")
            or hasattr(writer, "as_default")
            or callable(writer)
        ):
            raise TypeError(
                "`writer` must be a writer of `tf.summary`, an object with the method "
                "`add_image`, or a function of (tag, image, step). Received: writer of "
                f"type {type(writer).__name__}."
            )
        if decode is not None and not callable(decode):
            raise TypeError(
                "`decode` must be a function of an array of predictions. Received: "
                f"decode of type {type(decode).__name__}."
            )
        ignored_ids(ignore_class)
        self.every = every
        self.folder = None if folder is None else Path(folder)
        self.writer = writer
        names = None if class_names is None else list(class_names)
        self.settings = Settings(
            output, task, names, ignore_class, axis, from_logits, decode
        )
        self._sample = _read_sample(images, labels)
        self._reset()
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)

    def _reset(self):
        self._is_off = False
        self._reader: Any = None  # set when training begins
        self._inputs: Any = None
        self._output = ""
        self._columns: list[Column] = []
        self._stride, self._count = 1, 0
        self._display: Any = None

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._reset()
        self._safely(self._begin)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if (epoch + 1) % self.every == 0:
            self._safely(lambda: self._draw(epoch + 1))

    def plot(self, path: Any = None) -> "Figure":
        """Draws the predictions of the epochs so far.

        Args:
            path: File to save the picture to, or None.

        Returns:
            `matplotlib.figure.Figure`, which pyplot neither keeps nor shows.

        Raises:
            ValueError: If no training has begun.
        """
        if self._reader is None:
            raise ValueError(
                "There is nothing to draw yet. Received: 0 epochs. Pass this callback "
                "to `fit` first."
            )
        figure = self._reader.picture.draw(self._columns)
        if path is not None:
            figure.savefig(path)
        return figure

    def _begin(self):
        sample = some_of(self._sample, MOST_IMAGES)
        try:
            snapshot = Snapshot(self.model, sample.x)
        except CallError as error:
            check_inputs("images", self.model, sample, error.__cause__)
            raise
        output = find_output(self.settings, snapshot, sample)
        try:
            reader = reader_of(output, self.settings)
            if isinstance(reader, NumberReader):  # a plot has room for all samples
                sample = self._sample
                reader = NumberReader(find_output(self.settings, snapshot, sample))
        except ArgumentError:
            raise
        except ERRORS_OF_VALUES as error:
            raise MisfitError(
                f"The predictions of '{output.name}' cannot be drawn. {error}"
            ) from error
        self._reader, self._output, self._inputs = reader, output.name, sample.x

    def _draw(self, epoch):
        with unchanged(self.model), backend.no_gradient():
            predictions = call_named(self.model, self._inputs)[self._output]
        content = self._reader.content(decoded(self.settings, predictions))
        self._keep(Column(self._count, epoch, content))
        self._count += 1
        self._publish(epoch)

    def _keep(self, column):
        """Adds a column; once there are too many, every second one is dropped."""
        kept = [old for old in self._columns if old.number % self._stride == 0]
        while len(kept) >= MOST_EPOCHS:
            self._stride *= 2
            kept = [old for old in kept if old.number % self._stride == 0]
        self._columns = [*kept, column]

    def _publish(self, epoch):
        is_inline = is_notebook()
        if self.folder is None and self.writer is None and not is_inline:
            return
        figure = self.plot()
        if self.folder is not None or is_inline:
            png = png_of(figure)
        if self.folder is not None:
            output = self.settings.output
            name = "snapshots.png" if output is None else f"snapshots-{output}.png"
            (self.folder / name).write_bytes(png)
        if is_inline:
            self._display = show_inline(png, self._display)
        if self.writer is not None:
            write_image(self.writer, "predictions", pixels_of(figure), epoch)


def _require_matplotlib():
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "`PredictionSnapshots` needs matplotlib, which could not be imported "
            f"({error}). Run `pip install matplotlib`."
        ) from error


def _read_sample(images, labels):
    """The samples to draw."""
    most = MOST_OF_BATCHES
    if is_arrays(images, inputs):
        numbers = numbers_of(inputs(images))
        most = int(np.clip(MOST_NUMBERS // numbers, MOST_IMAGES, MOST))
    try:
        return take(images, labels, most=most)
    except ERRORS_OF_VALUES as error:
        message = f"`images` and `labels` cannot be used. {error}"
        raise type(error)(message) from error
