"""What KTF131 and KTF132 report about the simple learners."""

from typing import Any

from keras_trainfix.diagnosis.measure.learnability import Learnability
from keras_trainfix.diagnosis.measure.linear_and_knn import Learner

TRAINED = 200  # steps after which a model should have learned


def described(seen: Learnability, learner: Learner) -> str:
    """How well a `Learner` does on held-out samples, in words."""
    if seen.kind == "classes":
        few = f" (with only {seen.few})" if seen.few else ""
        return f"{learner.accuracy:.1%} correct{few}"
    return f"R2 {learner.skill:.2f} +- {learner.error:.2f}"


def evidence_of(seen: Learnability) -> dict[str, Any]:
    """The numbers of a `Learnability`: a dict."""
    evidence: dict[str, Any] = {
        "samples": seen.samples,
        "features": seen.features,
        "linear_skill": seen.linear.skill,
        "linear_error": seen.linear.error,
        "neighbours_skill": seen.neighbours.skill,
        "neighbours_error": seen.neighbours.error,
    }
    if seen.kind == "classes":
        evidence |= {
            "linear_accuracy": seen.linear.accuracy,
            "neighbours_accuracy": seen.neighbours.accuracy,
            "majority_accuracy": seen.majority,
        }
    return evidence
