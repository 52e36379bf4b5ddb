"""Labels that are not a class of the model are found."""

import numpy as np
import pytest

import keras_trainfix as kt
from tests.diagnosis.checks.data.cases import findings
from tests.diagnosis.checks.data.labels import (
    BCE,
    BINARY,
    CLASSES,
    IDS,
    IMAGES,
    SCCE,
    VOID,
    X,
    assert_only,
    codes,
    conv,
    sparse,
)
from tests.diagnosis.nets import net

FAULTY = [
    lambda: (net(3, "softmax", SCCE), X, IDS + 1),
    lambda: (net(3, None, sparse(from_logits=True)), X, IDS[:, None] + 1.0),
    lambda: (net(3, "softmax", SCCE), X, IDS - 1),
    lambda: (net(3, "softmax", SCCE), X, 10 * IDS),
    lambda: (net(1, "sigmoid", BCE), X, 2 * BINARY - 1),
    lambda: (net(1, "sigmoid", BCE), X, BINARY + 1),
    lambda: (conv(3, "softmax", SCCE), IMAGES, CLASSES + 1),
    lambda: (conv(3, "softmax", kt.MaskedCrossentropy()), IMAGES, CLASSES + 1),
    lambda: (conv(3, "softmax", sparse(ignore_class=255)), IMAGES, CLASSES + 1),
]


@pytest.mark.parametrize("case", range(len(FAULTY)))
def test_faults_of_labels(case):
    assert_only("KTF121", "error", FAULTY[case]())


def test_labels_out_of_range_are_listed_with_their_counts():
    y = np.where(np.arange(64) < 5, 77, IDS)
    finding = findings(net(3, "softmax", SCCE), X, y)["KTF121"]
    assert finding.evidence["unknown"] == [[77, 5]]
    assert "77 (5x)" in finding.message


@pytest.mark.parametrize(
    ("y", "fix"),
    [(IDS + 1, "y = y - 1 "), (IDS - 1, "y = y + 1 "), (9 * IDS, "return_inverse")],
)
def test_the_fix_of_labels_out_of_range(y, fix):
    assert fix in findings(net(3, "softmax", SCCE), X, y)["KTF121"].fix


def test_void_and_a_label_out_of_range_are_both_named():
    y = np.where(np.arange(64) < 5, 77, VOID)
    assert codes(net(3, "softmax", SCCE), X, y) == ["KTF121", "KTF122"]
