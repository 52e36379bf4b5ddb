"""Every number that decides in an experiment, with the two figures that justify it."""

from collections.abc import Iterator


class Threshold(float):
    """A number that separates sound models from faulty ones.

    It is a float, so a check compares with it directly.

    Args:
        value: Float, where the line is drawn.
        unit: String, what is counted: `"share of the samples"`.
        sound: Float, the value of a sound model that comes nearest to the line.
        faulty: Float, the value of a faulty model that comes nearest to it.

    Examples:
        >>> line = Threshold(0.5, "share of the samples", sound=0.8, faulty=0.2)
        >>> 0.3 < line, line.unit
        (True, 'share of the samples')
    """

    unit: str
    sound: float
    faulty: float

    def __new__(
        cls, value: float, unit: str, *, sound: float, faulty: float
    ) -> "Threshold":
        number = super().__new__(cls, value)
        number.unit, number.sound, number.faulty = unit, sound, faulty
        return number


def thresholds() -> Iterator[tuple[str, Threshold]]:
    """The name and the `Threshold` of each line of this module."""
    for name, value in globals().items():
        if isinstance(value, Threshold):
            yield name, value


# --- gradients ---
NO_CHANGE = Threshold(
    1e-5, "change of the gradient by exchanged targets", sound=3e-4, faulty=2e-7
)
FEW_DRIVE = Threshold(
    0.99, "share of the gradient of a tenth of the samples", sound=0.41, faulty=0.9998
)
TERM_DROWNS = Threshold(
    30.0,
    "times the gradient of the data, of a term without targets",
    sound=25.0,
    faulty=44.0,
)
OUTPUT_DROWNS = Threshold(
    120.0, "times the gradient of another output's loss", sound=65.0, faulty=211.0
)

# --- step ---
STEP_GROWS = Threshold(
    1.5, "size of the fourth step, of that of the first", sound=1.0, faulty=4.0
)
LOSS_SCALE = Threshold(1.0, "factor of the loss", sound=32768.0, faulty=0.5)
UPHILL = Threshold(
    -0.5, "cosine of the step and the downhill direction", sound=0.0, faulty=-1.0
)

# --- layers ---
SAMPLES_LEFT = Threshold(
    0.5, "share of the samples that differ behind a layer", sound=0.92, faulty=0.22
)
UNKNOWN = Threshold(
    0.9, "share of the tokens outside the vocabulary", sound=0.47, faulty=1.0
)
TRAINING_R2 = Threshold(
    -5, "R2 of a layer in training against inference", sound=0.0, faulty=-2600.0
)
FLAT = Threshold(
    0.05, "share of the range that is left in training", sound=0.9, faulty=0.004
)
BLANK = Threshold(
    0.25, "share of the samples that are blank in training", sound=0.0, faulty=0.5
)

FRESH = Threshold(
    0.5, "share of the frozen layers that are fresh", sound=0.33, faulty=1.0
)

# --- averages ---
AVERAGE_IS_OLD = Threshold(
    0.5, "share of the initial weights in their average", sound=0.3, faulty=0.96
)
LOST_BY_LAG = Threshold(
    0.3, "skill lost with the averages of a short training", sound=0.1, faulty=0.5
)

# --- head ---
ASKED_FOR = Threshold(
    0.3, "fit of the answers that the loss asks for", sound=0.81, faulty=0.0
)

# --- pretrained body ---
BODY_SCALE = Threshold(
    10, "times the scale that a body expects", sound=1.0, faulty=127.0
)

# --- perturbation ---

MOST_BEFORE_OF_COPY = Threshold(
    0.33, "movement of earlier answers over that of the own", sound=0.72, faulty=0.23
)
LEAST_BY_TOKENS = Threshold(
    1e-5, "movement by tokens over that by padding", sound=2e-5, faulty=5e-6
)
MOST_FADED = Threshold(
    1e-3, "movement by tokens over that by padding", sound=0.0044, faulty=7e-4
)
LEAST_AT_END = Threshold(
    0.03, "movement by tokens over that with padding elsewhere", sound=1, faulty=1e-3
)
MOST_OUT_OF_PLACE = Threshold(
    0.3, "share of the movement in the block, 0 by chance", sound=0.57, faulty=0.19
)
LEAST_TURNED = Threshold(
    0.35, "share of the movement elsewhere, 0 by chance", sound=0.03, faulty=0.81
)
LEAST_UNTOUCHED = Threshold(
    0.5, "share of the places that do not move", sound=0, faulty=0.75
)
MASKED_INSIDE = Threshold(
    0.1, "share of the steps between others that a mask hides", sound=0.0, faulty=0.3
)
PLACES_UNUSED = Threshold(
    0.49, "share of the places that lead nowhere", sound=0.25, faulty=0.75
)
LEAST_SCATTERED = Threshold(
    0.6, "share of the movement in as many places", sound=0.44, faulty=0.84
)
MOST_FROM_FUTURE = Threshold(
    1e-3, "movement of earlier answers over that of later ones", sound=0, faulty=0.22
)
MOST_BY_OTHERS = Threshold(
    1e-2, "movement by others over the distance of answers", sound=1e-6, faulty=0.15
)
MOST_MOVED_BY_ORDER = Threshold(
    1e-4,
    "movement by another order over that by another sample",
    sound=0.24,
    faulty=3e-7,
)
GAIN_BY_ORDER = Threshold(
    0.3, "R2 of simple learners by the order of the steps", sound=0.21, faulty=0.63
)
LEAST_CAUSAL = Threshold(
    1e-4, "movement of other answers over that of the own", sound=0.096, faulty=0
)

# --- labels ---

IDS_BETWEEN = Threshold(
    0.65, "share of middle ids between the outer two", sound=0.47, faulty=0.76
)

# --- pipeline ---

DIFFERENT_SAMPLES = Threshold(
    0.25, "share of different samples in an epoch", sound=0.61, faulty=0.125
)
DIFFERENT_WITHIN_BATCH = Threshold(
    0.8, "share of different samples in a batch", sound=0.63, faulty=0.98
)
NEW_IN_NEXT_BATCHES = Threshold(
    0.25, "share of samples that earlier batches lack", sound=0.5, faulty=0.03
)
LABELS_BETWEEN_BATCHES = Threshold(
    4.0, "variance of labels between batches over that within", sound=2.35, faulty=30.0
)
BATCH_SCALE = Threshold(
    5.0, "ratio of the spreads of inputs of batches", sound=1.69, faulty=100.0
)
BATCH_SHIFT = Threshold(
    5.0, "spreads between the centers of inputs of batches", sound=0.92, faulty=8.0
)
PAIRING_GAIN = Threshold(
    0.3, "R2 of another pairing of rows over that as given", sound=0.22, faulty=1.0
)
PATCH_GAIN = Threshold(
    0.2, "R2 of moved masks over that of masks as given", sound=0.05, faulty=0.4
)
MOVED_PAIRS = Threshold(
    0.2, "share of moved images among those of one target", sound=0.0, faulty=0.5
)
SIDE_IS_LOST = Threshold(
    0.3,
    "R2 of the distance from the middle over that of the side",
    sound=0.0,
    faulty=0.96,
)
CLASS_WEIGHT_SLOPE = Threshold(
    0.5, "exponent of the count that class weights follow", sound=0.0, faulty=1.0
)

# --- validation data ---

VALIDATION_SHIFT = Threshold(
    3.0, "standard deviations between the means of inputs", sound=0.28, faulty=5.0
)
VALIDATION_SCALE = Threshold(
    2.718, "ratio of standard deviations of inputs", sound=1.25, faulty=20.0
)
IN_BOTH = Threshold(
    0.1, "share of validation samples that are in the training", sound=0.026, faulty=0.2
)

# --- time series ---

LEAST_ECHO = Threshold(
    0.95, "correlation of answers and last values", sound=0.94, faulty=0.999
)
MOST_OF_CHANGE = Threshold(
    0.2, "correlation of predicted and true changes", sound=0.33, faulty=0
)
MOST_OVER_LAST = Threshold(
    0.05, "share of the squared error of the last value", sound=0.37, faulty=-0.5
)
LEAST_POSSIBLE = Threshold(
    0.1, "R2 of the change by a linear model", sound=-0.1, faulty=0.33
)

# --- skill ---
NO_SKILL = Threshold(0.01, "skill, of the task", sound=0.05, faulty=0.0)
SHORT = Threshold(0.2, "skill below that of a linear model", sound=0.1, faulty=0.4)
DEAD_PART = Threshold(0.05, "skill of a column, or recall", sound=0.3, faulty=0.02)
LIVING_PART = Threshold(
    0.4, "skill of another column, or recall", sound=0.7, faulty=0.3
)
POSSIBLE_PART = Threshold(0.15, "skill of a simple learner", sound=0.05, faulty=0.3)
UNDERRATED = Threshold(
    0.5, "mean probability of a class, of its share", sound=0.8, faulty=0.3
)
OPPOSITE_ORDER = Threshold(-0.5, "rank correlation", sound=0.1, faulty=-0.8)
OPPOSITE_AREA = Threshold(0.25, "area under the curve", sound=0.5, faulty=0.05)

# --- treatments ---

EFFECT = Threshold(0.2, "skill gained over the control", sound=0.13, faulty=0.25)
STILL_BLANK = Threshold(
    0.08, "skill of the control, and gained late", sound=0.2, faulty=0.05
)
SURELY_LEARNABLE = Threshold(
    0.3, "skill of a simple learner, on held-out samples", sound=0.2, faulty=0.6
)
SPREADS = 3.0  # standard deviations of the control that a gain must exceed
LEARNS = 0.4  # skill of the control with which nothing is treated without a finding

CARRIED_OVER = Threshold(
    0.3, "skill on validation data, of that on training data", sound=0.8, faulty=0.05
)

# --- learning rates ---

AS_GOOD = Threshold(
    1.1, "times the lowest loss, of a larger rate", sound=1.05, faulty=1.22
)
RUN_JUMPS = Threshold(3.5, "times the usual loss of a step", sound=2.8, faulty=4.5)
RATE_MARGIN = 10.0  # times below the rate at which a run diverges
SKILL_SHOWN = Threshold(0.25, "skill after a run", sound=0.5, faulty=0.15)
