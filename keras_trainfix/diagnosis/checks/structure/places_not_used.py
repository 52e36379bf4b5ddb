"""KTF432: steps, rows or columns of the inputs that lead nowhere."""

from keras_trainfix.diagnosis.experiments.instruments.unused_inputs import (
    TRIES,
    unused_inputs,
)
from keras_trainfix.diagnosis.experiments.instruments.unused_places import (
    UnusedPlaces,
    unused_places,
)
from keras_trainfix.diagnosis.registry import Found, check, found
from keras_trainfix.diagnosis.snapshot import Snapshot
from keras_trainfix.diagnosis.thresholds import LEARNS, PLACES_UNUSED


@check(
    "KTF432",
    "places-not-used",
    "warning",
    scope="model",
    action="let the model see all of its input",
    exact=True,
    persistent=True,
    by_experiment=True,
)
def places_not_used(snapshot: Snapshot) -> Found | None:
    """No answer depends on half of the steps, rows or columns of an input.

    ## What you see
    A model of sequences or images does not get better than with a part of each: the
    last steps, or one corner.

    ## Why it happens
    A convolution sees few steps, and only its last or first place is used. A slice
    takes less than it was meant to. A `reshape` without a `transpose` divides the
    steps among the heads of an attention, where it should divide the features.

    ## How to check
    Put NaN into a step and see whether it reaches an answer.

    ```python
    import keras
    import numpy as np
    from keras import layers

    def network(body):
        model = keras.Sequential([keras.Input((12, 4)), body, layers.Dense(1)])
        model.compile("adam", "mse")
        return model

    last = keras.Sequential([layers.Conv1D(8, 3), layers.Cropping1D((9, 0)),
                             layers.Flatten()])
    model = network(last)  # the last place sees three of twelve steps
    x = np.random.default_rng(0).normal(size=(128, 12, 4)).astype("float32")
    y = x[:, 0, :1]
    ```

    ## Fix
    Let what is behind the sequence see all of it: a recurrent layer, an average or a
    maximum over the steps, attention, or more and wider convolutions.

    ```python
    model = network(layers.GRU(16))
    ```

    ## When this is not the cause
    A model may leave out what does not matter, as a crop of the center does. Where the
    model learns, the finding is a note.

    ## References
    [Araujo et al., 2019](https://doi.org/10.23915/distill.00021)
    """
    if snapshot.experiments is None and not snapshot.iterations:
        return None  # whether it learns is not known yet
    whole = {one.key for one in unused_inputs(snapshot) or ()}  # KTF431 says so
    unused = [
        one
        for one in unused_places(snapshot) or ()
        if one.share > PLACES_UNUSED and one.input.key not in whole
    ]
    if not unused:
        return None
    worst = max(unused, key=lambda one: one.share)
    learns = snapshot.least_skill > LEARNS
    if snapshot.experiments is not None:
        learns |= snapshot.experiments.learns
    return found(
        f"No answer of the model depends on {_described(worst)}: NaN there reaches no "
        f"answer, and other values change nothing, at {TRIES + 1} choices of the "
        "weights.",
        "# let the layers behind the input see all of it, as in\n"
        "# keras.layers.GlobalAveragePooling1D(), or a recurrent layer",
        severity="note" if learns else None,
        input=worst.input.name,
        axis=worst.axis,
        places=len(worst.places),
        length=worst.length,
    )


def _described(unused: UnusedPlaces) -> str:
    """The places in words: `the first 9 of the 12 steps of 'x'`."""
    places, length = unused.places, unused.length
    words = {2: ("columns",), 3: ("steps",)}.get(
        unused.input.values.ndim, ("rows", "columns", "slices")
    )
    word, number = words[unused.axis - 1], len(places)
    if number == length:
        which = "any"
    elif places[0] == 0 and places[-1] == number - 1:
        which = f"the first {number}"
    elif places[-1] == length - 1 and places[0] == length - number:
        which = f"the last {number}"
    else:
        which = str(number)
    return f"{which} of the {length} {word} of {unused.input.code}"
