"""KTF149: labels that mean the opposite of what the loss takes them for."""

from keras_trainfix.diagnosis.experiments.instruments.pair_labels import pair_labels
from keras_trainfix.diagnosis.registry import ONE_ANSWER, Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot


@check(
    "KTF149",
    "targets-reversed",
    "error",
    action="exchange the labels of the pairs",
    scope="model",
    exact=True,
    explains=(*ONE_ANSWER, "KTF509"),
)
def targets_reversed(snapshot: Snapshot) -> Found | None:
    """The labels of pairs are the other way round than the loss takes them.

    ## What you see
    The loss of a siamese net falls a little and stops. Pairs that belong together have
    the larger distance.

    ## Why it happens
    In the paper of the contrastive loss 0 means similar; in many data sets 1 does. The
    loss then draws different pairs together and pushes similar ones apart, which no net
    can do that gives equal inputs the distance 0.

    ## How to check
    `diagnose` sees that equal inputs always get the lowest answer, or the highest,
    which of the two labels the loss draws toward it, and whether the pairs of this
    label are nearer to each other in the inputs.

    ```python
    import keras
    import numpy as np
    from keras import ops

    rng = np.random.default_rng(0)
    a = rng.normal(size=(256, 8)).astype("float32")
    y = (np.arange(256) % 2).astype("float32")[:, None]  # 1: similar
    b = np.where(y == 1, a, a[::-1]) + 0.3 * rng.normal(size=a.shape)
    x = [a, b.astype("float32")]

    class Distance(keras.layers.Layer):
        def call(self, pair):
            square = ops.square(pair[0] - pair[1])
            return ops.sqrt(ops.sum(square, axis=1, keepdims=True) + 1e-6)

    def contrastive(y, distance):  # 0: similar
        far = ops.maximum(1 - distance, 0)
        return ops.mean((1 - y) * ops.square(distance) + y * ops.square(far))

    encoder = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4)])
    inputs = [keras.Input((8,)), keras.Input((8,))]
    model = keras.Model(inputs, Distance()([encoder(part) for part in inputs]))
    model.compile("adam", contrastive)
    print(abs(a - b).mean(1)[y[:, 0] == 1].mean(), abs(a - b).mean(1).mean())
    ```

    ## Fix
    Exchange the labels, or the terms of the loss.

    ```python
    y = 1 - y
    ```

    ## When this is not the cause
    It needs pairs whose likeness shows in the inputs themselves. Where it does not, as
    with photographs of the same person, nothing is reported.

    ## References
    [Hadsell et al., 2006](https://doi.org/10.1109/CVPR.2006.100);
    [Keras issue 9269](https://github.com/keras-team/keras/issues/9269)
    """
    seen = pair_labels(snapshot)
    if seen is None or not seen.is_reversed:
        return None
    kind = "distance" if seen.is_distance else "similarity"
    return found(
        f"The answer is a {kind} of the two inputs, and the loss draws pairs of label "
        f"{seen.drawn:g} together. In the inputs these are the farther ones: in "
        f"{1 - seen.area:.0%} of the comparisons with a pair of label {seen.apart:g}.",
        f"y = {seen.drawn + seen.apart:g} - y  # or exchange the terms of the loss",
        drawn=seen.drawn,
        apart=seen.apart,
        area=seen.area,
        error=seen.error,
    )
