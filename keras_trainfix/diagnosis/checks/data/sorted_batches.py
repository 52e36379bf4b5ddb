"""KTF136 sorted-batches: the batches of `fit` come class by class."""

from keras_trainfix.diagnosis.experiments.instruments.sorted_batches import (
    comes_sorted,
)
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView

ONE_CLASS = 0.9
FIXES = {
    True: "order = np.random.default_rng(1).permutation(len(x))\n"
    "model.fit(x[order], y[order])  # with shuffle=True, the default",
    False: "def batches(x, y, size=32):\n"
    "    rng = np.random.default_rng()\n"
    "    while True:\n"
    "        order = rng.permutation(len(x))  # tf.data: .shuffle(len(x))\n"
    "        for start in range(0, len(x), size):\n"
    "            rows = order[start : start + size]\n"
    "            yield x[rows], y[rows]",
}


@check(
    "KTF136",
    "sorted-batches",
    "error",
    action="shuffle the training data",
    scope="output",
    explains=("KTF502", "KTF503", "KTF504", "KTF505"),
    exact=True,
)
def labels_sorted_over_batches(view: OutputView) -> Found | None:
    """The batches of `fit` come class by class, so the model follows the last one.

    ## What you see
    The training accuracy is high, because each batch has few classes, and `evaluate`
    gives that of chance. Predictions are of the class that came last.

    ## Why it happens
    The files were read folder by folder, and the iterator does not shuffle, or its
    shuffle buffer is smaller than a class. With arrays, `shuffle=False` does the same.

    ## How to check
    Look at the labels of a few batches.

    ```python
    import keras, numpy as np

    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 64)
    table = (np.eye(4)[labels] + rng.normal(size=(256, 4))).astype("float32")

    class Batches(keras.utils.PyDataset):
        order = np.arange(256)

        def __len__(self):
            return 8

        def __getitem__(self, index):
            rows = self.order[32 * index : 32 * index + 32]
            return table[rows], labels[rows]

    x, y = Batches(), None
    model = keras.Sequential([
        keras.Input((4,)),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(4, activation="softmax"),
    ])
    model.compile("adam", "sparse_categorical_crossentropy")
    print([np.unique(x[i][1]) for i in range(8)])
    ```

    ## Fix
    Shuffle the samples, not the batches, with a buffer as large as the data.

    ```python
    x.order = rng.permutation(256)
    ```

    ## When this is not the cause
    Batches of one class each may be meant, for a loss that compares samples within a
    batch. Those losses are not reported.

    ## References
    [tf.data: randomly shuffling](https://www.tensorflow.org/guide/data#randomly_shuffling_input_data).
    """
    seen = comes_sorted(view)
    if seen is None:
        return None
    return found(
        f"The labels of the {seen.batches} batches examined are sorted: the largest "
        f"class of a batch has {seen.purity:.0%} of it, {seen.chance:.0%} if they were "
        f"shuffled (F = {seen.ratio:.3g}).",
        FIXES[view.snapshot.batches is None],
        severity=None if seen.gain > ONE_CLASS else "warning",
        batches=seen.batches,
        ratio=seen.ratio,
        purity=seen.purity,
        chance=seen.chance,
    )
