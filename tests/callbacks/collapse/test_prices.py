"""What looks cost, in steps of the training."""

import keras
import numpy as np
import pytest

from keras_trainfix.callbacks.collapse.prices import Prices, prices_of
from keras_trainfix.diagnosis.budget import Work
from keras_trainfix.diagnosis.observe.sample import Sample

SAMPLE = Sample(np.zeros((256, 4), "float32"))


def prices(sample=1e3, call=1e7, few=256, batch=32):
    return prices_of(Work(sample, call), few, SAMPLE, batch, layers=3)


def test_nothing_is_known_of_a_model_by_default():
    assert Prices() == (0, 0, 0, 0)


def test_a_larger_look_costs_more():
    found = prices()
    assert found.quick_check < found.look < found.beginning < found.examination


def test_a_small_net_pays_for_the_calls():
    found = prices(sample=0)
    assert found.quick_check == pytest.approx(4 / 3)
    assert 300 < found.examination < 400 or keras.backend.backend() != "torch"


def test_a_look_is_a_smaller_part_of_larger_steps():
    small, large = prices(sample=1e7, batch=32), prices(sample=1e7, batch=256)
    assert large.examination < small.examination / 4
    assert large.quick_check < small.quick_check / 4


def test_fewer_samples_cost_less():
    assert prices(sample=1e7, few=32).quick_check < prices(sample=1e7).quick_check / 4
