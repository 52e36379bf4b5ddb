"""A callback that waits for a metric to move in the wrong direction is found."""

import keras
import pytest
from keras import callbacks, layers, ops

from keras_trainfix import CollapseDetector, MeanIoU, diagnose
from tests.diagnosis.nets import inputs

X = inputs()
Y = X[:, :1]
ON = (Y > 0).astype("float32")


def score(y, p):
    return 1 - ops.mean(ops.square(y - p)) / ops.var(y)


def distance(y, p):
    return ops.mean(ops.abs(y - p))


def net(*metrics, head=None, loss="mse"):
    model = keras.Sequential([keras.Input((6,)), layers.Dense(1, head)])
    model.compile("adam", loss, metrics=list(metrics))
    return model


def found(model, y, callback):
    diagnosis = diagnose(model, X, y, callbacks=[callback], fit=False)
    return [f for f in diagnosis.findings if f.code == "KTF419"]


def plateau(monitor, mode):
    return callbacks.ReduceLROnPlateau(monitor=monitor, mode=mode)


@pytest.mark.parametrize(
    ("metric", "monitor", "better"),
    [
        (score, "val_score", "max"),
        (distance, "distance", "min"),
        ("mae", "val_mae", "min"),
        ("mae", "val_loss", "min"),
        (keras.metrics.R2Score(name="fit"), "fit", "max"),
        (keras.metrics.MeanAbsoluteError(name="off"), "off", "min"),
    ],
)
def test_the_direction_of_a_metric(metric, monitor, better):
    worse = {"max": "min", "min": "max"}[better]
    (finding,) = found(net(metric), Y, plateau(monitor, worse))
    assert finding.severity == "error"
    assert f"mode='{worse}'" in finding.message
    assert f"mode='{better}'" in finding.fix
    assert not found(net(metric), Y, plateau(monitor, better))
    assert not found(net(metric), Y, plateau(monitor, "auto"))


@pytest.mark.parametrize(
    "metric", ["accuracy", keras.metrics.AUC(name="area"), MeanIoU(2, name="overlap")]
)
def test_scores_of_classes(metric):
    model = net(metric, head="sigmoid", loss="binary_crossentropy")
    name = metric if isinstance(metric, str) else metric.name
    assert found(model, ON, callbacks.EarlyStopping(monitor=name, mode="min"))
    assert not found(model, ON, callbacks.EarlyStopping(monitor=name, mode="max"))


def test_a_checkpoint_is_a_warning(tmp_path):
    kept = callbacks.ModelCheckpoint(
        str(tmp_path / "best.keras"), monitor="val_loss", mode="max"
    )
    (finding,) = found(net(), Y, kept)
    assert finding.severity == "warning"
    assert "`ModelCheckpoint`" in finding.message


def test_unknown_names_and_other_callbacks_are_left_alone():
    def odd(y, p):
        raise ValueError("of the user")

    assert not found(net(odd), Y, plateau("odd", "min"))
    assert not found(net(), Y, plateau("elsewhere", "min"))
    assert not found(net(), Y, callbacks.TerminateOnNaN())


@pytest.mark.parametrize(("mode", "is_found"), [("min", True), ("max", False)])
def test_the_detector_sees_the_callbacks_of_fit(mode, is_found):
    detector = CollapseDetector((X, Y), action="stop", causes=["KTF419"])
    model = net(score)
    if is_found:
        with pytest.warns(UserWarning, match="KTF419"):
            model.fit(X, Y, verbose=0, callbacks=[plateau("score", mode), detector])
    else:
        model.fit(X, Y, verbose=0, callbacks=[plateau("score", mode), detector])
    codes = [] if detector.diagnosis is None else detector.diagnosis.codes
    assert ("KTF419" in codes) == is_found
