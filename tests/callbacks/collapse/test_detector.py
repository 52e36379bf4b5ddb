"""What `CollapseDetector` reports in real trainings, and that it changes none."""

import functools
import importlib.util
import inspect
import re

import keras
import numpy as np
import pytest
from keras import callbacks, layers

import keras_trainfix as kt
from keras_trainfix.callbacks.collapse import watch
from keras_trainfix.callbacks.collapse.prices import Prices
from keras_trainfix.callbacks.collapse.schedule import Settings
from keras_trainfix.callbacks.collapse.session import CollapseWarning
from keras_trainfix.callbacks.collapse.watch import Watch
from keras_trainfix.diagnosis.findings import DiagnosisError
from tests.callbacks.collapse.nets import (
    X,
    Y,
    adam,
    collected,
    dead_net,
    fit,
    mlp,
    noisy_net,
    pretend,
    same_weights,
    solved_net,
)
from tests.diagnosis.nets import needs_class_axis

BACKEND = keras.backend.backend()


# --- a healthy training ---


def test_a_training_is_the_same_with_and_without_it():
    """Weights, state of the optimizer, history, and random numbers afterwards."""
    histories, models, drawn = [], [], []
    for detector in (None, kt.CollapseDetector((X, Y))):
        keras.utils.clear_session(free_memory=False)
        keras.utils.set_random_seed(1)
        models.append(noisy_net())
        histories.append(fit(models[-1], detector, validation_split=0.2))
        numbers = keras.ops.convert_to_numpy(keras.random.normal((3,)))
        drawn.append([*numbers, np.random.rand()])
    assert drawn[0] == drawn[1]
    assert same_weights(*models)
    for key, values in histories[0].items():
        assert histories[1][key] == values, key
    new = set(histories[1]) - set(histories[0])
    assert new == {"collapse/std_ratio", "collapse/skill"}
    pairs = zip(*(model.optimizer.variables for model in models), strict=True)
    for a, b in pairs:
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(a.value), keras.ops.convert_to_numpy(b.value)
        )


def two_tasks():
    """Two outputs, one of whose targets are partly unknown, and fifty classes."""

    def known(y_true, y_pred):
        is_known = keras.ops.isfinite(y_true)
        error = keras.ops.where(is_known, y_true, 0.0) - y_pred
        return keras.ops.mean(keras.ops.square(error * is_known), -1)

    inputs = keras.Input((4,))
    hidden = layers.Dropout(0.2)(layers.Dense(32, "relu")(inputs))
    outputs = {
        "number": layers.Dense(1, name="number")(hidden),
        "class": layers.Dense(50, "softmax", name="class")(hidden),
    }
    model = keras.Model(inputs, outputs)
    model.compile(
        adam(0.01), {"number": known, "class": "sparse_categorical_crossentropy"}
    )
    return model


def test_two_trainings_without_it_and_one_with_it_have_the_same_weights():
    """Whether the machine itself repeats a training is seen by the second."""
    numbers = np.where(np.arange(256)[:, None] % 3, Y, np.nan)
    y = {"number": numbers, "class": np.arange(256) % 50}
    trained = []
    for detector in (None, None, kt.CollapseDetector((X, y))):
        keras.utils.set_random_seed(1)
        trained.append(two_tasks())
        with collected():
            fit(trained[-1], detector, y=y)
    if not same_weights(*trained[:2]):
        pytest.skip("this machine does not repeat a training to the bit")
    assert same_weights(*trained[1:])


def test_a_healthy_model_has_no_diagnosis():
    detector = kt.CollapseDetector((X, Y))
    history = fit(mlp(), detector, epochs=12)
    assert detector.diagnosis is None
    assert not detector.alarms
    assert history["collapse/skill"][-1] > 0.8
    assert 0.5 < history["collapse/std_ratio"][-1] < 1.5
    assert detector.history["skill"][-1] == history["collapse/skill"][-1]


def test_a_net_that_still_learns_has_no_diagnosis():
    keras.utils.set_random_seed(1)
    hidden = layers.Dense(40, "relu")
    model = keras.Sequential([keras.Input((4,)), hidden, layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.02), "mse")
    hidden.bias.assign(np.where(np.arange(40) < 35, -50.0, 0.0))  # most are dead
    detector = kt.CollapseDetector((X, Y))
    history = fit(model, detector, epochs=3)
    assert 0.3 < history["collapse/skill"][-1] < 0.8
    assert detector.diagnosis is None
    model.optimizer.learning_rate = 1e-9  # now it stays where it is
    with collected() as texts:
        fit(model, detector, epochs=3)
    assert "KTF403" in detector.diagnosis.codes
    assert len(texts) == 1


def test_it_checks_early_and_then_rarely():
    detector = kt.CollapseDetector((X, Y))
    fit(mlp(), detector, epochs=3, batch_size=4)
    steps, epochs = detector.history["step"], detector.history["epoch"]
    first = [step for step, epoch in zip(steps, epochs, strict=True) if epoch == 0]
    assert first == [4, 8, 16, 32, 64]  # ever longer, and the end
    assert detector.history["step"][len(first) :] == [128, 192]
    assert detector.history["epoch"][len(first) :] == [1, 2]


def test_it_starts_again_with_each_fit():
    detector = kt.CollapseDetector((X, Y))
    with collected() as texts:
        fit(dead_net(), detector, epochs=1)
    assert detector.diagnosis is not None
    assert texts
    fit(mlp(rate=0.03), detector, epochs=14, initial_epoch=8)
    assert detector.diagnosis is None
    assert (detector.history["step"][0], detector.history["step"][-1]) == (4, 48)
    assert (detector.history["epoch"][0], detector.history["epoch"][-1]) == (8, 13)


@pytest.mark.parametrize("build", [solved_net, mlp, dead_net])
def test_a_series_of_short_fits_is_examined_as_one_training(build, monkeypatch):
    looks = []
    for name in ("examine_beginning", "examine", "quick_check"):
        original = getattr(Watch, name)

        def counted(self, *args, _name=name, _original=original, **kwargs):
            looks.append(_name)
            return _original(self, *args, **kwargs)

        monkeypatch.setattr(Watch, name, counted)
    model, detector = build(), kt.CollapseDetector((X, Y))
    with collected() as texts:
        for start in range(0, 120, 4):
            rows = slice(start, start + 4)
            history = fit(model, detector, X[rows], Y[rows], epochs=1)
    assert set(history) >= {"collapse/skill", "collapse/std_ratio"}
    assert looks.count("examine_beginning") == 1
    assert looks.count("examine") <= 2
    assert looks.count("quick_check") <= 8
    assert detector.history["step"][-1] >= 16
    assert len(texts) == (2 if build is dead_net else 0)
    assert (detector.diagnosis is not None) == (build is dead_net)


@pytest.mark.parametrize("build", [mlp, dead_net])
def test_short_fits_with_a_detector_each_are_watched_as_one(build, monkeypatch):
    begun, original = [], Watch.examine_beginning

    def counted(self):
        begun.append(self)
        return original(self)

    monkeypatch.setattr(Watch, "examine_beginning", counted)
    model, detectors = build(), [kt.CollapseDetector((X, Y)) for _ in range(30)]
    with collected() as texts:
        for number, detector in enumerate(detectors):
            rows = slice(4 * number, 4 * number + 4)
            history = fit(model, detector, X[rows], Y[rows], epochs=1)
    assert set(history) >= {"collapse/skill", "collapse/std_ratio"}
    assert len(begun) == 6  # after 0, 1, 2, 4, 8 and 16 steps
    assert bool(texts) == (build is dead_net)
    with collected() as texts:
        fit(model, detectors[-1], epochs=3)  # a longer one is watched in any case
    assert len(begun) == 7
    assert detectors[-1].history["step"][-1] == 24
    assert bool(texts) == (build is dead_net)


def test_weights_that_are_put_back_begin_again():
    model, detector = mlp(rate=0.03), kt.CollapseDetector((X, Y))
    initial = model.get_weights()
    fit(model, detector, epochs=16)
    model.set_weights(initial)
    with collected() as texts:
        fit(model, detector, epochs=4)
    assert not texts
    assert detector._session.state.steps == 4 * 8
    model.layers[0].bias.assign(np.full(16, -50.0))
    with collected() as texts:
        fit(model, detector, epochs=4)
    assert "KTF403" in detector.diagnosis.codes
    assert len(texts) == 1


def test_a_trial_is_made_once_for_a_cause(monkeypatch):
    made = []
    original = watch.attempt

    def counted(*args, **kwargs):
        made.append(args)
        return original(*args, **kwargs)

    monkeypatch.setattr(watch, "attempt", counted)
    monkeypatch.setattr(watch, "prices_of", lambda *_: Prices())  # on every backend
    y = np.random.default_rng(5).normal(size=(256, 1)).astype("float32")
    detector = kt.CollapseDetector((X, y), causes=["KTF409"])
    with collected() as texts:
        fit(mlp(), detector, y=y, epochs=40)
    assert not texts  # none of them counts, so it looks again and again
    starts_now = [weights is None for _, weights, *_ in made]
    assert starts_now == [False, True]  # from the initial and from the last weights


# --- a collapse ---


def test_a_dead_net_is_named_at_once_and_once():
    detector = kt.CollapseDetector((X, Y))
    with collected() as texts:
        history = fit(dead_net(), detector, epochs=5)
    assert len(history["loss"]) == 5  # "warn" continues
    assert detector.diagnosis.findings[0].code == "KTF403"
    assert detector.alarms[0] <= 8
    assert all("KTF403 dead-relu" in text for text in texts)
    assert 1 <= len(texts) <= 2  # before the first step, and when it shows
    assert history["collapse/std_ratio"][-1] < 1e-3


def test_a_wrong_head_is_named_before_the_first_step():
    detector = kt.CollapseDetector((X, (Y > 1).astype("float32")))
    model = mlp(1, "softmax", "binary_crossentropy")
    seen = []
    first = callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs=None: seen.append(detector.diagnosis)
    )
    with collected() as texts:
        fit(model, detector, y=(Y > 1) * 1.0, epochs=1, others=[first])
    assert seen[0].findings[0].name == "softmax-on-one-unit"
    assert "KTF201" in texts[0]


def test_raise_raises_the_diagnosis():
    detector = kt.CollapseDetector((X, Y), action="raise")
    with collected(), pytest.raises(DiagnosisError, match="KTF403 dead-relu") as error:
        fit(dead_net(), detector)
    assert error.value.diagnosis is detector.diagnosis


def test_a_rate_that_is_too_high_is_named():
    detector = kt.CollapseDetector((X, Y))
    with collected() as texts:
        fit(mlp(rate=10.0), detector, epochs=8)
    assert detector.diagnosis.findings[0].code == "KTF401"
    assert len(texts) == 1
    assert "KTF401" in texts[0]


def test_nan_is_named():
    model = mlp()
    model.compile(keras.optimizers.SGD(1e30), "mse")
    detector = kt.CollapseDetector((X, Y))
    with collected() as texts:
        history = fit(model, detector, epochs=2)
    assert detector.diagnosis.codes[0] in ("KTF409", "KTF401")
    assert "KTF409" in detector.diagnosis.codes
    assert np.isnan(history["collapse/skill"]).all()
    assert len(texts) == 1


def test_noise_is_nothing_to_learn():
    y = np.random.default_rng(5).normal(size=(256, 1)).astype("float32")
    detector = kt.CollapseDetector((X, y))
    with collected():
        fit(mlp(), detector, y=y, epochs=40)
    assert detector.diagnosis.findings[0].code == "KTF131"


def test_a_rate_that_did_well_at_first():
    """A first trial cannot show it: steps help until there is a plateau."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, (256, 2)).astype("float32")
    y = (x[:, :1] != x[:, 1:]).astype("float32")
    model = keras.Sequential(
        [keras.Input((2,)), layers.Dense(2, "tanh"), layers.Dense(1, "sigmoid")]
    )
    kernels = rng.normal(0, 0.8, (2, 2)), rng.normal(0, 0.8, (2, 1))
    model.set_weights([kernels[0], np.zeros(2), kernels[1], np.ones(1)])
    model.compile(keras.optimizers.SGD(0.01), "binary_crossentropy")
    detector = kt.CollapseDetector((x, y))
    with collected() as texts:
        fit(model, detector, x, y, epochs=30)
    assert detector.diagnosis.codes[0] == "KTF402"
    assert "learning-rate-too-low" in texts[0]


def test_one_head_of_two_collapses():
    inputs = keras.Input((4,))
    good = layers.Dense(1, name="good")(layers.Dense(16, "relu")(inputs))
    hidden = layers.Dense(16, "relu", bias_initializer=keras.initializers.Constant(-50))
    bad = layers.Dense(1, name="bad")(hidden(inputs))
    model = keras.Model(inputs, {"good": good, "bad": bad})
    model.compile(keras.optimizers.Adam(0.01), {"good": "mse", "bad": "mse"})
    y = {"good": Y, "bad": Y}
    detector = kt.CollapseDetector((X, y))
    with collected() as texts:
        fit(model, detector, y=y, epochs=12)
    constant = [f for f in detector.diagnosis.findings if f.code == "KTF501"]
    assert [finding.output for finding in constant] == ["bad"]
    assert any("'bad'" in text for text in texts)


# --- segmentation ---


def squares(samples=96, size=16, side=7):
    """Noisy images and masks of a bright square."""
    rng = np.random.default_rng(2)
    y = np.zeros((samples, size, size, 1), "float32")
    corners = rng.integers(0, size - side + 1, (samples, 2))
    for mask, (row, column) in zip(y, corners, strict=True):
        mask[row : row + side, column : column + side] = 1
    x = y - 0.5 + 0.3 * rng.normal(size=y.shape)
    return x.astype("float32"), y


def segmenter(units, head, loss, rate=1e-3, bias=0.0):
    model = keras.Sequential(
        [
            keras.Input((16, 16, 1)),
            layers.Conv2D(8, 3, padding="same", activation="relu"),
            layers.Conv2D(
                units,
                1,
                activation=head,
                bias_initializer=keras.initializers.Constant(bias),
            ),
        ]
    )
    model.compile(keras.optimizers.Adam(rate), loss)
    return model


def batch_dice(y, p):
    """1 - Dice of the whole batch, which all foreground makes rather small."""
    both = keras.ops.sum(y * p)
    return 1 - 2 * both / (keras.ops.sum(y) + keras.ops.sum(p) + 1e-6)


def test_all_foreground_under_dice_is_caught_in_the_first_half():
    x, y = squares()
    noise = np.random.default_rng(3).normal(size=x.shape).astype("float32")
    model = segmenter(1, "sigmoid", batch_dice, rate=0.1)
    detector = kt.CollapseDetector((noise, y), action="stop")
    with collected():
        history = fit(model, detector, noise, y, epochs=12, batch_size=8)
    assert history["loss"][-1] < history["loss"][0]  # as if it learned
    assert model.predict(noise, verbose=0).min() > 0.5
    assert detector.alarms[0] <= 6 * 12
    assert "KTF503" in detector.diagnosis.codes


def test_void_does_not_count():
    x, y = squares()
    labels = y[..., 0].astype("int32")
    labels[:, :3] = 255
    model = segmenter(2, None, kt.MaskedCrossentropy(from_logits=True), rate=0.02)
    detector = kt.CollapseDetector((x, labels))
    fit(model, detector, x, labels, epochs=8, batch_size=16)
    assert detector.diagnosis is None
    assert detector.history["skill"][-1] > 0.5


FIRST = {"from_logits": True, "axis": 1}
SPARSE = keras.losses.SparseCategoricalCrossentropy
if "axis" not in inspect.signature(SPARSE).parameters:  # older Keras
    SPARSE = functools.partial(
        functools.partial, keras.losses.sparse_categorical_crossentropy
    )


@pytest.mark.parametrize(
    "loss",
    [
        kt.WeightedSum([kt.MaskedSoftDice(**FIRST), kt.MaskedCrossentropy(**FIRST)]),
        pytest.param(
            SPARSE(**FIRST),
            marks=[
                pytest.mark.backend_only(
                    "torch", reason="elsewhere it raises unless classes are last"
                ),
                needs_class_axis,
            ],
        ),
    ],
    ids=["sum", "Keras"],
)
def test_classes_on_the_first_axis(loss):
    x, y = squares()
    model = keras.Sequential(
        [
            keras.Input((16, 16, 1)),
            layers.Conv2D(8, 3, padding="same", activation="relu"),
            layers.Conv2D(2, 1),
            layers.Permute((3, 1, 2)),
        ]
    )
    model.compile(keras.optimizers.Adam(0.02), loss)
    detector = kt.CollapseDetector((x, y[..., 0]))
    with collected() as texts:
        fit(model, detector, x, y[..., 0], epochs=8, batch_size=16)
    assert not texts
    assert detector.diagnosis is None
    assert detector.history["skill"][-1] > 0.5


# --- any model, and any input ---


class OwnStep(keras.Model):
    """A subclassed model with a training step of its own."""

    def __init__(self):
        super().__init__()
        self.hidden = layers.Dense(16, "relu")
        self.head = layers.Dense(1)

    def call(self, inputs):
        return {"answer": self.head(self.hidden(inputs))}

    def train_step(self, *args):
        return super().train_step(*args)


def test_a_subclassed_model():
    model = OwnStep()
    model.compile(adam(0.01), {"answer": "mse"})
    detector = kt.CollapseDetector((X, {"answer": Y}))
    history = fit(model, detector, y={"answer": Y}, epochs=12)
    assert detector.diagnosis is None
    assert history["collapse/skill"][-1] > 0.8


@pytest.mark.parametrize(
    "settings",
    [
        {"run_eagerly": True},
        {"jit_compile": False},
        pytest.param(
            {"steps_per_execution": 3},
            marks=pytest.mark.backend_only(
                "tensorflow", "jax", reason="torch makes one step at a time"
            ),
        ),
    ],
    ids=str,
)
def test_ways_to_compile(settings):
    detector = kt.CollapseDetector((X, Y))
    history = fit(mlp(rate=0.03, **settings), detector, epochs=5)
    assert detector.diagnosis is None
    assert history["collapse/skill"][-1] > 0.8
    # The last execution of an epoch may be counted with all of its steps.
    assert detector.history["step"][-1] in (40, 45)


def test_a_model_that_is_built_by_fit():
    model = keras.Sequential([layers.Dense(16, "relu"), layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.03), "mse")
    detector = kt.CollapseDetector((X, Y))
    fit(model, detector, epochs=5)
    assert detector.history["skill"][-1] > 0.8


def test_several_inputs():
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    outputs = layers.Dense(1)(layers.Concatenate()([a, b]))
    model = keras.Model({"a": a, "b": b}, outputs)
    model.compile(keras.optimizers.Adam(0.1), "mse")
    detector = kt.CollapseDetector(({"a": X, "b": X}, Y, np.ones(256)))
    fit(model, detector, x={"a": X, "b": X}, epochs=8)
    assert detector.history["skill"][-1] > 0.8


@pytest.mark.backend_only("tensorflow", reason="it is about tf.data")
@pytest.mark.parametrize("form", ["unbatched", "three inputs", "padded"])
def test_probes_of_tf_data_never_end_a_training(form):
    import tensorflow as tf

    data = tf.data.Dataset.from_tensor_slices((X, Y))
    if form == "three inputs":
        data = tf.data.Dataset.from_tensor_slices((X, X, X)).batch(32)
    elif form == "padded":
        data = tf.data.Dataset.range(1, 9).map(
            lambda n: (tf.ones((4, n)), tf.ones((4, 1)))
        )
    with collected() as texts:
        history = fit(mlp(), kt.CollapseDetector(data), epochs=2)
    assert len(history["loss"]) == 2
    assert all(len(text.splitlines()) == 1 for text in texts), texts


@pytest.mark.backend_only("tensorflow", reason="only TensorFlow has ragged tensors")
def test_ragged_inputs():
    import tensorflow as tf

    class Means(keras.Model):
        def __init__(self):
            super().__init__()
            self.head = layers.Dense(1)

        def call(self, inputs):
            return self.head(tf.reduce_mean(inputs, -1)[:, None])

    rows = tf.RaggedTensor.from_row_lengths(X.ravel()[:768], [2, 4] * 128)
    data = tf.data.Dataset.from_tensor_slices((rows, Y)).batch(32)
    model = Means()
    model.head.build((None, 1))
    model.compile("sgd", "mse", run_eagerly=True)
    detector = kt.CollapseDetector(data)
    with collected() as texts:
        history = model.fit(data, epochs=2, verbose=0, callbacks=[detector])
    assert len(history.history["loss"]) == 2
    assert len(texts) <= 1


class Batches(keras.utils.PyDataset):
    def __init__(self, broken=False):
        super().__init__()
        self.broken = broken

    def __len__(self):
        return 4

    def __getitem__(self, index):
        if self.broken:
            raise OSError("the file is gone")
        return X[64 * index : 64 * index + 64], Y[64 * index : 64 * index + 64]


def generator(broken=False):
    batches = Batches(broken)
    for index in range(4):
        yield batches[index]


def test_a_generator_is_read_once():
    detector = kt.CollapseDetector(generator())
    fit(mlp(rate=0.03), detector, epochs=5)
    assert detector.history["skill"][-1] > 0.8
    fit(mlp(rate=0.03), detector, epochs=5)  # the generator is empty now
    assert detector.history["skill"][-1] > 0.8


def test_a_data_set_is_read():
    detector = kt.CollapseDetector(Batches())
    logs = pretend(detector, solved_net())
    assert logs["collapse/skill"] == pytest.approx(1)


# --- nothing in it breaks a training ---


def test_a_probe_that_can_no_longer_be_read():
    detector = kt.CollapseDetector(Batches(broken=True))
    with collected() as texts:
        history = fit(mlp(), detector, epochs=3)
    assert len(history["loss"]) == 3
    assert np.isnan(history["collapse/skill"]).all()
    assert len(texts) == 1
    assert "no longer watches" in texts[0]
    assert "the file is gone" in texts[0]


def test_an_error_within_ends_the_watch_alone(monkeypatch):
    detector = kt.CollapseDetector((X, Y))
    monkeypatch.setattr(
        "keras_trainfix.callbacks.collapse.watch.Watch.quick_check",
        lambda self, steps: 1 / 0,
    )
    with collected() as texts:
        history = fit(mlp(), detector, epochs=3)
    assert len(history["loss"]) == 3
    assert len(texts) == 1
    assert "ZeroDivisionError" in texts[0]


def test_a_model_that_cannot_be_called_alone():
    class Picky(OwnStep):
        def call(self, inputs, training=None):
            if not training and self.is_picky:
                raise RuntimeError("only in training")
            return super().call(inputs)

    model = Picky()
    model.is_picky = False  # until `fit` has built it
    model.compile("sgd", {"answer": "mse"}, run_eagerly=True)
    other = callbacks.LambdaCallback(
        on_train_begin=lambda logs: setattr(model, "is_picky", True)
    )
    detector = kt.CollapseDetector((X, {"answer": Y}))
    with collected() as texts:
        history = fit(model, y={"answer": Y}, epochs=2, others=[other, detector])
    assert len(history["loss"]) == 2
    (text,) = texts
    assert "no longer watches" in text
    assert len(text.splitlines()) == 1


def test_an_error_of_another_callback_is_not_hidden():
    def fail(epoch, logs=None):
        raise RuntimeError("of another")

    other = callbacks.LambdaCallback(on_epoch_end=fail)
    detector = kt.CollapseDetector((X, Y))
    model = mlp()
    with pytest.raises(RuntimeError, match="of another"):
        fit(model, detector, others=[other])
    history = fit(model, detector, epochs=8)
    assert history["collapse/skill"][-1] > 0.5


@pytest.mark.parametrize("is_first", [True, False])
def test_among_other_callbacks(is_first, tmp_path):
    monitored = ("collapse/skill",) if is_first else ("loss",)
    mode = "max" if is_first else "min"
    others = [
        callbacks.EarlyStopping(*monitored, patience=9, mode=mode),
        callbacks.ReduceLROnPlateau("loss", patience=1, min_delta=0.1),
        callbacks.ModelCheckpoint(tmp_path / "best.keras", monitor="loss"),
        callbacks.BackupAndRestore(tmp_path / "backup"),
        callbacks.CSVLogger(tmp_path / "log.csv"),
        callbacks.LearningRateScheduler(lambda epoch, rate: 0.03 * 0.9**epoch),
        callbacks.TerminateOnNaN(),
    ]
    if BACKEND == "tensorflow" and importlib.util.find_spec("tensorboard"):
        others.append(callbacks.TensorBoard(tmp_path / "board"))
    detector = kt.CollapseDetector((X, Y))
    given = [detector, *others] if is_first else [*others, detector]
    model = mlp(rate=0.03)
    history = fit(model, others=given, epochs=5)
    assert history["collapse/skill"][-1] > 0.8
    assert detector.diagnosis is None
    header = (tmp_path / "log.csv").read_text().splitlines()[0]
    assert ("collapse/skill" in header) == is_first
    loaded = keras.models.load_model(tmp_path / "best.keras")
    assert same_weights(loaded, model)


# --- arguments ---


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"action": "shout"}, "`action` must be one of 'warn', 'stop', 'raise'"),
        ({"patience": 0}, "`patience` must be an integer of 1 or more"),
        ({"max_rescues": 1.5}, "`max_rescues` must be an integer of 1 or more"),
        ({"check_every": "often"}, "`check_every` must be an integer of 1 or more"),
        ({"causes": ["KTF999"]}, "codes or names of findings.*Received: 'KTF999'"),
        ({"causes": "dead-relu"}, "`causes` must be a list"),
    ],
)
def test_unknown_arguments(settings, message):
    with pytest.raises(ValueError, match=message):
        kt.CollapseDetector((X, Y), **settings)


def test_arguments_reach_the_policy():
    detector = kt.CollapseDetector(
        (X, Y), action="rescue", patience=3, check_every=7, max_rescues=5
    )
    pretend(detector, solved_net())
    prices = detector._session.settings.prices
    assert prices.examination > 0
    assert detector._session.settings == Settings("rescue", 3, 7, 5, prices)
    causes = ["KTF409", "dead-relu"]
    assert kt.CollapseDetector((X, Y), causes=causes).causes == ["KTF409", "KTF403"]
    assert kt.CollapseDetector((X, Y)).causes is None


@pytest.mark.parametrize(
    ("probe", "message"),
    [
        ((X[:0], Y[:0]), "`probe` cannot be used.*Received: \\[0\\] samples"),
        ([], "`probe` cannot be used"),
        ((X, Y[:5]), "same number of samples"),
        ((X[:, :3], Y), "inputs have the shapes .*\\(256, 3\\).*takes.*4"),
        ((X, np.hstack([Y, Y])), "do not fit the output.*\\(256, 2\\).*\\(256, 1\\)"),
        (3, "`probe` cannot be used"),
    ],
    ids=["empty", "no batch", "lengths", "inputs", "targets", "no data"],
)
def test_a_probe_that_does_not_fit_is_one_line(probe, message):
    with collected() as texts:
        logs = pretend(kt.CollapseDetector(probe), mlp())
    assert np.isnan(logs["collapse/skill"])
    text = next(text for text in texts if re.search(message, text))
    assert len(text.splitlines()) == 1


def test_a_probe_that_does_not_fit_ends_no_training():
    with collected() as texts:
        history = fit(mlp(), kt.CollapseDetector((X[:, :3], Y)), epochs=2)
    assert len(history["loss"]) == 2
    assert len(texts) == 1


PROBES = {
    "targets of more outputs": (X, [Y, None]),
    "samples without a batch axis": ((x, y) for x, y in zip(X, Y, strict=True)),
    "no targets, read as (x, y, weight)": [(X[:8], X[:8], X[:8])],
    "batches of different shapes": [(X[:4], Y[:4]), (X[:4, :3], Y[:4])],
    "nested batches": [{"a": {"b": [X[:4], (Y[:4],)]}}],
    "batches of nothing known": [object(), object()],
    "texts": (np.array(["a", "b"] * 8), Y[:16]),
    "ragged": [([[1.0], [1.0, 2.0]], [[1.0], [2.0]])],
}


@pytest.mark.parametrize("form", PROBES)
def test_no_form_of_probe_ends_a_training(form):
    with collected() as texts:
        logs = pretend(kt.CollapseDetector(PROBES[form]), mlp())
    assert set(logs) == {"collapse/std_ratio", "collapse/skill"}
    assert len(texts) <= 1, texts
    assert all(len(text.splitlines()) == 1 for text in texts)


def test_targets_that_are_text_are_an_error():
    detector = kt.CollapseDetector((X, np.array(["a", "b"] * 128)))
    with collected() as texts:
        pretend(detector, mlp())
    assert detector.diagnosis.codes[0] == "KTF206"
    assert "KTF206" in texts[-1]
    assert len(texts) == 2


# --- models without a compiled loss ---


class OwnLoss(keras.Model):
    """Has a training step and a loss of its own, and is compiled without one."""

    def __init__(self, head=None):
        super().__init__()
        self.hidden = layers.Dense(16, "relu")
        self.head = layers.Dense(10, head)
        self.own = keras.losses.SparseCategoricalCrossentropy(from_logits=head is None)

    def call(self, inputs):
        return self.head(self.hidden(inputs))

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, **others):
        return self.own(y, y_pred)


def test_a_model_compiled_without_a_loss():
    labels = np.digitize(X[:, 0], np.linspace(-1.5, 1.5, 9))
    model = OwnLoss("softmax")
    model.compile(adam(0.01))
    detector = kt.CollapseDetector((X, labels))
    with collected() as texts:
        history = fit(model, detector, y=labels, epochs=12)
    assert detector.diagnosis is None
    assert not texts
    assert history["collapse/skill"][-1] > 0.2


class Scrambled(OwnLoss):
    """Sees its samples in an order that has nothing to do with the targets."""

    def call(self, inputs):
        return super().call(keras.ops.flip(inputs, 0))


@pytest.mark.parametrize(
    ("build", "is_seen"), [(Scrambled, True), (OwnLoss, False)], ids=str
)
def test_a_model_without_a_loss_that_learns_nothing_is_never_silent(build, is_seen):
    labels = np.digitize(X[:, 0], np.linspace(-1.5, 1.5, 9))
    model = build("softmax")
    model.compile(adam(0.01))
    detector = kt.CollapseDetector((X, labels))
    with collected() as texts:
        fit(model, detector, y=labels, epochs=40)
    assert (detector.diagnosis is not None) == is_seen
    assert bool(detector.alarms) == is_seen  # during `fit`, not only at its end
    assert bool(texts) == is_seen


def test_targets_that_do_not_fit_hide_no_nan():
    """Only the loss knows what ten numbers have to do with one label."""
    labels = np.arange(256) % 10
    model = OwnLoss()
    model.compile(keras.optimizers.SGD(1e30))
    detector = kt.CollapseDetector((X, labels))
    with collected() as texts:
        fit(model, detector, y=labels, epochs=2)
    assert "KTF409" in detector.diagnosis.codes
    assert len(texts) == 2
    assert "do not fit the output" in texts[0]


def test_its_arguments_are_documented():
    names = list(inspect.signature(kt.CollapseDetector).parameters)
    for name in names:
        assert f"        {name}: " in kt.CollapseDetector.__doc__


# --- what a warning looks like ---


def test_a_warning_says_when_and_names_the_line_of_the_user():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1, "relu")])
    model.compile("adam", "mse")
    detector = kt.CollapseDetector((X, Y - 20))
    with pytest.warns(CollapseWarning) as caught:
        model.fit(X, Y - 20, epochs=1, verbose=0, callbacks=[detector])
    (seen,) = [one for one in caught if one.category is CollapseWarning]
    text = str(seen.message)
    assert text.startswith(f"before the first step: {detector.diagnosis.verdict[:60]}")
    assert seen.filename == __file__


def test_a_warning_during_training_has_epoch_and_step():
    with collected() as texts:
        fit(dead_net(), kt.CollapseDetector((X, Y)))
    assert any(re.match(r"epoch \d+, step \d+: \w", text) for text in texts)
