"""The table of treatments."""

import importlib
import pkgutil

import pytest

from keras_trainfix.diagnosis.experiments.treatment import TREATMENTS, treatment
from keras_trainfix.diagnosis.registry import CHECKS
from tests.diagnosis.experiments import benches, treatments

for module in pkgutil.iter_modules(treatments.__path__):
    importlib.import_module(f"{treatments.__name__}.{module.name}")


def test_orders_differ():
    orders = [one.order for one in TREATMENTS.values()]
    assert len(set(orders)) == len(orders) >= 20


@pytest.mark.parametrize("name", TREATMENTS)
def test_the_codes_of_a_treatment_are_known(name):
    assert TREATMENTS[name].codes <= CHECKS.keys()


@pytest.mark.parametrize("name", TREATMENTS)
def test_each_treatment_has_a_net_that_it_cures_and_one_that_it_does_not(name):
    assert name in benches.PAIRS


def test_a_name_is_given_once():
    with pytest.raises(ValueError, match="Received: name='relu', which is taken"):
        treatment("relu", 1)
