"""Watches over `fit`, and names a collapse while it happens."""

import warnings

import keras
import numpy as np

from keras_trainfix.backend import to_numpy
from keras_trainfix.callbacks.remedies import apply_remedy, restart, set_rate
from keras_trainfix.callbacks.watch import Watch, is_collapse, is_irreversible
from keras_trainfix.diagnosis.finding import DiagnosisError
from keras_trainfix.diagnosis.probe import CallError
from keras_trainfix.diagnosis.registry import CHECKS
from keras_trainfix.messages import tell

ACTIONS = ("warn", "stop", "raise", "rescue")
FIRST = 4  # batches until the first glance
GROWTH = 1.6  # from one glance of the first epoch to the next
HEALTHY = 0.3  # skill of weights that are worth going back to
BETTER = 0.01  # skill by which weights are better than others
MOST_KEPT = 2**24  # numbers of weights that are kept to find a cause with


class CollapseWarning(UserWarning):
    """A model in training gives one answer for everything, or none."""


class CollapseDetector(keras.callbacks.Callback):
    """Finds a model that collapses during `fit`, names the cause, and may rescue it.

    In most collapses the loss goes on falling: the model learns the best constant
    answer. So this looks at predictions for a few samples: at some batches of the
    first epoch, with growing distance, and after each epoch. Where they say nothing
    of the targets a whole look follows, with all checks of `diagnose`.

    A healthy training is not changed by it, to the bit. An error in here, or a model
    that it cannot look at, ends the watch with one warning and never the training.

    Each epoch has `collapse/std_ratio`, the standard deviation of the predictions over
    that of the targets, and `collapse/skill`, which is 0 for the best constant answer
    and 1 for a perfect one, in its `logs`; of several outputs the worst.

    Args:
        probe: Up to 256 samples of the training data: `(x, y)` or
            `(x, y, sample_weight)` of arrays, or batches as `fit` takes them. Held-out
            samples will do as well, but a model that only overfits looks healthy on
            the training data alone.
        action: What to do about a collapse: `"warn"` and go on; `"stop"` training;
            `"raise"` a `DiagnosisError`; or `"rescue"`: go back to the last healthy
            or to the initial weights, apply the mildest remedy that fits the cause
            (a lower learning rate, mostly), and go on.
        patience: Integer, how many looks in a row must see a collapse, unless it is one
            that no step can undo, as dead units and NaN.
        check_every: `"auto"`, or an integer: glance every so many batches.
        max_rescues: Integer: after so many rescues training stops, with the best
            weights that were seen.
        causes: Codes or names of the findings that count, such as
            `["KTF501", "dead-relu"]`; None for all.

    Attributes:
        diagnosis: `Diagnosis` of the collapse; None as long as the model is healthy.
        history: Dict of lists, an entry a glance: `"step"`, `"epoch"`, `"std_ratio"`,
            `"skill"`.
        rescues: List of strings, what was done.

    Raises:
        ValueError: If an argument is unknown, if the probe is empty, or, when training
            begins, if it does not fit the model.
        DiagnosisError: With `action="raise"`, when the model collapses.

    Example:

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

    def __init__(
        self,
        probe,
        *,
        action="warn",
        patience=2,
        check_every="auto",
        max_rescues=3,
        causes=None,
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
        self.probe = probe
        self.action = action
        self.patience = patience
        self.check_every = check_every
        self.max_rescues = max_rescues
        self.causes = None if causes is None else [_code(cause) for cause in causes]
        self._reset()

    def _reset(self):
        self.diagnosis = None
        self.history = {"step": [], "epoch": [], "std_ratio": [], "skill": []}
        self.rescues = []
        self.marks = []
        self._watch = None
        self._is_off = False
        self._epoch = self._begun = None  # the epoch, and that of the (new) beginning
        self._steps = self._done = self._restarted = 0  # the latter two: counted before
        self._next, self._quiet, self._streak = FIRST, 0, 0
        self._initial, self._best = None, (-np.inf, None)
        self._rate, self._factor = None, 1.0

    def on_train_begin(self, logs=None):
        self._reset()
        self._safely(self._begin)

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch
        self._begun = epoch if self._begun is None else self._begun

    def on_train_batch_begin(self, batch, logs=None):
        if batch == 0 and self._rate is not None:
            self._safely(self._hold_rate)

    def on_train_batch_end(self, batch, logs=None):
        self._steps = self._done + batch + 1
        is_early = self.check_every != "auto" or self._epoch <= self._begun
        if is_early and self._since >= self._next:
            self._safely(self._glance)

    def on_epoch_end(self, epoch, logs=None):
        self._done = self._steps
        self._safely(self._glance)
        if logs is not None:
            logs.update(self._numbers())

    def on_train_end(self, logs=None):
        self._safely(self._end)

    def plot(self, path=None):
        """Draws what was seen, step by step, with the collapse and the rescues.

        Args:
            path: File to save the picture to, or None.

        Returns:
            `matplotlib.figure.Figure`.

        Raises:
            ImportError: If matplotlib is not installed.
        """
        from keras_trainfix.callbacks.collapse_plot import collapse_figure

        return collapse_figure(self, path)

    @property
    def _since(self):
        """Steps since the (new) beginning."""
        return self._steps - self._restarted

    def _safely(self, work):
        """Runs a part of the watch; an error in it ends the watch, not the training."""
        if self._is_off:
            return
        try:
            work()
        except (_BadProbe, DiagnosisError):
            raise
        except Exception as error:
            self._is_off = True
            warnings.warn(
                "CollapseDetector no longer watches, and training goes on. "
                f"{type(error).__name__}: {error}",
                CollapseWarning,
                stacklevel=3,
            )

    def _begin(self):
        model = self.model
        try:
            self._watch = watch = Watch(model, self.probe)
        except CallError as error:
            if _is_misfit(error.__cause__):
                raise _BadProbe(str(error)) from error
            raise
        except (ValueError, TypeError) as error:
            raise _BadProbe(f"`probe` cannot be used. {error}") from error
        _check_targets(watch.first)
        if any(_has_one_class(probe) for probe in watch.first.probes()):
            tell(
                "CollapseDetector: all samples of `probe` have one class, so that a "
                "model which always answers it cannot be told from a good one."
            )
        weights = sum(int(np.prod(v.shape)) for v in model.variables)
        if self.action == "rescue" or weights <= MOST_KEPT:
            self._initial = model.get_weights()
        diagnosis = watch.examine_beginning()
        if any(f.severity == "error" for f in diagnosis.findings):
            self.diagnosis = self._counted(diagnosis)
            self._warn()

    def _glance(self):
        model = self.model  # on JAX this brings the weights up to date
        if self.history["step"][-1:] == [self._steps]:
            return
        glance = self._watch.glance(self._since)
        for key, value in (
            ("step", self._steps),
            ("epoch", self._epoch),
            ("std_ratio", glance.std_ratio),
            ("skill", glance.skill),
        ):
            self.history[key].append(value)
        if self.action == "rescue" and glance.skill > self._best[0] + BETTER:
            self._best = (glance.skill, model.get_weights())
        every = self.check_every
        grown = int(np.ceil(self._since * GROWTH))
        self._next = grown if every == "auto" else self._since + every
        if not glance.is_suspicious:
            self._streak = 0
        elif self._since >= self._quiet and not self._is_told:
            self._look()

    @property
    def _is_told(self):
        return bool(self.marks) and self.action != "rescue"

    def _look(self):
        look = self._watch.look()
        diagnosis = self._counted(self._watch.examine(look))
        if diagnosis is None or not is_collapse(diagnosis):
            self._streak = 0
            self._quiet = int(1.5 * self._since)
            return
        self._streak += 1
        if self._streak < self.patience and not is_irreversible(diagnosis):
            self._next = self._since + max(2, self._since // 8)
            return
        self.diagnosis = self._watch.examine(look, self._initial)
        self._act()

    def _act(self):
        self.marks.append(self._steps)
        if self.action == "raise":
            raise DiagnosisError(self.diagnosis)
        if self.action == "rescue" and len(self.rescues) < self.max_rescues:
            self._rescue()
            return
        self._warn()
        if self.action != "warn":
            self.model.stop_training = True

    def _rescue(self):
        model, (skill, weights) = self.model, self._best
        is_healthy = skill > HEALTHY
        restart(model, weights if is_healthy else self._initial)
        attempt = len(self.rescues) + 1
        before = float(to_numpy(model.optimizer.learning_rate))
        done = apply_remedy(model, self.diagnosis, self._watch.sample.x, attempt)
        cause = self.diagnosis.findings[0]
        line = (
            f"epoch {self._epoch + 1}, step {self._steps}: {cause.code} {cause.name}. "
            f"{'Last healthy' if is_healthy else 'Initial'} weights, {done}."
        )
        self.rescues.append(line)
        tell(f"CollapseDetector, {line}")
        rate = float(to_numpy(model.optimizer.learning_rate))
        self._factor *= rate / before
        self._rate = rate
        self._restarted, self._begun = self._steps, self._epoch + 1
        self._next, self._quiet, self._streak = FIRST, 0, 0

    def _hold_rate(self):
        """Lowers, by the same factor, what a scheduler sets without knowing of us."""
        optimizer = self.model.optimizer
        rate = float(to_numpy(optimizer.learning_rate))
        if rate > 1.001 * self._rate and self._factor < 1:
            set_rate(optimizer, self._factor, self.model)
            rate *= self._factor
        self._rate = rate

    def _end(self):
        if self._watch is None:
            return
        model, (skill, weights) = self.model, self._best
        last = self.history["skill"][-1] if self.history["skill"] else float("nan")
        if self.rescues and weights is not None and not last > skill - BETTER:
            model.set_weights(weights)
            tell("CollapseDetector: the best weights that were seen are put back.")
        if self.diagnosis is None and last < HEALTHY:
            diagnosis = self._counted(self._watch.examine(self._watch.look()))
            if diagnosis is not None and not diagnosis.ok:
                self.diagnosis = diagnosis
                self._warn()

    def _counted(self, diagnosis):
        """A diagnosis, or None where none of its findings count."""
        if self.causes is None:
            return diagnosis
        codes = {f.code for f in diagnosis.findings if f.severity != "note"}
        return diagnosis if codes & set(self.causes) else None

    def _warn(self):
        if self.diagnosis is not None:
            warnings.warn(str(self.diagnosis), CollapseWarning, stacklevel=4)

    def _numbers(self):
        """What an epoch has in its logs: always the same keys."""
        last = [
            self.history[key][-1:] or [float("nan")] for key in ("std_ratio", "skill")
        ]
        numbers = {"collapse/std_ratio": last[0][0], "collapse/skill": last[1][0]}
        if self.action == "rescue":
            numbers["collapse/rescues"] = len(self.rescues)
        return numbers


class _BadProbe(ValueError):
    """The samples do not fit: an error of the caller, and none of the watch."""


def _check_positive(name, value):
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(
            f"`{name}` must be an integer of 1 or more. Received: {name}={value!r}."
        )


def _code(cause):
    """The code of a finding, from the code or the name."""
    names = {check.name: code for code, check in CHECKS.items()}
    code = names.get(cause, cause)
    if code not in CHECKS:
        raise ValueError(
            "`causes` must hold codes or names of findings, such as 'KTF501' or "
            f"'dead-relu'. Received: {cause!r}. `python -m keras_trainfix codes` lists "
            "them."
        )
    return code


def _is_misfit(error):
    """Whether the call failed because of the shapes of the samples."""
    text = str(error).lower()
    words = ("shape", "incompatible", "structure", "dimension")
    return isinstance(error, (ValueError, TypeError)) and any(w in text for w in words)


def _check_targets(look):
    for probe in look.probes():
        targets, predictions = probe.targets, probe.predictions
        if targets is None or targets.dtype.kind not in "biuf":
            continue
        if probe.task == "unknown" or probe.skill is not None:
            continue
        units = predictions.shape[-1] if predictions.ndim > 1 else 1
        sizes = {predictions.size}
        sizes |= set() if probe.task == "regression" else {predictions.size // units}
        if targets.size not in sizes:
            raise _BadProbe(
                f"The targets of `probe` do not fit the output '{probe.name}'. "
                f"Received: targets of shape {targets.shape} for predictions of shape "
                f"{predictions.shape}."
            )
        classes = np.unique(targets[np.isfinite(targets)])
        classes = classes[~np.isin(classes, probe.loss.ignore_class)]
        if targets.size < predictions.size and (classes >= units).any():
            raise _BadProbe(
                f"The targets of `probe` hold labels that are no class of the output "
                f"'{probe.name}' of {units} units (KTF121). Received: labels "
                f"{classes[classes >= units][:5].tolist()}."
            )


def _has_one_class(probe):
    seen = probe.skill
    return seen is not None and seen.kind == "classes" and seen.classes_present < 2
