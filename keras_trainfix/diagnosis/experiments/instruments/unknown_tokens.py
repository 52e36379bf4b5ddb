"""Does a layer that looks words up in a vocabulary know them?"""

from typing import Any, NamedTuple

import numpy as np

from keras_trainfix.diagnosis.experiments.instrument import instrument
from keras_trainfix.diagnosis.experiments.instruments.layer_calls import layer_calls

FEWEST = 16  # tokens
SHOWN = 3  # entries of the vocabulary


class UnknownTokens(NamedTuple):
    """The layer that knows the smallest share of its tokens.

    Attributes:
        layer: The `keras.Layer` with the vocabulary.
        share: Float, the share of its tokens that are not in the vocabulary.
        tokens: Integer, how many it got.
        vocabulary: List of the first entries, as text.
        example: String, the first sample that the layer got.
    """

    layer: Any
    share: float
    tokens: int
    vocabulary: list[str]
    example: str


@instrument("tokens outside the vocabulary")
def unknown_tokens(snapshot: Any) -> UnknownTokens | None:
    """The `UnknownTokens`; None without a layer that has a vocabulary."""
    calls = layer_calls(snapshot)
    found = []
    for call in calls.leaves if calls else []:
        if not hasattr(call.layer, "get_vocabulary") or not call.outputs:
            continue
        entries = list(call.layer.get_vocabulary())
        special = {"", "[UNK]", getattr(call.layer, "oov_token", "[UNK]")}
        special.add(getattr(call.layer, "mask_token", ""))
        counted = count_unknown(call.outputs[0], entries, special)
        if counted is None or counted[1] < FEWEST:
            continue
        words = [str(entry) for entry in entries if entry not in special]
        example = call.inputs[0].ravel()[0] if call.inputs else ""
        text = example.decode() if isinstance(example, bytes) else str(example)
        share, tokens = counted
        found.append(UnknownTokens(call.layer, share, tokens, words[:SHOWN], text))
    return max(found, key=lambda one: one.share, default=None)


def count_unknown(
    answers: np.ndarray, vocabulary: list[Any], special: set[Any]
) -> tuple[float, int] | None:
    """The share of unknown tokens, and the number of tokens.

    Args:
        answers: Array of the ids of tokens, or of a column for each entry.
        vocabulary: List of the entries.
        special: Set of the entries that are no words: the empty one, which stands for
            padding, and those that stand for unknown words.

    Returns:
        Tuple; None where no entry stands for unknown words.

    Examples:
        >>> import numpy as np
        >>> entries = ["", "[UNK]", "good", "bad"]
        >>> count_unknown(np.array([[1, 2, 0], [1, 1, 0]]), entries, {"", "[UNK]"})
        (0.75, 4)
    """
    padding = [i for i, entry in enumerate(vocabulary) if entry in ("", None, 0)]
    unknown = [i for i, entry in enumerate(vocabulary) if entry in special]
    unknown = [i for i in unknown if i not in padding]
    if not unknown:
        return None
    if answers.dtype.kind in "iu":
        ids = answers[~np.isin(answers, padding)]
        return (float(np.isin(ids, unknown).mean()), ids.size) if ids.size else None
    if answers.shape[-1] != len(vocabulary):
        return None
    counts = np.abs(answers).reshape(-1, len(vocabulary)).sum(0)
    total = float(counts.sum())
    return (float(counts[unknown].sum()) / total, int(total)) if total else None
