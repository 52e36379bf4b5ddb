"""The tests mirror the package, file for file."""

from pathlib import Path

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "keras_trainfix"

# Modules, or folders of them, that files of other names test. It only ever shrinks.
WITHOUT_A_FILE = {
    "diagnosis/change.py",
    "diagnosis/checks/data/simple_learners.py",
    "diagnosis/checks/head_and_loss/head_code.py",
    "diagnosis/checks/head_and_loss/probabilities.py",
    "diagnosis/checks/optimization/preconditions.py",
    "diagnosis/checks/optimization/rate_code.py",
    "diagnosis/checks/symptoms/collapse.py",
    "diagnosis/measure/kernels.py",
    "diagnosis/observe/first_layers.py",
    "diagnosis/observe/label_faults.py",
    "diagnosis/trial/attempt.py",
    "diagnosis/trial/runner.py",
    "labels/types.py",
}


def modules_without_a_test_file():
    for module in PACKAGE.rglob("*.py"):
        path = module.relative_to(PACKAGE)
        is_tested = (TESTS / path.parent / f"test_{path.name}").exists()
        if not is_tested and not path.name.startswith("__"):
            yield path


def excuse(path):
    """The entry of the list that names a module, or a folder it is in."""
    names = [part.as_posix() for part in (path, *path.parents)]
    return next((name for name in names if name in WITHOUT_A_FILE), None)


def test_each_module_has_a_test_file_at_its_path():
    missing = [path for path in modules_without_a_test_file() if not excuse(path)]
    assert missing == []


def test_the_list_of_those_without_shrinks():
    needed = {excuse(path) for path in modules_without_a_test_file()}
    assert WITHOUT_A_FILE - needed == set()
