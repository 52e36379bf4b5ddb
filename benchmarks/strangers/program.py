"""Runs one program and prints what was found, as a line of JSON.

`python -m benchmarks.strangers.program FILE [before] [--text]`
"""

import contextlib
import importlib.util
import io
import json
import os
import sys
import time
import warnings
from pathlib import Path

VERSIONS = ("faulty", "repaired")


class FitCalledError(Exception):
    """Carries what a program gives to `fit`."""

    def __init__(self, args, kwargs):
        super().__init__()
        self.args_of_fit, self.kwargs_of_fit = args, kwargs


def choose_backend(path):
    """Sets the backend that a program names; TensorFlow by default."""
    named = [line for line in path.read_text().splitlines() if "BACKEND" in line[:8]]
    os.environ["KERAS_BACKEND"] = "tensorflow"
    if named:
        os.environ["KERAS_BACKEND"] = named[0].split("=")[1].strip().strip("'\"")


def load(path):
    """The module of a program."""
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location("program", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def arguments_of_fit(run):
    """What a program would give to `fit`: `(args, kwargs)`; None if it never calls."""

    def capture(*args, **kwargs):
        raise FitCalledError(args, kwargs)

    model = run.model
    object.__setattr__(model, "fit", capture)
    try:
        run.fit(model)
    except FitCalledError as called:
        return called.args_of_fit, called.kwargs_of_fit
    finally:
        object.__delattr__(model, "fit")
    return None


def look(function):
    """What a function that returns a `Diagnosis` found, and how long it took."""
    start, shown = time.perf_counter(), io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(shown):
        warnings.simplefilter("ignore")
        try:
            diagnosis = function()
        except Exception as error:  # a program that cannot be diagnosed
            text = f"{type(error).__name__}: {error}"[:500]
            return {"error": text, "seconds": time.perf_counter() - start}
    return {
        "findings": []
        if diagnosis is None
        else [(f.code, f.severity, f.name) for f in diagnosis.findings],
        "text": str(diagnosis),
        "seconds": time.perf_counter() - start,
    }


def looks(program, version, trains):
    """All looks at one version of a program: a dict by stage."""
    import keras

    from keras_trainfix import CollapseDetector, diagnose

    def build():
        keras.utils.set_random_seed(getattr(program, "PSEED", 0))
        return getattr(program, version)()

    run = build()
    found = {}
    given = arguments_of_fit(run)
    if given is not None:
        args, kwargs = given
        found["before"] = look(lambda: diagnose(run.model, *args, **kwargs))
        run = build()
    found["samples"] = look(lambda: diagnose(run.model, *run.probe))
    if not trains:
        return found
    run = build()
    probe = run.probe if len(run.probe) > 1 else run.probe[0]
    detector = CollapseDetector(probe)

    def watched():
        run.fit(run.model, [detector])
        return detector.diagnosis

    found["during"] = look(watched)
    found["during"]["quality"] = _quality(run)
    found["after"] = look(lambda: diagnose(run.model, *run.probe))
    return found


def _quality(run):
    try:
        return float(run.quality(run.model))
    except Exception as error:  # of a model that is broken
        return f"{type(error).__name__}: {error}"[:200]


def main():
    """Runs the program that the command line names."""
    path = Path(sys.argv[1]).resolve()
    choose_backend(path)
    program = load(path)
    if os.environ["KERAS_BACKEND"] == "torch":
        import torch

        torch.set_num_threads(1)
    options = sys.argv[2:]
    result = {v: looks(program, v, "before" not in options) for v in VERSIONS}
    if "--text" in options:
        for version, found in result.items():
            for stage, seen in found.items():
                title = f"===== {version} {stage} {seen['seconds']:.1f} s"
                print(title, seen.get("text") or seen.get("error"), sep="\n")
        return
    print(json.dumps(result))


if __name__ == "__main__":
    main()
