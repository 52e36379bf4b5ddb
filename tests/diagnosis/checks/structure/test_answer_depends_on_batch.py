"""Layers that mix the samples of a batch are named."""

import pytest
from keras import layers, ops

from tests.diagnosis.nets import inputs
from tests.diagnosis.single import run, sequential

CODE = "KTF428"


@pytest.mark.parametrize(
    "layer",
    [
        lambda: layers.Softmax(axis=0, name="mixes"),
        lambda: layers.Lambda(lambda h: h / ops.norm(h, axis=0), name="mixes"),
    ],
)
def test_layers_that_mix_samples(layer):
    model = sequential(layers.Dense(4), layer(), layers.Dense(1))
    finding = run(CODE, model, inputs(), inputs()[:, 0])
    assert finding.severity == "error"
    assert "'mixes'" in finding.message
    for sound in (layers.Softmax(), layers.BatchNormalization()):
        model = sequential(layers.Dense(4), sound, layers.Dense(1))
        assert run(CODE, model, inputs(), inputs()[:, 0]) is None


def test_batch_normalization_in_training_mode_is_a_warning():
    class Always(layers.BatchNormalization):
        def call(self, x, training=None, mask=None):
            return super().call(x, training=True, mask=mask)

    for kind, severity in ((Always, "warning"), (layers.BatchNormalization, None)):
        model = sequential(layers.Dense(4), kind(), layers.Dense(1))
        finding = run(CODE, model, inputs(), inputs()[:, 0])
        assert (finding and finding.severity) == severity
