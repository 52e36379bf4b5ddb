"""The command line: `python -m keras_trainfix COMMAND`."""

import argparse
import contextlib
import difflib
import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

import keras_trainfix
from keras_trainfix.diagnosis.diagnose import diagnose
from keras_trainfix.diagnosis.registry import CHECKS, find_check
from keras_trainfix.model_file import load_untrusted

FINE, FOUND, BAD_INPUT = 0, 1, 2  # exit codes
# Of files that are no archive of arrays; the last two of a single array.
READ_ERRORS = (
    *(OSError, ValueError, EOFError, zipfile.BadZipFile),
    *(AttributeError, TypeError),
)


class BadInput(Exception):
    """What the user gave cannot be used; the message says why."""


class Command(NamedTuple):
    """A command.

    Attributes:
        name: What to type.
        help: A line that says what it does.
        arguments: Function that adds its arguments to a parser.
        run: Function of the arguments that returns the exit code.
    """

    name: str
    help: str
    arguments: Callable
    run: Callable


def main(arguments=None):
    """Runs a command.

    Args:
        arguments: List of strings, or None for those of the process.

    Returns:
        The exit code: 0 if all is well, 1 if `diagnose` found more than notes, 2 for
        bad input.
    """
    parsed = _parser().parse_args(arguments)
    try:
        return parsed.run(parsed)
    except BadInput as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m keras_trainfix",
        description="Names what keeps a Keras model from learning.",
    )
    parser.add_argument(
        "--version",
        action="version",
        version=f"keras_trainfix {keras_trainfix.__version__}",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        one = commands.add_parser(
            command.name, help=command.help, description=command.help
        )
        command.arguments(one)
        one.set_defaults(run=command.run)
    return parser


# --- explain ---


def _explain_arguments(parser):
    parser.add_argument("code", help="such as KTF501 or constant-prediction")


def _explain(arguments):
    page = _find_check(arguments.code).page
    console = _console()
    if console:
        from rich.markdown import Markdown

        console.print(Markdown(page, code_theme="ansi_dark"))
    else:
        print(page, end="")
    return FINE


def _find_check(word):
    """The check of a code or a name, in capital letters or not."""
    check = find_check(word)
    if check is not None:
        return check
    word = word.strip().lower()
    known = {check.code.lower(): check for check in CHECKS.values()}
    known |= {check.name: check for check in CHECKS.values()}
    near = difflib.get_close_matches(word, known, n=3, cutoff=0.6)
    near += [name for name in known if word and word in name and name not in near][:3]
    checks = dict.fromkeys(known[name] for name in near)
    meant = ", ".join(f"{check.code} {check.name}" for check in checks)
    hint = f"Did you mean: {meant}?" if meant else "`codes` lists them all."
    raise BadInput(f"there is no code or name '{word}'. {hint}")


# --- codes ---


def _codes_arguments(parser):
    parser.add_argument("--json", action="store_true", help="print JSON")


def _codes(arguments):
    checks = [CHECKS[code] for code in sorted(CHECKS)]
    if arguments.json:
        fields = ("code", "name", "severity", "summary")
        _print_json([{name: getattr(c, name) for name in fields} for c in checks])
        return FINE
    rows = [(c.code, c.name, c.severity, c.summary) for c in checks]
    console = _console()
    if console:
        from rich import box
        from rich.table import Table

        table = Table("code", "name", "severity", "", box=box.SIMPLE)
        for row in rows:
            table.add_row(*row)
        console.print(table)
        return FINE
    width = max(len(check.name) for check in checks)
    for code, name, severity, summary in rows:
        print(f"{code}  {name:{width}}  {severity:7}  {summary}")
    return FINE


# --- diagnose ---


def _diagnose_arguments(parser):
    parser.add_argument("model", metavar="MODEL.keras", help="a saved model")
    parser.add_argument(
        "data",
        metavar="DATA.npz",
        help="arrays `x` and `y`, or `x_NAME` and `y_NAME` for several inputs or "
        "outputs, and optionally `sample_weight`",
    )
    parser.add_argument(
        "--no-fit", action="store_true", help="look only, without a short trial"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def _diagnose(arguments):
    x, y, sample_weight = _load_data(arguments.data)
    try:
        model = load_untrusted(arguments.model)
        with contextlib.redirect_stdout(sys.stderr):  # where progress belongs
            diagnosis = diagnose(
                model, x, y, sample_weight=sample_weight, fit=not arguments.no_fit
            )
    except (ValueError, TypeError) as error:
        raise BadInput(str(error)) from error
    console = _console()
    if arguments.json:
        _print_json(diagnosis.to_dict())
    elif console:
        console.print(diagnosis)
    else:
        print(diagnosis)
    return FINE if diagnosis.ok else FOUND


def _load_data(path):
    """`(x, y, sample_weight)` of a file; nothing in it is executed."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file}
    except READ_ERRORS as error:
        raise BadInput(
            f"cannot read arrays from '{path}' ({error}). Expected: what "
            "`numpy.savez('DATA.npz', x=x, y=y)` writes, of numbers."
        ) from error
    x, y = _one_or_named(arrays, "x", path), _one_or_named(arrays, "y", path)
    sample_weight = arrays.pop("sample_weight", None)
    if arrays or x is None:
        raise BadInput(
            f"'{path}' must hold `x` (or `x_NAME` for each input), and may hold `y` "
            "(or `y_NAME`) and `sample_weight`. Received "
            + (f"also: {sorted(arrays)}." if arrays else "no `x`.")
        )
    return x, y, sample_weight


def _one_or_named(arrays, letter, path):
    """Takes `x` out of a dict, or a dict of all `x_NAME`."""
    names = [name for name in arrays if name.startswith(f"{letter}_")]
    if letter in arrays and names:
        raise BadInput(f"'{path}' must not hold both `{letter}` and {names}.")
    if names:
        return {name[2:]: arrays.pop(name) for name in names}
    return arrays.pop(letter, None)


# --- demo ---


def _demo_arguments(parser):
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("keras_trainfix_demo"),
        help="where to write the pictures; by default keras_trainfix_demo",
    )


def _demo(arguments):
    from keras_trainfix import demo

    try:
        arguments.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"cannot write to '{arguments.folder}' ({error}).") from error
    with _quiet():
        demo.run(arguments.folder)
    return FINE


@contextlib.contextmanager
def _quiet():
    """Leaves the printing to us."""
    was_on = keras.config.is_interactive_logging_enabled()
    keras.config.disable_interactive_logging()
    try:
        yield
    finally:
        if was_on:
            keras.config.enable_interactive_logging()


# --- printing ---


def _print_json(value):
    print(json.dumps(value, indent=2, allow_nan=False))


def _console():
    """A console of rich if the output is a terminal, or else None."""
    if not sys.stdout.isatty():
        return None
    try:
        from rich.console import Console
    except ImportError:
        return None
    return Console()


COMMANDS = (
    Command(
        "demo",
        "trains a net that collapses, names why, and rescues it (under a minute)",
        _demo_arguments,
        _demo,
    ),
    Command("explain", "prints the page of a code", _explain_arguments, _explain),
    Command("codes", "lists all codes", _codes_arguments, _codes),
    Command(
        "diagnose",
        "names what is wrong with a saved model (exit code 1 if anything is)",
        _diagnose_arguments,
        _diagnose,
    ),
)
