"""A loss that compares means of the batch is found."""

import keras
from keras import layers, ops

from tests.diagnosis.nets import inputs, net
from tests.diagnosis.single import assert_page, run

X = inputs()
Y = X[:, :2]


def of_means(y, p):
    return ops.mean(ops.square(ops.mean(p - y, axis=0)))


def test_a_loss_of_means():
    finding = run("KTF212", net(2, None, of_means), X, Y)
    assert finding.severity == "error"
    assert "'of_means'" in finding.message
    assert run("KTF212", net(2, None, "mse"), X, Y) is None
    assert run("KTF212", net(2, None, "mae"), X, Y + 300) is None


def test_a_loss_that_reads_no_target_is_a_note():
    finding = run("KTF212", net(2, None, lambda y, p: ops.mean(p)), X, Y)
    assert finding.severity == "note"
    assert run("KTF212", net(2, None, of_means), X, Y).severity == "error"


def test_a_loss_of_the_sum_of_the_columns():
    def of_sums(y, p):
        return ops.mean(ops.square(ops.sum(p, -1) - ops.sum(y, -1)))

    finding = run("KTF212", net(2, None, of_sums), X, Y)
    assert finding.severity == "error"
    assert "sum of the columns" in finding.message
    assert run("KTF212", net(2, None, "mse"), X, Y) is None
    same = Y[:, [0, 0]]  # as quantiles of one number have
    assert run("KTF212", net(2, None, of_sums), X, same) is None


def test_the_output_is_named():
    image = keras.Input((6,))
    p, q = layers.Dense(2, name="p")(image), layers.Dense(2, name="q")(image)
    model = keras.Model(image, [p, q])
    model.compile("adam", ["mse", of_means])
    assert run("KTF212", model, X, [Y, Y], output=0) is None
    assert run("KTF212", model, X, [Y, Y], output=1).output == "q"


def test_the_page():
    assert_page("KTF212")
