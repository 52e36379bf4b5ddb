"""Trains a DeepLab v3+ on Pascal VOC 2012, ignoring the void borders.

    python examples/voc.py VOCdevkit/VOC2012 [--weights none] [--epochs 20]

The steps of `03_segmentation_with_void.ipynb` on your own copy of the data: 1,464
training and 1,449 validation images and 21 classes, in the folders `ImageSets`,
`JPEGImages` and `SegmentationClass`. First the pyramid and decoder are trained, then
the batch normalization statistics are recomputed and frozen, and the whole network is
trained. After each step it prints the IoU per class; `voc/snapshots.png` shows the
predictions by epoch.
"""

import argparse
from pathlib import Path

# First, because it sets up Keras' environment.
from segmentation_with_void import deeplab_head, resize_and_pad, tf  # isort: skip
import keras
import numpy as np
from PIL import Image

from keras_trainfix import (
    MaskedCrossentropy,
    MaskedSoftDice,
    MeanIoU,
    PredictionSnapshots,
    WeightedSum,
    freeze_batch_norm,
    recalibrate_batch_norm,
)

VOID = 255
NAMES = [
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
]


def find_pairs(folder, split):
    """Paths of the images and labels of a split.

    Args:
        folder: The folder `VOC2012`.
        split: `"train"`, `"val"` or `"trainval"`: a file in `ImageSets/Segmentation`.

    Returns:
        List of `(image, label)`, both `pathlib.Path`.

    Raises:
        FileNotFoundError: If the list of names, or a file it names, is missing.
    """
    folder = Path(folder)
    names = folder / "ImageSets" / "Segmentation" / f"{split}.txt"
    if not names.is_file():
        raise FileNotFoundError(
            "The folder must be VOC2012 of Pascal VOC, with ImageSets, JPEGImages and "
            f"SegmentationClass in it. Received: folder={folder}, which has no "
            f"{names.relative_to(folder)}."
        )
    pairs = [
        (
            folder / "JPEGImages" / f"{name}.jpg",
            folder / "SegmentationClass" / f"{name}.png",
        )
        for name in names.read_text().split()
    ]
    for path in (path for pair in pairs for path in pair):
        if not path.is_file():
            raise FileNotFoundError(
                f"Every file that {names.name} names must exist. Received: {path}, "
                "which is missing. Labels are in the segmentation task's archive."
            )
    return pairs


def read_label(path):
    """Class ids `(H, W)` in uint8 from a palette PNG, with 255 for void.

    TensorFlow's decoder would return the palette's colors, not the ids.

    Raises:
        ValueError: If the file has no palette, or ids that are not classes.
    """
    with Image.open(path) as image:
        if image.mode != "P":
            raise ValueError(
                "A label must be a PNG with a palette, as in SegmentationClass. "
                f"Received: mode={image.mode!r} in {path}."
            )
        label = np.array(image)
    unknown = np.setdiff1d(label, [*range(len(NAMES)), VOID])
    if unknown.size:
        raise ValueError(
            f"A label must hold 0 to {len(NAMES) - 1}, and {VOID} for void. Received: "
            f"{unknown.tolist()} in {path}. SegmentationObject holds objects, not "
            "classes."
        )
    return label


def read(image_path, label_path):
    """An image `(H, W, 3)` and its label `(H, W, 1)`, both in uint8."""
    with Image.open(image_path.decode()) as file:
        image = np.array(file.convert("RGB"))
    return image, read_label(label_path.decode())[..., None]


def fit_to(size, image, label):
    """Resizes the longer side to `size` and pads the other.

    Padding is mid-gray in the image and void in the label.

    Returns:
        Image `(size, size, 3)` in float32 from -1 to 1, label `(size, size, 1)` in
        float32.
    """
    shape = tf.cast(tf.shape(image)[:2], "float32")
    shape = tf.cast(tf.round(shape * size / tf.reduce_max(shape)), "int32")
    return resize_and_pad(image, tf.cast(label, "float32"), shape, size)


def augmentation():
    """A function for `tf.data` that flips, rotates, shifts and zooms images and labels.

    Inside `tf.data`, the Keras layers transform both alike (outside, `RandomRotation`
    rotates labels differently on torch). Up to Keras 3.13 they interpolate labels like
    images, which invents classes between two others, so both use the nearest pixel.
    Pixels from outside get the same `fill_value` in both, so labels are temporarily
    shifted by one: then 0 is mid-gray in an image and void in a label.
    """
    how = {"fill_mode": "constant", "fill_value": 0.0, "interpolation": "nearest"}
    layers = [
        keras.layers.RandomFlip("horizontal"),
        keras.layers.RandomRotation(0.03, **how),
        keras.layers.RandomTranslation(0.1, 0.1, **how),
        keras.layers.RandomZoom((-0.3, 0.3), **how),
    ]

    def augment(images, labels):
        data = {"images": images, "segmentation_masks": (labels + 1) % (VOID + 1)}
        for layer in layers:
            data = layer(data, training=True)
        return data["images"], (data["segmentation_masks"] + VOID) % (VOID + 1)

    return augment


def batches(pairs, size, batch_size, augment=None):
    """A `tf.data.Dataset` of images and sparse labels, shuffled if augmented."""
    paths = [[str(path) for path in part] for part in zip(*pairs, strict=True)]
    dataset = tf.data.Dataset.from_tensor_slices(tuple(paths))
    if augment is not None:
        dataset = dataset.shuffle(len(pairs))

    def load(image_path, label_path):
        types = ("uint8", "uint8")
        image, label = tf.numpy_function(read, (image_path, label_path), types)
        image.set_shape((None, None, 3))
        label.set_shape((None, None, 1))
        return fit_to(size, image, label)

    dataset = dataset.map(load, tf.data.AUTOTUNE).batch(batch_size)
    if augment is not None:
        dataset = dataset.map(augment)
    return dataset.map(lambda x, y: (x, tf.cast(y[..., 0], "int32"))).prefetch(2)


def deeplab(size, weights="imagenet", alpha=1.0):
    """DeepLab v3+ on MobileNetV2, and its backbone, which is not trainable."""
    shape = (size, size, 3)
    network = keras.applications.MobileNetV2(
        shape, alpha=alpha, include_top=False, weights=weights
    )
    # A quarter and a sixteenth of the input size.
    taps = [network.get_layer(f"block_{number}_add").output for number in (2, 12)]
    backbone = keras.Model(network.inputs[0], taps, name="backbone")
    backbone.trainable = False
    inputs = keras.Input(shape)
    low, high = backbone(inputs)
    logits = deeplab_head(low, high, len(NAMES), size, filters=128, rates=(3, 6, 9))
    return keras.Model(inputs, logits), backbone


def train(model, backbone, data, validation, epochs, folder):
    """Runs the three steps; returns the `MeanIoU` after each, by name.

    Args:
        model: `keras.Model` from `deeplab`.
        backbone: Its pretrained part.
        data: Training batches.
        validation: Validation batches.
        epochs: Integer, for the first and the third step each.
        folder: Where to write pictures.
    """
    loss = WeightedSum(
        [MaskedSoftDice(from_logits=True), MaskedCrossentropy(from_logits=True)]
    )
    snapshots = PredictionSnapshots(validation, folder=folder, class_names=NAMES)
    metrics = {}

    def evaluate(name):
        metrics[name] = MeanIoU(len(NAMES), class_names=NAMES)
        for images, labels in validation.as_numpy_iterator():
            metrics[name].update_state(labels, model.predict_on_batch(images))
        print(f"\n{name}\n{metrics[name].class_table()}", flush=True)

    def fit(learning_rate):
        model.compile(keras.optimizers.Adam(learning_rate), loss)
        stop = keras.callbacks.EarlyStopping(
            patience=7, min_delta=0.01, restore_best_weights=True
        )
        model.fit(
            data,
            validation_data=validation,
            epochs=epochs,
            shuffle=False,  # the pipeline shuffles
            callbacks=[stop, snapshots],
            verbose=2,
        )

    fit(1e-3)
    evaluate("pyramid and decoder")
    recalibrate_batch_norm(model, data)
    evaluate("recalibrated")
    freeze_batch_norm(model)
    backbone.trainable = True
    fit(1e-4)
    evaluate("whole network")
    return metrics


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="the VOC2012 folder of Pascal VOC")
    parser.add_argument("--train", default="train", help="a list in ImageSets")
    parser.add_argument("--validation", default="val", help="a list in ImageSets")
    parser.add_argument("--size", type=int, default=256, help="a multiple of 16")
    parser.add_argument("--batch-size", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument(
        "--weights", default="imagenet", help="imagenet, a file, or none"
    )
    parser.add_argument("--alpha", type=float, default=1.0, help="width of MobileNetV2")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", default="voc", help="folder for the pictures")
    options = parser.parse_args(arguments)
    keras.utils.set_random_seed(options.seed)
    pairs = [
        find_pairs(options.folder, split)
        for split in (options.train, options.validation)
    ]
    data = batches(pairs[0], options.size, options.batch_size, augmentation())
    validation = batches(pairs[1], options.size, options.batch_size)
    weights = None if options.weights == "none" else options.weights
    model, backbone = deeplab(options.size, weights, options.alpha)
    return train(model, backbone, data, validation, options.epochs, options.output)


if __name__ == "__main__":
    main()
