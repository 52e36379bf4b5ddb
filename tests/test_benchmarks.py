import collections
import functools
import importlib.util
import itertools
import json
import re
import time
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_trainfix as kt
from benchmarks import (
    batch_norm,
    collapse_detector,
    diagnosis,
    losses,
    measure,
    metrics,
    peers,
    programs,
    records,
)
from benchmarks.diagnosis import faults_of_heads, margins, runs, zoo
from benchmarks.diagnosis.cases import build, look
from benchmarks.programs.common import arrays, batches, explained, overlap, recognized
from benchmarks.programs.runner import process, score
from keras_trainfix.diagnosis import thresholds
from keras_trainfix.diagnosis.registry import CHECKS

Ran = collections.namedtuple("Ran", "findings missed")


def test_every_contestant_gets_the_same_number_of_turns():
    calls = []
    contestants = {name: functools.partial(calls.append, name) for name in "ab"}
    seconds = measure.in_turns(contestants, rounds=3, repeats=2)
    assert list(seconds) == ["a", "b"]
    assert calls.count("a") == calls.count("b") == 2 + 3 * 2
    assert calls[4:] == list("bbaa" + "aabb" + "bbaa")


def test_the_table_shows_ratios_to_the_reference(capsys):
    measure.print_table("step", {"ours": 0.001, "theirs": 0.002}, "theirs")
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split() == ["ours", "1.00", "0.50"]
    assert lines[3].split() == ["theirs", "2.00", "1.00"]


def test_peak_memory_is_that_of_the_statement():
    little = measure.peak_memory("pass")
    much = measure.peak_memory("kept = b'x' * 2**28")
    assert 0.9 * 2**28 < much - little < 1.2 * 2**28


def test_batch_norm_runs(monkeypatch, capsys):
    monkeypatch.setattr(batch_norm, "SHAPE", (16, 16, 3))
    monkeypatch.setattr(batch_norm, "BATCH", 2)
    once = functools.partial(measure.in_turns, rounds=1, repeats=1)
    monkeypatch.setattr(batch_norm, "in_turns", once)
    monkeypatch.setattr(batch_norm, "peak_memory", lambda _: 2**30)
    batch_norm.main()
    out = capsys.readouterr().out
    for name in batch_norm.CONTESTANTS:
        assert name in out


@pytest.fixture
def small_batches(monkeypatch):
    """Benchmarks of losses and metrics on a few pixels, which keep nothing."""
    shapes = [(2, 8, 8, 3), (1, 4, 4, 4, 2)]
    for module in (losses, metrics):
        monkeypatch.setattr(module, "SHAPES", shapes)
        monkeypatch.setattr(module, "MODES", ("eager",))
    monkeypatch.setattr(metrics, "SMALL", (1, 8, 8, 3))
    monkeypatch.setattr(records, "BUDGET", 0)
    monkeypatch.setattr(records, "memory_of", lambda *_: {"MeanIoU": 2**10})
    monkeypatch.delenv("BENCHMARK_CASES", raising=False)
    monkeypatch.delenv("BENCHMARK_KEEP", raising=False)
    monkeypatch.setattr(peers, "medicai_losses", lambda: None)
    monkeypatch.setattr(peers, "smp_losses", lambda: None)


@pytest.mark.filterwarnings("ignore")  # from MONAI
def test_losses_run(small_batches, capsys):
    losses.main()
    out = capsys.readouterr().out
    for case in ("2x8x8x3 eager", "1x4x4x4x2 eager", "2x8x8x3 memory"):
        assert f"losses {case}" in out
    for name in (*losses.ours(), losses.FLOOR):
        assert out.count(f"  {name}  ") == 2
    assert "Error" not in out


@pytest.mark.filterwarnings("ignore")  # from MONAI
def test_metrics_run(small_batches, capsys):
    metrics.main()
    out = capsys.readouterr().out
    for case in ("small", "2x8x8x3 eager", "1x4x4x4x2 eager", "2x8x8x3 memory"):
        assert f"metrics {case}" in out
    for name in metrics.ours((2, 8, 8, 3), "eager"):
        assert f"  {name}  " in out
    for name, _, _ in metrics.SMALL_LIMITS:
        assert f"  {name}  " in out
    assert "Error" not in out


def test_each_counterpart_exists(small_batches):
    shape = (2, 8, 8, 3)
    for module in (losses, metrics):
        known = set(module.builders(shape, "eager"))
        if module is metrics:
            known |= set(metrics.small_builders())
        for name in module.COUNTERPARTS:
            assert name in known or name.endswith("classes first"), name


def test_what_fails_or_is_slow_is_left_out(monkeypatch, capsys):
    monkeypatch.setattr(records, "ENOUGH", 0.05)

    def fails():
        raise ValueError("no such shape\nmore")

    def builds():
        return lambda: None

    def slow():
        return lambda: time.sleep(0.06)

    makers = {"floor": builds, "fails": fails, "slow": slow}
    seconds, left_out = records.measured(makers, "floor")
    assert list(seconds) == ["floor"]
    assert left_out["fails"] == "ValueError: no such shape"
    assert left_out["slow"] == "a call takes 0 s"


def test_results_are_kept_case_by_case(monkeypatch, tmp_path):
    monkeypatch.setattr(records, "FOLDER", tmp_path)
    records.keep("losses 1 eager", {"floor": 1.0}, {}, "floor")
    assert not list(tmp_path.iterdir())
    monkeypatch.setenv("BENCHMARK_KEEP", "1")
    for value in (1.0, 2.0):
        for case in ("losses 1 eager", "losses 2 eager"):
            records.keep(case, {"floor": value}, {"slow": "a call takes 9 s"}, "floor")
    (path,) = tmp_path.iterdir()
    kept = json.loads(path.read_text())
    assert kept["backend"] == path.stem == keras.backend.backend()
    assert kept["versions"]["keras"] == keras.__version__
    assert list(kept["cases"]) == ["losses 1 eager", "losses 2 eager"]
    assert kept["cases"]["losses 1 eager"]["values"] == {"floor": 2.0}


def test_contestants_of_metrics_count_the_same():
    logits, labels = losses.batch((2, 8, 8, 3))
    expected = np.zeros((3, 3))
    for label, scores in zip(labels.ravel(), logits.reshape(-1, 3), strict=True):
        if label != 255:
            expected[label, scores.argmax()] += 1
    np.testing.assert_array_equal(metrics.bincount(logits, labels)(), expected)
    for y, z in ((labels, logits), map(keras.ops.convert_to_tensor, (labels, logits))):
        metric = kt.MeanIoU(3)
        metrics.update(metric, "eager", y, z)()
        np.testing.assert_array_equal(metric.confusion_matrix(), expected)


def test_the_page_of_speed_follows_from_the_results():
    path = Path(__file__).resolve().parent.parent / "docs" / "speed.py"
    spec = importlib.util.spec_from_file_location("speed", path)
    speed = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(speed)
    found = speed.results()
    text = speed.PAGE.read_text("utf-8")
    assert found
    assert speed.page(text, found) == text, "run `python docs/speed.py`"
    assert "(missed)" not in speed.page(text, []).partition(speed.BEGIN)[2]


def test_diagnosis_runs(capsys):
    diagnosis.main(seeds=[1], parts="zoo", only="rings tanh")
    out = capsys.readouterr().out
    assert "1 healthy trainings, 3 looks" in out
    assert "looks with an alarm, of 100: 0.0" in out
    diagnosis.main(seeds=[1], parts="faults", only="softmax on one unit, trained")
    out = capsys.readouterr().out
    assert "recall: 100.0% of 1" in out
    assert "right first cause: 100.0%" in out


def test_margins_of_thresholds():
    line = thresholds.EFFECT  # sound below it, faulty above
    recorder = margins.Recorder()
    sound = ([value > line for value in (0.1, np.float64(0.15), 0.4)] for _ in "a")
    list(recorder.of_healthy(sound))
    found = ((np.array([0.05, 0.5, 0.9]) > line, Ran([], False))[1] for _ in "a")
    missed = ((line < 0.3, Ran([], True))[1] for _ in "a")
    list(recorder.of_faulty(found))
    list(recorder.of_faulty(missed))
    assert recorder.margins()["EFFECT"] == margins.Margin(0.15, 1, 0.5)
    assert recorder.margins()["EFFECT"].ratio == pytest.approx(0.5 / 0.15)
    assert recorder.margins()["FEW_DRIVE"] == margins.Margin(None, 0, None)
    assert line < 0.3
    assert len(recorder.sound) == 3  # nothing is noted any more


def test_margins_count_the_checks_that_found_the_fault(capsys):
    diagnosis.main(seeds=[1], parts="margins", only="a percentage of 0")
    out = capsys.readouterr().out
    assert re.search(r"FEW_DRIVE +0.99 +- +1 +- ", out), out


def test_collapse_detector_runs(capsys):
    collapse_detector.main(seeds=[1], parts="zoo", only="rings tanh")
    out = capsys.readouterr().out
    assert "alarms, of 100: 0.0" in out
    assert "weights that differ: none" in out
    collapse_detector.main(seeds=[1], parts="rescues", only="Adam of .5, a number")
    out = capsys.readouterr().out
    assert "1 faulty trainings, 1 harmed\nrescued: 100%" in out
    assert re.search(r"by random search with as many steps: (0|100)%", out)
    assert "worse than without: none" in out


def test_the_environment_asks_where_the_caller_does_not(monkeypatch):
    for name in ("SEEDS", "PARTS", "CASES"):
        monkeypatch.delenv(f"BENCHMARK_{name}", raising=False)
    assert measure.asked_for() == ([], None, "")
    monkeypatch.setenv("BENCHMARK_SEEDS", "3 4")
    monkeypatch.setenv("BENCHMARK_PARTS", "zoo")
    monkeypatch.setenv("BENCHMARK_CASES", "LSTM")
    assert measure.asked_for() == ([3, 4], "zoo", "LSTM")
    assert measure.asked_for([5], "faults", "GRU") == ([5], "faults", "GRU")


# Codes with fewer than three faults of their own, and how many. It only ever shrinks.
FEW = dict.fromkeys(
    (
        "133",
        "135",
        "136",
        "137",
        "139",
        "140",
        "141",
        "142",
        "143",
        "145",
        "148",
        "149",
        "150",
        "151",
        "213",
        "217",
        "306",
        "421",
        "423",
        "426",
        "427",
        "428",
        "429",
        "430",
        "506",
        "508",
        "601",
        "603",
    ),
    2,
)
# 146 compares two sets of samples, in `fit` only; 420 looks at callbacks.
FEW |= {"509": 1, "146": 0, "420": 0}


def test_every_code_has_faults_of_its_own():
    expected = [code for fault in runs.FAULTS for code in fault.expected]
    for code in (code[3:] for code in CHECKS):
        count = sum(code in codes.split("|") for codes in expected)
        assert count == FEW[code] if code in FEW else count >= 3, (
            code,
            count,
            FEW.get(code),
        )


def test_cases_have_names_of_their_own():
    healthy = [case.name for case in zoo.CASES]
    faulty = [fault.case.name for fault in runs.FAULTS]
    assert len(set(healthy)) == len(healthy) >= 60
    assert len(set(faulty)) == len(faulty)


PROGRAMS = programs.programs()


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_a_program_says_what_it_is_and_both_versions_build(path):
    program = process.load(path)
    assert program.__doc__
    assert program.URL.startswith("https://")
    assert program.CAUSE.endswith(".")
    assert {entry.partition(": ")[0] for entry in program.FIRST} <= set(CHECKS)
    assert program.HALF in ("chosen", "held out")
    faulty, repaired = program.QUALITY
    assert faulty < 0.3 < 0.8 < repaired <= 1
    for version in process.VERSIONS:
        run = getattr(program, version)()
        assert run.model.optimizer is not None
        assert process.arguments_of_fit(run) is not None
        assert len(run.probe) in (1, 2)


def test_about_half_of_the_programs_are_held_out():
    halves = [process.load(path).HALF for path in PROGRAMS]
    assert halves.count("held out") > 0.45 * len(halves)


def test_a_program_runs_in_a_process_of_its_own(capsys):
    programs.main(parts="before", only="softmax_after_one_unit")
    out = capsys.readouterr().out
    assert "1 of 1 programs ran" in out
    assert "right first before training: 1" in out
    assert "repaired with a finding above note: 0" in out


def look_at(*codes, holds=False, **more):
    findings = [
        {"code": code, "severity": "error", "message": "Dropout off.", "holds": holds}
        for code in codes
    ]
    return {"findings": findings, "seconds": 1.0, **more}


def test_programs_are_scored():
    result = {
        "first": ["KTF402"],
        "faulty": {
            "before": look_at("KTF402", holds=True),
            "samples": look_at("KTF410", "KTF402"),
            "during": look_at(quality=0.2),
            "after": look_at(),
        },
        "repaired": {"during": look_at(quality=0.9)},
        "cures": {"fixed, before": 0.56, "pasted, before": "NameError: no lr"},
    }
    assert score.is_right(result, "before")
    assert not score.is_right(result, "samples")
    assert score.is_found(result)
    assert score.is_proven(result)
    assert score.is_cured(result)
    assert score.is_cured(result, ["fixed"])
    assert not score.is_cured(result, ["pasted"])
    assert score.is_silent(result)
    assert not score.is_alarmed(result)
    result["first"] = ["KTF402: Dropout"]
    assert score.is_right(result, "before")
    result["first"] = ["KTF402: schedule"]
    assert not score.is_right(result, "before")
    assert any("NameError" in line for line in score.lines_of(result))
    result["cures"]["fixed, before"] = 0.54
    result["repaired"]["after"] = look_at("KTF101")
    result["first"] = ["KTF101"]
    assert not score.is_cured(result)
    assert score.is_alarmed(result)
    assert not score.is_found(result)
    assert not score.is_proven(result)


def test_qualities_are_0_for_a_constant_and_1_for_perfect():
    y = np.array([[1.0, 0], [2, 1], [6, 5]])
    assert explained(y, y) == 1
    assert explained(y, np.broadcast_to(y.mean(0), y.shape)) == pytest.approx(0)
    assert explained(y, np.full_like(y, np.nan)) == float("-inf")
    ids = np.array([0, 0, 0, 1, 2])
    assert recognized(ids, ids) == 1
    assert recognized(ids, np.zeros(5)) == pytest.approx(0)
    mask = np.array([0, 1, 1, 0, 0])
    assert overlap(mask, mask) == 1
    assert overlap(mask, np.ones(5)) == pytest.approx(0)


class Said:
    """A diagnosis whose only finding has this fix."""

    def __init__(self, fix):
        self.severity, self.fix = "error", fix
        self.findings = [self]


class Halves(keras.utils.PyDataset):
    """Two batches."""

    def __init__(self, x, y):
        super().__init__()
        self.x, self.y = x, y

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return self.x[6 * index : 6 * index + 6], self.y[6 * index : 6 * index + 6]


def small_run(is_batches=False):
    """A program that keeps what its `fit` got."""
    x = np.arange(24, dtype="float32").reshape(12, 2)
    y = x[:, :1]
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    if is_batches:
        source = Halves(x, y)
        return batches(model, lambda: source, (source,), lambda model: 0.0)
    return arrays(model, x, y, lambda model: 0.0, epochs=3, batch_size=4)


def test_code_is_pasted_above_the_call_of_fit():
    run = small_run()
    recompile = "model.compile(keras.optimizers.Adam(0.01), model.loss)"
    assert process.pasted(Said(recompile), run) is run.model
    assert isinstance(run.model.optimizer, keras.optimizers.Adam)
    assert int(run.model.optimizer.iterations) == 9
    with pytest.raises(NameError):
        process.pasted(Said("model.compile(no_such_optimizer)"), run)
    assert process.pasted(Said("Divide by 255."), run) is None
    assert process.pasted(Said("pass"), run) is None


def test_what_the_code_makes_of_the_data_goes_to_fit():
    run = small_run()
    before = run.model.get_weights()
    fix = "y = 0 * y + np.nan\nmodel.fit(x, y, class_weight=None, epochs=1)"
    process.pasted(Said(fix), run)
    assert int(run.model.optimizer.iterations) == 3
    assert np.isnan(run.model.get_weights()[0]).all()
    assert np.isfinite(before[0]).all()


def test_code_that_changes_batches_is_refused():
    with pytest.raises(ValueError, match="builds itself"):
        process.pasted(Said("x = x / 255"), small_run(is_batches=True))
    run = small_run(is_batches=True)
    assert process.pasted(Said("model.seen = x.shape, y.shape"), run) is run.model
    assert run.model.seen == ((12, 2), (12, 1))


def test_a_program_gets_the_same_names_whenever_it_is_built():
    watched = process.Watched(process.load(PROGRAMS[0]), "faulty", seed=0)
    once, again = watched.build().model, watched.build().model
    assert [layer.name for layer in once.layers] == [
        layer.name for layer in again.layers
    ]


CONTRADICT = [
    {"401", "402"},  # a lower rate, and a higher one
    {"401", "410"},  # the same rate for longer
    *({"201", other} for other in ("202", "203", "204", "205")),  # the head of one unit
    {"209", "212"},  # targets that are read in the wrong shape, or not at all
    {"507", "508"},
    {"505", "509"},
]


def overruled(code):
    return {other[3:] for other in CHECKS[f"KTF{code}"].overrules}


def test_contradictory_findings_overrule_each_other():
    for one, other in map(sorted, CONTRADICT):
        assert (other in overruled(one)) != (one in overruled(other)), (one, other)


def test_no_fault_expects_findings_that_contradict_each_other():
    for fault in runs.FAULTS:
        choices = itertools.product(*(one.split("|") for one in fault.expected))
        assert any(
            not any(overruled(code) & set(codes) for code in codes) for codes in choices
        ), fault.case.name


ONE_HEAD = {"KTF201", "KTF202", "KTF203", "KTF204", "KTF205"}
QUICK = [
    fault
    for fault in faults_of_heads.FAULTS
    if not fault.is_trained
    and fault.case.name.startswith(("softmax on one", "columns"))
]


@pytest.mark.parametrize("fault", QUICK, ids=lambda fault: fault.case.name)
def test_findings_of_a_fault_do_not_contradict_each_other(fault):
    seen = look(*build(fault.case, 0), fit=False)
    codes = {f.code[3:] for f in seen.findings if f.severity != "note"}
    assert not any(pair <= codes for pair in CONTRADICT)
    assert len(ONE_HEAD & set(seen.codes)) <= 1
    assert not any(re.search(r"Dense\(1,[^)]*softmax", f.fix) for f in seen.findings)
