"""The table of treatments."""

import pytest

from keras_trainfix.diagnosis.experiments.treatment import TREATMENTS, treatment
from keras_trainfix.diagnosis.registry import CHECKS


def test_orders_differ():
    orders = [one.order for one in TREATMENTS.values()]
    assert len(set(orders)) == len(orders) >= 20


@pytest.mark.parametrize("name", TREATMENTS)
def test_the_codes_of_a_treatment_are_known(name):
    assert TREATMENTS[name].codes <= CHECKS.keys()


def test_a_name_is_given_once():
    with pytest.raises(ValueError, match="Received: name='relu', which is taken"):
        treatment("relu", 1)
