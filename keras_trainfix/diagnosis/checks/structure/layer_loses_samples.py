"""KTF421 layer-loses-samples: different samples are the same behind a layer."""

import keras

from keras_trainfix.diagnosis.experiments.instruments.lost_samples import (
    Place,
    lost_samples,
)
from keras_trainfix.diagnosis.experiments.instruments.unknown_tokens import (
    UnknownTokens,
    unknown_tokens,
)
from keras_trainfix.diagnosis.fix_code import recompiled
from keras_trainfix.diagnosis.measure.learned import has_learned
from keras_trainfix.diagnosis.registry import ONE_ANSWER, Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.thresholds import UNKNOWN

FEW = 0.1  # share of the samples: an error


@check(
    "KTF421",
    "layer-loses-samples",
    "error",
    action="repair the layer that loses the samples",
    scope="model",
    exact=True,
    explains=ONE_ANSWER,
    persistent=True,
)
def layer_loses_samples(snapshot: Snapshot) -> Found | None:
    """Behind a layer, most of the samples are the same, and the model cannot tell them.

    ## What you see
    The model gives a few answers only, or a single one, and the loss ends at that of a
    constant answer. Weights and learning rate change nothing.

    ## Why it happens
    A layer of preprocessing throws the differences away: all words are unknown to the
    vocabulary of a `TextVectorization` (capitals against lower case, another language,
    a vocabulary that was not saved), numbers are divided and rounded to integers, or a
    slice takes the wrong column.

    ## How to check
    Count the different rows behind each layer, as `np.unique(values, axis=0)` does.

    ```python
    import keras, numpy as np

    x = np.random.default_rng(0).random((128, 6)).astype("float32")
    y = x[:, :1] + x[:, 1:2]
    model = keras.Sequential([
        keras.Input((6,)),
        keras.layers.Lambda(lambda v: keras.ops.floor(v)),  # of numbers below 1
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(1),
    ])
    model.compile("adam", "mse")
    ```

    ## Fix
    Take the layer out, or give it what it expects: the vocabulary of these texts, in
    their case (`TextVectorization.adapt`), or numbers of the right range.

    ```python
    model = keras.Sequential([
        keras.Input((6,)),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(1),
    ])
    model.compile("adam", "mse")
    ```

    ## When this is not the cause
    A table of few categories has few different rows, which the inputs show as well:
    then nothing is reported. Nor is it in a model that has learned, or behind the first
    trainable weights: units that are dead or saturated are other findings.

    ## References
    [Sculley et al., Hidden Technical Debt, 2015](https://papers.nips.cc/paper/5656)
    """
    words = unknown_tokens(snapshot)
    if words is not None and words.share >= UNKNOWN:
        return _unknown(snapshot.model, words)
    lost = lost_samples(snapshot)
    if lost is None or lost.lost is None or has_learned(snapshot):
        return None
    return _lost(lost.lost, lost.inputs)


def _unknown(model: keras.Model, words: UnknownTokens) -> Found:
    name = words.layer.name
    adapt = "# the vocabulary of these texts, in their case:\n"
    is_text = isinstance(words.layer, keras.layers.TextVectorization)
    if is_text and words.layer in model.layers and len(model.inputs or ()) == 1:
        size = len(words.layer.get_vocabulary())  # an embedding has no more rows
        adapt += (
            "words = keras.layers.TextVectorization()\n"
            "words.adapt(x)\n"
            f"words = words.get_vocabulary()[2:{size}]  # without padding and [UNK]\n"
            f"model.get_layer({name!r}).set_vocabulary(words)"
        )
        adapt = recompiled(model, adapt)
    else:
        adapt += f"# {name}.adapt(x), before the model is built"
    known = ", ".join(repr(word) for word in words.vocabulary)
    return found(
        f"{words.share:.0%} of {words.tokens} tokens are unknown to '{name}'. Its "
        f"vocabulary begins with {known}; a sample is {words.example[:60]!r}.",
        adapt,
        layer=name,
        unknown=words.share,
        tokens=words.tokens,
    )


def _lost(place: Place, given: float) -> Found:
    left = round(place.share * place.samples)
    before = round(given * place.samples)
    name = place.layer.name
    is_error = place.share < FEW
    return found(
        f"Of {before} different samples {left} are still different behind layer "
        f"'{name}', and no other way leads past it.",
        f"# what layer '{name}' gives: is that what the next one needs?\n"
        f"# {type(place.layer).__name__} of inputs of another range, or left out",
        severity="error" if is_error else "warning",
        layer=name,
        share=place.share,
        samples=place.samples,
        share_of_inputs=given,
    )
