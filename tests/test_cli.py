"""`python -m keras_trainfix`: what it prints, and its exit codes."""

import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_trainfix as kt
from keras_trainfix import cli
from keras_trainfix.diagnosis.findings import SCHEMA, Diagnosis
from keras_trainfix.diagnosis.registry import CHECKS
from tests.diagnosis.report.samples import finding

DOCS = Path(__file__).parents[1] / "docs"

X = np.random.default_rng(1).normal(size=(64, 4)).astype("float32")
ON = (X[:, :1] > 0).astype("float32")


@pytest.fixture
def run(capsys):
    """Runs a command; returns its exit code, output and errors."""

    def run(*arguments):
        code = cli.main([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def terminal(monkeypatch):
    """Makes the output a terminal of 80 columns."""
    rich = pytest.importorskip("rich.console")
    monkeypatch.setattr(cli, "_console", lambda: rich.Console(width=80))


def saved(path, activation, loss="binary_crossentropy"):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(1, activation=activation)]
    )
    model.compile("adam", loss)
    model.save(path)
    return path


@pytest.fixture
def healthy(tmp_path):
    return saved(tmp_path / "healthy.keras", "sigmoid")


@pytest.fixture
def faulty(tmp_path):
    return saved(tmp_path / "faulty.keras", "softmax")


@pytest.fixture
def data(tmp_path):
    np.savez(tmp_path / "data.npz", x=X, y=ON)
    return tmp_path / "data.npz"


# --- explain and codes ---


@pytest.mark.parametrize("word", ["KTF501", "ktf501", "constant-prediction", " KTF501"])
def test_explain_prints_the_page(run, word):
    assert run("explain", word) == (0, CHECKS["KTF501"].page, "")


@pytest.mark.usefixtures("terminal")
def test_explain_in_a_terminal(run):
    code, out, _ = run("explain", "KTF501")
    assert code == 0
    assert "KTF501 constant-prediction" in out
    assert "```" not in out


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("KTF5001", "KTF501 constant-prediction"),
        ("constant-predictoin", "KTF501 constant-prediction"),
        ("Softmax", "KTF201 softmax-on-one-unit, KTF213 softmax-over-wrong-axis"),
        ("qqq", "`codes` lists them all"),
        ("", "`codes` lists them all"),
    ],
)
def test_explain_knows_what_may_be_meant(run, word, hint):
    code, out, error = run("explain", word)
    assert (code, out) == (2, "")
    assert f"no code or name '{word}'" in error
    assert hint in error


def test_codes(run):
    code, out, _ = run("codes")
    lines = out.splitlines()
    assert code == 0
    assert [line.split()[0] for line in lines] == sorted(CHECKS)
    check = CHECKS["KTF501"]
    (line,) = [line for line in lines if line.startswith("KTF501")]
    assert line.split(maxsplit=3)[1:] == [check.name, check.severity, check.summary]


def test_codes_as_json(run):
    rows = json.loads(run("codes", "--json")[1])
    assert {row["code"]: row["name"] for row in rows} == {
        check.code: check.name for check in CHECKS.values()
    }
    assert rows[0].keys() == {"code", "name", "severity", "summary"}


@pytest.mark.usefixtures("terminal")
def test_codes_in_a_terminal(run):
    out = run("codes")[1]
    assert all(code in out for code in CHECKS)
    assert max(map(len, out.splitlines())) <= 80


def test_explain_shows_the_only_name_with_that_word(run):
    assert run("explain", "Dice") == (0, CHECKS["KTF210"].page, "")


def test_no_arguments_print_the_help(run):
    code, out, error = run()
    assert (code, out) == (2, "")
    assert "examples:" in error
    assert all(command.name in error for command in cli.COMMANDS)
    assert "python -m keras_trainfix diagnose model.keras data.npz --html" in error


def test_the_console_script_has_its_name(run, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/usr/bin/keras-trainfix"])
    assert "usage: keras-trainfix" in run()[2]


@pytest.mark.parametrize("arguments", [["unknown"], ["explain"], ["diagnose", "a"]])
def test_bad_usage(arguments, capsys):
    with pytest.raises(SystemExit) as exit:
        cli.main(arguments)
    assert exit.value.code == 2
    assert "usage: python -m keras_trainfix" in capsys.readouterr().err


def test_as_a_program(monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "keras_trainfix.__main__", raising=False)
    monkeypatch.setattr(sys, "argv", ["keras_trainfix", "explain", "nowhere"])
    with pytest.raises(SystemExit) as exit:
        runpy.run_module("keras_trainfix", run_name="__main__")
    assert exit.value.code == 2
    assert "error: there is no code or name 'nowhere'" in capsys.readouterr().err


# --- diagnose ---


def test_a_healthy_model(run, healthy, data):
    code, out, _ = run("diagnose", healthy, data, "--no-fit")
    assert code == 0
    assert re.match(r"No fault found in \d+ checks", out)


def test_a_faulty_model(run, faulty, data):
    code, out, _ = run("diagnose", faulty, data, "--no-fit")
    assert code == 1
    assert "1. KTF201 softmax-on-one-unit: error" in out


@pytest.mark.usefixtures("terminal")
def test_a_faulty_model_in_a_terminal(run, faulty, data):
    code, out, _ = run("diagnose", faulty, data, "--no-fit")
    assert code == 1
    assert "softmax-on-one-unit" in out
    assert "│ model.compile" in out


def test_json_alone_is_on_the_output(run, faulty, data, monkeypatch):
    def talking(*args, fit, **kwargs):
        assert fit
        print("progress")
        return diagnose(*args, fit=False, **kwargs)

    diagnose = cli.diagnose
    monkeypatch.setattr(cli, "diagnose", talking)
    code, out, error = run("diagnose", faulty, data, "--json")
    assert code == 1
    assert json.loads(out)["findings"][0]["code"] == "KTF201"
    assert "progress" in error


def test_json_has_the_form_of_its_schema(run, faulty, data):
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((DOCS / "diagnosis.schema.json").read_text())
    shown = json.loads(run("diagnose", faulty, data, "--no-fit", "--json")[1])
    jsonschema.validate(shown, schema)
    assert shown["schema"] == SCHEMA
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**shown, "schema": SCHEMA + 1}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**shown, "findings": [{}]}, schema)


def test_a_report(run, faulty, data, tmp_path):
    path = tmp_path / "report.html"
    code, out, _ = run("diagnose", faulty, data, "--no-fit", "--html", path)
    assert code == 1
    assert "KTF201" in out
    assert "softmax-on-one-unit" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["missing/report.html", "folder"])
def test_a_report_that_cannot_be_written(run, faulty, data, tmp_path, name):
    (tmp_path / "folder").mkdir()
    code, out, error = run(
        "diagnose", faulty, data, "--no-fit", "--html", tmp_path / name
    )
    assert (code, out) == (2, "")
    assert name in error
    assert not list((tmp_path / "folder").iterdir())
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize(
    ("flags", "expected", "is_there"),
    [
        (["--ignore", "KTF201"], 0, False),
        (["--ignore", "ktf2, KTF4"], 0, False),
        (["--ignore", "softmax-on-one-unit"], 0, False),
        (["--ignore", "KTF101"], 1, True),
        (["--select", "KTF1,KTF4"], 0, False),
        (["--select", "KTF201"], 1, True),
        (["--select", "KTF2", "--ignore", "KTF201"], 0, False),
    ],
)
def test_findings_can_be_chosen(run, faulty, data, flags, expected, is_there):
    code, out, error = run("diagnose", faulty, data, "--no-fit", *flags)
    assert code == expected, error
    assert ("softmax-on-one-unit" in out) == is_there
    assert ("Left out as asked: KTF201." in out) != is_there


@pytest.mark.parametrize("flag", ["--select", "--ignore"])
def test_an_unknown_code_is_named(run, faulty, data, flag):
    code, out, error = run("diagnose", faulty, data, flag, "KTF201,KTF999")
    assert (code, out) == (2, "")
    assert "no code or name 'KTF999'" in error


def test_what_is_mended_keeps_its_number():
    findings = [finding("KTF101"), finding("KTF201"), finding("KTF401")]
    rest = cli.without(Diagnosis(findings, mendable=(1, 3)), {"KTF101"})
    assert rest.codes == ["KTF201", "KTF401"]
    assert rest.mendable == (2,)


# A stand-in for a diagnosis that takes long enough to show progress.
SHOWS_PROGRESS = """
import sys
import keras
from keras_trainfix import cli

def diagnose(*args, **kwargs):
    progress = keras.utils.Progbar(2)
    progress.update(2)
    return real(*args, **kwargs)

real, cli.diagnose = cli.diagnose, diagnose
sys.exit(cli.main(sys.argv[1:]))
"""


def test_no_progress_in_files(faulty, data, tmp_path):
    arguments = ["diagnose", faulty, data, "--no-fit", "--json"]
    with open(tmp_path / "errors", "wb") as errors:
        result = subprocess.run(
            [sys.executable, "-c", SHOWS_PROGRESS, *arguments],
            stdout=subprocess.PIPE,
            stderr=errors,
        )
    assert result.returncode == 1
    assert json.loads(result.stdout)["findings"]
    written = result.stdout + (tmp_path / "errors").read_bytes()
    assert not any(control in written for control in (b"\x1b", b"\r", b"\b", b"2/2"))


def test_progress_in_a_terminal(faulty, data):
    pty = pytest.importorskip("pty")
    main, terminal = pty.openpty()
    arguments = ["diagnose", faulty, data, "--no-fit", "--json"]
    result = subprocess.run(
        [sys.executable, "-c", SHOWS_PROGRESS, *arguments],
        stdout=subprocess.PIPE,
        stderr=terminal,
    )
    os.close(terminal)
    with open(main, "rb", buffering=0) as errors:
        assert b"2/2" in errors.read(10_000)
    assert json.loads(result.stdout)["findings"]


@pytest.mark.parametrize("command", ["codes", "diagnose"])
def test_a_closed_pipe_ends_quietly(command, faulty, data):
    """As in `python -m keras_trainfix ... | head`, where `head` is done early."""
    arguments = {
        "codes": ["codes"],
        "diagnose": ["diagnose", faulty, data, "--no-fit", "--json"],
    }
    read, write = os.pipe()
    os.close(read)
    result = subprocess.run(
        [sys.executable, "-m", "keras_trainfix", *arguments[command]],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(write)
    assert result.returncode == 128 + 13  # as of a program that SIGPIPE ends
    for word in ("BrokenPipeError", "Traceback", "Exception ignored"):
        assert word not in result.stderr


def test_several_inputs_and_outputs_by_name(run, tmp_path):
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    both = keras.layers.concatenate([a, b])
    outputs = {
        name: keras.layers.Dense(1, activation, name=name)(both)
        for name, activation in [("good", "sigmoid"), ("bad", "softmax")]
    }
    model = keras.Model({"a": a, "b": b}, outputs)
    loss = dict.fromkeys(outputs, "binary_crossentropy")
    model.compile("adam", loss)
    model.save(tmp_path / "two.keras")
    np.savez(tmp_path / "two.npz", x_a=X, x_b=X, y_good=ON, y_bad=ON)
    code, out, error = run(
        "diagnose", tmp_path / "two.keras", tmp_path / "two.npz", "--no-fit"
    )
    assert code == 1, error
    assert "KTF201 softmax-on-one-unit: error (output 'bad')" in out
    assert "(output 'good')" not in out


def test_a_model_with_layers_and_losses_of_this_package(run, tmp_path, data):
    entry = keras.Input((4,))
    x = kt.FrozenBatchNorm()(keras.layers.Dense(4)(entry))
    x = keras.ops.relu(x) * 2
    model = keras.Model(entry, keras.layers.Dense(1, "sigmoid")(x))
    schedule = keras.optimizers.schedules.CosineDecay(0.01, 100)
    model.compile(
        keras.optimizers.Adam(schedule), kt.MaskedCrossentropy(), metrics=["accuracy"]
    )
    model.save(tmp_path / "own.keras")
    code, _, error = run("diagnose", tmp_path / "own.keras", data, "--no-fit")
    assert code in (0, 1), error


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"y": ON}, "Received no `x`"),
        ({"x": X, "y": ON, "sample_weights": ON}, "also: ['sample_weights']"),
        ({"x": X, "x_a": X}, "must not hold both `x` and ['x_a']"),
        ({"x": np.array([{}])}, "cannot read arrays"),
        ({"x": X[:, :3], "y": ON}, "4"),
        ({"x": X, "y": ON[:9]}, "same number of samples"),
    ],
)
def test_bad_data(run, tmp_path, healthy, arrays, message):
    np.savez(tmp_path / "bad.npz", **arrays)
    code, out, error = run("diagnose", healthy, tmp_path / "bad.npz", "--no-fit")
    assert (code, out) == (2, "")
    assert message in error
    assert error.startswith("error: ")


@pytest.mark.parametrize("content", [None, b"", b"nothing", "array"])
def test_a_file_without_arrays(run, tmp_path, healthy, content):
    path = tmp_path / "bad.npz"
    if content == "array":
        with open(path, "wb") as file:
            np.save(file, X)
    elif content is not None:
        path.write_bytes(content)
    code, _, error = run("diagnose", healthy, path)
    assert code == 2
    assert "cannot read arrays from" in error


@pytest.mark.parametrize("content", [None, b"", b"nothing"])
def test_a_file_that_is_not_a_model(run, tmp_path, data, content):
    path = tmp_path / "bad.keras"
    if content is not None:
        path.write_bytes(content)
    code, _, error = run("diagnose", path, data)
    assert code == 2
    assert "Cannot read a model from" in error
    assert "`model.save('MODEL.keras')`" in error


def test_a_model_with_code_of_its_own_is_refused(run, tmp_path, data):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x)])
    model.save(tmp_path / "lambda.keras")
    code, out, error = run("diagnose", tmp_path / "lambda.keras", data)
    assert (code, out) == (2, "")
    assert "needs code that is not Keras' own: Lambda" in error
