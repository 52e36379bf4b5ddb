"""Settings that all region losses have."""

import numpy as np
import pytest

from keras_trainfix import MaskedSoftDice, MaskedTversky
from tests.losses.cases import REGIONS, message, random_batch
from tests.losses.reference import array

every_region = pytest.mark.parametrize("kind", REGIONS)


@every_region
def test_the_batch_as_one_scope_gives_one_value(rng, kind):
    labels, y_pred = random_batch(rng)
    options = {"scope": "batch", "from_logits": True}
    values = array(kind(reduction="none", **options)(labels, y_pred))
    assert values.shape == (1,)
    mean = kind(**options)(labels, y_pred)
    np.testing.assert_allclose(values[0], float(mean), rtol=1e-6)


@every_region
@pytest.mark.parametrize("scope", ["pixel", None])
def test_an_unknown_scope(kind, scope):
    text = message(lambda: kind(scope=scope))
    assert "'image', one loss per image, or 'batch'" in text
    assert f"Received: scope={scope!r}." in text


@pytest.mark.parametrize("kind", [MaskedSoftDice, MaskedTversky])
@pytest.mark.parametrize("smooth", [-1, float("inf"), float("nan")])
def test_smoothing_out_of_range(kind, smooth):
    text = message(lambda: kind(smooth=smooth))
    assert f"must be 0 or more. Received: smooth={smooth}." in text
