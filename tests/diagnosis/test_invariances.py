"""No verdict depends on how a program is written down.

Outputs permuted, the class axis moved, classes relabelled, layers renamed, and data as
arrays or batches of any kind: the same findings, for the same weights.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
from keras import layers

import keras_trainfix as kt
from tests.diagnosis.nets import needs_class_axis

SAMPLES, SIZE = 48, 8
RNG = np.random.default_rng(0)
VECTORS = RNG.normal(size=(SAMPLES, 6)).astype("float32")
IMAGES = RNG.normal(size=(SAMPLES, SIZE, SIZE, 3)).astype("float32")
IDS = (VECTORS[:, :3]).argmax(1)
BINARY = (VECTORS[:, :1] > 0).astype("float32")
TAGS = (VECTORS[:, :3] > 0).astype("float32")
REAL = VECTORS[:, :1] + VECTORS[:, 1:2]
CLASSES = IMAGES.argmax(-1)


class Output(NamedTuple):
    """One output: its head, its loss and its targets.

    `loss` is a function of the class axis. `bias` is where the head starts.
    """

    units: int
    activation: str | None
    loss: Callable[[int], Any]
    y: np.ndarray
    bias: Any = 0.0


class Program(NamedTuple):
    """A model to diagnose, and the codes of the findings above a note."""

    outputs: list[Output]
    codes: set[str]
    x: np.ndarray = VECTORS
    steps: int = 0
    hidden_bias: float = 0.0
    penalty: float = 0.0
    fit: bool = False

    @property
    def is_segmentation(self):
        return self.x.ndim == 4


def sparse(**settings):
    return lambda axis: keras.losses.SparseCategoricalCrossentropy(
        axis=axis, **settings
    )


def masked(**settings):
    return lambda axis: kt.MaskedCrossentropy(axis=axis, **settings)


def weighted_sum(axis):
    settings = {"from_logits": True, "axis": axis}
    return kt.WeightedSum(
        [kt.MaskedSoftDice(**settings), kt.MaskedCrossentropy(**settings)]
    )


def any_axis(name):
    return lambda axis: name


def classes(activation="softmax", loss=None, y=IDS, units=3, **settings):
    return Output(units, activation, loss or sparse(), y, **settings)


def real(y=REAL, activation=None, **settings):
    return Output(y.shape[1], activation, any_axis("mse"), y, **settings)


BCE, CCE = map(any_axis, ("binary_crossentropy", "categorical_crossentropy"))
ONE = [0.0, 9.0, 0.0]  # bias with which one class is always the answer
PIXELS = {"x": IMAGES}
VOID = np.where(IMAGES[..., 0] > 1, 255, CLASSES)

# What losses of Keras raise on torch: for class axes, and for void.
OF_TORCH = ("must be contiguous", "should be between 0 and 1", "is out of bounds")

PROGRAMS = {
    "classes": Program([classes()], set()),
    "classes, logits": Program([classes(None, sparse(from_logits=True))], set()),
    "classes, one-hot": Program([classes(loss=CCE, y=np.eye(3)[IDS])], set()),
    "classes, masked": Program([classes(loss=masked())], set()),
    "classes counted from 1": Program([classes(y=IDS + 1)], {"KTF121"}),
    "one-hot for a sparse loss": Program(
        [classes(y=np.eye(3)[IDS])], {"KTF206", "KTF211"}
    ),
    "logits taken for probabilities": Program([classes(None)], {"KTF203"}),
    "one class is the answer": Program([classes(bias=ONE)], {"KTF502"}, steps=300),
    "dead": Program([classes()], {"KTF403"}, hidden_bias=-50.0),
    "binary": Program([Output(1, "sigmoid", BCE, BINARY)], set()),
    "binary of 0 and 255": Program(
        [Output(1, "sigmoid", BCE, 255 * BINARY)], {"KTF123"}
    ),
    "softmax on one unit": Program([Output(1, "softmax", BCE, BINARY)], {"KTF201"}),
    "tags": Program([Output(3, "sigmoid", BCE, TAGS)], set()),
    "tags with void": Program(
        [Output(3, "sigmoid", BCE, np.where(TAGS.sum(1)[:, None] > 2, 255, TAGS))],
        {"KTF124"},
    ),
    "numbers": Program([real()], set()),
    "numbers that are large": Program([real(1e5 * REAL)], {"KTF111"}),
    "numbers out of reach": Program([real(activation="sigmoid")], {"KTF202"}),
    "pixels": Program([classes(y=CLASSES)], set(), **PIXELS),
    "pixels, sum": Program([classes(None, weighted_sum, CLASSES)], set(), **PIXELS),
    "pixels, masked": Program(
        [classes(None, masked(from_logits=True), VOID)], set(), **PIXELS
    ),
    "pixels counted from 1": Program([classes(y=CLASSES + 1)], {"KTF121"}, **PIXELS),
    "pixels counted from 1, sum": Program(
        [classes(None, weighted_sum, CLASSES + 1)], {"KTF121"}, **PIXELS
    ),
    "void pixels": Program([classes(y=VOID)], {"KTF122"}, **PIXELS),
    "more classes of pixels than units": Program(
        [classes(y=(IMAGES.sum(-1) * 2).astype(int).clip(-2, 2) + 2)],
        {"KTF205"},
        **PIXELS,
    ),
    "one class is the answer of all pixels": Program(
        [classes(None, weighted_sum, CLASSES, bias=ONE)],
        {"KTF503"},
        steps=300,
        **PIXELS,
    ),
    "two outputs": Program([classes(), real()], set()),
    "two outputs, one counted from 1": Program(
        [classes(y=IDS + 1), real()], {"KTF121"}
    ),
    "two outputs, one of large numbers": Program(
        [classes(), real(1e5 * REAL)], {"KTF111", "KTF415"}
    ),
    "two outputs, one of which is a constant": Program(
        [classes(bias=ONE), real()], {"KTF502", "KTF507"}, steps=300
    ),
    "two outputs, a penalty that is large for one": Program(
        [real(1e-3 * REAL), real(3 * REAL)],
        {"KTF406", "KTF601"},
        penalty=1e-2,
        fit=True,
    ),
}


def built(program, order=None, is_first=False, place=None, prefix=""):
    """The compiled model, with the same weights however it is written down.

    Args:
        program: `Program`.
        order: The order of the outputs.
        is_first: Whether the class axis is the first after the samples.
        place: Array, the new number of each class of the first output.
        prefix: String, before the names of all layers.
    """
    keras.utils.set_random_seed(1)
    decay = keras.regularizers.L2(program.penalty) if program.penalty else None
    if program.is_segmentation:
        hidden = layers.Conv2D(8, 1, activation="relu", name=prefix + "hidden")
        heads = [layers.Conv2D(o.units, 1) for o in program.outputs]
    else:
        hidden = layers.Dense(
            16, "relu", kernel_regularizer=decay, name=prefix + "hidden"
        )
        heads = [layers.Dense(o.units) for o in program.outputs]
    entry = keras.Input(program.x.shape[1:])
    features = hidden(entry)
    outputs, losses = [], []
    axis = 1 if is_first else -1
    for number, (output, head) in enumerate(zip(program.outputs, heads, strict=True)):
        values = head(features)
        if is_first:
            values = layers.Permute((3, 1, 2))(values)
        if output.activation == "softmax":
            values = layers.Softmax(axis)(values)
        elif output.activation:
            values = layers.Activation(output.activation)(values)
        outputs.append(layers.Identity(name=f"{prefix}out{number}")(values))
        losses.append(output.loss(axis))
        head.bias.assign(np.broadcast_to(output.bias, head.bias.shape))
        if place is not None and number == 0:
            back = np.argsort(place)
            head.kernel.assign(keras.ops.convert_to_numpy(head.kernel)[..., back])
            head.bias.assign(keras.ops.convert_to_numpy(head.bias)[back])
    hidden.bias.assign(np.full(hidden.bias.shape, program.hidden_bias))
    order = range(len(outputs)) if order is None else order
    outputs, losses = [outputs[i] for i in order], [losses[i] for i in order]
    is_one = len(outputs) == 1
    model = keras.Model(entry, outputs[0] if is_one else outputs)
    model.compile("adam", losses[0] if is_one else losses)
    model.optimizer.build(model.trainable_variables)
    model.optimizer.iterations.assign(program.steps)
    return model


def targets(program, order=None, is_first=False, place=None):
    """What goes with `built`."""
    ys = [output.y for output in program.outputs]
    if is_first:
        ys = [np.moveaxis(y, -1, 1) if y.ndim == 4 else y for y in ys]
    if place is not None:
        units, y = program.outputs[0].units, ys[0]
        if y.ndim == program.x.ndim and y.shape[-1] == units > 1:
            ys[0] = y[..., np.argsort(place)]
        else:
            shift = int(y.min() > 0)  # counted from 1
            inside = (y >= shift) & (y < units + shift)
            ys[0] = np.where(inside, np.take(place, y - shift, mode="clip") + shift, y)
    order = range(len(ys)) if order is None else order
    ys = [ys[i] for i in order]
    return ys[0] if len(ys) == 1 else ys


def verdict(program, model, x, y=None, prefix=""):
    """Code, severity and output of all findings, and those above a note."""
    diagnosis = kt.diagnose(model, x, y, fit=program.fit)
    reasons = diagnosis.skipped.values()
    assert all(any(bug in reason for bug in OF_TORCH) for reason in reasons)
    return sorted(
        (f.code, f.severity, (f.output or "").removeprefix(prefix))
        for f in diagnosis.findings
    )


@pytest.fixture(scope="module")
def expected():
    """Dict of the name of a program to its verdict as it stands in the table."""
    seen = {}

    def of(name):
        if name not in seen:
            program = PROGRAMS[name]
            found = verdict(program, built(program), program.x, targets(program))
            above = {code for code, severity, _ in found if severity != "note"}
            assert above == program.codes
            seen[name] = found
        return seen[name]

    return of


def names(condition):
    return [name for name, program in PROGRAMS.items() if condition(program)]


@pytest.mark.parametrize("name", names(lambda p: len(p.outputs) > 1))
def test_outputs_in_another_order(name, expected):
    program = PROGRAMS[name]
    model, y = built(program, [1, 0]), targets(program, [1, 0])
    assert verdict(program, model, program.x, y) == expected(name)


@needs_class_axis
@pytest.mark.backend_only(
    "torch", reason="elsewhere the sparse loss of Keras raises unless classes are last"
)
@pytest.mark.parametrize("name", names(lambda p: p.is_segmentation))
def test_the_class_axis_first(name, expected):
    program = PROGRAMS[name]
    model, y = built(program, is_first=True), targets(program, is_first=True)
    assert verdict(program, model, program.x, y) == expected(name)


@pytest.mark.parametrize("name", names(lambda p: p.outputs[0].units == 3))
@pytest.mark.parametrize("place", [(1, 2, 0), (2, 1, 0)])
def test_classes_with_other_numbers(name, place, expected):
    program = PROGRAMS[name]
    model, y = built(program, place=place), targets(program, place=place)
    assert verdict(program, model, program.x, y) == expected(name)


@pytest.mark.parametrize("name", PROGRAMS)
def test_layers_with_other_names(name, expected):
    program = PROGRAMS[name]
    model = built(program, prefix="my_softmax_")
    seen = verdict(program, model, program.x, targets(program), "my_softmax_")
    assert seen == expected(name)


class Batches(keras.utils.PyDataset):
    """`(x, y)` in batches of 16."""

    def __init__(self, x, y):
        super().__init__()
        self.x, self.y = x, y

    def __len__(self):
        return len(self.x) // 16

    def __getitem__(self, index):
        part = slice(16 * index, 16 * index + 16)
        return self.x[part], keras.tree.map_structure(lambda y: y[part], self.y)


def generator(x, y):
    yield from map(Batches(x, y).__getitem__, range(len(x) // 16))


def pipeline(x, y):
    tf = pytest.importorskip("tensorflow")
    y = tuple(y) if isinstance(y, list) else y
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(16)


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("form", ["pair", Batches, generator, pipeline])
def test_data_of_another_form(name, form, expected):
    program = PROGRAMS[name]
    x, y = program.x, targets(program)
    data = (x, y) if form == "pair" else form(x, y)
    assert verdict(program, built(program), data) == expected(name)
