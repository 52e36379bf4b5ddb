"""The metrics are used as any other metric of Keras is."""

import contextlib
import csv
import importlib.util
import io
import json
import re
from collections.abc import Callable
from types import MappingProxyType
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
from keras import ops

import keras_trainfix as kt
from keras_trainfix.backend import to_numpy
from tests.metrics.reference import confusion, scores
from tests.test_contracts import MODES as CONTRACT_MODES
from tests.test_contracts import Batches

BACKEND = keras.backend.backend()
VERSION = tuple(int(part) for part in keras.__version__.split(".")[:2])
MODES = {**CONTRACT_MODES, "default": {}}
IS_COMPILED = BACKEND != "torch"  # in the mode "default"
RNG = np.random.default_rng(0)

# Scores are small multiples of 1/4, which any dtype holds: no rounding decides which
# is the highest. The biases differ, so no two of a pixel are equal.
X = RNG.integers(-1, 2, (8, 6, 5, 3)).astype("float32")
KERNEL = np.array([[1, 0, -1], [-1, 1, 1], [0, -1, 1]], "float32")
BIAS = np.array([0.25, 0.5, 0.75], "float32")
LOGITS = X @ KERNEL + BIAS
LABELS = RNG.integers(0, 3, (8, 6, 5))
LABELS[RNG.random(LABELS.shape) < 0.2] = 255
MATRIX = confusion(LABELS, LOGITS.argmax(-1), 3)
NAMES = ["sky", "road", "car"]

METRICS = [kt.MeanIoU, kt.DiceScore, kt.PixelAccuracy, kt.ConfusionMatrix]
by_mode = pytest.mark.parametrize("mode", CONTRACT_MODES)
eager_or_not = pytest.mark.parametrize("mode", ["eager", "default"])
by_class = pytest.mark.parametrize("metric_class", METRICS)


def still(y_true, y_pred):
    """A loss that moves no weight: what `fit` counts is what `predict` says."""
    return 0 * ops.mean(ops.reshape(y_pred, (ops.shape(y_pred)[0], -1)), axis=-1)


def net(channels=3, activation=None, shape=(6, 5), after=None):
    inputs = keras.Input((*shape, 3))
    head = keras.layers.Dense(channels, activation=activation)
    outputs = head(inputs)
    head.set_weights([KERNEL[:, :channels], BIAS[:channels]])
    return keras.Model(inputs, outputs if after is None else after(outputs))


def compiled(model, *metrics, **settings):
    model.compile("sgd", still, metrics=list(metrics), **settings)
    return model


def labels_of(num_classes):
    return np.where(LABELS == 255, 255, LABELS % num_classes)


def evaluate(model, *args, **kwargs):
    return model.evaluate(*args, verbose=0, return_dict=True, **kwargs)


def check(values, matrix=MATRIX):
    """`values`, of a dict from `evaluate` or `fit`, are what `matrix` says."""
    expected = {"confusion_matrix": matrix.astype("int64"), **scores(matrix)}
    names = values.keys() - {"loss"}
    assert names
    for name in names:
        np.testing.assert_allclose(to_numpy(values[name]), expected[name], rtol=1e-6)


# --- outputs and labels ---


class Head(NamedTuple):
    """A model, how many classes it has, and which class its output says."""

    build: Callable
    num_classes: int
    says: Callable
    arguments: Any = MappingProxyType({})
    x: np.ndarray = X


def highest(output):
    return output.argmax(-1)


def above_half(output):
    return (output[..., 0] > 0.5).astype("int64")


HEADS = {
    "softmax": Head(lambda: net(activation="softmax"), 3, highest),
    "logits": Head(net, 3, highest),
    "sigmoid_of_each_class": Head(lambda: net(activation="sigmoid"), 3, highest),
    "softmax_of_two_classes": Head(lambda: net(2, "softmax"), 2, highest),
    "channels_first": Head(
        lambda: net(after=keras.layers.Permute((3, 1, 2))),
        3,
        lambda output: output.argmax(1),
        {"axis": 1},
    ),
    "class_ids": Head(
        lambda: net(after=lambda output: ops.argmax(output, axis=-1)),
        3,
        lambda output: output,
    ),
    "one_sigmoid": Head(lambda: net(1, "sigmoid"), 2, above_half),
    "one_logit": Head(
        lambda: net(1),
        2,
        lambda output: (output[..., 0] > 0).astype("int64"),
        {"from_logits": True},
    ),
    "one_sigmoid_a_sample": Head(
        lambda: net(1, "sigmoid", shape=()), 2, above_half, x=X.reshape(-1, 3)
    ),
}


@pytest.mark.parametrize(
    ("name", "mode"),
    [(name, "default") for name in HEADS]
    + [(name, "eager") for name in ("softmax", "class_ids", "one_sigmoid")]
    + [(name, "jit") for name in ("softmax", "one_logit")],
)
def test_evaluates_the_classes_of_each_kind_of_output(name, mode):
    head = HEADS[name]
    metric = kt.MeanIoU(head.num_classes, **head.arguments)
    model = compiled(head.build(), metric, **MODES[mode])
    y = labels_of(head.num_classes).reshape(head.x.shape[:-1])
    ids = head.says(model.predict(head.x, verbose=0))
    expected = confusion(y, ids, head.num_classes)
    assert expected.all()
    values = evaluate(model, head.x, y.astype("uint8"), batch_size=len(y) // 2)
    check(values, expected)
    np.testing.assert_array_equal(metric.confusion_matrix(), expected)


def one_hot(labels, num_classes, void):
    rows = np.eye(num_classes)[np.where(labels == 255, 0, labels)]
    rows[labels == 255] = void
    return rows


FORMS = {
    "uint8": lambda y, _: y.astype("uint8"),
    "uint8_last_axis": lambda y, _: y.astype("uint8")[..., None],
    "float32": lambda y, _: y.astype("float32"),
    "float32_last_axis": lambda y, _: y.astype("float32")[..., None],
    "one_hot_void_zero": lambda y, c: one_hot(y, c, 0).astype("float32"),
    "one_hot_void_255": lambda y, c: one_hot(y, c, 255).astype("uint8"),
}


@pytest.mark.parametrize(
    ("name", "form"),
    [("softmax", form) for form in FORMS]
    + [("class_ids", form) for form in ("float32", "one_hot_void_255")]
    + [("one_sigmoid", form) for form in ("uint8_last_axis", "one_hot_void_zero")],
)
def test_takes_labels_in_each_form(name, form):
    head = HEADS[name]
    model = compiled(head.build(), kt.MeanIoU(head.num_classes))
    y = labels_of(head.num_classes)
    ids = head.says(model.predict(X, verbose=0))
    given = FORMS[form](y, head.num_classes)
    check(evaluate(model, X, given), confusion(y, ids, head.num_classes))


@eager_or_not
def test_refuses_one_channel_of_three_classes(mode):
    model = compiled(net(1, "sigmoid"), kt.MeanIoU(3), **MODES[mode])
    with pytest.raises(
        ValueError, match=r"scores with 3 entries.*6, 5, 1\).*classes=3"
    ):
        evaluate(model, X, LABELS)


@eager_or_not
def test_logits_of_one_channel_without_saying_so_are_no_score(mode):
    model = compiled(net(1), kt.MeanIoU(2), **MODES[mode])
    if mode == "eager" or not IS_COMPILED:
        with pytest.raises(ValueError, match=r"Received: y_pred from -.*from_logits="):
            evaluate(model, X, labels_of(2))
        return
    with pytest.warns(UserWarning, match="`mean_iou` is NaN.*a class or probability"):
        values = evaluate(model, X, labels_of(2))
    assert np.isnan(values["mean_iou"])


@eager_or_not
def test_a_label_that_is_no_class_is_an_error_or_makes_the_score_nan(mode):
    y = LABELS.copy()
    y[5, 2, 3] = 7
    model = compiled(net(), kt.MeanIoU(3), **MODES[mode])
    if mode == "eager" or not IS_COMPILED:
        with pytest.raises(ValueError, match=r"other labels: 7 \(1 times\)"):
            evaluate(model, X, y)
        return
    with pytest.warns(UserWarning, match="received 1 invalid label .neither a class"):
        values = evaluate(model, X, y)
    assert np.isnan(values["mean_iou"])


# --- NaN ---


@by_mode
def test_nan_in_a_prediction_of_a_valid_pixel_makes_the_score_nan(mode):
    x, y = X.copy(), LABELS.copy()
    x[5, 2, 3], y[5, 2, 3] = np.nan, 0
    model = compiled(net(activation="softmax"), kt.MeanIoU(3), **MODES[mode])
    with pytest.warns(UserWarning, match="received 1 invalid prediction .NaN"):
        values = evaluate(model, x, y, batch_size=4)
    assert np.isnan(values["mean_iou"])


@by_mode
def test_nan_in_predictions_of_void_pixels_changes_nothing(mode):
    x = np.where(LABELS[..., None] == 255, np.nan, X)
    model = compiled(net(activation="softmax"), kt.MeanIoU(3), **MODES[mode])
    check(evaluate(model, x, LABELS, batch_size=4))


@by_class
def test_each_metric_is_nan_after_nan_until_it_is_reset(metric_class):
    logits, labels = LOGITS.copy(), LABELS.copy()
    logits[5, 2, 3], labels[5, 2, 3] = np.nan, 0
    metric = metric_class(3)
    for _ in range(2):  # it warns again
        metric.reset_state()
        metric.update_state(labels, logits)
        with pytest.warns(UserWarning, match=f"`{metric.name}` .*invalid prediction "):
            assert np.isnan(to_numpy(metric.result())).all()
        metric.update_state(LABELS, LOGITS)
        assert np.isnan(to_numpy(metric.result())).all()  # and not at each call
    metric.reset_state()
    metric.update_state(LABELS, LOGITS)
    check(value_of(metric))


def value_of(metric):
    return {metric.name: metric.result()}


# --- evaluate and fit ---


def test_a_score_does_not_depend_on_batches_and_their_order():
    model = compiled(net(), kt.MeanIoU(3), kt.ConfusionMatrix(3))
    order = RNG.permutation(len(X))
    for x, y in ((X, LABELS), (X[order], LABELS[order])):
        for batch_size in (1, 3, 7, 8):  # 3 and 7 leave a smaller last batch
            check(evaluate(model, x, y, batch_size=batch_size))


def fit_with_validation(*metrics, **settings):
    """Checks both epochs: the second starts from nothing, and so does validation."""
    validation = X[:4], LABELS[:4]
    model = compiled(net(), *metrics, **settings)
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
    fit_with_validation(kt.MeanIoU(3), **MODES[mode])


@pytest.mark.backend_only("tensorflow", "jax", reason="Keras has it there only")
def test_fits_with_several_steps_per_execution():
    fit_with_validation(kt.MeanIoU(3), steps_per_execution=3)  # and a last one of 1


def test_several_metrics_in_one_fit():
    fit_with_validation(*[metric_class(3) for metric_class in METRICS])


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_changes_no_count(policy):
    keras.config.set_dtype_policy(policy)
    metric = kt.MeanIoU(3)
    model = compiled(net(activation="softmax"), metric)
    assert model.outputs[0].dtype == policy.removeprefix("mixed_")
    values = model.fit(X, LABELS, batch_size=4, verbose=0).history
    check({name: value[0] for name, value in values.items()})
    np.testing.assert_array_equal(metric.confusion_matrix(), MATRIX)
    assert metric.dtype == "float32"


def test_arrays_datasets_and_sequences_give_the_same():
    sources = {
        "arrays": {"x": X, "y": LABELS, "batch_size": 4},
        "PyDataset": {"x": Batches(X, LABELS)},
    }
    if importlib.util.find_spec("tensorflow"):
        import tensorflow as tf

        dataset = tf.data.Dataset.from_tensor_slices((X, LABELS)).batch(4)
        sources["tf.data"] = {"x": dataset}
    model = compiled(net(), kt.MeanIoU(3))
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
    )
    y = {"tissue": LABELS, "edge": labels_of(2)}
    y_pred = model.predict(X, verbose=0)
    tissue = confusion(LABELS, highest(y_pred["tissue"]), 3)
    edge = confusion(y["edge"], above_half(y_pred["edge"]), 2)
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
    model.compile(loss=still, metrics=[plain], weighted_metrics=[weighted])
    values = evaluate(model, X, LABELS, sample_weight=weights, batch_size=4)
    of_pixels = np.broadcast_to(weights[:, None, None], LABELS.shape)
    expected = confusion(LABELS, LOGITS.argmax(-1), 3, weights=of_pixels)
    np.testing.assert_array_equal(weighted.confusion_matrix(), expected)
    check({"pixel_accuracy": values["weighted"]}, expected)
    check({"pixel_accuracy": values["pixel_accuracy"]})


def test_what_a_mask_of_keras_hides_is_void():
    model = keras.Sequential(
        [
            keras.Input((7,), dtype="int32"),
            keras.layers.Embedding(5, 4, mask_zero=True),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    words = np.array([[1, 2, 3, 0, 0, 0, 0], [4, 3, 2, 1, 1, 0, 0]])
    labels = np.array([[0, 1, 2, 0, 0, 0, 0], [2, 255, 0, 1, 1, 0, 0]])
    metric = kt.MeanIoU(3)
    model.compile(loss=kt.MaskedCrossentropy(), metrics=[metric])
    evaluate(model, words, labels)
    hidden = np.where(words == 0, 255, labels)
    expected = confusion(hidden, highest(model.predict(words, verbose=0)), 3)
    np.testing.assert_array_equal(metric.confusion_matrix(), expected)


@pytest.mark.backend_only("tensorflow", reason="only it traces unknown sizes")
def test_images_of_any_size_and_number():
    import tensorflow as tf

    metric = kt.MeanIoU(3)
    model = compiled(net(shape=(None, None)), metric, jit_compile=False)
    sizes = [(2, 4, 6), (1, 5, 3), (3, 1, 1)]
    batches = [
        (RNG.integers(-1, 2, (*size, 3)).astype("float32"), RNG.integers(0, 3, size))
        for size in sizes
    ]
    data = tf.data.Dataset.from_generator(
        lambda: iter(batches),
        output_signature=(
            tf.TensorSpec((None, None, None, 3), "float32"),
            tf.TensorSpec((None, None, None), "int64"),
        ),
    ).apply(tf.data.experimental.assert_cardinality(3))
    model.evaluate(data, verbose=0)
    expected = sum(confusion(y, highest(x @ KERNEL + BIAS), 3) for x, y in batches)
    np.testing.assert_array_equal(metric.confusion_matrix(), expected)


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
    model = compiled(net(), kt.MeanIoU(3, per_class=True, class_names=NAMES))
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
    model = compiled(net(), kt.MeanIoU(3, per_class=True))
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


@eager_or_not
def test_a_confusion_matrix_fits_into_history_and_csv_logger(mode, tmp_path):
    model = compiled(net(), kt.ConfusionMatrix(3), **MODES[mode])
    logger = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    history = model.fit(
        X, LABELS, batch_size=4, epochs=2, callbacks=[logger], verbose=1
    ).history["confusion_matrix"]
    rows = read_csv(tmp_path / "log.csv")
    for matrix, row in zip(history, rows, strict=True):
        check({"confusion_matrix": matrix})
        numbers = re.findall(r"\d+", row["confusion_matrix"])
        assert [int(number) for number in numbers] == MATRIX.ravel().tolist()


# --- state and files ---


def updated(metric):
    metric.update_state(LABELS, LOGITS)
    return metric


@by_class
def test_variables_are_the_whole_state(metric_class):
    metric, other = metric_class(3), metric_class(3)
    metric.update_state(LABELS[:5], LOGITS[:5])
    for source, target in zip(metric.variables, other.variables, strict=True):
        target.assign(to_numpy(source))
    check(value_of(other), confusion(LABELS[:5], LOGITS[:5].argmax(-1), 3))
    other.update_state(LABELS[5:], LOGITS[5:])
    check(value_of(other))


@by_class
def test_reset_state_forgets_everything(metric_class):
    metric = updated(metric_class(3))
    metric.reset_state()
    assert not any(to_numpy(variable).any() for variable in metric.variables)
    metric.update_state(LABELS[:5], LOGITS[:5])
    check(value_of(metric), confusion(LABELS[:5], LOGITS[:5].argmax(-1), 3))


@pytest.mark.parametrize(
    "arguments",
    [
        {"num_classes": 3},
        {
            "num_classes": 3,
            "ignore_class": (255, -1),
            "axis": 1,
            "threshold": 0.3,
            "from_logits": True,
            "class_names": NAMES,
            "name": "mine",
            "dtype": "float16",
        },
        {"num_classes": np.int64(3), "ignore_class": np.uint8(255), "axis": np.int8(1)},
        {"num_classes": 3, "ignore_class": [2, 255], "class_names": np.array(NAMES)},
    ],
    ids=["defaults", "all", "numpy_scalars", "lists"],
)
@by_class
def test_config_as_json_makes_the_same_metric(metric_class, arguments):
    if metric_class is not kt.ConfusionMatrix:
        arguments = {**arguments, "per_class": True}
    if metric_class is kt.PixelAccuracy:
        arguments = {**arguments, "average": "macro"}
    metric = metric_class(**arguments)
    assert metric.get_config().keys() >= arguments.keys()
    text = json.dumps(keras.metrics.serialize(metric))
    for again in (
        metric_class.from_config(metric.get_config()),
        metric_class.from_config(json.loads(text)["config"]),
        keras.metrics.deserialize(json.loads(text)),
        keras.metrics.get(json.loads(text)),
    ):
        assert type(again) is metric_class  # `keras.metrics` has a MeanIoU as well
        assert json.dumps(keras.metrics.serialize(again)) == text


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


# --- loops of one's own ---


@by_class
def test_in_a_loop(metric_class):
    metric = metric_class(3)
    for _ in range(2):
        metric.reset_state()
        for start in range(0, 8, 3):
            part = slice(start, start + 3)
            metric.update_state(LABELS[part], ops.convert_to_tensor(LOGITS[part]))
        check(value_of(metric))


@pytest.mark.backend_only("jax", reason="the others have state")
@by_class
def test_without_state_under_jit(metric_class):
    import jax

    metric = metric_class(3)

    @jax.jit
    def step(variables, x, y):
        return metric.stateless_update_state(variables, y, x @ KERNEL + BIAS)

    result = jax.jit(metric.stateless_result)
    for _ in range(2):
        variables = metric.stateless_reset_state()
        for start in range(0, 8, 4):
            part = slice(start, start + 4)
            variables = step(variables, X[part], LABELS[part])
        check({metric.name: result(variables)})
        check({metric.name: metric.stateless_result(variables)})
    assert not metric.confusion_matrix().any()  # nothing was left behind


@pytest.mark.backend_only("jax", reason="jax.lax.scan")
def test_in_a_scan():
    import jax

    metric = kt.MeanIoU(3)

    @jax.jit
    def scan(variables, batches):
        def step(variables, batch):
            return metric.stateless_update_state(variables, *batch), None

        return jax.lax.scan(step, variables, batches)[0]

    batches = LABELS.reshape(4, 2, 6, 5), LOGITS.reshape(4, 2, 6, 5, 3)
    variables = scan(metric.stateless_reset_state(), batches)
    check({"mean_iou": metric.stateless_result(variables)})


@pytest.mark.backend_only("tensorflow", reason="tf.function")
@by_class
def test_in_a_function_of_tensorflow(metric_class):
    import tensorflow as tf

    metric = metric_class(3)

    @tf.function(jit_compile=True)
    def step(x, y):
        metric.update_state(y, x @ KERNEL + BIAS)

    result = tf.function(metric.result)
    x, y = tf.constant(X), tf.constant(LABELS)
    for _ in range(2):
        metric.reset_state()
        for start in range(0, 8, 4):
            step(x[start : start + 4], y[start : start + 4])
        check({metric.name: result()})
        check(value_of(metric))


@pytest.mark.backend_only("torch", reason="the others record no gradient unasked")
@pytest.mark.parametrize("context", ["no_grad", "inference_mode", "enable_grad"])
@by_class
def test_records_no_gradient(metric_class, context):
    import torch

    metric = metric_class(3)
    with getattr(torch, context)():
        logits = torch.tensor(LOGITS, requires_grad=True) * 1
        metric.update_state(LABELS, logits)
        result = metric.result()
    assert not result.requires_grad
    assert not any(variable.value.requires_grad for variable in metric.variables)
    check({metric.name: result})
    metric.reset_state()
    check(value_of(updated(metric)))
