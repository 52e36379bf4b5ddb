"""KTF430 order-ignored: the answers do not depend on the order of the steps."""

import keras

from keras_trainfix.diagnosis.experiments.instruments.order import (
    Order,
    order_of_steps,
    signal_in_order,
)
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import OutputView
from keras_trainfix.diagnosis.thresholds import GAIN_BY_ORDER, MOST_MOVED_BY_ORDER
from keras_trainfix.models.batch_norm_layers import all_layers

ERRORS = 4  # standard errors of a gain that is beyond doubt
ATTENTION = tuple(
    getattr(keras.layers, name)
    for name in (
        "MultiHeadAttention",
        "GroupedQueryAttention",
        "GroupQueryAttention",
        "Attention",
        "AdditiveAttention",
    )
    if hasattr(keras.layers, name)
)
FIX = """\
class Positions(keras.layers.Layer):
    def build(self, shape):
        self.table = self.add_weight(shape=shape[1:], initializer="uniform")

    def call(self, x):
        return x + self.table


# before the first attention or pooling layer:
#     x = Positions()(x)"""


@check(
    "KTF430",
    "order-ignored",
    "warning",
    action="give the model the positions",
    scope="output",
    exact=True,
)
def order_ignored(view: OutputView) -> Found | None:
    """The answers stay the same if the steps of a sequence change places.

    ## What you see
    A Transformer stays at the score of the best constant answer, or well below that of
    an LSTM on the same sequences.

    ## Why it happens
    Attention and pooling treat a sequence as a bag. Unless positions are added to it,
    "1 before 2" and "2 before 1" are the same to them.

    ## How to check
    Put the steps into another order and compare the answers.

    ```python
    import keras, numpy as np

    rng = np.random.default_rng(0)
    x = rng.integers(3, 9, (256, 8))
    y = rng.integers(0, 2, 256)
    for row, label in zip(x, y):  # which of two tokens comes first?
        first, second = np.sort(rng.choice(8, 2, replace=False))
        row[first], row[second] = (1, 2) if label else (2, 1)
    tokens = keras.Input((8,))
    h = keras.layers.Embedding(9, 16)(tokens)
    h = h + keras.layers.MultiHeadAttention(2, 8)(h, h)
    h = keras.layers.GlobalAveragePooling1D()(h)
    model = keras.Model(tokens, keras.layers.Dense(1, activation="sigmoid")(h))
    model.compile("adam", "binary_crossentropy")
    print(abs(model.predict(x) - model.predict(x[:, ::-1])).max())
    ```

    ## Fix
    Add positions to the sequence: a learned vector for each step, or sines.

    ```python
    class Positions(keras.layers.Layer):
        def build(self, shape):
            self.table = self.add_weight(shape=shape[1:], initializer="uniform")

        def call(self, x):
            return x + self.table

    h = Positions()(keras.layers.Embedding(9, 16)(tokens))
    h = h + keras.layers.MultiHeadAttention(2, 8)(h, h)
    h = keras.layers.GlobalAveragePooling1D()(h)
    model = keras.Model(tokens, keras.layers.Dense(1, activation="sigmoid")(h))
    model.compile("adam", "binary_crossentropy")
    ```

    ## When this is not the cause
    Many tasks do not need the order. It is a warning only if simple learners that see
    the order do far better on held-out samples than the same learners without it; for
    other models with attention it is a note.

    ## References
    [Vaswani et al., 2017](https://arxiv.org/abs/1706.03762), section 3.5;
    [Zaheer et al., Deep Sets, 2017](https://arxiv.org/abs/1703.06114).
    """
    orders = order_of_steps(view.snapshot)
    if not orders or any(order.moved > MOST_MOVED_BY_ORDER for order in orders):
        return None
    for order in orders:
        finding = _with_evidence(view, order)
        if finding is not None:
            return finding
    if not any(isinstance(layer, ATTENTION) for layer in all_layers(view.model)):
        return None
    order = orders[0]
    return found(
        f"The order of the {order.input.values.shape[1]} steps of '{order.input.name}' "
        "does not change the answers: no positions are added before the attention.",
        FIX,
        severity="note",
        input=order.input.name,
        moved=order.moved,
    )


def _with_evidence(view: OutputView, order: Order) -> Found | None:
    signal = signal_in_order(view, order.input)
    if signal is None or signal.gain < max(GAIN_BY_ORDER, ERRORS * signal.error):
        return None
    best_without = max(signal.bag.skill, signal.shuffled.skill)
    if best_without > signal.ordered.skill / 2:
        return None  # a bag says most of it, and a better model may find the rest
    if view.skill is not None and view.skill.value > signal.ordered.skill / 2:
        return None
    return found(
        f"The answers do not depend on the order of the steps of '{order.input.name}', "
        "but the targets do: a linear model reaches R2 "
        f"{signal.ordered.skill:.2f} with the order and {max(best_without, 0):.2f} "
        "without it.",
        FIX,
        input=order.input.name,
        moved=order.moved,
        ordered_skill=signal.ordered.skill,
        bag_skill=signal.bag.skill,
        shuffled_skill=signal.shuffled.skill,
    )
