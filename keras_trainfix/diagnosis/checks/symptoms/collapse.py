"""What a trained model answers: shared by the checks of symptoms.

What the causes are, the other checks say.
"""

TRAINED = 20  # steps after which one answer for all is a symptom
LONG = 200  # steps after which a lack of skill is
CONSTANT = 0.01  # of the standard deviation of the targets
CONFIDENTLY_WRONG = -0.5  # skill
FEW = 8  # samples
BLANK, BLANK_STEPS = 1e-4, 100  # of the standard deviation of the targets

LOOK_UP = (
    "from keras_trainfix import diagnose\n"
    "print(diagnose(model, x, y))  # the cause stands before this one; if none does:\n"
)


def steps_and_skill(view, least):
    """Steps and `SkillScore`; None for the second where there is nothing to judge."""
    steps = view.iterations
    if steps < least or len(view.predictions) < FEW:
        return steps, None
    return steps, view.skill


def is_one_class(seen, steps):
    """Whether one class is predicted by scores that say nothing of the labels."""
    if seen is None or seen.kind != "classes" or seen.classes_present < 2:
        return False
    if len(seen.classes_predicted) != 1:
        return False
    if seen.std_ratio < CONSTANT:
        blind = not seen.is_informative or is_blank(seen, steps)
        return blind or seen.value < CONFIDENTLY_WRONG
    # Scores that vary may come to say something in the first steps. Two of a class are
    # too few to say that scores do not tell them from the others.
    return steps >= LONG and not seen.is_informative and _second(seen) >= 3


def is_blank(seen, steps):
    """Whether predictions are so much the same that their order means nothing."""
    return steps >= BLANK_STEPS and seen.std_ratio < BLANK


def _second(seen):
    """How many rows the second most frequent class has."""
    return round(sorted(seen.present)[-2] * seen.samples)
