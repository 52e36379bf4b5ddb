"""The command line: `python -m keras_trainfix COMMAND`, or `keras-trainfix COMMAND`."""

import argparse
import contextlib
import difflib
import json
import os
import sys
import zipfile
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import keras
import numpy as np

import keras_trainfix
from keras_trainfix.diagnosis.diagnose import diagnose
from keras_trainfix.diagnosis.findings import Diagnosis
from keras_trainfix.diagnosis.registry import CHECKS, Check, find_check
from keras_trainfix.model_file import load_untrusted

FINE, FOUND, BAD_INPUT = 0, 1, 2  # exit codes
CLOSED_PIPE = 128 + 13  # exit code, as of a program that SIGPIPE ends
# What `numpy.load` and its result raise; the last two for a file with a single array.
READ_ERRORS = (
    *(OSError, ValueError, EOFError, zipfile.BadZipFile),
    *(AttributeError, TypeError),
)


PROGRAM = "keras-trainfix"
EXAMPLES = """\
examples:
  %(prog)s diagnose model.keras data.npz --html report.html
  %(prog)s diagnose model.keras data.npz --json --ignore KTF132,KTF4
  %(prog)s explain KTF501

`numpy.savez("data.npz", x=x, y=y)` writes the data, `model.save("model.keras")` the
model. Exit codes: 0 nothing is wrong, 1 something is, 2 bad input.
"""


class BadInput(Exception):
    """The arguments or files cannot be used; the message says why."""


class Command(NamedTuple):
    """A command.

    Attributes:
        name: What to type.
        help: One line that says what the command does.
        arguments: Function that adds the arguments of the command to a parser.
        run: Function of the parsed arguments that returns the exit code.
    """

    name: str
    help: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        arguments: List of strings, or None for those of the process. Defaults to
            `None`.

    Returns:
        The exit code: 0 if all is well, 1 if `diagnose` found more than notes, 2 for
        bad input, 141 if the reader of the output has closed it.

    Raises:
        SystemExit: If the arguments cannot be parsed, or after `--help` and
            `--version`.

    Examples:
        >>> main(["explain", "nowhere"])
        2
    """
    parser = _parser()
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments:
        parser.print_help(sys.stderr)
        return BAD_INPUT
    parsed = parser.parse_args(arguments)
    try:
        code: int = parsed.run(parsed)
        print(end="", flush=True)  # now, so that a closed pipe is noticed here
    except BadInput as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT
    except BrokenPipeError:
        _discard_output()
        return CLOSED_PIPE
    return code


def _discard_output() -> None:
    """Lets Python flush its streams at exit, although nobody reads them."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _is_script() -> bool:
    """Whether the console script was called, and not the module."""
    return Path(sys.argv[0]).stem == PROGRAM


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM if _is_script() else "python -m keras_trainfix",
        description="Names what keeps a Keras model from learning.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
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


def _explain_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("code", help="such as KTF501 or constant-prediction")


def _explain(arguments: argparse.Namespace) -> int:
    page = _find_check(arguments.code).page
    console = _console()
    if console:
        from rich.markdown import Markdown

        console.print(Markdown(page, code_theme="ansi_dark"))
    else:
        print(page, end="")
    return FINE


def _find_check(word: str) -> Check:
    """The check with this code or name; upper and lower case are the same."""
    check = find_check(word)
    if check is not None:
        return check
    typed, word = word.strip(), word.strip().lower()
    within = [one for one in CHECKS.values() if word and word in one.name]
    if len(within) == 1:
        return within[0]
    known = {check.code.lower(): check for check in CHECKS.values()}
    known |= {check.name: check for check in CHECKS.values()}
    near = difflib.get_close_matches(word, known, n=3, cutoff=0.6)
    near += [name for name in known if word and word in name and name not in near][:3]
    checks = dict.fromkeys(known[name] for name in near)
    meant = ", ".join(f"{check.code} {check.name}" for check in checks)
    hint = f"Did you mean: {meant}?" if meant else "`codes` lists them all."
    raise BadInput(f"there is no code or name '{typed}'. {hint}")


# --- codes ---


def _codes_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def _codes(arguments: argparse.Namespace) -> int:
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


def _diagnose_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL.keras", help="a saved model")
    parser.add_argument(
        "data",
        metavar="DATA.npz",
        help="arrays `x` and `y`, or `x_NAME` and `y_NAME` for several inputs or "
        "outputs, and optionally `sample_weight`",
    )
    parser.add_argument(
        "--no-fit", action="store_true", help="skip the short training trial"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--html", metavar="FILE", type=Path, help="write a report to open in a browser"
    )
    codes = "codes or names, with commas between; KTF4 stands for all that begin so"
    parser.add_argument("--select", metavar="CODES", help=f"report only these {codes}")
    parser.add_argument(
        "--ignore", metavar="CODES", help=f"report all but these {codes}"
    )


def _diagnose(arguments: argparse.Namespace) -> int:
    left_out = _left_out(arguments.select, arguments.ignore)
    if arguments.html is not None and not arguments.html.parent.is_dir():
        raise BadInput(f"the folder of '{arguments.html}' does not exist.")
    x, y, sample_weight = _load_data(arguments.data)
    try:
        model = load_untrusted(arguments.model)
        # Progress belongs on the error stream, and not into a file.
        with (
            contextlib.redirect_stdout(sys.stderr),
            _quiet(not _is_terminal(sys.stderr)),
        ):
            diagnosis = diagnose(
                model, x, y, sample_weight=sample_weight, fit=not arguments.no_fit
            )
    except (ValueError, TypeError) as error:
        raise BadInput(str(error)) from error
    diagnosis = without(diagnosis, left_out)
    if arguments.html is not None:
        try:
            diagnosis.save(arguments.html)
        except OSError as error:
            raise BadInput(str(error)) from error
    console = _console()
    if arguments.json:
        _print_json(diagnosis.to_dict())
    elif console:
        console.print(diagnosis)
    else:
        print(diagnosis)
    return FINE if diagnosis.ok else FOUND


def _left_out(select: str | None, ignore: str | None) -> set[str]:
    """The codes that are not reported."""
    chosen = set(CHECKS) if select is None else _codes_of(select)
    return (set(CHECKS) - chosen) | (set() if ignore is None else _codes_of(ignore))


def _codes_of(words: str) -> set[str]:
    """The codes that a list with commas names, by code, name or beginning."""
    codes: set[str] = set()
    for word in filter(None, map(str.strip, words.split(","))):
        begun = {code for code in CHECKS if code.startswith(word.upper())}
        is_beginning = word.upper().startswith("KTF") and begun
        codes |= begun if is_beginning else {_find_check(word).code}
    return codes


def without(diagnosis: Diagnosis, codes: Collection[str]) -> Diagnosis:
    """A diagnosis without the findings of some codes, which says that they are missing.

    Args:
        diagnosis: `Diagnosis`.
        codes: Collection of strings such as `"KTF101"`.
    """
    kept = [n for n, f in enumerate(diagnosis.findings, 1) if f.code not in codes]
    gone = sorted({f.code for f in diagnosis.findings if f.code in codes})
    standing, remarks = diagnosis.standing, diagnosis.remarks
    if standing is not None:
        standing = standing._replace(checks=max(0, standing.checks - len(codes)))
    if gone:
        remarks = (*remarks, f"Left out as asked: {', '.join(gone)}.")
    return replace(
        diagnosis,
        findings=[diagnosis.findings[number - 1] for number in kept],
        mendable=tuple(kept.index(n) + 1 for n in diagnosis.mendable if n in kept),
        standing=standing,
        remarks=remarks,
    )


def _load_data(path: str) -> tuple[Any, Any, np.ndarray | None]:
    """`(x, y, sample_weight)` of a file; nothing in it is executed."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file}
    except READ_ERRORS as error:
        raise BadInput(
            f"cannot read arrays from '{path}' ({error}). Expected: what "
            "`numpy.savez('DATA.npz', x=x, y=y)` writes for arrays of numbers."
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


def _one_or_named(arrays: dict[str, np.ndarray], letter: str, path: str) -> Any:
    """Removes `x` from `arrays` and returns it, or a dict of every `x_NAME`."""
    names = [name for name in arrays if name.startswith(f"{letter}_")]
    if letter in arrays and names:
        raise BadInput(f"'{path}' must not hold both `{letter}` and {names}.")
    if names:
        return {name[2:]: arrays.pop(name) for name in names}
    return arrays.pop(letter, None)


# --- demo ---


def _demo_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("keras_trainfix_demo"),
        help="where to write the pictures; by default keras_trainfix_demo",
    )


def _demo(arguments: argparse.Namespace) -> int:
    from keras_trainfix import demo

    try:
        arguments.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"cannot write to '{arguments.folder}' ({error}).") from error
    with _quiet(True):
        demo.run(arguments.folder)
    return FINE


# --- printing ---


@contextlib.contextmanager
def _quiet(is_on: bool) -> Iterator[None]:
    """Switches off what Keras prints, progress bars included, if `is_on`."""
    was_interactive = keras.config.is_interactive_logging_enabled()
    if is_on:
        keras.config.disable_interactive_logging()
    try:
        yield
    finally:
        if was_interactive:
            keras.config.enable_interactive_logging()


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, allow_nan=False))


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def _console() -> Any:
    """A console of rich if that is installed and the output is a terminal, or None."""
    if not _is_terminal(sys.stdout):
        return None
    try:
        from rich.console import Console
    except ImportError:
        return None
    return Console()


COMMANDS = (
    Command(
        "demo",
        "train a net that collapses, name the cause, and rescue it (under a minute)",
        _demo_arguments,
        _demo,
    ),
    Command("explain", "print the page of a code", _explain_arguments, _explain),
    Command("codes", "list all codes", _codes_arguments, _codes),
    Command(
        "diagnose",
        "name what is wrong with a saved model (exit code 1 if anything is)",
        _diagnose_arguments,
        _diagnose,
    ),
)
