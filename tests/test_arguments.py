"""What users guess first works, or an error says what to write: one table."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_trainfix as kt
from keras_trainfix.arguments import check_names
from keras_trainfix.callbacks.collapse.session import CollapseWarning

X = np.random.default_rng(1).normal(size=(64, 4)).astype("float32")
Y = (X[:, 0] > 0).astype("int32")
OTHERS = X[:32] + 1, (X[:32, 0] > -1).astype("int32")
DICE, CE = kt.MaskedSoftDice, kt.MaskedCrossentropy


def net(features=4, units=1):
    model = keras.Sequential([keras.Input((features,)), layers.Dense(units, "sigmoid")])
    model.compile("adam", "binary_crossentropy")
    return model


def diagnosed(*args, **kwargs):
    return kt.diagnose(*args, fit=False, verbose=0, **kwargs)


ERRORS = {
    "order of arguments": (lambda: diagnosed(X, Y, net()), "The model comes first"),
    "lists": (lambda: diagnosed(net(), X.tolist(), Y.tolist()), r"Pass `np.array\(x\)"),
    "a path": (lambda: diagnosed("m.keras", X, Y), "keras.models.load_model"),
    "a class": (lambda: diagnosed(keras.Sequential, X, Y), "Make a model of it"),
    "a layer": (lambda: diagnosed(layers.Dense(1), X, Y), "Put the layer into a model"),
    "no model": (lambda: diagnosed(None, X, Y), "must be a keras.Model. Rec.* None"),
    "another framework": (lambda: diagnosed(object(), X, Y), "builtins.object. Models"),
    "order, rates": (
        lambda: kt.learning_rate_range_test(X, Y, net()),
        "The model comes first",
    ),
    "unbatched": (
        lambda: diagnosed(net(), zip(X, Y, strict=True)),
        r"must be batched.*call `.batch\(32\)`",
    ),
    "another width": (
        lambda: diagnosed(net(5), X, Y),
        r"has the shape \(4,\), and the model takes \(5,\)",
    ),
    "another length": (lambda: diagnosed(net(), X, Y[:9]), "the same number of samp"),
    "balanced in fit": (
        lambda: diagnosed(net(), X, Y, class_weight="balanced"),
        "class_weights_from_labels",
    ),
    "balanced": (lambda: CE(class_weight="balanced"), "class_weights_from_labels"),
    "two losses": (lambda: kt.WeightedSum(DICE(), CE()), r"must be a list: Weighted"),
    "a loss of Keras": (lambda: CE() + keras.losses.Dice(), "losses of keras_trainfix"),
    "other settings": (lambda: CE() + DICE(from_logits=True), "agree on `from_logits`"),
    "logits": (lambda: CE(logits=True), "no argument `logits`: here it is `from_logit"),
    "weight": (lambda: CE(weight=[1, 2]), "here it is `class_weight`"),
    "classes": (lambda: kt.MeanIoU(classes=2), "here it is `num_classes`"),
    "a model to watch": (lambda: kt.CollapseDetector(net()), "the model is that of `f"),
    "validation data": (
        lambda: kt.CollapseDetector(validation_data=(X, Y)),
        "no argument `validation_data`: here it is `probe`",
    ),
}
TAKES_IGNORE_CLASS = [
    *(kt.MaskedCrossentropy, kt.MaskedSoftDice, kt.MaskedTversky, kt.MaskedLovasz),
    *(kt.MaskedClDice, kt.MaskedBoundary, kt.MaskedHausdorff),
    *(kt.MeanIoU, kt.DiceScore, kt.PixelAccuracy, kt.BoundaryIoU, kt.ConfusionMatrix),
    *(kt.SurfaceDistances, kt.PredictionSpread, kt.masked_crossentropy),
    *(kt.masked_soft_dice, kt.confusion_matrix, kt.boundary_iou, kt.surface_distances),
    *(kt.class_weights_from_labels, kt.signed_distance),
]


@pytest.mark.parametrize("guess", ERRORS)
def test_an_error_says_what_to_write(guess):
    call, expected = ERRORS[guess]
    with pytest.raises((TypeError, ValueError), match=f"(?s){expected}"):
        call()


@pytest.mark.parametrize("called", TAKES_IGNORE_CLASS)
def test_ignore_index_is_ignore_class(called):
    with pytest.raises(TypeError, match="`ignore_index`: here it is `ignore_class`"):
        called(ignore_index=255)


def test_a_name_that_nobody_knows_is_left_to_python():
    with pytest.raises(TypeError, match="unexpected keyword argument 'radius'"):
        CE(radius=2)
    check_names(kt.WeightedSum, ["weights"])


def test_losses_are_added_and_scaled():
    labels, answers = np.array([[0, 1, 255]]), np.array([[0.2, 0.7, 0.5]])[..., None]

    def value(loss):
        return round(float(loss(labels, answers)), 5)

    expected = value(kt.WeightedSum([DICE(), CE()], [0.5, 1.0]))
    assert value(0.5 * DICE() + CE()) == expected
    assert value(DICE() * 0.5 + CE()) == expected
    assert value(sum([0.5 * DICE(), CE()])) == expected
    both = 2 * (0.5 * DICE() + CE()) + DICE()
    assert both.weights == [1.0, 2.0, 1.0]
    assert (CE() + (DICE() + CE())).weights == [1.0, 1.0, 1.0]
    with pytest.raises(TypeError):
        DICE() * None


def test_a_diagnosis_is_a_series_of_findings():
    diagnosis = diagnosed(net(), 1000 * X, Y)
    assert list(diagnosis) == diagnosis.findings
    assert len(diagnosis) == len(diagnosis.findings) > 0
    assert bool(kt.Diagnosis([]))  # there is one, and it has no finding
    assert len(kt.Diagnosis([])) == 0


@pytest.mark.parametrize(
    ("make", "given"),
    [
        (lambda: kt.CollapseDetector(X, Y), {}),
        (lambda: kt.CollapseDetector(X, Y, verbose=0), {}),
        (lambda: kt.CollapseDetector(), {}),
        (lambda: kt.CollapseDetector(), {"validation_data": OTHERS}),
        (lambda: kt.CollapseDetector(), {"validation_data": [*OTHERS]}),
        (lambda: kt.CollapseDetector(), {"validation_split": 0.25}),
    ],
)
def test_the_detector_finds_its_samples(make, given):
    detector, model = make(), net()
    history = model.fit(X, Y, epochs=2, verbose=0, callbacks=[detector], **given)
    assert np.isfinite(history.history["collapse/skill"][-1])
    held_out = 16 if "validation_split" in given else len(OTHERS[0])
    assert len(detector._sample.x) == (held_out if given else len(X))


def test_the_detector_needs_samples_where_fit_has_an_iterator():
    batches = (batch for batch in [(X, Y)] * 2)
    with pytest.warns(CollapseWarning, match="`probe` must be given"):
        net().fit(
            batches,
            steps_per_epoch=2,
            shuffle=False,
            verbose=0,
            callbacks=[kt.CollapseDetector()],
        )


def test_frames_in_a_tuple():
    pandas = pytest.importorskip("pandas")
    frames = pandas.DataFrame(X), pandas.Series(Y)
    assert diagnosed(net(), frames).ok
    detector = kt.CollapseDetector(frames)
    net().fit(X, Y, epochs=2, verbose=0, callbacks=[detector])
    assert np.isfinite(detector.history["skill"][-1])
