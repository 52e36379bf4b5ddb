"""Watches over `fit`, and names a collapse while it happens: the hooks of Keras."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from keras_trainfix.callbacks.collapse.layer_record import LayerRecord
from keras_trainfix.callbacks.collapse.ledger import Rescue
from keras_trainfix.callbacks.collapse.running_fit import running_fit, samples_of_fit
from keras_trainfix.callbacks.collapse.samples import MisfitError, check_inputs
from keras_trainfix.callbacks.collapse.schedule import Settings
from keras_trainfix.callbacks.collapse.series import (
    Fit,
    Watched,
    find_watched,
    fit_of,
    is_continued,
    is_same_training,
    keep_watched,
)
from keras_trainfix.callbacks.collapse.session import (
    CollapseWarning,
    EpochLoss,
    Session,
)
from keras_trainfix.callbacks.guarded import GuardedCallback
from keras_trainfix.diagnosis.findings import Diagnosis, DiagnosisError
from keras_trainfix.diagnosis.observe.sample import take
from keras_trainfix.diagnosis.registry import find_check
from keras_trainfix.diagnosis.snapshot import CallError

ACTIONS = ("warn", "stop", "raise", "rescue")
HISTORY = ("step", "epoch", "std_ratio", "skill")


class CollapseDetector(GuardedCallback):
    """Finds a model that collapses during `fit`, names the cause, and may rescue it.

    In most collapses the loss keeps falling, because the model learns the best constant
    answer. So the detector compares predictions with targets: a quick check on a few
    samples at exponentially spaced batches of the first epoch, then at the end of
    epochs, as often as 2 % of the steps allow. If predictions carry no information
    about the targets, all checks of `diagnose` run: with `action="warn"` once the steps
    so far outweigh them, or there were 200, or nothing can be undone, and at the end.

    A healthy training stays the same to the bit. A bug in the detector, or a model it
    cannot call, ends the watch with one warning and never the training. If `probe` does
    not fit the model, one line of warning says what cannot be seen.

    Further calls of `fit` with the same detector and the same compiled model count as
    one training: steps are counted on, and nothing is examined or reported twice. A
    call of fewer than 20 steps that continues a training, with another detector, is
    looked at only once it is a small part of all steps.

    The `logs` of each epoch have `collapse/std_ratio`, the standard deviation of the
    predictions over that of the targets, and `collapse/skill`, which is 0 for the best
    constant answer and 1 for a perfect one. With several outputs the worst is reported.

    Args:
        probe: Up to 256 samples of the training data: `(x, y)` or
            `(x, y, sample_weight)` of arrays, or batches as `fit` takes them, from
            which the first ones are read. Defaults to None: the validation data that
            `fit` gets, or the arrays that it trains on. A `tf.data` pipeline that
            shuffles gives another order to `fit` afterwards: hand over a second one.
            Held-out samples work as well; on training data alone, a model that only
            overfits looks healthy.
        y: Targets, if `probe` are inputs.
        action: What to do about a collapse: `"warn"`; `"stop"` training; `"raise"` a
            `DiagnosisError`; or `"rescue"`: return to the last healthy or the initial
            weights, apply the mildest remedy for the cause (usually a lower learning
            rate until the model learns), and continue.
        patience: Integer, how many checks in a row must see a collapse, unless it is
            irreversible, such as dead units and NaN. Defaults to `2`.
        check_every: `"auto"`, or an integer: batches from one quick check to the next.
        max_rescues: Integer: after this many rescues training stops, with the best
            weights that were seen. Defaults to `3`.
        causes: Codes or names of the findings that count, such as
            `["KTF501", "dead-relu"]`; None for all.
        verbose: 0 shows no progress of an examination. Defaults to `"auto"`: as `fit`.

    Attributes:
        diagnosis: `Diagnosis` of the collapse; None while the model is healthy.
        history: Dict of lists with one entry for each quick check: `"step"`,
            `"epoch"`, `"std_ratio"`, `"skill"`.
        rescues: List of dicts, what was done: `"step"`, `"epoch"`, `"code"`,
            `"finding"`, `"treatment"`, `"skill_before"` and `"skill_after"`. `str` of
            one is a sentence.
        alarms: List of integers, the steps at which a collapse was reported.

    Raises:
        ValueError: If an argument is unknown.
        DiagnosisError: With `action="raise"`, when the model collapses.

    Examples:
        >>> import warnings
        >>> x = np.random.default_rng(0).normal(size=(256, 4)).astype("float32")
        >>> y = x[:, :1] + 5
        >>> model = keras.Sequential(
        ...     [keras.Input((4,)), keras.layers.Dense(1, "softmax")]
        ... )
        >>> model.compile("adam", "mse")
        >>> detector = CollapseDetector((x, y), action="stop")
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")
        ...     history = model.fit(x, y, epochs=8, verbose=0, callbacks=[detector])
        >>> detector.diagnosis.findings[0].name
        'softmax-on-one-unit'
        >>> len(history.history["collapse/std_ratio"]) < 8
        True

    Reference:

    - [Lu et al., 2019](https://arxiv.org/abs/1903.06733)
    """

    _what_ends = "CollapseDetector no longer watches; training continues."
    _category = CollapseWarning
    _meant = (DiagnosisError,)

    def __init__(
        self,
        probe: Any = None,
        y: Any = None,
        *,
        action: str = "warn",
        patience: int = 2,
        check_every: int | str = "auto",
        max_rescues: int = 3,
        causes: Sequence[str] | None = None,
        verbose: Any = "auto",
    ):
        super().__init__()
        if action not in ACTIONS:
            raise ValueError(
                f"`action` must be one of {', '.join(map(repr, ACTIONS))}. Received: "
                f"action={action!r}."
            )
        _check_positive("patience", patience)
        _check_positive("max_rescues", max_rescues)
        if check_every != "auto":
            _check_positive("check_every", check_every)
        if isinstance(causes, str):
            raise ValueError(
                f"`causes` must be a list of strings. Received: causes={causes!r}."
            )
        if isinstance(probe, keras.Model):
            raise TypeError(
                "`probe` must be samples, `(x, y)`: the model is that of `fit`. "
                f"Received: the model {probe.name!r}."
            )
        self.probe = probe if y is None else (probe, y)
        self.verbose = verbose
        self.action = action
        self.patience = patience
        self.check_every = check_every
        self.max_rescues = max_rescues
        self.causes = None if causes is None else [_code(cause) for cause in causes]
        self._sample: Any = None
        self._session: Session | None = None
        self._last_fit: Fit | None = None
        self._watched: Watched | None = None  # by another detector, which is enough
        self._unseen = 0  # steps since

    @property
    def diagnosis(self) -> Diagnosis | None:
        """`Diagnosis` of the collapse; None while the model is healthy."""
        return self._session.diagnosis if self._session else None

    @property
    def history(self) -> dict[str, list]:
        """Dict of lists with one entry for each quick check."""
        return self._session.history if self._session else {k: [] for k in HISTORY}

    @property
    def rescues(self) -> list[Rescue]:
        """List of `Rescue`, what was done: dicts whose text is a sentence."""
        return self._session.rescues if self._session else []

    @property
    def layers(self) -> LayerRecord:
        """`LayerRecord`: how far each layer moved between looks, for the report."""
        return self._session.layers if self._session else LayerRecord()

    @property
    def losses(self) -> list[EpochLoss]:
        """List of `EpochLoss`: the loss of each epoch, for the picture."""
        return self._session.losses if self._session else []

    @property
    def alarms(self) -> list[int]:
        """List of integers, the steps at which a collapse was reported."""
        return list(self._session.state.alarms) if self._session else []

    @property
    def marks(self) -> list[int]:
        """Earlier name of `alarms`."""
        return self.alarms

    def on_train_begin(self, logs: dict | None = None) -> None:
        last, self._last_fit = self._last_fit, None
        now = fit_of(self.model)
        was_left_out, self._watched, self._unseen = self._watched is not None, None, 0
        if was_left_out or not is_same_training(last, now) or self._has_ended():
            is_new, self._session, self._is_off = self._has_ended(), None, False
            watched = None if is_new else find_watched(now, self._planned_steps())
            if watched is not None and not watched.is_due:
                self._watched = watched
            else:
                self._safely(lambda: self._begin(watched))
        elif self._session is not None:
            session, is_new = self._session, not is_continued(last, now)
            self._safely(lambda: session.begin_again(is_new))

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        if self._session is not None:
            session = self._session
            self._safely(lambda: session.begin_epoch(epoch), uses_model=False)

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        if self._session is not None and batch == 0 and self.rescues:
            self._safely(self._session.hold_rate)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._unseen += 1
        if self._session is not None:
            session = self._session
            if self._safely(lambda: session.count_step(batch), uses_model=False):
                self._safely(session.quick_check)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if self._session is not None:
            session, last = self._session, (self.params or {}).get("epochs", 1)
            is_last = epoch + 1 >= last or bool(self.model.stop_training)
            self._safely(lambda: session.end_epoch(is_last))
            self._safely(lambda: session.note_loss(logs or {}), uses_model=False)
        if logs is not None:
            logs.update(self._numbers())

    def on_train_end(self, logs: dict | None = None) -> None:
        if self._session is not None:
            self._safely(self._session.end)
        self._last_fit = now = fit_of(self.model)
        if self._session is not None and not self._is_off:
            keep_watched(now, self._session.watched)
        elif self._watched is not None:
            keep_watched(now, self._watched.after(self._unseen))

    def plot(self, path: Any = None) -> Any:
        """Draws skill, spread and loss by step, with the collapse and the rescues.

        A skill below the axis is an arrow with its value.

        Args:
            path: File to save the picture to, or None.

        Returns:
            `matplotlib.figure.Figure`.

        Raises:
            ImportError: If matplotlib is not installed.
        """
        from keras_trainfix.callbacks.collapse.plot import collapse_figure

        return collapse_figure(self, path)

    def save(self, path: Any, class_names: Sequence[str] | None = None) -> Path:
        """Writes a report of the training: one page that needs no network.

        Args:
            path: String or `Path`, such as `"report.html"`.
            class_names: List of strings, one for each class, for the pictures.

        Returns:
            `pathlib.Path` of the file.

        Raises:
            OSError: If the file cannot be written; what was there before stays.
        """
        from keras_trainfix.callbacks.collapse.training_page import save_training

        return save_training(self, path, class_names)

    def _begin(self, watched=None):
        model = self.model
        probe = samples_of_fit(model) if self.probe is None else self.probe
        try:
            # Once for all trainings: a generator has its samples only once.
            if self._sample is None or self.probe is None:
                self._sample = take(probe, model=model)
        except (ValueError, TypeError) as error:
            raise MisfitError(f"`probe` cannot be used. {error}") from error
        settings = Settings(
            self.action, self.patience, self.check_every, self.max_rescues
        )
        is_shown = (self.params or {}).get("verbose") and self.verbose not in (0, "0")
        show_progress = bool(is_shown)
        try:
            session = Session(
                model,
                self._sample,
                settings,
                self.causes,
                show_progress,
                running_fit(model, probe, self._sample, self._planned_steps()),
            )
        except CallError as error:
            check_inputs("probe", model, self._sample, error.__cause__)
            raise
        self._session = session
        if watched is not None:
            session.continue_from(watched.state)
        session.begin()

    def _planned_steps(self):
        """How many steps `fit` will take; None if that is not known."""
        params = self.params or {}
        steps, epochs = params.get("steps"), params.get("epochs")
        return steps * epochs if steps and epochs else None

    def _has_ended(self):
        """Whether the last `fit` was ended for a collapse, so that this one is new."""
        return self.action in ("stop", "raise") and bool(self.alarms)

    def _numbers(self):
        """What the logs of an epoch have: always the same keys."""
        last = self._session.last if self._session else lambda key: float("nan")
        numbers = {
            "collapse/std_ratio": last("std_ratio"),
            "collapse/skill": last("skill"),
        }
        if self.action == "rescue":
            numbers["collapse/rescues"] = len(self.rescues)
        return numbers


def _check_positive(name, value):
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(
            f"`{name}` must be an integer of 1 or more. Received: {name}={value!r}."
        )


def _code(cause):
    """The code of a finding, from the code or the name."""
    check = find_check(cause) if isinstance(cause, str) else None
    if check is None:
        raise ValueError(
            "`causes` must hold codes or names of findings, such as 'KTF501' or "
            f"'dead-relu'. Received: {cause!r}. `python -m keras_trainfix codes` lists "
            "them."
        )
    return check.code
