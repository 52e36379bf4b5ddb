"""Checks of a model that has been trained: does it answer more than one thing?

They are symptoms: what the causes are, the other families say.
"""

import contextlib

import keras
import numpy as np

from keras_trainfix.diagnosis.baselines import constant_masks
from keras_trainfix.diagnosis.constant import loss_skill
from keras_trainfix.diagnosis.registry import check, found

TRAINED = 20  # steps after which one answer for all is a symptom
LONG = 200  # steps after which a lack of skill is
VERY_LONG = 500
SOON = 50  # steps after which a classifier is no longer surely wrong
OPPOSITE = 0.4  # area under the curve
CONSTANT = 0.01  # of the standard deviation of the targets
NO_FIT = 0.05  # coefficient of determination
CONFIDENTLY_WRONG = -0.5  # skill
OFTEN = 0.05  # share of the labels
TELLS_APART = 0.75  # area under the curve
FEW = 8  # samples
BLANK, BLANK_STEPS = 1e-4, 100  # of the standard deviation of the targets

LOOK_UP = (
    "from keras_trainfix import diagnose\n"
    "print(diagnose(model, x, y))  # the cause stands before this one; if none does:\n"
)


@check("KTF501", "constant-prediction", severity="error")
def constant_prediction(probe):
    """The trained model predicts the same number for every sample.

    ## What you see
    `model.predict` gives one value over and over, often near the mean or median of the
    targets, while the loss may have fallen to that of this constant.

    ## Why it happens
    Nothing of the input reaches the output: a head that can only give one number, dead
    ReLU units, inputs or targets on a wild scale, too much regularisation. Or there is
    nothing to learn from the inputs: then the constant is right.

    ## How to check
    ```python
    import keras
    import numpy as np

    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(16), keras.layers.Dense(1, "relu")]
    )
    model.compile(keras.optimizers.Adam(0.1), "mse")
    x = np.random.default_rng(0).normal(size=(128, 4)).astype("float32")
    y = x[:, :1] - 10  # a ReLU cannot answer these
    model.fit(x, y, batch_size=32, epochs=10, verbose=0)
    print(model.predict(x, verbose=0).std() / y.std())
    ```

    ## Fix
    Repair the cause that stands first in the diagnosis; here the head.

    ```python
    import keras
    import numpy as np

    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(16), keras.layers.Dense(1)]
    )
    model.compile(keras.optimizers.Adam(0.1), "mse")
    x = np.random.default_rng(0).normal(size=(128, 4)).astype("float32")
    y = x[:, :1] - 10
    model.fit(x, y, batch_size=32, epochs=10, verbose=0)
    ```

    ## When this is not the cause
    Predictions that vary little but in the order of the targets are early ones: train
    on. Only after 500 steps that is a warning, of too much regularisation.

    ## References
    [Lu et al., 2019](https://arxiv.org/abs/1903.06733)
    """
    steps, seen = _seen(probe, TRAINED)
    if seen is None or seen.kind == "classes":
        return None
    fits = seen.kind == "regression" and seen.r2 >= NO_FIT
    if not seen.std_ratio < CONSTANT or fits:
        return None
    if seen.ranks and steps < VERY_LONG and not _is_blank(seen, steps):
        return None
    evidence = {"std_ratio": seen.std_ratio, "r2": seen.r2, "iterations": steps}
    evidence |= _by_own_loss(probe)
    evidence |= {"prediction_mean": float(np.mean(probe.predictions, dtype="float64"))}
    if seen.correlation is not None:
        evidence["correlation"] = seen.correlation
    what = (
        f"After {steps} steps predictions vary {seen.std_ratio:.2g} times as much as "
        f"targets (R2 {seen.r2:.2g}, mean prediction {evidence['prediction_mean']:.4g})"
    )
    if seen.ranks:
        return found(
            f"{what}. They are in the order of the targets, and shrunk to a constant.",
            "# less regularisation (l2, dropout), scaled targets, or a higher rate:\n"
            "y = (y - y.mean(axis=0)) / y.std(axis=0)",
            severity="warning",
            **evidence,
        )
    return found(
        f"{what}: one answer for every sample.",
        LOOK_UP + "x = (x - x.mean(axis=0)) / (x.std(axis=0) + 1e-7)\n"
        'model.compile(keras.optimizers.Adam(1e-4), "mse")  # from new weights',
        **evidence,
    )


@check("KTF502", "one-class-prediction", severity="error")
def one_class_prediction(probe):
    """The trained classifier predicts one class, and its scores say nothing.

    ## What you see
    The confusion matrix has one column that is not empty. The accuracy is the share of
    that class, and stays there.

    ## Why it happens
    Nothing of the input reaches the scores: dead ReLU units, a softmax over one unit,
    inputs that are not scaled, a learning rate that saturated the head. Or the loss is
    least where the most frequent class is always answered.

    ## How to check
    ```python
    import keras
    import numpy as np

    hidden = keras.layers.Dense(16, "relu")
    model = keras.Sequential(
        [keras.Input((4,)), hidden, keras.layers.Dense(3, "softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    x = np.random.default_rng(0).normal(size=(128, 4)).astype("float32")
    y = np.digitize(x[:, 0], [-0.5, 0.5])
    hidden.bias.assign(np.full(16, -50.0))  # dead units
    model.fit(x, y, batch_size=32, epochs=6, verbose=0)
    print(np.bincount(model.predict(x, verbose=0).argmax(axis=-1)))
    ```

    ## Fix
    Repair the cause that stands first in the diagnosis, and train from new weights.

    ```python
    import keras
    import numpy as np

    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(16, "relu"),
            keras.layers.Dense(3, "softmax"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy"
    )
    x = np.random.default_rng(0).normal(size=(128, 4)).astype("float32")
    y = np.digitize(x[:, 0], [-0.5, 0.5])
    model.fit(x, y, batch_size=32, epochs=6, verbose=0)
    ```

    ## When this is not the cause
    If the scores put the samples in the right order, all on one side of the threshold,
    the net is only early, or the classes are out of balance: no finding.

    ## References
    [Lu et al., 2019](https://arxiv.org/abs/1903.06733)
    """
    steps, seen = _seen(probe, TRAINED)
    if probe.task == "segmentation" or not _one_class(seen, steps):
        return None
    only = seen.classes_predicted[0]
    return found(
        f"After {steps} steps all {seen.samples} answers are class {only}, which is "
        f"{seen.present[only]:.0%} of the labels, and the scores do not tell the "
        f"classes apart ({_areas(seen)}).",
        LOOK_UP + "x = (x - x.mean(axis=0)) / (x.std(axis=0) + 1e-7)\n"
        'model.compile(keras.optimizers.Adam(1e-4), "...")  # from new weights',
        predicted_class=only,
        label_share=seen.present[only],
        **_class_evidence(seen, steps),
        **_by_own_loss(probe),
    )


@check("KTF503", "trivial-mask", severity="error")
def trivial_mask(probe):
    """The trained segmentation net says the same class for every pixel.

    ## What you see
    Masks are all background, with a pixel accuracy that is the share of the background;
    or all foreground, with an IoU that is the share of the foreground.

    ## Why it happens
    All background: the foreground is rare, and the loss is least without it. All
    foreground: a Dice loss over the batch, masks of 0 and 255, a softmax over one
    channel. Either: a learning rate that saturated the head.

    ## How to check
    ```python
    import keras
    import numpy as np

    hidden = keras.layers.Conv2D(8, 3, padding="same", activation="relu")
    model = keras.Sequential(
        [
            keras.Input((16, 16, 1)),
            hidden,
            keras.layers.Conv2D(1, 1, activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy")
    x = np.random.default_rng(0).normal(size=(32, 16, 16, 1)).astype("float32")
    y = (x > 0.5).astype("float32")
    hidden.bias.assign(np.full(8, -50.0))  # dead units
    model.fit(x, y, batch_size=8, epochs=8, verbose=0)
    print((model.predict(x, verbose=0) > 0.5).mean(), y.mean())
    ```

    ## Fix
    Repair the cause that stands first in the diagnosis, and train from new weights.
    Dice and cross-entropy together see a rare class, and do not end in all foreground.

    ```python
    import keras
    import numpy as np

    import keras_trainfix as kt

    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((16, 16, 1)),
            keras.layers.Conv2D(8, 3, padding="same", activation="relu"),
            keras.layers.Conv2D(1, 1),
        ]
    )
    loss = kt.WeightedSum(
        [kt.MaskedSoftDice(from_logits=True), kt.MaskedCrossentropy(from_logits=True)]
    )
    model.compile(keras.optimizers.Adam(0.01), loss)
    x = np.random.default_rng(0).normal(size=(32, 16, 16, 1)).astype("float32")
    y = (x > 0.5).astype("float32")
    model.fit(x, y, batch_size=8, epochs=6, verbose=0)
    ```

    ## When this is not the cause
    If the scores are higher where the foreground is, and only below the threshold, the
    net is early: no finding. Images of a single class have nothing else to say.

    ## References
    [Milletari et al., 2016](https://arxiv.org/abs/1606.04797)
    """
    steps, seen = _seen(probe, TRAINED)
    if probe.task != "segmentation" or not _one_class(seen, steps):
        return None
    only = seen.classes_predicted[0]
    mask = constant_masks(seen.present)[only]
    names = ("all background", "all foreground")
    binary = len(seen.present) == 2
    name = names[only] if binary else f"class {only} everywhere"
    foreground = seen.present[1] if binary and only else 0.0
    iou = foreground if binary else mask.mean_iou
    which = "of the foreground" if binary else "mean"
    evidence = {"iou": float(iou), "iou_of_class": mask.iou}
    return found(
        f"After {steps} steps every mask is {name}: accuracy {mask.accuracy:.3f}, IoU "
        f"{which} {iou:.3f}, which a constant gets ({_areas(seen)}).",
        LOOK_UP + "loss = keras_trainfix.WeightedSum([\n"
        "    keras_trainfix.MaskedSoftDice(from_logits=True),\n"
        "    keras_trainfix.MaskedCrossentropy(from_logits=True),\n"
        "])  # with a linear head\n"
        "model.compile(keras.optimizers.Adam(1e-4), loss)  # from new weights",
        predicted_class=only,
        label_share=seen.present[only],
        **evidence,
        **_class_evidence(seen, steps),
        **_by_own_loss(probe),
    )


@check("KTF504", "class-never-predicted", severity="warning")
def class_never_predicted(probe):
    """A class that is not rare is never predicted.

    ## What you see
    The recall of one class is 0, its column in the confusion matrix empty, though it
    has 5 % of the labels or more.

    ## Why it happens
    Its samples look like those of a more frequent class, or weigh less in the loss; its
    labels are mixed up; or too few of them were in the training data.

    ## How to check
    ```python
    import keras
    import numpy as np

    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(0)
    y = rng.choice(3, 320, p=[0.6, 0.3, 0.1])
    x = rng.normal(3.0 * (y == 1)[:, None], 1, (320, 4)).astype("float32")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, "softmax")])
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    model.fit(x, y, batch_size=32, epochs=25, verbose=0)
    print(np.bincount(model.predict(x, verbose=0).argmax(axis=-1), minlength=3))
    ```

    ## Fix
    Inputs that tell the class from the others; if they do already, class weights.

    ```python
    import keras
    import numpy as np

    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(0)
    y = rng.choice(3, 320, p=[0.6, 0.3, 0.1])
    x = rng.normal(3.0 * np.eye(3)[y], 1, (320, 3)).astype("float32")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, "softmax")])
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    model.fit(x, y, batch_size=32, epochs=25, verbose=0)
    ```

    ## When this is not the cause
    Where the score of the class is higher for its own samples and yet never the
    highest (a note), it is a matter of the threshold, or the best answer to a weak
    signal.

    ## References
    [Classification on imbalanced data](
    https://www.tensorflow.org/tutorials/structured_data/imbalanced_data)
    """
    steps, seen = _seen(probe, LONG)
    if seen is None or seen.kind != "classes" or _one_class(seen, steps):
        return None
    if seen.classes_present < 2:
        return None
    missing = [i for i in seen.never_predicted if seen.present[i] >= OFTEN]
    if not missing or (probe.signal is not None and probe.signal.is_absent):
        return None
    worst = max(missing, key=lambda i: seen.present[i])
    only_late = all(seen.auc[i] >= TELLS_APART for i in missing)
    only_late |= len(seen.classes_predicted) == 1  # and ranks, see `_one_class`
    area = f"area under the curve of its score {seen.auc[worst]:.2f}"
    return found(
        f"After {steps} steps class {worst}, {seen.present[worst]:.0%} of the "
        f"{seen.samples} labels, is never predicted ({area}).",
        "# its score tells it apart: lower its threshold, or weigh it\n"
        "weights = keras_trainfix.class_weights_from_labels(y, num_classes)"
        if only_late
        else f"print(x[y == {worst}][:10])  # do inputs tell class {worst} apart?\n"
        "weights = keras_trainfix.class_weights_from_labels(y, num_classes)",
        severity="note" if only_late else "warning",
        classes=missing[:20],
        label_shares=[seen.present[i] for i in missing[:20]],
        areas=[seen.auc[i] for i in missing[:20]],
        iterations=steps,
    )


@check("KTF505", "no-better-than-constant", severity="warning")
def no_better_than_constant(probe):
    """Predictions vary, and a constant would be as good.

    ## What you see
    Predictions look alive, and R2 is 0 or negative, or the accuracy that of chance,
    after hundreds of steps.

    ## Why it happens
    Inputs and labels do not belong together: one of the two was shuffled, sorted or
    shifted alone. Or inputs on a wild scale drown the signal; or there is no signal.

    ## How to check
    ```python
    import keras
    import numpy as np

    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(7)
    x = rng.normal(size=(256, 8)).astype("float32")
    y = x[:, :1] + x[:, 1:2]
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.02), "mse")
    shuffled = rng.permutation(y)  # without x
    model.fit(x, shuffled, batch_size=32, epochs=40, verbose=0)
    print(((model.predict(x, verbose=0) - y) ** 2).mean(), y.var())
    ```

    ## Fix
    Shuffle both by the same order. A net must be able to overfit one batch of 8
    samples: if it can, look at the data.

    ```python
    import keras
    import numpy as np

    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(7)
    x = rng.normal(size=(256, 8)).astype("float32")
    y = x[:, :1] + x[:, 1:2]
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.02), "mse")
    order = rng.permutation(len(x))
    model.fit(x[order], y[order], batch_size=32, epochs=40, verbose=0)
    ```

    ## When this is not the cause
    Scores that put samples in the right order are not reported, even if they are off
    in scale, as after class weights. On new data a net that learned its training data
    by heart looks so, too: look at those.

    ## References
    [Zhang et al., 2017](https://arxiv.org/abs/1611.03530)
    """
    steps, seen = _seen(probe, SOON)
    if seen is None or seen.samples < 4 * FEW or _one_class(seen, steps):
        return None
    if steps < LONG and not _is_lost(probe, seen):
        return None
    if probe.loss.kind in ("similarity", "hinge") or not np.isfinite(seen.skill):
        return None
    if seen.kind != "classes" and not seen.std_ratio >= CONSTANT:
        return None  # a constant: KTF501
    informs = seen.ranks and not _is_opposite(seen)
    if seen.skill > CONSTANT or informs:
        return None
    if seen.kind == "classes":
        chance = 1 / seen.classes_present
        if chance == 1 or seen.balanced_accuracy > 1.3 * chance:
            return None
    evidence = {"std_ratio": seen.std_ratio, "iterations": steps}
    evidence |= _by_own_loss(probe)
    if seen.correlation is not None:
        evidence |= {"r2": seen.r2, "correlation": seen.correlation}
    else:
        evidence |= {
            "accuracy": seen.accuracy,
            "majority_accuracy": seen.majority_accuracy,
        }
    measure = "mean squared error" if seen.kind == "regression" else "cross-entropy"
    return found(
        f"After {steps} steps the {measure} is {seen.loss:.4g}, and that of the best "
        f"constant {seen.constant_loss:.4g} (skill {seen.skill:.2g}), though "
        f"predictions vary {seen.std_ratio:.2g} times as much as targets.",
        LOOK_UP + "model.fit(x[:8], y[:8], epochs=300)  # can it learn 8 samples? "
        "then look at\nprint(x[:5], y[:5])             # whether x and y belong "
        "together",
        loss=seen.loss,
        constant_loss=seen.constant_loss,
        skill=float(seen.skill),
        **evidence,
    )


def _seen(probe, least):
    """Steps and `Skill`; None for the second where there is nothing to judge."""
    steps = probe.iterations
    if steps < least or len(probe.predictions) < FEW:
        return steps, None
    return steps, probe.skill


def _one_class(seen, steps):
    """Whether one class is predicted by scores that say nothing of the labels."""
    if seen is None or seen.kind != "classes" or seen.classes_present < 2:
        return False
    if len(seen.classes_predicted) != 1:
        return False
    if seen.std_ratio < CONSTANT:
        blind = not seen.ranks or _is_blank(seen, steps)
        return blind or seen.skill < CONFIDENTLY_WRONG
    # Scores that vary may come to say something in the first steps. Two of a class are
    # too few to say that scores do not tell them from the others.
    return steps >= LONG and not seen.ranks and _second(seen) >= 3


def _is_blank(seen, steps):
    """Whether predictions are so much the same that their order means nothing."""
    return steps >= BLANK_STEPS and seen.std_ratio < BLANK


def _is_opposite(seen):
    """Whether the order of predictions is the reverse of that of the targets."""
    if seen.correlation is not None:
        return seen.correlation < 0
    areas = [area for area in seen.auc if np.isfinite(area)]
    return bool(areas) and np.mean(areas) < OPPOSITE and max(areas) < 0.5


def _is_lost(probe, seen):
    """Whether a classifier is surely wrong, far beyond what a beginner is.

    Where batch normalization has not caught up it may be so without any fault.
    """
    kind = keras.layers.BatchNormalization
    by_batch = any(isinstance(output.layer, kind) for output in probe.layers)
    is_sure = seen.kind == "classes" and len(seen.classes_predicted) > 1
    return is_sure and seen.is_lost and not by_batch


def _second(seen):
    """How many rows the second most frequent class has."""
    return round(sorted(seen.present)[-2] * seen.samples)


def _areas(seen):
    areas = [area for area in seen.auc if np.isfinite(area)]
    return f"area under the curve {np.mean(areas):.2f}" if areas else "no ranks"


def _by_own_loss(probe):
    """The compiled loss, and that of the best constant answer for it."""
    with contextlib.suppress(Exception):  # the user's own code
        seen = loss_skill(probe)
        if seen is not None:
            return {"own_loss": seen.loss, "own_constant_loss": seen.constant_loss}
    return {}


def _class_evidence(seen, steps):
    return {
        "std_ratio": seen.std_ratio,
        "accuracy": seen.accuracy,
        "majority_accuracy": seen.majority_accuracy,
        "balanced_accuracy": seen.balanced_accuracy,
        "skill": float(seen.skill),
        "iterations": steps,
    }
