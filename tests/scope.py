"""What each backend, and the lowest supported Keras, is asked: the one table.

Most of the suite's time goes into tracing and compiling under TensorFlow and JAX. A
test of what a framework computes, saves or calls runs under every backend. A test of
what NumPy computes, or of text, would give the same answer three times: it runs once,
under torch, which starts fastest.

A folder or file below `tests/` is in one of the two groups; the longest path that fits
decides, so that a new file belongs to its folder. Two markers make exceptions, of a
test or, as `pytestmark`, of a file: `every_backend` in an area that runs once, and
`one_backend` in an area that runs on every backend. `backend_only` is stronger than
both: it names the only backends on which a test means something. What a backend is not
asked is deselected, not skipped: a skip says that something is missing.

    pytest --scope framework    only what runs on every backend
    pytest --scope all          everything, whatever the backend

`tests/test_suite.py` checks the table.
"""

from pathlib import PurePosixPath

ONE_BACKEND = "torch"

AREAS = {
    "every_backend": [
        "backend",
        "callbacks",
        "diagnosis/checks/test_pages.py",
        "diagnosis/observe/test_layer_calls.py",
        "diagnosis/observe/test_layer_outputs.py",
        "diagnosis/trial",
        "labels",
        "layers",
        "losses",
        "metrics",
        "models",
        "test_contracts.py",
        "test_data.py",
        "test_docs_migrating.py",
        "test_import.py",
        "test_keras_internals.py",
        "test_pretrained.py",
        "test_traps.py",
    ],
    "one_backend": [
        "callbacks/collapse/test_plot.py",
        "callbacks/collapse/test_policy.py",
        "callbacks/collapse/test_quick_check.py",
        "callbacks/collapse/test_samples.py",
        "callbacks/collapse/test_session.py",
        "callbacks/collapse/test_verdict.py",
        "callbacks/collapse/test_warm_up.py",
        "callbacks/snapshots/test_grid.py",
        "callbacks/snapshots/test_pictures.py",
        "callbacks/snapshots/test_tiles.py",
        "diagnosis",
        "metrics/test_confusion_plot.py",
        "test_annotations.py",
        "test_arguments.py",
        "test_benchmarks.py",
        "test_cli.py",
        "test_demo.py",
        "test_distances.py",
        "test_docs.py",
        "test_docstrings.py",
        "test_examples_box.py",
        "test_layout.py",
        "test_messages.py",
        "test_model_file.py",
        "test_real_data.py",
        "test_suite.py",
        "test_testing.py",
        "test_voc.py",
    ],
}


def area(path):
    """The group of a file, given its path below `tests/`; None if it has none."""
    path = PurePosixPath(path)
    for part in (path, *path.parents):
        for group, paths in AREAS.items():
            if str(part) in paths:
                return group
    return None


def on_every_backend(path, markers=()):
    """Whether a test runs under every backend.

    Args:
        path: Its file, as a path below `tests/`.
        markers: Names of its markers, the nearest first.
    """
    named = next((name for name in markers if name in AREAS), None)
    return (named or area(path)) != "one_backend"


def is_asked(asked, backend, everywhere):
    """Whether a test runs in the scope `asked` under `backend`."""
    if asked == "all" or everywhere:
        return True
    return asked == "auto" and backend == ONE_BACKEND
