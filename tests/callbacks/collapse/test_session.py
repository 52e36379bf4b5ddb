"""What a session reports and repairs, without a step of `fit`."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_trainfix.callbacks.collapse.schedule import Settings
from keras_trainfix.callbacks.collapse.session import Session
from keras_trainfix.diagnosis.findings import DiagnosisError
from keras_trainfix.diagnosis.observe.sample import Sample
from tests.callbacks.collapse.nets import (
    SPARSE,
    X,
    Y,
    adam,
    collected,
    dead_net,
    diagnosis,
    mlp,
    solved_net,
)

IDS = np.arange(256) % 3


def session_of(model, y=Y, x=X, causes=None, **settings):
    return Session(model, Sample(x, y), Settings(**settings), causes)


def run(session, epochs=1, steps=8):
    """All that happens in a `fit` but its steps."""
    session.begin()
    for epoch in range(epochs):
        session.begin_epoch(epoch)
        for batch in range(steps):
            if session.count_step(batch):
                session.quick_check()
        session.end_epoch()
    session.end()
    return session


# --- the beginning ---


def test_dead_weights_are_reported_at_once():
    with collected() as texts:
        session = session_of(dead_net())
        session.begin()
    assert session.diagnosis.codes[0] == "KTF403"
    assert len(texts) == 1
    assert "KTF403 dead-relu" in texts[0]
    with collected() as texts:
        session = session_of(mlp())
        session.begin()
    assert session.diagnosis is None
    assert not texts


@pytest.mark.parametrize(("causes", "found"), [(["KTF403"], True), (["KTF409"], False)])
def test_only_the_given_causes_count(causes, found):
    with collected() as texts:
        session = run(session_of(dead_net(), causes=causes), steps=4)
    assert (session.diagnosis is not None) == found
    assert any("KTF403" in text for text in texts) == found
    assert bool(session.state.alarms) == found


def test_dead_weights_are_replaced_in_a_rescue():
    model = dead_net()
    session = session_of(model, action="rescue")
    with collected() as texts:
        session.begin()
    assert not texts
    assert session.state.rescues == len(session.rescues) == 1
    assert np.abs(model.get_weights()[1]).max() < 1


def test_what_no_rescue_can_change_is_reported():
    labels = (Y > 1).astype("float32")
    model = mlp(1, "softmax", "binary_crossentropy")
    session = session_of(model, labels, action="rescue")
    with collected() as texts:
        session.begin()
    assert session.rescues == []
    assert session.diagnosis.codes[0] == "KTF201"
    assert len(texts) == 1


# --- what the samples allow ---


def test_samples_of_one_class_are_noted_and_nothing_is_reported(capsys):
    model = mlp(3, "softmax", SPARSE)
    with collected() as texts:
        session = run(session_of(model, 0 * IDS), steps=40)
    assert "all samples of `probe` have one class" in capsys.readouterr().out
    assert session.diagnosis is None
    assert np.isnan(session.history["skill"]).all()
    assert not texts
    session_of(mlp(3, "softmax", SPARSE), IDS).begin()
    assert "have one class" not in capsys.readouterr().out


def test_missing_targets_are_noted(capsys):
    session = run(session_of(mlp(), None))
    assert "`probe` has no targets" in capsys.readouterr().out
    assert session.diagnosis is None
    session_of(mlp()).begin()
    assert "no targets" not in capsys.readouterr().out


def test_without_targets_what_is_not_finite_is_still_seen():
    model = mlp()
    session = session_of(model, None)
    with collected() as texts:
        session.begin()
        session.begin_epoch(0)
        model.set_weights([np.full_like(w, np.nan) for w in model.get_weights()])
        for batch in range(4):
            session.count_step(batch)
        session.quick_check()
    assert "KTF409" in session.diagnosis.codes
    assert len(texts) == 1


def test_targets_that_do_not_fit_are_one_line_and_left_out():
    with collected() as texts:
        session = run(session_of(mlp(), np.hstack([Y, Y])))
    (text,) = texts
    assert "do not fit the output" in text
    assert len(text.splitlines()) == 1
    assert np.isnan(session.history["skill"]).all()


def test_labels_that_are_no_class_are_one_line():
    with collected() as texts:
        session = session_of(mlp(3, "softmax", SPARSE), IDS + 1)
        session.begin()
    assert sum("no class of the output" in text for text in texts) == 1
    assert "KTF121" in session.diagnosis.codes


def test_a_custom_loss_may_take_targets_of_another_shape(capsys):
    def likelihood(y_true, y_pred):
        log_variance = y_pred[:, 1]
        error = keras.ops.square(y_true[:, 0] - y_pred[:, 0])
        return keras.ops.mean(log_variance + error * keras.ops.exp(-log_variance))

    with collected() as texts:
        session = run(session_of(mlp(2, loss=likelihood)))
    assert not texts
    assert "do not fit the output" in capsys.readouterr().out
    assert session.diagnosis is None


def two_outputs(losses):
    entry = keras.Input((4,))
    outputs = [layers.Dense(1, name="a")(entry), layers.Dense(2, name="b")(entry)]
    model = keras.Model(entry, outputs)
    model.compile(adam(0.03), losses)
    return model


def test_an_output_without_a_loss_is_no_reason_to_warn():
    with collected() as texts:
        session = session_of(two_outputs(["mse", None]), [Y, Y])
        session.begin()
        session.quick_check()
    assert not texts
    assert np.isfinite(session.last("skill"))
    with collected() as texts:
        session_of(two_outputs(["mse", "mse"]), [Y, Y]).begin()
    assert len(texts) == 1
    assert "'b'" in texts[0]


# --- checks ---


def test_quick_checks_are_early_and_then_rare():
    session = run(session_of(solved_net()), epochs=3, steps=64)
    steps, epochs = session.history["step"], session.history["epoch"]
    assert steps == [4, 8, 16, 32, 64, 128, 192]
    assert epochs == [0] * 5 + [1, 2]
    assert session.history["skill"] == pytest.approx([1] * 7)
    assert session.diagnosis is None


def test_quick_checks_every_few_steps():
    session = run(session_of(solved_net(), check_every=10), epochs=2, steps=32)
    assert session.history["step"] == [4, 14, 24, 32, 42, 52, 62, 64]


def test_a_step_is_checked_once():
    session = session_of(solved_net())
    session.begin()
    assert np.isnan(session.last("skill"))
    session.quick_check()
    session.quick_check()
    assert session.history["step"] == [0]
    assert session.last("skill") == pytest.approx(1)


def collapsed(model, **settings):
    """A session whose model gives one answer for everything, for no known reason."""
    model.optimizer.build(model.trainable_variables)
    session = session_of(model, **settings)
    session.begin()
    session.begin_epoch(0)
    model.set_weights([0 * weight for weight in model.get_weights()])
    session._watch.symptoms = lambda snapshot: diagnosis(("KTF501", "error"))
    return session


@pytest.mark.parametrize(
    ("skills", "lacks"),
    [
        ([0.1, 0.1], True),
        ([0.1, 0.2], False),  # it still learns
        ([-9.0, -5.0], False),
        ([0.1, 0.4], False),
        ([np.nan, np.nan], True),
    ],
)
def test_when_skill_is_missing(skills, lacks):
    session = session_of(mlp())
    session.history["step"] += [100, 200]
    session.history["skill"] += skills
    assert session._lacks_skill() == lacks


def test_skill_that_was_never_measured_is_noted_once(capsys):
    session = session_of(mlp())
    session._watch.examine = lambda *args, **kwargs: diagnosis()
    session.begin()
    session.history["skill"] += [np.nan, np.nan]
    session.end()
    session.end()
    assert capsys.readouterr().out.count("could be compared at none of 2 looks") == 1


@pytest.mark.parametrize("patience", [1, 3])
def test_patience_is_the_number_of_suspicious_checks(patience):
    model = mlp()
    session, checks = collapsed(model, patience=patience, action="stop"), []
    session._watch.examine = lambda *args, **kwargs: diagnosis(("KTF401", "error"))
    with collected():
        for batch in range(64):
            if session.count_step(batch):
                session.quick_check()
                checks.append(bool(session.state.alarms))
    assert checks.index(True) + 1 == patience


def test_a_fit_that_only_warns_is_examined_after_some_steps():
    model = mlp()
    session, examined = collapsed(model), []
    assert session.settings.prices.examination > 64
    session._watch.examine = lambda *args, **kwargs: examined.append(session.state.step)
    for batch in range(64):
        if session.count_step(batch):
            session.quick_check()
    assert not examined


def test_a_collapse_is_raised():
    model = dead_net()
    session = session_of(model, action="raise")
    with collected() as texts, pytest.raises(DiagnosisError, match="KTF403") as error:
        run(session, steps=4)
    assert error.value.diagnosis is session.diagnosis
    assert len(texts) == 1  # before the first step


@pytest.mark.parametrize("action", ["warn", "stop"])
def test_a_collapse_stops_the_training_only_if_asked(action):
    model = dead_net()
    model.stop_training = False
    with collected():
        session = run(session_of(model, action=action), steps=4)
    assert session.state.alarms == (4,)
    assert model.stop_training == (action == "stop")


# --- the end ---


def ended(found, action="warn", last=0.1, **settings):
    """A session after `fit`, whose diagnosis at the end is given."""
    session = session_of(solved_net(), action=action, **settings)
    session.begin()
    session.history["skill"] += [last, last]
    session._watch.examine = lambda *args, **kwargs: diagnosis(*found)
    session._rescuer.recalibrate = lambda *args: True
    session.end()
    return session


@pytest.mark.parametrize(
    ("found", "last", "warned", "kept"),
    [
        ([("KTF402", "error")], 0.1, 1, True),
        ([("KTF402", "error")], 0.9, 0, False),  # it has learned
        ([("KTF131", "note")], 0.1, 0, True),  # reason enough, and nothing to warn of
        ([("KTF132", "note")], 0.1, 0, False),
        ([], 0.1, 0, False),
    ],
)
def test_the_diagnosis_at_the_end(found, last, warned, kept):
    with collected() as texts:
        session = ended(found, last=last)
    assert len(texts) == warned
    assert (session.diagnosis is not None) == kept


def test_statistics_that_lag_are_recalibrated_in_a_rescue():
    with collected() as texts:
        session = ended([("KTF301", "warning")], action="rescue")
    assert not texts
    assert session.diagnosis.codes == ["KTF301"]
    with collected() as texts:
        ended([("KTF301", "warning")])
    assert len(texts) == 1


def test_a_collapse_at_the_end_is_raised():
    with pytest.raises(DiagnosisError, match="KTF501"):
        ended([("KTF501", "error"), ("KTF402", "warning")], action="raise")
    with collected() as texts:
        ended([("KTF402", "error")], action="raise")
    assert len(texts) == 1


def test_the_present_rate_gets_another_trial_where_no_cause_was_found():
    """A rate that works from the initial weights may fail from the present ones."""
    session, starts = collapsed(mlp(), patience=1), []

    def examine(snapshot, weights=None, trial=False):
        starts.append(weights is None)
        return diagnosis(("KTF402" if weights is None else "KTF501", "error"))

    session._watch.examine = examine
    with collected() as texts:
        session.count_step(199)  # too late to hope for more steps
        session.quick_check()
    assert starts == [False, True]
    assert session.diagnosis.codes == ["KTF402"]
    assert len(texts) == 1


def test_a_rescue_begins_again():
    model = mlp(rate=10.0)
    session = collapsed(model, action="rescue", patience=1)
    found = diagnosis(("KTF401", "error"))
    session._watch.examine = lambda *args, **kwargs: found
    session._watch.tuned_rate = lambda gain: None
    for batch in range(4):
        session.count_step(batch)
    session.quick_check()
    assert (session.state.rescues, session.state.steps) == (1, 0)
    assert session.rescues[0]["when"] == "epoch 1, step 4"
    assert session.rescues[0]["code"] == "KTF401"
    assert np.abs(model.get_weights()[0]).max() > 0  # the initial weights
