"""Labels of pairs the other way round are found before training and after it."""

import numpy as np

from tests.diagnosis.experiments.instruments.test_pair_labels import (
    SIMILAR,
    A,
    B,
    Distance,
    contrastive,
    siamese,
)
from tests.diagnosis.nets import inputs, net
from tests.diagnosis.single import assert_page, run


def test_page():
    assert_page("KTF149")


def test_the_cause_stays_named_after_training():
    model = siamese(Distance(), contrastive)
    for _ in range(2):
        assert run("KTF149", model, [A, B], 1 - SIMILAR).severity == "error"
        assert run("KTF149", model, [A, B], SIMILAR) is None
        model.fit([A, B], 1 - SIMILAR, epochs=10, verbose=0)


def test_other_models_are_not_judged():
    x = inputs(64)
    model = net(1, "sigmoid", "binary_crossentropy")
    assert run("KTF149", model, x, np.arange(64) % 2) is None
    pairs = siamese(Distance(), contrastive)
    assert run("KTF149", pairs, [A, B], 1 - SIMILAR).evidence["drawn"] == 1
