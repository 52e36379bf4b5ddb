"""`examples/voc.py`, on a folder as Pascal VOC has it, made of one real image of it."""

import re
import shutil
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from examples import real_data

tf = pytest.importorskip("tensorflow", reason="the pipeline is tf.data")
pytest.importorskip("matplotlib")
Image = pytest.importorskip("PIL.Image")
sys.path.insert(0, str(Path(real_data.__file__).parent))

import voc  # noqa: E402 - a script, which imports its neighbours

VOID = voc.VOID
# Those in the image.
BACKGROUND, BOTTLE, CHAIR, TABLE, PERSON = 0, 5, 9, 11, 15
pytestmark = pytest.mark.network


def palette():
    """The colours of VOC: the bits of an id, dealt out to red, green and blue."""
    ids = np.arange(256)
    colors = np.zeros((256, 3), "uint8")
    for bit in range(8):
        for channel in range(3):
            colors[:, channel] |= (ids >> channel & 1).astype("uint8") << (7 - bit)
        ids >>= 3
    return colors


def write_label(path, label):
    image = Image.fromarray(label)
    image.putpalette(palette().tobytes())
    image.save(path)


@pytest.fixture(scope="module")
def example():
    """The image, and its classes with a void border, as VOC has it."""
    with np.load(real_data.fetch("voc_example")) as data:
        image, masks, classes = data["rgb"], data["masks"], data["labels"]
    label = np.zeros(image.shape[:2], "uint8")
    for mask, number in zip(masks, classes, strict=True):
        label[mask] = number
    border = np.zeros(label.shape, bool)
    for axis in (0, 1):
        for step in range(1, 4):
            change = label != np.roll(label, step, axis)
            border |= change | np.roll(change, -step, axis)
    label[border] = VOID
    return image, label


@pytest.fixture(scope="module")
def original(example, tmp_path_factory):
    folder = tmp_path_factory.mktemp("voc") / "VOC2012"
    for name in ("ImageSets/Segmentation", "JPEGImages", "SegmentationClass"):
        (folder / name).mkdir(parents=True)
    image, label = example
    parts = {
        "whole": np.s_[:, :],
        "left": np.s_[:, :250],
        "right": np.s_[:, 250:],
        "below": np.s_[175:, :],
    }
    for name, part in parts.items():
        Image.fromarray(image[part]).save(folder / "JPEGImages" / f"{name}.jpg")
        write_label(folder / "SegmentationClass" / f"{name}.png", label[part])
    sets = folder / "ImageSets" / "Segmentation"
    (sets / "train.txt").write_text("left\nright\nbelow\n")
    (sets / "val.txt").write_text("whole\n")
    return folder


@pytest.fixture
def folder(original, tmp_path):
    """A copy that a test may damage."""
    return Path(shutil.copytree(original, tmp_path / "VOC2012"))


def test_the_example_is_what_voc_looks_like(example):
    image, label = example
    assert image.shape == (375, 500, 3)
    present = [BACKGROUND, BOTTLE, CHAIR, TABLE, PERSON, VOID]
    assert np.unique(label).tolist() == present
    assert 0.05 < (label == VOID).mean() < 0.3


def test_the_names_are_those_of_the_lists(original):
    pairs = voc.find_pairs(original, "train")
    assert [image.name for image, _ in pairs] == ["left.jpg", "right.jpg", "below.jpg"]
    assert [label.name for _, label in pairs] == ["left.png", "right.png", "below.png"]
    assert [label.stem for _, label in voc.find_pairs(str(original), "val")] == [
        "whole"
    ]


def test_another_folder_is_refused(original):
    with pytest.raises(FileNotFoundError, match=r"no ImageSets.Segmentation.val\.txt"):
        voc.find_pairs(original / "JPEGImages", "val")


def test_a_missing_file_is_named(folder):
    missing = folder / "SegmentationClass" / "right.png"
    missing.unlink()
    with pytest.raises(FileNotFoundError, match=re.escape(f"Received: {missing}")):
        voc.find_pairs(folder, "train")


def test_a_label_holds_ids_and_not_colours(original, example):
    label = voc.read_label(original / "SegmentationClass" / "whole.png")
    assert label.dtype == np.uint8
    np.testing.assert_array_equal(label, example[1])


def test_a_label_in_colours_is_refused(folder):
    path = folder / "SegmentationClass" / "whole.png"
    with Image.open(path) as label:
        colors = label.convert("RGB")
    colors.save(path)
    with pytest.raises(ValueError, match=r"palette.* Received: mode='RGB' in .*whole"):
        voc.read_label(path)


def test_ids_that_are_no_classes_are_refused(folder):
    path = folder / "SegmentationClass" / "whole.png"
    write_label(path, np.array([[0, 21, 40, VOID]], "uint8"))
    with pytest.raises(ValueError, match=r"Received: \[21, 40\] in .*whole\.png"):
        voc.read_label(path)


def test_what_is_padded_is_void(original, example):
    pairs = voc.find_pairs(original, "val")
    ((images, labels),) = voc.batches(pairs, 64, 2).as_numpy_iterator()
    assert images.shape == (1, 64, 64, 3)
    assert labels.shape == (1, 64, 64)
    assert labels.dtype == np.int32
    mean = example[0].mean() / 127.5 - 1
    assert images[0, 8:56].mean() == pytest.approx(mean, abs=0.01)
    # 375 of 500 lines are 48 of 64.
    padding = np.r_[0:8, 56:64]
    assert (labels[0, padding] == VOID).all()
    assert (images[0, padding] == 0).all()
    assert set(np.unique(labels[0, 8:56])) <= set(np.unique(example[1]))
    kept, whole = labels[0, 8:56], example[1]
    for number in (BACKGROUND, TABLE, PERSON, VOID):
        assert (kept == number).mean() == pytest.approx(
            (whole == number).mean(), abs=0.02
        )


def augmented(images, labels):
    """A batch as `voc.batches` augments it."""
    batch = tf.data.Dataset.from_tensors((images, labels))
    return next(batch.map(voc.augmentation()).as_numpy_iterator())


def test_images_and_labels_are_augmented_alike():
    """An image that shows its label has to show it afterwards."""
    label = np.full((4, 96, 96, 1), 255, "float32")
    label[:, 8:88, 8:88] = 0
    label[:, 20:60, 16:40] = 15
    label[:, 45:75, 50:75] = 1
    shown = np.select([label == 0, label == 15, label == 1], [-1.0, 0.5, 1.0], 0.0)
    keras.utils.set_random_seed(1)
    images, labels = augmented(shown.astype("float32"), label)
    assert set(np.unique(labels)) == {0, 1, 15, 255}
    assert (labels != label).mean() > 0.05
    expected = np.select([labels == 0, labels == 15, labels == 1], [-1.0, 0.5, 1.0], 0)
    np.testing.assert_allclose(images, expected, atol=1e-6)


def test_no_augmentation_brings_in_a_class_from_outside():
    """All is person: what comes in from outside the image must be void, not class 0."""
    label = np.full((8, 32, 32, 1), PERSON, "float32")
    keras.utils.set_random_seed(1)
    found = set()
    for _ in range(3):
        _, labels = augmented(np.zeros((8, 32, 32, 3), "float32"), label)
        found |= set(np.unique(labels))
    assert found == {PERSON, VOID}


@pytest.mark.slow
def test_it_trains_from_the_command_line(original, tmp_path, capsys):
    arguments = [str(original), "--weights", "none", "--alpha", "0.35", "--size", "64"]
    arguments += ["--epochs", "1", "--batch-size", "2", "--output", str(tmp_path)]
    metrics = voc.main(arguments)
    assert list(metrics) == ["pyramid and decoder", "recalibrated", "whole network"]
    for metric in metrics.values():
        assert 0 <= float(metric.result()) < 1
    assert (tmp_path / "snapshots.png").stat().st_size > 1000
    assert "person" in capsys.readouterr().out
