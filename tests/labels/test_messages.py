"""Messages about invalid labels name the values and the likely cause."""

import numpy as np
import pytest

from keras_trainfix.labels import read_labels
from tests.labels.reference import tensor


@pytest.mark.parametrize(
    ("y", "shape", "ignore_class", "expected"),
    [
        (
            [0, 1, 2, 255, 255, 2],
            (6, 3),
            None,
            "`y_true` must be a class, 0 to 2, or ignored, ignore_class=None. "
            "Received: 2 other labels: 255 (2 times). "
            "If they mark void, pass ignore_class=255.",
        ),
        (
            [0, -1, 255, -100, 255],
            (5, 3),
            255,
            "Received: 2 other labels: -100 (1 time), -1 (1 time). "
            "If they mark void, pass ignore_class=(255, -1, -100).",
        ),
        (
            [0, 255, 255],
            (3, 1),
            None,
            "must be a class, 0 to 1, or ignored, ignore_class=None. Received: 2 other "
            "labels: 255 (2 times). If it is a mask saved as 0 and 255, divide it by "
            "255; if 255 marks void, pass ignore_class=255.",
        ),
        ([0, 255], (2, 2), (7, 8), "void, pass ignore_class=(7, 8, 255)."),
        ([0, 1, 255], (3, 2), None, "If they mark void, pass ignore_class=255."),
        (
            [0, 3, 3, 9],
            (4, 3),
            255,
            "3 (2 times), 9 (1 time). If they are classes, the model needs 10 outputs "
            "(num_classes too small); if they mark void, add them to `ignore_class`.",
        ),
        ([1, 2, 3], (3, 3), 255, "If `y_true` counts classes from 1, subtract 1."),
        ([1, -2, 0], (3, 3), 255, "-2 (1 time). If they mark void, add them to"),
        (
            [5, 6, 7, 8, 9, 10, 11, 11],
            (8, 3),
            255,
            "Received: 8 other labels: 11 (2 times), 5 (1 time), 6 (1 time), "
            "7 (1 time), 8 (1 time) and 2 more values. If",
        ),
        (
            [0.5, 1.0, 0.25, 0.5],
            (4, 3),
            255,
            "3 other labels: 0.5 (2 times), 0.25 (1 time). Sparse labels are whole "
            "numbers: do not rescale them, and resize masks with "
            "interpolation='nearest'.",
        ),
        ([1.0, np.nan], (2, 3), 255, "nan (1 time). Sparse labels are whole"),
        ([1.0, np.inf], (2, 3), 255, "inf (1 time). Sparse labels are whole"),
        (
            [[0, 255], [255, 0]],
            (2, 2),
            None,
            "`y_true` must be between 0 and 1 or ignored, ignore_class=None. Received: "
            "2 other labels: 255 (2 times). If it is a mask saved as 0 and 255",
        ),
        (
            [[0.0, -0.5], [2.0, 0.0]],
            (2, 2),
            255,
            "-0.5 (1 time), 2 (1 time). One-hot and soft labels are probabilities: "
            "rescale `y_true`.",
        ),
        ([0.5, 1.5], (2, 1), 255, "1.5 (1 time). One-hot and soft labels are prob"),
        ([[0.0, np.nan]], (1, 2), 255, "1 other label: nan (1 time). One-hot"),
        ([[0, 1, 0], [255, 0, 0]], (2, 3), -1, "pass ignore_class=(-1, 255)."),
    ],
)
def test_the_message_names_the_values_and_the_likely_cause(
    y, shape, ignore_class, expected
):
    for make in (np.array, list, lambda y: tensor(np.array(y))):
        with pytest.raises(ValueError, match="`y_true` must be") as error:
            read_labels(make(y), shape, ignore_class=ignore_class)
        assert expected in str(error.value)


def test_the_message_for_channels_first_rows_and_bfloat16():
    rows = np.zeros((2, 3, 4))
    rows[:, 1] = 1
    rows[1, 2, 3] = 5
    with pytest.raises(ValueError, match=r"1 other label: 5 \(1 time\)"):
        read_labels(tensor(rows, "bfloat16"), rows.shape, axis=1)
