"""KTF301 batch-norm-gap: batch normalization that differs in inference."""

import warnings
from typing import Any

import numpy as np

from keras_trainfix.diagnosis.change import freeze_statistics
from keras_trainfix.diagnosis.observe.layer_outputs import unchanged
from keras_trainfix.diagnosis.observe.variation import is_finite
from keras_trainfix.diagnosis.registry import ONE_ANSWER, Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.models import gap
from keras_trainfix.models.batch_statistics import layers_by_batch

EARLY = 20  # steps: before them averages with a momentum of 0.99 must lag
FEW_SAMPLES = 8
OUTPUT_GAP = 0.5  # standard deviations
ANSWERS_CHANGE = 0.1  # share of the predicted classes
STILL = 1e-4  # change of the weights in one step, of their size
COSTS = 0.05  # skill
FINDS = 0.3  # of the way from chance to all classes right
SHIFT = 0.3  # standard deviations, of the statistics of a layer


def _is_tiny_steps(finding):
    """Whether weights change so little that the statistics cannot lag behind."""
    change = finding.evidence.get("update_ratio", 0.0)
    return finding.code == "KTF402" and change < STILL


@check(
    "KTF301",
    "batch-norm-gap",
    "warning",
    action="freeze batch normalization, or recalibrate it",
    scope="model",
    explains=(*ONE_ANSWER, "KTF504"),
    follows=_is_tiny_steps,
    transient=True,
    repair=freeze_statistics,
)
def batch_norm_gap(snapshot: Snapshot) -> Found | None:
    """Batch normalization gives other predictions in inference than in training.

    ## What you see
    The training metrics are good, but `evaluate` and `predict` on the same data are
    not; often one class is predicted for everything.

    ## Why it happens
    In training each batch is normalized by its own statistics, in inference by moving
    averages. These lag behind: few steps with the default momentum of 0.99, very small
    batches, or data that differ from those of the pretraining.

    ## How to check
    Compare both kinds of statistics on your training data.

    ```python
    import keras
    import numpy as np

    import keras_trainfix as kt

    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(8, "relu"),
            keras.layers.Dense(3, "softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    rng = np.random.default_rng(0)
    x = rng.normal([5, -5, 5, -5], 0.5, size=(64, 4)).astype("float32")
    y = np.digitize(x[:, 0], [4.8, 5.2])
    model.fit(x, y, batch_size=16, epochs=6, verbose=0)
    print(kt.batch_norm_gap(model, x))
    ```

    ## Fix
    Recompute the moving statistics after training, or freeze them before fine-tuning
    (`kt.freeze_batch_norm(model)`). `momentum=0.9` catches up in a tenth of the steps.

    ```python
    kt.recalibrate_batch_norm(model, x)
    ```

    ## When this is not the cause
    If training and inference agree on the training data, and only new data do badly, it
    is overfitting. Dropout causes a gap of its own, which is not counted here. If
    inference is as good as training, or finds the classes as well, the gap is a note;
    so it is where targets cannot be compared with answers.

    ## References
    [Wu and Johnson, 2021](https://arxiv.org/abs/2105.07576)
    """
    model, steps = snapshot.model, snapshot.iterations
    if steps < EARLY or snapshot.samples < FEW_SAMPLES:
        return None
    finite = all(map(is_finite, [*snapshot.inputs.values(), *snapshot.predictions]))
    if not layers_by_batch(model) or not finite:
        return None
    with warnings.catch_warnings(), unchanged(model):
        warnings.simplefilter("ignore")  # a finding says it instead
        measured = gap.batch_norm_gap(model, snapshot.sample.x)
    moved = [
        layer
        for layer in measured.layers
        if layer.by_batch
        and (layer.mean_shift > SHIFT or abs(np.log(layer.std_ratio)) > SHIFT)
    ]
    changed = measured.changed_answers
    same = changed is not None and changed < ANSWERS_CHANGE
    if not moved or same or not measured.output_gap > OUTPUT_GAP:
        return None
    worst = max(moved, key=lambda layer: (layer.mean_shift, abs(layer.std_ratio - 1)))
    evidence: dict[str, Any] = {} if changed is None else {"changed_answers": changed}
    other = (
        "" if changed is None else f", {changed:.0%} of the predicted classes change"
    )
    return found(
        "With batch statistics, as in training, the output differs by "
        f"{measured.output_gap:.2f} standard deviations from that with moving "
        f"statistics, as in inference{other}, after {steps} steps. The statistics of "
        f"layer '{worst.name}' are off by {worst.mean_shift:.2f} standard deviations.",
        "import keras_trainfix as kt\n"
        "kt.recalibrate_batch_norm(model, x)  # after training\n"
        "# or, before fine-tuning: kt.freeze_batch_norm(model)",
        severity=None if any(map(_loses_skill, snapshot.views())) else "note",
        output_gap=float(measured.output_gap),
        mean_shift=float(worst.mean_shift),
        std_ratio=float(worst.std_ratio),
        iterations=steps,
        **evidence,
    )


def _loses_skill(view):
    """Whether inference is worse than training, in its answers and in its classes.

    Where targets cannot be compared with answers, as in a net for distances, a gap
    alone is no loss; without any targets it may be one.
    """
    if view.targets is None:
        return True
    now, in_training = view.skill, view.skill_of(view.training_predictions)
    if now is None or in_training is None:
        return False
    if now.value >= in_training.value - COSTS:
        return False
    right, in_step = now.balanced_accuracy, in_training.balanced_accuracy
    if right is None or in_step is None:
        return True
    chance = 1 / max(1, int((np.asarray(now.present) > 0).sum()))
    finds_classes = right > chance + FINDS * (1 - chance)
    return bool(not finds_classes or right < in_step - COSTS)
