"""KTF502: a trained classifier that predicts one class."""

from keras_trainfix.diagnosis.checks.symptoms.collapse import (
    TRAINED,
    class_evidence,
    described_areas,
    from_the_start,
    is_one_class,
    steps_and_skill,
)
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView


@check(
    "KTF502",
    "one-class-prediction",
    "error",
    action="start from new weights with smaller steps",
    scope="output",
    collapse=True,
    before_training=False,
)
def one_class_prediction(view: OutputView) -> Found | None:
    """The trained classifier predicts one class, and its scores carry no information.

    ## What you see
    Only one column of the confusion matrix has entries. The accuracy is the share of
    that class, and stays there.

    ## Why it happens
    No information from the input reaches the scores: dead ReLU units, a softmax over
    one unit, unscaled inputs, or a learning rate that saturated the head. Or the loss
    is lowest if the most frequent class is always predicted.

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
    Repair the first cause in the diagnosis, and train from new weights.

    ```python
    keras.utils.set_random_seed(1)
    model = keras.models.clone_model(model)
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    model.fit(x, y, batch_size=32, epochs=6, verbose=0)
    ```

    ## When this is not the cause
    If the scores put the samples in the right order, all on one side of the threshold,
    training is only at its start, or the classes are imbalanced: this is not reported.

    ## References
    [Lu et al., 2019](https://arxiv.org/abs/1903.06733)
    """
    steps, seen = steps_and_skill(view, TRAINED)
    if view.task == "segmentation" or not is_one_class(seen, steps):
        return None
    only = seen.classes_predicted[0]
    return found(
        f"After {steps} steps all {seen.samples} answers are class {only}, which is "
        f"{seen.present[only]:.0%} of the labels, and the scores do not separate "
        f"the classes ({described_areas(seen)}).",
        from_the_start(view),
        predicted_class=only,
        label_share=seen.present[only],
        **class_evidence(seen, steps),
    )
