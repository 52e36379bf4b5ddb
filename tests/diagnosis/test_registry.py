"""One record holds all that is known of a code."""

import keras
import numpy as np
import pytest

from keras_trainfix import Diagnosis, cli, diagnose
from keras_trainfix.callbacks.collapse import cures, verdict
from keras_trainfix.diagnosis import examine as engine
from keras_trainfix.diagnosis.change import Change
from keras_trainfix.diagnosis.ranking import ranked
from keras_trainfix.diagnosis.registry import CHECKS, check, find_check, found
from keras_trainfix.diagnosis.report.verdict import causes_of

X = np.random.default_rng(0).normal(size=(32, 3)).astype("float32")


@pytest.fixture
def made_up():
    @check(
        "KTF199",
        "too-many-samples",
        "error",
        action="read {n} faster[, or {nothing}]",
        scope="model",
        explains=("KTF501",),
        irreversible=True,
        sets_rate=True,
        repair=lambda case: Change(trainable=True),
        rate="lower",
        aliases=("over-sampled",),
    )
    def too_many_samples(snapshot):
        """There are more samples than anyone can read.

        ## Fix
        Read faster.
        """
        return found(f"{snapshot.samples} samples.", "x = x[:1]", n=snapshot.samples)

    yield CHECKS["KTF199"]
    del CHECKS["KTF199"]


def model():
    net = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    net.compile("sgd", "mse")
    return net


def test_a_new_code_needs_one_record_only(made_up, capsys):
    net = model()
    net.layers[0].trainable = False
    diagnosis = diagnose(net, X, X[:, :1], fit=False)
    assert diagnosis.codes[:1] == ["KTF199"]  # found, and ranked
    finding = diagnosis.findings[0]
    assert finding.evidence == {"n": 32}
    assert verdict.is_irreversible(diagnosis)
    assert verdict.names_cause(diagnosis)
    remedy, cause = cures.find_remedy(diagnosis)
    assert remedy is cures.LOWER
    assert cause is finding
    assert Diagnosis([finding]).fixed(net).trainable_weights
    for word in ("KTF199", "too-many-samples", "over-sampled"):
        assert find_check(word) is made_up
        assert cli.main(["explain", word]) == 0
    assert "Read faster." in capsys.readouterr().out


def test_a_new_code_explains_and_ranks_as_its_record_says(made_up):
    engine.CHECKS["KTF501"]
    finding = made_up.run(engine.Snapshot(model(), X))
    symptom = finding.__class__(
        "KTF501", "constant-prediction", "error", {}, "", "", ""
    )
    rate = finding.__class__(
        "KTF401", "learning-rate-too-high", "error", {}, "", "", ""
    )
    assert causes_of([finding, symptom]) == {2: ([1], True)}
    assert Diagnosis([finding, symptom]).verdict == "First read 32 faster (KTF199)."
    assert [f.code for f in ranked([symptom, rate, finding])] == [
        "KTF199",
        "KTF401",
        "KTF501",
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ("KTF501", "again", "error"),
        ("KTF901", "no-such-family", "error"),
        ("KTF198", "no-such-severity", "fatal"),
        ("KTF198", "no-such-scope", "error", "layer"),
    ],
)
def test_a_record_that_makes_no_sense(arguments):
    with pytest.raises(ValueError, match="A check needs a new code.*Received: code="):
        check(*arguments)


def test_earlier_names_are_understood():
    assert find_check("over-regularised") is CHECKS["KTF408"]
    assert find_check("bad-initialisation") is CHECKS["KTF407"]


def test_each_code_says_what_to_do_first():
    for record in CHECKS.values():
        words = record.action
        assert words, record.code
        assert words[0].islower(), record.code
        assert not words.endswith("."), record.code
        assert len(words) <= 60, record.code
