import contextlib
import importlib.util
import inspect
import re
import warnings

import keras
import numpy as np
import pytest
from keras import callbacks, layers

import keras_trainfix as kt
from keras_trainfix.callbacks.collapse.detector import CollapseWarning
from keras_trainfix.diagnosis.findings import DiagnosisError

BACKEND = keras.backend.backend()
RNG = np.random.default_rng(0)
X = RNG.normal(size=(256, 4)).astype("float32")
Y = 2 * X[:, :1] + 1


@pytest.fixture(autouse=True)
def short_trials(monkeypatch):
    monkeypatch.setattr("keras_trainfix.callbacks.collapse.watch.TRIAL_SECONDS", 5.0)


def mlp(units=1, head=None, loss="mse", rate=0.01, **settings):
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(16, "relu"),
            layers.Dense(units, activation=head),
        ]
    )
    model.compile(keras.optimizers.Adam(rate), loss, **settings)
    return model


def noisy_net():
    """A net that draws random numbers, and has statistics that move."""
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.GaussianNoise(0.1, seed=3),
            layers.Dense(16, "relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.2),
            layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    return model


def dead_net():
    model = mlp()
    model.layers[0].bias.assign(np.full(16, -50.0))
    return model


def fit(model, detector=None, x=X, y=Y, epochs=4, others=(), **settings):
    given = [detector, *others] if detector is not None else list(others)
    return model.fit(
        x, y, epochs=epochs, verbose=0, callbacks=given, **settings
    ).history


@contextlib.contextmanager
def collected():
    """A list of the texts of the warnings of the detector."""
    texts = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield texts
    texts += [str(w.message) for w in caught if w.category is CollapseWarning]


def same_weights(a, b):
    return all(map(np.array_equal, a.get_weights(), b.get_weights()))


# A healthy training


@pytest.mark.parametrize("build", [mlp, noisy_net])
def test_a_training_is_the_same_with_and_without_it(build):
    histories, models = [], []
    for detector in (None, kt.CollapseDetector((X, Y))):
        keras.utils.set_random_seed(1)
        models.append(build())
        histories.append(fit(models[-1], detector, validation_split=0.2))
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


def test_the_random_numbers_after_it_are_the_same():
    drawn = []
    for given in ([], [kt.CollapseDetector((X, Y))]):
        keras.utils.clear_session(free_memory=False)
        keras.utils.set_random_seed(1)
        fit(noisy_net(), others=given)
        numbers = keras.ops.convert_to_numpy(keras.random.normal((3,)))
        drawn.append([*numbers, np.random.rand()])
    assert drawn[0] == drawn[1]


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


def test_it_looks_early_and_then_rarely():
    detector = kt.CollapseDetector((X, Y))
    fit(mlp(), detector, epochs=3, batch_size=4)
    steps, epochs = detector.history["step"], detector.history["epoch"]
    first = [step for step, epoch in zip(steps, epochs, strict=True) if epoch == 0]
    assert first == [4, 8, 16, 32, 64]  # ever longer, and the end
    assert detector.history["step"][len(first) :] == [128, 192]
    assert detector.history["epoch"][len(first) :] == [1, 2]


def test_check_every():
    detector = kt.CollapseDetector((X, Y), check_every=10)
    fit(mlp(), detector, epochs=2, batch_size=8)
    steps = detector.history["step"]
    assert max(np.diff(steps)) <= 10


def test_it_starts_anew_with_each_fit():
    detector = kt.CollapseDetector((X, Y))
    model = dead_net()
    with collected() as texts:
        fit(model, detector, epochs=1)
    assert detector.diagnosis is not None
    assert texts
    healthy = mlp()
    fit(healthy, detector, epochs=12)
    assert detector.diagnosis is None
    assert detector.history["step"][0] == 4
    fit(healthy, detector, epochs=14, initial_epoch=12)
    assert detector.history["epoch"][-1] == 13
    assert detector.history["step"][-1] == 16


# A collapse


def test_a_dead_net_is_named_at_once_and_once():
    detector = kt.CollapseDetector((X, Y))
    with collected() as texts:
        history = fit(dead_net(), detector, epochs=5)
    assert len(history["loss"]) == 5  # "warn" goes on
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


def test_stop_ends_the_training():
    detector = kt.CollapseDetector((X, Y), action="stop")
    with collected() as texts:
        history = fit(dead_net(), detector, epochs=20)
    assert len(history["loss"]) == 1
    assert "KTF403" in texts[-1]


def test_raise_raises_the_diagnosis():
    detector = kt.CollapseDetector((X, Y), action="raise")
    with collected(), pytest.raises(DiagnosisError, match="KTF403 dead-relu") as error:
        fit(dead_net(), detector)
    assert error.value.diagnosis is detector.diagnosis


def test_patience_is_the_number_of_looks_in_a_row():
    alarms = []
    for patience in (1, 3):
        detector = kt.CollapseDetector((X, Y), patience=patience)
        with collected():
            fit(mlp(1, "softmax"), detector, epochs=10)
        alarms += detector.alarms
    assert alarms[0] < alarms[1]


@pytest.mark.parametrize(("rate", "code"), [(10.0, "KTF401"), (1e-7, "KTF402")])
def test_a_wrong_learning_rate_is_named(rate, code):
    detector = kt.CollapseDetector((X, Y))
    with collected() as texts:
        fit(mlp(rate=rate), detector, epochs=8)
    assert detector.diagnosis.findings[0].code == code
    assert len(texts) == 1
    assert code in texts[0]


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


def test_noise_has_no_signal():
    y = np.random.default_rng(5).normal(size=(256, 1)).astype("float32")
    detector = kt.CollapseDetector((X, y))
    with collected():
        fit(mlp(), detector, y=y, epochs=40)
    assert detector.diagnosis.findings[0].code == "KTF131"


def test_only_causes_that_were_asked_for_count():
    with collected() as texts:
        detector = kt.CollapseDetector((X, Y), causes=["KTF409"])
        fit(dead_net(), detector)
        assert detector.diagnosis is None
        detector = kt.CollapseDetector((X, Y), causes=["dead-relu"])
        fit(dead_net(), detector)
        assert detector.diagnosis.codes[0] == "KTF403"
    assert texts


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
    """1 - Dice of the whole batch, which all foreground makes quite small."""
    both = keras.ops.sum(y * p)
    return 1 - 2 * both / (keras.ops.sum(y) + keras.ops.sum(p) + 1e-6)


def test_all_foreground_under_dice_is_caught_before_half_of_the_epochs():
    x, y = squares()
    noise = np.random.default_rng(3).normal(size=x.shape).astype("float32")
    model = segmenter(1, "sigmoid", batch_dice, rate=0.1)
    detector = kt.CollapseDetector((noise, y))
    with collected():
        history = fit(model, detector, noise, y, epochs=12, batch_size=8)
    assert history["loss"][-1] < history["loss"][0]  # as if it learned
    assert model.predict(noise, verbose=0).min() > 0.5
    assert detector.alarms[0] <= 6 * 12
    assert "KTF503" in detector.diagnosis.codes


def test_all_background_is_caught_before_half_of_the_epochs():
    x, y = squares(side=4)
    model = segmenter(1, "sigmoid", "binary_crossentropy")
    model.layers[0].bias.assign(np.full(8, -50.0))
    detector = kt.CollapseDetector((x, y))
    with collected():
        history = fit(model, detector, x, y, epochs=12, batch_size=16)
    assert history["loss"][-1] < history["loss"][0]
    assert detector.alarms[0] <= 6 * 6
    assert detector.diagnosis.codes[0] == "KTF403"


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


@pytest.mark.parametrize(
    "loss",
    [
        kt.WeightedSum([kt.MaskedSoftDice(**FIRST), kt.MaskedCrossentropy(**FIRST)]),
        keras.losses.SparseCategoricalCrossentropy(**FIRST),
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


# Any model, and any input


class Doubled(keras.Model):
    """A subclassed model with a training step of its own, or the usual one."""

    def __init__(self):
        super().__init__()
        self.hidden = layers.Dense(16, "relu")
        self.head = layers.Dense(1)

    def call(self, inputs):
        return {"answer": self.head(self.hidden(inputs))}


class OwnStep(Doubled):
    def train_step(self, *args):
        return super().train_step(*args)


@pytest.mark.parametrize("kind", [Doubled, OwnStep])
def test_subclassed_models(kind):
    model = kind()
    model.compile(keras.optimizers.Adam(0.01), {"answer": "mse"})
    detector = kt.CollapseDetector((X, {"answer": Y}))
    history = fit(model, detector, y={"answer": Y}, epochs=12)
    assert detector.diagnosis is None
    assert history["collapse/skill"][-1] > 0.8


@pytest.mark.parametrize(
    "settings",
    [
        {"run_eagerly": True},
        {"jit_compile": False},
        {"steps_per_execution": 3},
        pytest.param(
            {"jit_compile": True},
            marks=pytest.mark.backend_only(
                "tensorflow", "jax", reason="torch.compile needs a C++ compiler"
            ),
        ),
    ],
    ids=str,
)
def test_ways_to_compile(settings):
    if "steps_per_execution" in settings and BACKEND == "torch":
        pytest.skip("Keras on torch has one step in an execution")
    detector = kt.CollapseDetector((X, Y))
    history = fit(mlp(rate=0.03, **settings), detector, epochs=5)
    assert detector.diagnosis is None
    assert history["collapse/skill"][-1] > 0.8
    # The last execution of an epoch may be counted with all of its steps.
    assert detector.history["step"][-1] in (40, 45)


def test_mixed_precision():
    keras.config.set_dtype_policy("mixed_float16")
    detector = kt.CollapseDetector((X, Y))
    history = fit(mlp(rate=0.03), detector, epochs=5)
    assert detector.diagnosis is None
    assert history["collapse/skill"][-1] > 0.8


def test_a_model_that_is_built_by_fit():
    model = keras.Sequential([layers.Dense(16, "relu"), layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.03), "mse")
    detector = kt.CollapseDetector((X, Y))
    fit(model, detector, epochs=5)
    assert detector.history["skill"][-1] > 0.8


def test_a_model_for_batches_of_one_size():
    inputs = keras.Input(batch_shape=(32, 5, 1))
    outputs = layers.Dense(1)(layers.SimpleRNN(8)(inputs))
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.Adam(0.01), "mse")
    x = RNG.normal(size=(64, 5, 1)).astype("float32")
    y = x.sum(1)
    detector = kt.CollapseDetector((x, y))
    fit(model, detector, x, y, batch_size=32, epochs=2)
    assert len(detector.history["step"]) == 2


def test_several_inputs():
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    outputs = layers.Dense(1)(layers.Concatenate()([a, b]))
    model = keras.Model({"a": a, "b": b}, outputs)
    model.compile(keras.optimizers.Adam(0.1), "mse")
    detector = kt.CollapseDetector(({"a": X, "b": X}, Y, np.ones(256)))
    fit(model, detector, x={"a": X, "b": X}, epochs=8)
    assert detector.history["skill"][-1] > 0.8


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


@pytest.mark.parametrize("kind", [Batches, generator])
def test_probes_that_are_read(kind):
    detector = kt.CollapseDetector(kind())
    fit(mlp(rate=0.03), detector, epochs=5)
    assert detector.history["skill"][-1] > 0.8
    fit(mlp(rate=0.03), detector, epochs=5)  # the generator is empty now
    assert detector.history["skill"][-1] > 0.8


# Nothing in it breaks a training


@pytest.mark.parametrize("kind", [Batches, generator])
def test_a_probe_that_cannot_be_read_any_more(kind):
    detector = kt.CollapseDetector(kind(broken=True))
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
    class Picky(Doubled):
        def call(self, inputs, training=None):
            if not training:
                raise RuntimeError("only in training")
            return super().call(inputs)

    model = Picky()
    model.compile("sgd", {"answer": "mse"}, run_eagerly=True)
    model.hidden.build((None, 4)), model.head.build((None, 16))
    detector = kt.CollapseDetector((X, {"answer": Y}))
    with collected() as texts, contextlib.suppress(RuntimeError):
        fit(model, detector, y={"answer": Y}, epochs=2)
    assert len(texts) <= 1


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
    others = [
        callbacks.EarlyStopping("collapse/skill" if is_first else "loss", patience=9),
        callbacks.ReduceLROnPlateau("loss", patience=1, min_delta=10.0),
        callbacks.ModelCheckpoint(tmp_path / "best.keras", monitor="loss"),
        callbacks.BackupAndRestore(tmp_path / "backup"),
        callbacks.CSVLogger(tmp_path / "log.csv"),
        callbacks.LearningRateScheduler(lambda epoch, rate: 0.03 * 0.9**epoch),
        callbacks.TerminateOnNaN(),
    ]
    if BACKEND == "tensorflow" and importlib.util.find_spec("tensorboard"):
        others.append(callbacks.TensorBoard(tmp_path / "board"))
    if is_first:
        others[0].mode = "max"
        others[0] = callbacks.EarlyStopping("collapse/skill", patience=9, mode="max")
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


# Bad input


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


SPARSE = "sparse_categorical_crossentropy"


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
def test_a_probe_that_does_not_fit_is_one_line_and_ends_no_training(probe, message):
    with collected() as texts:
        history = fit(mlp(), kt.CollapseDetector(probe), epochs=2)
    assert len(history["loss"]) == 2
    text = next(text for text in texts if re.search(message, text))
    assert len(text.splitlines()) == 1


PROBES = {
    "targets of more outputs": (X, [Y, None]),
    "samples without a batch axis": ((x, y) for x, y in zip(X, Y, strict=True)),
    "no targets, read as (x, y, weight)": [(X[:8], X[:8], X[:8])],
    "batches of different shapes": [(X[:4], Y[:4]), (X[:4, :3], Y[:4])],
    "nested batches": [{"a": {"b": [X[:4], (Y[:4],)]}}],
    "batches of nothing known": [object(), object()],
    "texts": (np.array(["a", "b"] * 8), Y[:16]),
    "targets that are texts": (X, np.array(["a", "b"] * 128)),
    "ragged": [([[1.0], [1.0, 2.0]], [[1.0], [2.0]])],
}


@pytest.mark.parametrize("form", PROBES)
def test_no_form_of_probe_ends_a_training(form):
    with collected() as texts:
        history = fit(mlp(), kt.CollapseDetector(PROBES[form]), epochs=2)
    assert len(history["loss"]) == 2
    assert len(texts) <= 1, texts
    assert all(len(text.splitlines()) == 1 for text in texts)


def test_an_output_without_a_loss():
    entry = keras.Input((4,))
    hidden = layers.Dense(16, "relu")(entry)
    outputs = [layers.Dense(1, name="a")(hidden), layers.Dense(2, name="b")(hidden)]
    model = keras.Model(entry, outputs)
    model.compile(keras.optimizers.Adam(0.03), ["mse", None])
    y = [Y, None]
    detector = kt.CollapseDetector((X, y))
    with collected() as texts:
        history = fit(model, detector, y=y, epochs=5)
    assert not texts
    assert history["collapse/skill"][-1] > 0.8


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


@pytest.mark.parametrize("head", [None, "softmax"])
def test_a_model_compiled_without_a_loss(head):
    labels = np.digitize(X[:, 0], np.linspace(-1.5, 1.5, 9))
    model = OwnLoss(head)
    model.compile(keras.optimizers.Adam(0.01))
    detector = kt.CollapseDetector((X, labels))
    with collected() as texts:
        history = fit(model, detector, y=labels, epochs=12)
    assert len(history["loss"]) == 12
    assert detector.diagnosis is None
    if head is None:  # only the loss knows what ten numbers have to do with one label
        (text,) = texts
        assert "do not fit the output" in text
    else:
        assert not texts
        assert history["collapse/skill"][-1] > 0.2


def test_what_can_be_seen_is_seen_where_targets_do_not_fit():
    labels = np.arange(256) % 10
    model = OwnLoss()
    model.compile(keras.optimizers.SGD(1e30))
    detector = kt.CollapseDetector((X, labels))
    with collected() as texts:
        fit(model, detector, y=labels, epochs=2)
    assert "KTF409" in detector.diagnosis.codes
    assert len(texts) == 2


def test_a_loss_of_ones_own_may_take_targets_of_another_shape():
    def likelihood(y_true, y_pred):
        log_variance = y_pred[:, 1]
        error = keras.ops.square(y_true[:, 0] - y_pred[:, 0])
        return keras.ops.mean(log_variance + error * keras.ops.exp(-log_variance))

    detector = kt.CollapseDetector((X, Y))
    history = fit(mlp(2, loss=likelihood), detector)
    assert detector.diagnosis is None
    assert "collapse/skill" in history


def test_a_rate_that_did_well_at_first():
    """What a first trial would not tell: steps help, until there is a plateau."""
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


def test_labels_that_are_no_class():
    labels = np.arange(256) % 3
    detector = kt.CollapseDetector((X, labels + 1))
    with collected() as texts:
        history = fit(mlp(3, "softmax", SPARSE), detector, y=labels)
    assert len(history["loss"]) == 4
    message = "no class of the output.*3 units.*\\[3\\]"
    assert sum(re.search(message, text) is not None for text in texts) == 1
    assert "KTF121" in detector.diagnosis.codes


def test_a_probe_of_one_class_is_noted(capsys):
    labels = np.arange(256) % 3
    detector = kt.CollapseDetector((X, 0 * labels))
    history = fit(mlp(3, "softmax", SPARSE), detector, y=labels)
    assert "all samples of `probe` have one class" in capsys.readouterr().out
    assert detector.diagnosis is None
    assert np.isnan(history["collapse/skill"]).all()


def test_a_probe_without_targets_is_noted(capsys):
    detector = kt.CollapseDetector(X)
    fit(mlp(), detector)
    assert "`probe` has no targets" in capsys.readouterr().out
    assert detector.diagnosis is None


# The picture, and the page


def test_plot(tmp_path):
    pytest.importorskip("matplotlib")
    detector = kt.CollapseDetector((X, Y))
    with collected():
        fit(dead_net(), detector)
    figure = detector.plot(tmp_path / "seen.png")
    axes = figure.axes[0]
    assert (tmp_path / "seen.png").stat().st_size > 1000
    assert list(axes.lines[0].get_xdata()) == detector.history["step"]
    assert "KTF403" in axes.get_title(loc="left")
    assert [text.get_text() for text in axes.texts] == ["collapsed"]
    assert kt.CollapseDetector((X, Y)).plot() is not None  # before any fit


def test_its_arguments_are_documented():
    names = list(inspect.signature(kt.CollapseDetector).parameters)
    for name in names:
        assert f"        {name}: " in kt.CollapseDetector.__doc__
