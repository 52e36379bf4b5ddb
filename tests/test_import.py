"""Importing brings in nothing that Keras had not, and says what is missing."""

import os
import re
import subprocess
import sys
import textwrap

FRAMEWORKS = ("tensorflow", "jax", "torch", "matplotlib", "rich")


def python(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )


def imported_after_keras(statement, names=FRAMEWORKS):
    """Those of `names` that `statement` imports and `import keras` did not."""
    result = python(
        f"""
        import sys
        import keras
        before = set(sys.modules)
        {statement}
        print([name for name in {names} if name in set(sys.modules) - before])
        """
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip().splitlines()[-1]


def test_imports_no_framework_of_its_own():
    assert imported_after_keras("import keras_trainfix") == "[]"


def test_the_check_above_can_fail():
    found = imported_after_keras("import keras_trainfix, wave", names=("wave",))
    assert found == "['wave']"


def test_without_keras_the_error_says_what_to_install(tmp_path):
    result = python(
        """
        import sys
        sys.modules["keras"] = None  # makes `import keras` fail
        import keras_trainfix
        """
    )
    assert "keras_trainfix needs Keras 3.6 or later" in result.stderr
    assert "pip install keras" in result.stderr


def test_without_the_backend_the_error_names_those_there_are():
    result = python(
        """
        import sys
        for name in ("tensorflow", "jax", "torch"):
            sys.modules[name] = None
        import keras_trainfix
        """
    )
    assert "ImportError: keras_trainfix needs the backend that Keras" in result.stderr
    assert f"KERAS_BACKEND={os.environ['KERAS_BACKEND']}" in result.stderr


def test_keras_2_is_refused(tmp_path):
    (tmp_path / "keras.py").write_text('__version__ = "2.15.0"\n')
    result = python("import keras_trainfix", PYTHONPATH=str(tmp_path))
    assert "needs Keras 3.6 or later. Received: keras==2.15.0" in result.stderr


def test_public_names_are_importable_and_listed():
    import keras_trainfix

    for name in keras_trainfix.__all__:
        assert getattr(keras_trainfix, name).__doc__
    assert re.fullmatch(r"\d+\.\d+\.\d+", keras_trainfix.__version__)
