"""KTF427 reads-only-padding: the answers do not depend on the tokens."""

from keras_trainfix.diagnosis.experiments.instruments.padding import (
    ReadTokens,
    read_tokens,
)
from keras_trainfix.diagnosis.registry import ONE_ANSWER, Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.thresholds import (
    LEAST_AT_END,
    LEAST_BY_TOKENS,
    MOST_FADED,
)


@check(
    "KTF427",
    "reads-only-padding",
    "error",
    action="mask the padding",
    scope="model",
    exact=True,
    explains=ONE_ANSWER,
)
def reads_only_padding(snapshot: Snapshot) -> Found | None:
    """Other tokens do not change the answers: the model only reads the padding.

    ## What you see
    A recurrent net stays at the loss of the best constant answer, and its predictions
    are all the same, though the sequences differ. A net without recurrence learns the
    same data.

    ## Why it happens
    The sequences are filled up behind their last token and nothing is masked. An LSTM
    or GRU then reads padding for many steps after the last token, and at each step a
    part of its state fades. An attention mask that is the wrong way round has the same
    effect: it hides the tokens and leaves the padding.

    ## How to check
    Replace the tokens, keep the padding, and compare the answers.

    ```python
    import keras, numpy as np

    rng = np.random.default_rng(0)
    x = rng.integers(1, 50, (64, 100))
    x[np.arange(100) >= rng.integers(4, 12, (64, 1))] = 0  # padding behind the tokens
    y = (x[:, 0] > 25).astype("float32")
    model = keras.Sequential([
        keras.Input((100,)),
        keras.layers.Embedding(50, 8),
        keras.layers.LSTM(8),
        keras.layers.Dense(1, activation="sigmoid"),
    ])
    model.compile("adam", "binary_crossentropy")
    other = np.where(x > 0, 50 - x, 0)
    print(abs(model.predict(x) - model.predict(other)).max())
    ```

    ## Fix
    Mask the padding with `Embedding(..., mask_zero=True)`, or a `Masking` layer for
    real features, or put the padding in front of the tokens. A mask for attention is
    true where a token is.

    ```python
    model = keras.Sequential([
        keras.Input((100,)),
        keras.layers.Embedding(50, 8, mask_zero=True),
        keras.layers.LSTM(8),
        keras.layers.Dense(1, activation="sigmoid"),
    ])
    model.compile("adam", "binary_crossentropy")
    ```

    ## When this is not the cause
    The measurement holds for the present weights. A net with a long memory can learn
    to keep a token over some tens of steps, for which it gets a note; from the usual
    initial weights it gets no gradient for that over a hundred.

    ## References
    [Masking and padding with Keras](https://keras.io/guides/understanding_masking_and_padding/);
    [keras#20898](https://github.com/keras-team/keras/issues/20898).
    """
    seen = read_tokens(snapshot)
    if seen is None or not seen.padded or seen.share >= MOST_FADED:
        return None
    is_end = seen.tokens < LEAST_AT_END * seen.moved
    if not is_end and seen.moved > 0:
        return None  # the tokens count little wherever they are
    padding, name = seen.padding, seen.input.name
    share = 1 - padding.lengths.mean() / padding.steps
    end = "end" if padding.is_behind else "beginning"
    reads = "the model reads nothing else"
    if seen.share >= LEAST_BY_TOKENS:
        reads = "the model has nearly forgotten the tokens when it answers"
    message = (
        f"{share:.0%} of '{name}' is padding at the {end}, and {reads}: other tokens "
        f"move its answers by {seen.tokens:.1g}, other padding by {seen.padded:.1g}."
    )
    return found(
        message,
        _fix(seen) if is_end else _about_masks(seen),
        "note" if seen.share >= LEAST_BY_TOKENS else None,
        padding_share=float(share),
        is_behind=padding.is_behind,
        tokens=seen.tokens,
        padded=seen.padded,
        moved=seen.moved,
    )


def _fix(seen: ReadTokens) -> str:
    code, padding = seen.input.code, seen.padding
    keys = []
    if seen.input.key is not None:
        keys = ["x = dict(x)" if isinstance(seen.input.key, str) else "x = list(x)"]
    rows = "row" if seen.input.values.ndim == 2 else "row[:, 0]"
    sign, place = ("", "in front") if padding.is_behind else ("-", "behind")
    layer = "mask_zero=True in the Embedding"
    if seen.input.values.ndim == 3:
        layer = f"keras.layers.Masking({padding.value:g})"
    elif padding.value != 0:
        layer = "a mask for it"
    return "\n".join(
        [
            f"# use {layer}, or put the padding {place}:",
            *keys,
            f"padding = [int(({rows} == {padding.value:g}).sum()) for row in {code}]",
            f"{code} = np.stack([",
            f"    np.roll(row, {sign}n, axis=0) "
            f"for row, n in zip({code}, padding, strict=True)",
            "])",
        ]
    )


def _about_masks(seen: ReadTokens) -> str:
    rows = seen.input.code + ("[..., 0]" if seen.input.values.ndim == 3 else "")
    return (
        "# a mask of attention or pooling must be true where a token is:\n"
        f"mask = {rows} != {seen.padding.value:g}"
    )
