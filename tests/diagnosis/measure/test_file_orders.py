"""Numbered files by number and by name."""

import numpy as np
import pytest

from keras_trainfix.diagnosis.measure.file_orders import file_orders


@pytest.mark.parametrize("start", [0, 1])
def test_the_orders_of_two_lists_of_files(start):
    names = [f"{number}.png" for number in range(start, start + 120)]
    by_name = [names.index(name) for name in sorted(names)]
    rows = [order.rows.tolist() for order in file_orders(120)]
    assert by_name in rows
    assert np.argsort(by_name).tolist() in rows


def test_the_code_puts_the_targets_in_order():
    for order in file_orders(40):
        y = np.empty(40, int)
        y[order.rows] = np.arange(40)
        names = {"y": y, "np": np}
        exec(order.code, names)
        assert names["y"].tolist() == list(range(40))


def test_few_files_have_one_order():
    assert file_orders(9) == []
    assert file_orders(10) != []  # from 1 to 10
