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


def test_public_names_are_importable_and_listed():
    import keras_trainfix

    for name in keras_trainfix.__all__:
        assert getattr(keras_trainfix, name).__doc__
    assert re.fullmatch(r"\d+\.\d+\.\d+", keras_trainfix.__version__)
