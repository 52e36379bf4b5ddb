"""What a diagnosis says: single findings, and all of them in order."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

SEVERITIES = ("error", "warning", "note")  # from the worst
DOCUMENTATION = "https://keras-trainfix.readthedocs.io/codes/"
IS_PUBLISHED = False  # then findings show the address of their page, not a command

SCHEMA = 1  # of `Diagnosis.to_dict`: grows where a key changes its meaning or goes

# What shows and repairs a diagnosis stands above it, and adds itself.
_PROVIDED: dict[str, Callable] = {}


def provides(function: Callable) -> Callable:
    """Decorates a function that a method of `Finding` or `Diagnosis` calls."""
    _PROVIDED[function.__name__] = function
    return function


class DiagnosisError(ValueError):
    """What `Diagnosis.raise_for_errors` raises; its `diagnosis` says why."""

    def __init__(self, diagnosis: "Diagnosis") -> None:
        super().__init__(str(diagnosis))
        self.diagnosis = diagnosis


class OutputSummary(NamedTuple):
    """What is drawn of one output.

    Attributes:
        name: Name of the output.
        kind: `"regression"` or `"classes"`.
        predictions: Array: up to 256 numbers; or the share of each class.
        targets: Array of the same shape.
        constant: The best constant answer: the mean, or the class that occurs most.
    """

    name: str
    kind: str
    predictions: np.ndarray
    targets: np.ndarray
    constant: float


class LayerSummary(NamedTuple):
    """What is drawn of one layer; None for what is not known.

    Attributes:
        name: String.
        kind: String, the name of its class.
        different: Float, the share of the samples that differ behind it.
        constant: Float, the share of its units that give one number for all samples.
        dead: Float, the share of its units that are 0 for all samples, of a ReLU.
        gradient: Float, the root mean square of the gradient of its kernel.
    """

    name: str
    kind: str
    different: float | None
    constant: float | None
    dead: float | None
    gradient: float | None


class Proof(NamedTuple):
    """What was seen when the cause was treated, on samples that were not stepped on.

    Attributes:
        treatment: String that ends the sentence "it learns with ...".
        skill_without: Float, of the best control: 0 is a constant answer, 1 perfect.
        skill_with: Float, with the treatment.
        steps: Integer, the steps of each run.
        holds: Boolean, whether the treatment made a difference that counts.
    """

    treatment: str
    skill_without: float
    skill_with: float
    steps: int
    holds: bool


class SkillCurve(NamedTuple):
    """What is drawn of one run of an experiment.

    Attributes:
        words: String, what was replaced, or the learning rate of a control.
        steps: Tuple of integers.
        skills: Tuple of floats, the skill after so many steps; NaN where unknown.
        is_control: Whether nothing was replaced.
    """

    words: str
    steps: tuple[int, ...]
    skills: tuple[float, ...]
    is_control: bool


class Standing(NamedTuple):
    """Where a model stands, before anything is said about causes.

    Attributes:
        skill: Float, of the worst output: 0 is the best constant answer, 1 is perfect;
            NaN where answers cannot be compared with targets.
        output: Name of that output; None for a model with one.
        ranks: Whether its answers order the samples better, or worse, than chance.
        steps: Integer, steps of the optimizer so far; None without an optimizer.
        is_finite: Whether all answers are finite.
        checks: Integer, how many checks gave an answer.
        control: Tuple of the number of steps that were tried with the model as it is,
            and the skill that they reached; None if none were tried.
    """

    skill: float
    output: str | None
    ranks: bool
    steps: int | None
    is_finite: bool
    checks: int
    control: tuple[int, float] | None = None


class Confusion(NamedTuple):
    """How often each class was taken for which.

    Attributes:
        name: Name of the output.
        counts: Integer array `(labels, predictions)`.
    """

    name: str
    counts: np.ndarray


class MaskExamples(NamedTuple):
    """A few images with their masks, reduced to what a picture needs.

    Attributes:
        name: Name of the output.
        images: Uint8 array `(n, H, W, 3)`.
        labels: Integer array `(n, H, W)`: the class of each pixel, -1 for void.
        predictions: Array of the same shape: classes; or, for one unit, floats, the
            probability of class 1.
        scores: Tuple of floats, the mean intersection over union of each image.
    """

    name: str
    images: np.ndarray
    labels: np.ndarray
    predictions: np.ndarray
    scores: tuple[float, ...]


class RateCurve(NamedTuple):
    """What the trial reached at each learning rate.

    Attributes:
        rates: Tuple of floats, in ascending order.
        losses: Tuple of floats, the loss at the end; infinite where it diverged.
        start: Float, the loss without a step.
        compiled: Float, the learning rate of the model.
        steps: Integer, the steps of each run.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    start: float
    compiled: float
    steps: int


class Figures(NamedTuple):
    """What else is drawn.

    Attributes:
        confusions: Tuple of `Confusion`.
        masks: Tuple of `MaskExamples`.
        rates: `RateCurve` of the trial, or None.
        terms: Tuple of the name of each term of the loss and how hard it pulls at all
            weights together.
    """

    confusions: tuple[Confusion, ...] = ()
    masks: tuple[MaskExamples, ...] = ()
    rates: RateCurve | None = None
    terms: tuple[tuple[str, float], ...] = ()


class Cure(NamedTuple):
    """The change that `Diagnosis.fixed` makes because it was seen to work.

    Attributes:
        words: String that ends the sentence "it learns with ...".
        mend: Function that makes the change in a copy; None if the user has to.
        factor: Float, of the learning rate that goes with it.
        proof: `Proof`.
        is_fresh: Boolean, whether it was tried from new initial weights.
        codes: Frozenset of the codes of the findings that it treats.
    """

    words: str
    mend: Callable[[Any], None] | None
    factor: float
    proof: Proof
    is_fresh: bool
    codes: frozenset[str]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Args:
        code: String such as `"KTF201"`. Never reused.
        name: String, a stable name of the bad pattern: `"softmax-on-one-unit"`.
        severity: `"error"` (it cannot learn so), `"warning"` (it costs, or may), or
            `"note"` (good to know, nothing is wrong).
        evidence: Dict of the numbers that were measured.
        message: String, what is wrong, with the evidence.
        fix: String, code to paste, or what to do.
        url: String, the page of the code.
        output: Name of the output of the model that it concerns, or None.
        proof: `Proof`, what a treatment of the cause did; None if none was tried.

    Examples:
        >>> from keras_trainfix import Finding
        >>> url = "https://keras-trainfix.readthedocs.io/codes/KTF201/"
        >>> finding = Finding(
        ...     "KTF201", "softmax-on-one-unit", "error", {"units": 1},
        ...     "The softmax has 1 unit.", "activation='sigmoid'", url
        ... )
        >>> finding.code
        'KTF201'
    """

    code: str
    name: str
    severity: str
    evidence: dict
    message: str
    fix: str
    url: str
    output: str | None = None
    proof: Proof | None = None

    def __str__(self) -> str:
        return _PROVIDED["finding_text"](self)

    def to_dict(self) -> dict:
        """The finding as a dict that strict JSON can hold: NaN and Inf become None."""
        return _plain(vars(self))


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """All that was found, causes before symptoms and the strongest first.

    Print it, show it in a notebook (with plots), or give it to `rich.print`.

    Args:
        findings: List of `Finding`.
        tasks: Dict of the name of each output to what it is taken for, such as
            `"binary classification"`.
        skipped: Dict of what could not be judged to the reason: codes of checks, and
            `"targets"`, `"answers"`, `"trial"` and `"treatments"`.
        outputs: Tuple of `OutputSummary`, for plots.
        dead_shares: Dict of the name of each ReLU layer to the share of its units that
            are 0 for every sample, for plots.
        instruments: Tuple of the names of the experiments that gave an answer.
        remarks: Tuple of sentences about what the diagnosis did, such as how many
            batches of a generator it took.
        layers: Tuple of `LayerSummary`, from the input on, for a plot.
        cure: `Cure` that `fixed` applies, or None.
        curves: Tuple of `SkillCurve` of each run of the experiments, for a plot.
        standing: `Standing` of the model, or None.
        mendable: Tuple of integers: the numbers, from 1, of the findings that `fixed`
            mends in the model that was diagnosed.
        figures: `Figures` for the report, or None.

    Examples:
        >>> from keras_trainfix import Diagnosis
        >>> print(Diagnosis([]))
        No fault found.
        >>> Diagnosis([]).ok
        True
    """

    findings: list[Finding]
    tasks: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    outputs: tuple[OutputSummary, ...] = field(default=(), compare=False, repr=False)
    dead_shares: dict[str, float] = field(
        default_factory=dict, compare=False, repr=False
    )
    instruments: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    layers: tuple[LayerSummary, ...] = field(default=(), compare=False, repr=False)
    cure: Cure | None = field(default=None, compare=False, repr=False)
    curves: tuple[SkillCurve, ...] = field(default=(), compare=False, repr=False)
    standing: Standing | None = field(default=None, compare=False, repr=False)
    mendable: tuple[int, ...] = field(default=(), compare=False, repr=False)
    figures: Figures | None = field(default=None, compare=False, repr=False)

    @property
    def ok(self) -> bool:
        """Whether there is nothing worse than a note."""
        return all(finding.severity == "note" for finding in self.findings)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __bool__(self) -> bool:
        return True  # `detector.diagnosis` is None, or one

    @property
    def codes(self) -> list[str]:
        """The codes of the findings, in their order."""
        return [finding.code for finding in self.findings]

    @property
    def verdict(self) -> str:
        """One or two sentences: how the model stands, and what to do first."""
        return _PROVIDED["verdict"](self)

    def __str__(self) -> str:
        return _PROVIDED["diagnosis_text"](self)

    def __repr__(self) -> str:
        return str(self)

    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        return _PROVIDED["rich_parts"](self, options.max_width)

    def _repr_html_(self) -> str:
        """The findings and plots for notebooks, without a request to any site."""
        return _PROVIDED["diagnosis_html"](self)

    def save(self, path: Any, class_names: Sequence[str] | None = None) -> Path:
        """Writes a report: one page with all findings and pictures.

        It needs no other file and no network, follows a light or dark browser, can be
        read on a phone, and printed.

        Args:
            path: String or `Path`, such as `"report.html"`.
            class_names: List of strings, one for each class, for the pictures.

        Returns:
            `pathlib.Path` of the file.

        Raises:
            OSError: If the file cannot be written; what was there before stays.

        Examples:
            >>> import tempfile
            >>> folder = tempfile.mkdtemp()
            >>> Diagnosis([]).save(f"{folder}/report.html").name
            'report.html'
        """
        return _PROVIDED["save_diagnosis"](self, path, class_names)

    def to_dict(self) -> dict:
        """The diagnosis as a dict that strict JSON can hold.

        `"schema"` is the version of its form; `docs/diagnosis.schema.json` states it.
        """
        return {
            "schema": SCHEMA,
            "ok": self.ok,
            "verdict": self.verdict,
            "tasks": self.tasks,
            "findings": [finding.to_dict() for finding in self.findings],
            "skipped": self.skipped,
            "instruments": list(self.instruments),
            "remarks": list(self.remarks),
        }

    def fixed(self, model: Any) -> Any:
        """A corrected copy of the model, for faults that a program can mend.

        These are: a wrong last activation, `from_logits`, a loss that does not fit the
        head or the labels, batch normalization that trains and predicts differently
        (frozen), layers that are frozen by mistake, a stale `compile`, a learning rate
        for which the trial found a better one; and the change that was seen to work in
        `diagnose`, with a layer in front for the scale of inputs, or behind for that of
        targets. What else was found stays.

        Args:
            model: The `keras.Model` of the diagnosis, functional or sequential. It
                stays as it is.

        Returns:
            A `keras.Model`, compiled where `model` is. It has the same weights, or
            initial ones where too high a learning rate has ruined these.

        Raises:
            ValueError: If nothing that was found can be mended so, or if the model
                cannot be copied.

        Examples:
            >>> from keras_trainfix import diagnose
            >>> model = keras.Sequential(
            ...     [keras.Input((4,)), keras.layers.Dense(1, activation="softmax")]
            ... )
            >>> model.compile("adam", "binary_crossentropy")
            >>> x = np.random.default_rng(0).normal(size=(64, 4))
            >>> diagnosis = diagnose(model, x, x[:, 0] > 0, fit=False)
            >>> diagnosis.fixed(model).layers[-1].activation.__name__
            fixed: softmax of 'dense' -> sigmoid, compiled again.
            'sigmoid'
        """
        return _PROVIDED["fixed_copy"](self, model)

    def raise_for_errors(self) -> "Diagnosis":
        """Raises `DiagnosisError` if a finding is an error; returns the diagnosis."""
        if any(finding.severity == "error" for finding in self.findings):
            raise DiagnosisError(self)
        return self


def _plain(value: Any) -> Any:
    """What JSON knows: NumPy's numbers and arrays as those of Python."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | range):
        return [_plain(entry) for entry in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int) else str(value)
