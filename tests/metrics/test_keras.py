"""The metrics are used like any other Keras metric: in `fit`, callbacks and files."""

import contextlib
import csv
import importlib.util
import io
import re
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest

import keras_trainfix as kt
from keras_trainfix.backend import to_numpy
from tests.metrics.helpers import (
    BIAS,
    COMPILED,
    IS_COMPILED,
    KERNEL,
    LABELS,
    LOGITS,
    MATRIX,
    METRICS,
    MODES,
    NAMES,
    RNG,
    X,
    by_mode,
    check,
    compiled_net,
    evaluate,
    labels_of,
    net,
    still,
)
from tests.metrics.reference import confusion, scores

VERSION = tuple(int(part) for part in keras.__version__.split(".")[:2])
EAGER = MODES["eager"]


@by_mode
def test_nan_counts_only_under_valid_pixels(mode):
    model = compiled_net(net(activation="softmax"), kt.MeanIoU(3), **MODES[mode])
    under_void = np.where(LABELS[..., None] == 255, np.nan, X)
    check(evaluate(model, under_void, LABELS, batch_size=4))
    x, y = X.copy(), LABELS.copy()
    x[5, 2, 3], y[5, 2, 3] = np.nan, 0
    with pytest.warns(UserWarning, match="received 1 invalid prediction .NaN"):
        values = evaluate(model, x, y, batch_size=4)
    assert np.isnan(values["mean_iou"])
    check(evaluate(model, X, LABELS, batch_size=4))


def test_a_score_does_not_depend_on_batches_and_their_order():
    model = compiled_net(net(), kt.MeanIoU(3), kt.ConfusionMatrix(3), **EAGER)
    order = RNG.permutation(len(X))
    for x, y in ((X, LABELS), (X[order], LABELS[order])):
        for batch_size in (1, 3, 7, 8):  # 3 and 7 leave a smaller last batch
            check(evaluate(model, x, y, batch_size=batch_size))


@pytest.mark.skipif(not IS_COMPILED, reason="Keras does not compile on torch")
def test_a_compiled_score_includes_a_smaller_last_batch():
    model = compiled_net(net(), kt.MeanIoU(3), kt.ConfusionMatrix(3), **COMPILED)
    check(evaluate(model, X, LABELS, batch_size=3))


def fit_with_validation(*metrics, **settings):
    """Checks both epochs: the second starts from nothing, and so does validation."""
    validation = X[:4], LABELS[:4]
    model = compiled_net(net(), *metrics, **settings)
    history = model.fit(
        X, LABELS, batch_size=2, epochs=2, validation_data=validation, verbose=0
    ).history
    expected = confusion(LABELS[:4], LOGITS[:4].argmax(-1), 3)
    names = [name for name in history if not name.startswith("val_")]
    for epoch in range(2):
        check({name: history[name][epoch] for name in names})
        check({name: history[f"val_{name}"][epoch] for name in names}, expected)


@by_mode
def test_fits_with_validation(mode):
    classes = [kt.MeanIoU] if mode == "jit" else METRICS
    fit_with_validation(*[metric_class(3) for metric_class in classes], **MODES[mode])


@pytest.mark.backend_only("tensorflow", "jax", reason="Keras has it there only")
def test_fits_with_several_steps_per_execution():
    fit_with_validation(
        kt.MeanIoU(3), steps_per_execution=3, **COMPILED
    )  # and a last one of 1


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_changes_no_count(policy):
    keras.config.set_dtype_policy(policy)
    metric = kt.MeanIoU(3)
    model = compiled_net(net(activation="softmax"), metric, **EAGER)
    assert model.outputs[0].dtype == policy.removeprefix("mixed_")
    values = model.fit(X, LABELS, batch_size=4, verbose=0).history
    check({name: value[0] for name, value in values.items()})
    np.testing.assert_array_equal(metric.confusion_matrix(), MATRIX)
    assert metric.dtype == "float32"


class Halves(keras.utils.PyDataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        part = slice(4 * index, 4 * index + 4)
        return X[part], LABELS[part]


def test_arrays_datasets_and_sequences_give_the_same():
    sources = {
        "arrays": {"x": X, "y": LABELS, "batch_size": 4},
        "PyDataset": {"x": Halves()},
    }
    if importlib.util.find_spec("tensorflow"):
        import tensorflow as tf

        dataset = tf.data.Dataset.from_tensor_slices((X, LABELS)).batch(4)
        sources["tf.data"] = {"x": dataset}
    model = compiled_net(net(), kt.MeanIoU(3), **EAGER)
    for source in sources.values():
        history = model.fit(**source, shuffle=False, verbose=0).history
        check({name: value[0] for name, value in history.items()})
        check(evaluate(model, **source))


def test_two_outputs_each_with_its_metrics():
    inputs = keras.Input((6, 5, 3))
    outputs = {
        "tissue": keras.layers.Dense(3, name="tissue")(inputs),
        "edge": keras.layers.Dense(1, activation="sigmoid", name="edge")(inputs),
    }
    model = keras.Model(inputs, outputs)
    model.compile(
        "sgd",
        {"tissue": still, "edge": still},
        metrics={
            "tissue": [kt.MeanIoU(3)],
            # Keras puts the name of the output before numbers, not before dicts.
            "edge": kt.MeanIoU(2, per_class=True, name="edge_iou"),
        },
        **EAGER,
    )
    y = {"tissue": LABELS, "edge": labels_of(2)}
    y_pred = model.predict(X, verbose=0)
    tissue = confusion(LABELS, y_pred["tissue"].argmax(-1), 3)
    edge = confusion(y["edge"], (y_pred["edge"][..., 0] > 0.5).astype(int), 2)
    history = model.fit(X, y, batch_size=4, verbose=0).history
    fitted = {name: value[0] for name, value in history.items()}
    for values in (fitted, evaluate(model, X, y, batch_size=4)):
        check({"mean_iou": values["tissue_mean_iou"]}, tissue)
        check({"mean_iou": values["edge_iou"]}, edge)
        by_class = [values[f"edge_iou/{index}"] for index in range(2)]
        np.testing.assert_allclose(by_class, scores(edge)["iou"], rtol=1e-6)


def test_weighted_metrics_weigh_and_others_do_not():
    weights = np.array([0, 0, 0, 0, 1, 1, 2, 2], "float32")
    model, weighted = net(), kt.PixelAccuracy(3, name="weighted")
    plain = kt.PixelAccuracy(3)
    model.compile(loss=still, metrics=[plain], weighted_metrics=[weighted], **COMPILED)
    values = evaluate(model, X, LABELS, sample_weight=weights, batch_size=4)
    of_pixels = np.broadcast_to(weights[:, None, None], LABELS.shape)
    expected = confusion(LABELS, LOGITS.argmax(-1), 3, weights=of_pixels)
    np.testing.assert_array_equal(weighted.confusion_matrix(), expected)
    check({"pixel_accuracy": values["weighted"]}, expected)
    check({"pixel_accuracy": values["pixel_accuracy"]})


# --- callbacks ---


HAS_TENSORBOARD = all(map(importlib.util.find_spec, ["tensorflow", "tensorboard"]))


class Fit(NamedTuple):
    """A fit of `MeanIoU(3, per_class=True)`, and what its callbacks made."""

    values: dict[str, float]
    history: dict[str, list]
    printed: str
    folder: Any


@pytest.fixture(scope="module")
def per_class_fit(tmp_path_factory):
    folder = tmp_path_factory.mktemp("per_class")
    callbacks = [keras.callbacks.CSVLogger(folder / "log.csv")]
    if HAS_TENSORBOARD:
        callbacks.append(keras.callbacks.TensorBoard(folder))
    model = compiled_net(
        net(), kt.MeanIoU(3, per_class=True, class_names=NAMES), **COMPILED
    )
    validation = X, LABELS
    with contextlib.redirect_stdout(io.StringIO()) as stdout:
        history = model.fit(
            *validation,
            batch_size=4,
            epochs=2,
            validation_data=validation,
            callbacks=callbacks,
            verbose=1,
        ).history
    expected = scores(MATRIX)
    by_name = {f"iou/{name}": v for name, v in zip(NAMES, expected["iou"], strict=True)}
    values = {"mean_iou": expected["mean_iou"], **by_name}
    values |= {f"val_{name}": value for name, value in values.items()}
    return Fit(values, history, stdout.getvalue(), folder)


def test_history_has_each_class_by_its_name(per_class_fit):
    history = per_class_fit.history
    assert history.keys() == {"loss", "val_loss", *per_class_fit.values}
    for name, expected in per_class_fit.values.items():
        assert all(type(value) is float for value in history[name])
        np.testing.assert_allclose(history[name], [expected] * 2, rtol=1e-6)


def test_progress_bar_shows_each_class_by_its_name(per_class_fit):
    last = re.split(r"[\r\n]", per_class_fit.printed.strip())[-1]
    for name, expected in per_class_fit.values.items():
        (value,) = map(float, re.findall(rf" {name}: (\S+)", last))
        # Of training, older versions of Keras show a mean over the batches.
        shows_last = name.startswith("val_") or VERSION >= (3, 9)
        np.testing.assert_allclose(value, expected, atol=1e-4 if shows_last else 0.05)


def read_csv(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_csv_logger_has_a_column_for_each_class(per_class_fit):
    rows = read_csv(per_class_fit.folder / "log.csv")
    assert rows[0].keys() == {"epoch", "loss", "val_loss", *per_class_fit.values}
    for name, expected in per_class_fit.values.items():
        values = [float(row[name]) for row in rows]
        np.testing.assert_allclose(values, [expected] * 2, rtol=1e-6)


@pytest.mark.skipif(not HAS_TENSORBOARD, reason="needs tensorflow and tensorboard")
def test_tensorboard_has_a_curve_for_each_class(per_class_fit):
    from tensorboard.backend.event_processing import event_accumulator
    from tensorboard.util.tensor_util import make_ndarray

    logs = {}
    for part in ("train", "validation"):
        logs[part] = event_accumulator.EventAccumulator(
            str(per_class_fit.folder / part)
        )
        logs[part].Reload()
    for name, expected in per_class_fit.values.items():
        log = logs["validation" if name.startswith("val_") else "train"]
        events = log.Tensors(f"epoch_{name.removeprefix('val_')}")
        values = [float(make_ndarray(event.tensor_proto)) for event in events]
        np.testing.assert_allclose(values, [expected] * 2, rtol=1e-6)


class Scale(keras.callbacks.Callback):
    """Multiplies the weights by another number in each epoch."""

    def __init__(self, factors):
        super().__init__()
        self.factors = factors

    def on_epoch_begin(self, epoch, logs=None):
        self.model.layers[-1].set_weights([self.factors[epoch] * KERNEL, BIAS])


def fit_best_in_the_second_epoch(*callbacks):
    model = compiled_net(net(), kt.MeanIoU(3, per_class=True), **EAGER)
    data = X, LOGITS.argmax(-1)
    history = model.fit(
        *data,
        batch_size=8,
        epochs=5,
        validation_data=data,
        callbacks=[Scale([0, 1, -1, -1, 0]), *callbacks],
        verbose=0,
    ).history["val_mean_iou"]
    assert history[1] == 1 > max(history[0], *history[2:])
    return model, data, history


def test_early_stopping_by_the_score():
    stopping = keras.callbacks.EarlyStopping(
        "val_mean_iou", mode="max", patience=2, restore_best_weights=True
    )
    model, data, history = fit_best_in_the_second_epoch(stopping)
    assert len(history) == 4
    assert stopping.best_epoch == 1
    assert evaluate(model, *data, batch_size=8)["mean_iou"] == 1


def test_checkpoint_of_the_best_score(tmp_path):
    checkpoint = keras.callbacks.ModelCheckpoint(
        tmp_path / "{epoch}-{val_mean_iou:.3f}.weights.h5",
        monitor="val_mean_iou",
        mode="max",
        save_best_only=True,
        save_weights_only=True,
    )
    model, data, history = fit_best_in_the_second_epoch(checkpoint)
    saved = sorted(path.name for path in tmp_path.iterdir())
    assert saved == [f"1-{history[0]:.3f}.weights.h5", "2-1.000.weights.h5"]
    model.load_weights(tmp_path / saved[1])
    assert evaluate(model, *data, batch_size=8)["mean_iou"] == 1


def test_a_loaded_model_evaluates_the_same(tmp_path):
    metrics = [
        kt.MeanIoU(3, ignore_class=(255, -1), per_class=True, class_names=NAMES),
        kt.DiceScore(3),
        kt.PixelAccuracy(3, average="macro", name="recall"),
        kt.ConfusionMatrix(3),
    ]
    model = net(activation="softmax")
    model.compile("sgd", kt.MaskedCrossentropy(), metrics=metrics, run_eagerly=True)
    before = evaluate(model, X, LABELS)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    after = evaluate(loaded, X, LABELS)
    names = {"loss", "mean_iou", "dice_score", "recall", "confusion_matrix"}
    assert after.keys() == before.keys() == names | {f"iou/{name}" for name in NAMES}
    for name in before:
        np.testing.assert_array_equal(to_numpy(after[name]), to_numpy(before[name]))
