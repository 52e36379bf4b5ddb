"""What `CollapseDetector` costs, and whether it rescues and leaves the healthy alone.

`cost` compares fits with and without it. `box` rescues the box net, with five seeds on
black and on noisy backgrounds. `rescues` runs the faulty trainings of
`benchmarks.diagnosis` that need no other model with `action="rescue"`, and compares
them with the same net trained correctly from the start, and with a random search over
the same treatments with as many steps. `faults` runs every fault that requires
training: is the cause named when `fit` ends? `zoo` runs healthy trainings: are there
alarms, and are the weights bit-identical to a training without the detector?

Environment variables choose a part:

    BENCHMARK_SEEDS="101 102"                        the seeds, 101 by default
    BENCHMARK_PARTS="cost box rescues faults zoo"    some of the five, all by default
    BENCHMARK_CASES="LSTM"                           cases whose name contains this
"""

import contextlib
import io
import time
import warnings
from unittest import mock

import keras
import numpy as np
from keras import layers

from benchmarks import random_search
from benchmarks.diagnosis import cases, runs, zoo
from benchmarks.measure import asked_for, in_turns, print_table
from keras_trainfix import CollapseDetector
from keras_trainfix.callbacks.collapse.watch import Watch
from keras_trainfix.diagnosis.experiments.treatment import TREATMENTS
from keras_trainfix.diagnosis.observe.sample import take
from keras_trainfix.diagnosis.registry import codes_where

SEEDS = (101,)
PARTS = "cost box rescues faults zoo"
# Epochs, calls of `fit`, learning rate, and whether the labels are noise.
KINDS = {
    "long": (100, 1, 0.1, False),
    "long, collapsed": (100, 1, 30.0, False),
    "long, nothing to learn": (100, 1, 0.1, True),
    "short ones": (1, 3000, 0.1, False),
    "short ones, collapsed": (1, 3000, 30.0, False),
    "a detector each": (1, 3000, 0.1, False),
    "a detector each, collapsed": (1, 3000, 30.0, False),
}
ONCE = ("examine_beginning", "symptoms", "examine")  # whatever the number of steps
SIZE, IMAGES, BATCH = 64, 4000, 128  # of the box net
EPOCHS = 4  # per turn
ROUNDS = 3
BOX_SEEDS = range(5)
BACKGROUNDS = {"black": 3, "noise": 15}  # and epochs
AT_LEAST = 30  # epochs of a faulty training, to give a rescue time
# Saturated units and exploding signals need other layers as well.
OF_RATE = codes_where(lambda check: check.rate) - {"KTF404", "KTF406"}
RESCUABLE = OF_RATE | {"KTF408"}.union(*(t.sure for t in TREATMENTS.values()))
NEED_ANOTHER_NET = ("root of", "logarithm of", "dropout of", "dead frozen body")
HARMED = 0.5  # share of the correct training's skill below which a fault did harm
RESCUED = 0.8  # share of that skill above which a training counts as rescued


def main(seeds=None, parts=None, only=None):
    """Runs the parts and prints the results.

    Args:
        seeds: Integers; from the environment by default, like all arguments.
        parts: Some of `PARTS`.
        only: String; runs only cases whose name contains it.
    """
    seeds, parts, only = asked_for(seeds, parts, only)
    seeds, parts = seeds or SEEDS, parts or PARTS
    keras.config.disable_interactive_logging()
    if "cost" in parts:
        of_cost()
    if "box" in parts:
        of_box(only)
    for name, report in (("rescues", of_rescues), ("faults", of_faults)):
        if name in parts:
            report(seeds, only)
    if "zoo" in parts:
        of_healthy(seeds, only)


def box_data(seed, images=IMAGES, size=SIZE, noise=False):
    """Images with a white square on black or noise, and its position, from -1 to 1."""
    rng = np.random.default_rng(seed)
    shape = (images, size, size, 3)
    x = rng.random(shape, "float32") if noise else np.zeros(shape, "float32")
    corners = rng.integers(0, size - 8, (images, 2))
    for image, (row, column) in zip(x, corners, strict=True):
        image[row : row + 8, column : column + 8] = 1
    return x, (2 * corners / (size - 8) - 1).astype("float32")


def box_net(seed, rate=0.01, size=SIZE):
    """A net that finds the square or collapses, depending on the learning rate."""
    keras.utils.set_random_seed(seed)
    filters = {"kernel_size": 5, "strides": 2, "activation": "relu"}
    model = keras.Sequential(
        [
            keras.Input((size, size, 3)),
            *(layers.Conv2D(number, **filters) for number in (32, 64, 128)),
            layers.Flatten(),
            layers.Dense(100, activation="relu"),
            layers.Dense(2),
        ]
    )
    model.compile(keras.optimizers.Adam(rate), "mse")
    return model


def of_cost():
    """Prints the cost of fits with and without it, and of quick and full checks."""
    x, y = box_data(1)
    models = {name: box_net(1, rate=1e-3) for name in ("without", "with")}

    def fit(name):
        callbacks = [CollapseDetector((x, y))] if name == "with" else []
        models[name].fit(
            x, y, BATCH, epochs=EPOCHS, verbose=0, callbacks=callbacks, shuffle=False
        )

    turns = {name: lambda name=name: fit(name) for name in models}
    seconds = in_turns(turns, rounds=ROUNDS, repeats=1)
    print_table(f"box net, fit of {EPOCHS} epochs", seconds, "without")
    _print_ratios()
    for name in ("iris", "digits cnn", "wave LSTM"):
        _print_milliseconds(next(case for case in zoo.CASES if case.name == name))


def _print_ratios():
    """Prints what the hooks of the detector take of the processor time of fits.

    What it does once, before the first step and for an examination, is apart: a longer
    training does not make it more.
    """
    print("\nprocessor seconds: fit, once for a training, the rest, and that in %")
    for name, kind in KINDS.items():
        total, once, rest = _seconds_of(name, *kind)
        share = 100 * rest / (total - once - rest)
        print(f"  {name:28}{total:8.2f}{once:8.2f}{rest:8.2f}{share:8.1f}", flush=True)


@contextlib.contextmanager
def _timed(owner, names):
    """A list of the processor seconds of each call of the methods of a class."""

    def timed(original):
        def method(*args, **kwargs):
            start = time.process_time()
            result = original(*args, **kwargs)
            seconds.append(time.process_time() - start)
            return result

        return method

    seconds: list = []
    with contextlib.ExitStack() as stack:
        for name in names:
            replaced = mock.patch.object(owner, name, timed(getattr(owner, name)))
            stack.enter_context(replaced)
        yield seconds


def _seconds_of(name, epochs, fits, rate, is_noise):
    """`(all, of what is done once, of the rest of the detector)`."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2048, 20)).astype("float32")
    y = (x @ rng.normal(size=(20, 3))).argmax(1)
    y = rng.permutation(y) if is_noise else y
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((20,)), *(layers.Dense(64, "relu") for _ in range(2))]
    )
    model.add(layers.Dense(3, "softmax"))
    model.compile(keras.optimizers.SGD(rate), "sparse_categorical_crossentropy")
    model.fit(x[:32], y[:32], verbose=0)  # compiles
    callbacks = [CollapseDetector((x, y))]
    hooks = [name for name in dir(CollapseDetector) if name.startswith("on_train")]
    hooks += ["on_epoch_begin", "on_epoch_end"]
    start = time.process_time()
    with (
        warnings.catch_warnings(),
        _timed(CollapseDetector, hooks) as of_hooks,
        _timed(Watch, ONCE) as once,
    ):
        warnings.simplefilter("ignore")
        for number in range(fits):
            first = 32 * (number % 64)
            rows = slice(None) if fits == 1 else slice(first, first + 32)
            if "each" in name:
                callbacks = [CollapseDetector((x[rows], y[rows]))]
            model.fit(x[rows], y[rows], epochs=epochs, verbose=0, callbacks=callbacks)
    return time.process_time() - start, sum(once), sum(of_hooks) - sum(once)


def _print_milliseconds(case):
    model, data = cases.build(case, 1)
    cases.train(case, model, data, 1)
    watch = Watch(model, take(data.x, data.y))
    calls = {
        f"{case.name}: a quick check": lambda: watch.quick_check(100),
        f"{case.name}: a check for symptoms": lambda: watch.symptoms(watch.snapshot()),
        f"{case.name}: a full check": lambda: watch.examine(watch.snapshot()),
    }
    seconds = in_turns(calls, rounds=5, repeats=2)
    print_table(case.name, seconds, next(iter(calls)))


def of_box(only):
    """Prints how the rescued box net ends, and when and why it was reported."""
    for background, epochs in BACKGROUNDS.items():
        if only not in background:
            continue
        print(f"\nbox net on {background}, {epochs} epochs: MSE / variance of targets")
        for seed in BOX_SEEDS:
            x, y = box_data(seed, images=IMAGES + 500, noise=background == "noise")
            training, held_out = (x[500:], y[500:]), (x[:500], y[:500])
            model = box_net(seed)
            detector = CollapseDetector(training, action="rescue")
            with contextlib.redirect_stdout(io.StringIO()):
                model.fit(
                    *training, BATCH, epochs=epochs, verbose=0, callbacks=[detector]
                )
            share = model.evaluate(*held_out, verbose=0) / held_out[1].var()
            lines = "; ".join(map(str, detector.rescues)) or "no rescue"
            print(f"  seed {seed}: {share:.4f}  {lines}", flush=True)


def of_rescues(seeds, only):
    """Prints the results of rescuing faulty trainings that need no other model."""
    table = []
    for fault, seed in runs.each(_rescuable(), seeds, lambda f: only in f.case.name):
        case = fault.case
        case = case._replace(epochs=max(case.epochs, AT_LEAST))
        right, _ = _trained(_right(case), seed, None)
        plain, _ = _trained(case, seed, None)
        skill, detector = _trained(case, seed, "rescue")
        drawn, words = random_search.search(case, seed)
        table.append((case.name, right, plain, skill, _epochs_lost(detector), drawn))
        lines = "; ".join(map(str, detector.rescues)) or "no rescue"
        codes = " ".join(detector.diagnosis.codes) if detector.diagnosis else "healthy"
        print(f"  {right:.2f} {plain:.2f} -> {skill:.2f}  {codes}. {lines}", flush=True)
        print(f"  by random search {drawn:.2f}: {words}", flush=True)
    harmed = [row for row in table if not row[2] > HARMED * row[1]]
    rescued = [row for row in harmed if row[3] > RESCUED * row[1]]
    print(f"\n{len(table)} faulty trainings, {len(harmed)} harmed")
    if not harmed:
        return
    print(f"rescued: {len(rescued) / len(harmed):.0%}")
    drawn = sum(row[5] > RESCUED * row[1] for row in harmed)
    print(f"by random search with as many steps: {drawn / len(harmed):.0%}")
    print(f"epochs lost, median: {np.median([row[4] for row in harmed]):.1f}")
    print(f"{'':42} right   fault  rescued  random  epochs lost")
    for name, right, plain, skill, lost, drawn in table:
        plain, drawn = max(plain, -99), max(drawn, -99)
        print(f"{name:42}{right:6.2f} {plain:7.2f} {skill:8.2f} {drawn:7.2f} {lost:12}")
    worse = [row[0] for row in table if row[3] < min(row[2], row[1]) - 0.05]
    print(f"worse than without: {', '.join(worse) or 'none'}")


def _rescuable():
    return [
        fault
        for fault in runs.FAULTS
        if len(fault.expected) == 1
        and {f"KTF{code}" for code in fault.expected[0].split("|")} <= RESCUABLE
        and not any(words in fault.case.name for words in NEED_ANOTHER_NET)
    ]


def _right(case):
    """The same net without the fault: Adam at 1e-3, nothing frozen, no penalty."""

    def unregularized(model, _):
        for variable in model.trainable_variables:
            variable.regularizer = None

    return case._replace(optimizer=cases.adam(1e-3), prepare=unregularized, change=None)


def _trained(case, seed, action):
    """Trains; returns the skill, and the detector or None."""
    return _run(case, seed, action)[:2]


def _run(case, seed, action):
    """Trains; returns the skill, the detector or None, and the weights."""
    model, data = cases.build(case, seed)
    detector = None
    if action is not None:
        detector = CollapseDetector(_probe_of(data), action=action)
        fit = {**(case.fit or {}), "callbacks": [detector]}
        case = case._replace(fit=fit)
    with contextlib.redirect_stdout(io.StringIO()):
        cases.train(case, model, data, case.epochs)
    skill = zoo.verified(model, data)[0]
    skill = skill if np.isfinite(skill) else -np.inf
    return skill, detector, *model.get_weights()


def _epochs_lost(detector):
    """Epochs until the last rescue, or 0 without one."""
    if not detector.rescues:
        return 0
    if not detector.alarms:
        return 0  # fixed before the first step
    steps = detector.history["step"]
    return detector.history["epoch"][steps.index(detector.alarms[-1])] + 1


def _probe_of(data):
    if data.y is None:
        return data.x
    return (data.x, data.y, data.sample_weight)


def of_faults(seeds, only):
    """Prints whether the causes are named when `fit` ends."""
    trained = [fault for fault in runs.FAULTS if fault.is_trained]
    right, counted, missed = 0, 0, []
    for fault, seed in runs.each(trained, seeds, lambda f: only in f.case.name):
        try:
            skill, detector = _trained(fault.case, seed, "warn")
        except Exception as error:  # counts as a miss
            missed.append(f"{fault.case.name}: {type(error).__name__}: {error}")
            counted += 1
            continue
        if skill > runs.LEARNED:
            continue
        codes = detector.diagnosis.codes if detector.diagnosis else ["healthy"]
        counted += 1
        if codes[0][3:] in fault.first:
            right += 1
        else:
            wanted = " ".join(sorted(fault.first))
            missed.append(f"{fault.case.name}: wants {wanted}, {' '.join(codes)}")
    print(f"\n{counted} faulty trainings that failed")
    print(f"right first cause in `fit`: {right / max(1, counted):.1%}")
    for line in missed:
        print(f"  {line}")


def of_healthy(seeds, only):
    """Prints alarms in healthy trainings, and whether weights are bit-identical."""
    trainings, alarms, changed, share = 0, [], [], []
    for case, seed in runs.each(zoo.CASES, seeds, lambda case: only in case.name):
        trainings += 1
        start = time.perf_counter()
        _, _, *plain = _run(case, seed, None)
        middle = time.perf_counter()
        skill, detector, *watched = _run(case, seed, "warn")
        share.append((time.perf_counter() - middle) / (middle - start))
        if not all(map(np.array_equal, plain, watched)):
            changed.append(case.name)
        if detector.diagnosis is not None:
            codes = " ".join(detector.diagnosis.codes)
            alarms.append(f"{case.name} #{seed}, skill {skill:.2f}: {codes}")
        if detector._is_off:
            alarms.append(f"{case.name} #{seed}: could not be watched")
    print(f"\n{trainings} healthy trainings")
    print(f"alarms, of 100: {100 * len(alarms) / max(1, trainings):.1f}")
    for line in alarms:
        print(f"  {line}")
    print(f"weights that differ: {', '.join(changed) or 'none'}")
    print(f"seconds, of those without, median: {np.median(share or [1]):.2f}")
