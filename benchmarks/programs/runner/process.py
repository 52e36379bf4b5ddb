"""Runs one program and prints what was found, as a line of JSON.

`python -m benchmarks.programs.runner.process FILE [before] [--seed=1] [--text]`
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
    """Sets the backend that a program names; else that of the environment."""
    named = [line for line in path.read_text().splitlines() if "BACKEND" in line[:8]]
    if named:
        value = named[0].split("=")[1].split("#")[0]
        os.environ["KERAS_BACKEND"] = value.strip().strip("'\"")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")


def load(path):
    """The module of a program."""
    if str(path.parent) not in sys.path:
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
    """The `Diagnosis` of a function, or None; and what is printed about it."""
    start, shown = time.perf_counter(), io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(shown):
        warnings.simplefilter("ignore")
        try:
            diagnosis = function()
        except Exception as error:  # a program that cannot be diagnosed
            text = f"{type(error).__name__}: {error}"[:500]
            return None, {"error": text, "seconds": time.perf_counter() - start}
    findings = [] if diagnosis is None else diagnosis.findings
    return diagnosis, {
        "findings": [
            {
                "code": finding.code,
                "severity": finding.severity,
                "message": finding.message,
                "holds": finding.proof is not None and finding.proof.holds,
            }
            for finding in findings
        ],
        "text": str(diagnosis),
        "seconds": time.perf_counter() - start,
    }


class Watched:
    """One version of a program, built again for each look at it."""

    def __init__(self, program, version, seed):
        self.program, self.version, self.seed = program, version, seed
        self.looks, self.diagnoses = {}, {}

    def build(self):
        import keras

        keras.utils.clear_session()  # the layers get the names that findings have
        keras.utils.set_random_seed(self.seed)
        return getattr(self.program, self.version)()

    def keep(self, stage, function):
        self.diagnoses[stage], self.looks[stage] = look(function)

    def before(self):
        """Looks before training: with the arguments of `fit`, and samples alone."""
        from keras_trainfix import diagnose

        run = self.build()
        given = arguments_of_fit(run)
        if given is not None:
            args, kwargs = given
            self.keep("before", lambda: diagnose(run.model, *args, **kwargs))
            run = self.build()
        self.keep("samples", lambda: diagnose(run.model, *run.probe))

    def during_and_after(self):
        """Looks while the program trains, and at what comes of it."""
        from keras_trainfix import CollapseDetector, diagnose

        run = self.build()
        probe = run.probe if len(run.probe) > 1 else run.probe[0]
        detector = CollapseDetector(probe)

        def watched():
            run.fit(run.model, [detector])
            return detector.diagnosis

        self.keep("during", watched)
        self.looks["during"]["quality"] = _quality(run, run.model)
        self.keep("after", lambda: diagnose(run.model, *run.probe))

    def cures(self):
        """The qualities that `fixed` and the pasted code lead to: a dict."""
        reached = {}
        for stage in ("before", "after"):
            diagnosis = self.diagnoses.get(stage)
            if diagnosis is None:
                continue
            for name, mend in (("fixed", fixed), ("pasted", pasted)):
                run = self.build()
                with contextlib.redirect_stdout(io.StringIO()):
                    quality = _cured(mend, diagnosis, run)
                if quality is not None:
                    reached[f"{name}, {stage}"] = quality
        return reached


def fixed(diagnosis, run):
    """The model as the diagnosis mends it, trained; None if it cannot mend it."""
    try:
        model = diagnosis.fixed(run.model)
    except Exception:  # nothing that was found can be mended so
        return None
    run.fit(model)
    return model


def pasted(diagnosis, run):
    """The model after the code of the first finding, trained; None if it is no code.

    What the code makes of `x` and `y`, and what it gives to `fit` beside them, is what
    `fit` then gets, as if the user had put it above the call.

    Raises:
        Exception: What the code raises.
        ValueError: If the code changes `x` or `y`, and `fit` gets neither.
    """
    import keras
    import numpy as np

    given = arguments_of_fit(run)
    args, kwargs = given if given is not None else ((), {})
    x, y = (*args, None, None)[:2]
    found = [finding for finding in diagnosis.findings if finding.severity != "note"]
    try:
        code = compile(found[0].fix, "fix", "exec")
    except (IndexError, SyntaxError):  # nothing found, or advice in words
        return None
    if not code.co_names:
        return None
    scope = {"model": run.model, "x": x, "y": y, "keras": keras, "np": np}
    if len(args) < 2:  # batches: the code sees samples of them
        scope.update(zip("xy", _samples(run.probe), strict=True))
    before = scope["x"], scope["y"]
    settings = _settings_of_fit(code, scope, run.model)
    is_same = all(a is b for a, b in zip(before, (scope["x"], scope["y"]), strict=True))
    model = scope["model"]
    if is_same and not settings:
        run.fit(model)
        return model
    if len(args) < 2:
        raise ValueError("the code changes what this program builds itself")
    model.fit(scope["x"], scope["y"], *args[2:], **{**kwargs, **settings})
    return model


def _samples(probe):
    """Inputs and targets of a probe, which may be batches."""
    import numpy as np

    from keras_trainfix.data import input_batches, label_batches

    if len(probe) == 2:
        return probe
    try:
        parts = (input_batches, label_batches)
        return [np.concatenate(list(part(probe[0], steps=64))) for part in parts]
    except (TypeError, ValueError):  # of several inputs, or a generator that is over
        return probe[0], None


def _settings_of_fit(code, scope, model):
    """Runs code and returns what it gives to `fit` of a model by name."""
    settings = {}

    def kept(*args, **kwargs):
        settings.update(kwargs)

    object.__setattr__(model, "fit", kept)
    try:
        exec(code, scope)
    finally:
        object.__delattr__(model, "fit")
    return settings


def _cured(mend, diagnosis, run):
    """The quality after a cure, or what it raised; None if there is no such cure."""
    try:
        model = mend(diagnosis, run)
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:200]
    return None if model is None else _quality(run, model)


def _quality(run, model):
    try:
        return float(run.quality(model))
    except Exception as error:  # of a model that is broken
        return f"{type(error).__name__}: {error}"[:200]


def main():
    """Runs the program that the command line names."""
    path, options = Path(sys.argv[1]).resolve(), sys.argv[2:]
    choose_backend(path)
    program = load(path)
    if os.environ["KERAS_BACKEND"] == "torch":
        import torch

        torch.set_num_threads(1)
    seed = getattr(program, "PSEED", 0)
    for option in options:
        if option.startswith("--seed="):
            seed = int(option.removeprefix("--seed="))
    result = {
        "first": list(getattr(program, "FIRST", ())),
        "half": getattr(program, "HALF", None),
    }
    for version in VERSIONS:
        watched = Watched(program, version, seed)
        watched.before()
        if "before" not in options:
            watched.during_and_after()
            if version == "faulty":
                result["cures"] = watched.cures()
        result[version] = watched.looks
    if "--text" in options:
        for version in VERSIONS:
            for stage, seen in result[version].items():
                title = f"===== {version} {stage} {seen['seconds']:.1f} s"
                print(title, seen.get("text") or seen.get("error"), sep="\n")
        return
    print(json.dumps(result))


if __name__ == "__main__":
    main()
