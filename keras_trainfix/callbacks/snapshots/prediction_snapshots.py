"""Draws what a model predicts for the same samples, epoch by epoch."""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from keras_trainfix import backend
from keras_trainfix.callbacks.collapse.samples import (
    ArgumentError,
    MisfitError,
    check_inputs,
)
from keras_trainfix.callbacks.guarded import GuardedCallback
from keras_trainfix.callbacks.snapshots.outputs import Settings, find_output
from keras_trainfix.callbacks.snapshots.pictures import Column, pixels_of, png_of
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

TASKS = ("segmentation", "classification", "regression")
MOST_IMAGES = 8
MOST_EPOCHS = 12  # in a picture
MOST_OF_BATCHES = 64  # samples: how large they are is not known before
# Where a call fails by these its arguments are to blame.
ERRORS_OF_VALUES = (ValueError, TypeError)


class SnapshotWarning(UserWarning):
    """Predictions can no longer be drawn; training goes on."""


class PredictionSnapshots(GuardedCallback):
    """Draws the predictions for the same samples after each epoch, as one picture.

    - Segmentation: a row an image, with input, label, and the classes that are
      predicted after each epoch. Void is striped.
    - Classification: the same, with the names of the classes, green where right.
    - Regression: predicted over true values, a panel an epoch. Points on a horizontal
      line are a constant answer. Predictions that are images are shown as such.

    The picture holds up to 8 images (of regression 256 samples), spread over those that
    are given, and up to 12 epochs: of more every second, fourth ... and the last. It
    begins anew with each `fit`. Images may be in [0, 1], [-1, 1] or 0 ... 255.

    Training is not changed by it, to the bit. An error in here, or samples that do not
    fit the model, end the pictures with one warning and never the training.

    Args:
        images: Inputs of the model: an array, or a list or dict of arrays; or batches
            `(x, y)` as `fit` takes them.
        labels: Labels as `fit` takes them: sparse, `(N, H, W)` or `(N, H, W, 1)`,
            one-hot, binary, or real numbers. None to show predictions alone. Of a model
            of several outputs those of `output`, or a dict or list of all.
        every: Integer: draw after every so many epochs. Defaults to `1`.
        folder: String or `pathlib.Path`: where to write `snapshots.png` after each
            epoch drawn, and `snapshots-OUTPUT.png` if `output` is given. What an
            earlier run wrote there is replaced. Defaults to `None`.
        writer: What `tf.summary.create_file_writer` makes, a `SummaryWriter` of torch
            or tensorboardX, or a function of `(tag, image, step)`, which gets the
            picture as an array `(H, W, 3)` of uint8. Defaults to `None`.
        output: String, the name of the output to draw; None for the first.
        task: `"segmentation"`, `"classification"` or `"regression"`; None to tell from
            predictions, labels and loss.
        class_names: List of strings, or None for numbers.
        ignore_class: Integer, tuple of integers, or None: ids of void. Defaults to
            `255`.
        axis: Integer, the class axis of the predictions. Defaults to `-1`.
        from_logits: Boolean, whether one unit gives a logit, of which class 1 begins at
            0 and not at 0.5; None to tell from head and loss.

    Raises:
        ImportError: If there is no matplotlib.
        ValueError: If an argument is unknown, if there is no sample, or, when training
            begins, if `output`, `task` or `class_names` do not fit the model.
        TypeError: If an argument has the wrong type.
        OSError: If `folder` cannot be made.

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

    _what_ends = "PredictionSnapshots draws no more, and training goes on."
    _category = SnapshotWarning
    _meant = (ArgumentError,)

    def __init__(
        self,
        images,
        labels=None,
        every=1,
        folder=None,
        *,
        writer=None,
        output=None,
        task=None,
        class_names=None,
        ignore_class=255,
        axis=-1,
        from_logits=None,
    ):
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
                "`writer` must be one of `tf.summary`, have a method `add_image`, or "
                "be a function of (tag, image, step). Received: writer of type "
                f"{type(writer).__name__}."
            )
        ignored_ids(ignore_class)
        self.every = every
        self.folder = None if folder is None else Path(folder)
        self.writer = writer
        names = None if class_names is None else list(class_names)
        self.settings = Settings(output, task, names, ignore_class, axis, from_logits)
        self._sample = _taken(images, labels)
        self._reset()
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)

    def _reset(self):
        self._is_off = False
        self._reader: Any = None
        self._drawn: Any = None
        self._output: str = ""
        self._columns, self._stride, self._count = [], 1, 0
        self._display = None

    def on_train_begin(self, logs=None):
        self._reset()
        self._safely(self._begin)

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every == 0:
            self._safely(lambda: self._take(epoch + 1))

    def plot(self, path=None):
        """Draws what was seen so far.

        Args:
            path: File to save the picture to, or None.

        Returns:
            `matplotlib.figure.Figure`, which pyplot does not know of.

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
            if isinstance(reader, NumberReader):  # a plot has room for all
                sample = self._sample
                reader = NumberReader(find_output(self.settings, snapshot, sample))
        except ArgumentError:
            raise
        except ERRORS_OF_VALUES as error:
            raise MisfitError(
                f"The predictions of '{output.name}' cannot be drawn. {error}"
            ) from error
        self._reader, self._output, self._drawn = reader, output.name, sample

    def _take(self, epoch):
        with unchanged(self.model), backend.no_gradient():
            named = call_named(self.model, self._drawn.x)
        content = self._reader.content(named[self._output])
        self._keep(Column(self._count, epoch, content))
        self._count += 1
        self._publish(epoch)

    def _keep(self, column):
        """Adds the last column, and leaves out every second once they are too many."""
        kept = [one for one in self._columns if one.number % self._stride == 0]
        while len(kept) >= MOST_EPOCHS:
            self._stride *= 2
            kept = [one for one in kept if one.number % self._stride == 0]
        self._columns = [*kept, column]

    def _publish(self, epoch):
        is_notebook = _is_notebook()
        if self.folder is None and self.writer is None and not is_notebook:
            return
        figure = self.plot()
        if self.folder is not None or is_notebook:
            png = png_of(figure)
        if self.folder is not None:
            output = self.settings.output
            name = "snapshots.png" if output is None else f"snapshots-{output}.png"
            (self.folder / name).write_bytes(png)
        if is_notebook:
            self._display = shown_inline(png, self._display)
        if self.writer is not None:
            write_image(self.writer, "predictions", pixels_of(figure), epoch)


def write_image(writer, tag, image, step):
    """Gives a picture to a writer for TensorBoard, or to a function."""
    if hasattr(writer, "add_image"):
        writer.add_image(tag, np.moveaxis(image, -1, 0), step)  # channels first
    elif hasattr(writer, "as_default"):
        backend.write_summary(writer, tag, image, step)
    else:
        writer(tag, image, step)


def shown_inline(png, handle):
    """Shows a picture in a notebook, in place of the last one.

    Args:
        png: Bytes of a PNG file.
        handle: What this returned for the last one, or None.

    Returns:
        A handle of IPython.
    """
    from IPython.display import Image, display

    picture = Image(data=png, format="png")
    if handle is None:
        return display(picture, display_id=True)
    handle.update(picture)
    return handle


def _is_notebook():
    """Whether this runs in a notebook, and not in a terminal."""
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None else None
    return shell is not None and getattr(shell, "kernel", None) is not None


def _require_matplotlib():
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "`PredictionSnapshots` needs matplotlib, and it could not be imported "
            f"({error}). Run `pip install matplotlib`."
        ) from error


def _taken(images, labels):
    """Samples to draw from, or the error about them."""
    most = MOST_OF_BATCHES
    if is_arrays(images, inputs):
        numbers = numbers_of(inputs(images))
        most = int(np.clip(MOST_NUMBERS // numbers, MOST_IMAGES, MOST))
    try:
        return take(images, labels, most=most)
    except ERRORS_OF_VALUES as error:
        message = f"`images` and `labels` cannot be used. {error}"
        raise type(error)(message) from error
