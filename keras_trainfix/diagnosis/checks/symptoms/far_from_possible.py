"""KTF507: a trained model that is far from what its inputs allow."""

from typing import Any

from keras_trainfix.diagnosis.checks.optimization.preconditions import goes_on
from keras_trainfix.diagnosis.checks.symptoms.collapse import (
    HELPS,
    is_improving,
    is_named_by_another,
    is_trained,
)
from keras_trainfix.diagnosis.fix_code import (
    has_one_input,
    recompiled,
    with_new_weights,
)
from keras_trainfix.diagnosis.measure.shortfall import shortfall
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView
from keras_trainfix.messages import skill_in_words


@check(
    "KTF507",
    "far-from-possible",
    "error",
    action="check that the model can memorize 8 samples",
    scope="output",
    order=900,
    before_training=False,
)
def far_from_possible(view: OutputView) -> Found | None:
    """Training has left a model far from what its inputs allow.

    ## What you see
    The loss falls, or does not, and the answers are of no use: no better than the best
    constant, or much worse than those of a linear model on the same inputs.

    ## Why it happens
    Something between inputs, layers, loss, targets and steps is broken. Another finding
    names it if it is known; this one appears on every kind of task, with a compiled
    loss or with a `train_step` of your own, so that a failed training is never called
    healthy.

    ## How to check
    `diagnose` compares the answers with the best constant answer, with shuffled targets
    by the compiled loss, and with simple learners on held-out samples. It takes 200
    steps and an epoch of training.

    ```python
    import keras
    import numpy as np

    class Constant(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.seed = keras.random.SeedGenerator(1)

        def call(self, x):
            return 0 * x + keras.random.normal(keras.ops.shape(x), seed=self.seed)

    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(256, 4)).astype("float32")
    y = x[:, :1] - x[:, 1:2]
    model = keras.Sequential([
        keras.Input((4,)), Constant(), keras.layers.Dense(1, use_bias=False)
    ])
    model.compile(keras.optimizers.Adam(0.01), "mse")
    model.fit(x, y, batch_size=16, epochs=20, verbose=0)
    ```

    ## Fix
    Let the model memorize 8 samples. If it cannot, look at layers and loss; if it can,
    look at the data, and at what `fit` gets.

    ```python
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.05), "mse")
    model.fit(x, y, batch_size=16, epochs=20, verbose=0)
    ```

    ## When this is not the cause
    It is never the cause, and ranks behind each one that is found. While a few more
    steps still help it is a warning. Where simple learners find no signal either, it is
    not reported: see KTF131.

    ## References
    [Karpathy, A recipe for training neural networks, 2019](
    https://karpathy.github.io/2019/04/25/recipe/)
    """
    if not is_trained(view) or is_named_by_another(view):
        return None
    seen = shortfall(view)
    if seen is None:
        return None
    steps = view.iterations
    evidence: dict[str, Any] = {"kind": seen.kind, "skill": seen.skill}
    if seen.reachable is not None:
        evidence["reachable"] = seen.reachable
    return found(
        f"After {steps} steps {_described(view, seen)}{_contradiction(view)}",
        _where_to_look(view),
        severity="warning" if is_improving(view) else None,
        iterations=steps,
        **evidence,
    )


def _described(view, seen):
    learned = view.learnability
    simple = ""
    if learned is not None and learned.is_seen:
        best = max(learned.linear, learned.neighbours, key=lambda one: one.skill)
        name = "a linear model" if best is learned.linear else "nearest neighbors"
        reached = (
            f"{best.accuracy:.0%} correct"
            if learned.kind == "classes"
            else f"R2 {best.skill:.2f}"
        )
        simple = f" On the same inputs {name} get{'s' * (best is learned.linear)} "
        few = f" (with only {learned.few})" if learned.few else ""
        simple += f"{reached} on held-out samples{few}."
    if seen.kind == "loss":
        return (
            "the compiled loss rates the answers no better for their own targets than "
            f"for shuffled ones (skill {skill_in_words(seen.skill)})."
        )
    if seen.kind == "hard":
        return f"the answers are no better than a constant: {view.hard_answers.words}."
    if seen.kind == "linear":
        own = view.skill
        reached = f"R2 {own.r2:.2f}"
        if own.accuracy is not None:
            reached = f"{own.accuracy:.0%} correct"
        return f"the model is far below simpler ones: {reached}.{simple}"
    return (
        "the answers are no better than the best constant (skill "
        f"{skill_in_words(seen.skill)}) and do not rank the samples.{simple}"
    )


def _contradiction(view):
    """What a trial shows that learns in a few steps what training did not."""
    trial = view.trial
    if trial is None or trial.is_fresh or goes_on(view.snapshot):
        return ""
    if not trial.gain(1.0) > HELPS:
        return ""
    return (
        f" Yet {trial.steps} steps on these samples lower the loss by "
        f"{min(trial.gain(1.0), 1):.0%}: did fit get the same inputs and targets?"
    )


def _where_to_look(view):
    """Code that tells whether to look at the model or at the data."""
    hint = (
        "# learns these 8? then look at the data and at what fit gets;\n"
        "# if not, look at layers and loss"
    )
    if (
        not has_one_input(view.snapshot)
        or len(view.names) > 1
        or view.loss.loss is None
    ):
        return hint.replace("learns these 8", "does it learn 8 samples by itself")
    again = recompiled(view.model, with_new_weights(view.model))
    return f"{again}\nmodel.fit(x[:8], y[:8], epochs=300, verbose=0)\n{hint}"
