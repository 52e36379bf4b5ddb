"""A DeepLab v3+ small enough for a CPU, on brain slices with void pixels.

The parts of `03_segmentation_with_void.ipynb`: the network, a `tf.data` pipeline, and
training with early stopping. `voc.py` does the same for Pascal VOC.

The encoder is the pretrained mini-Xception of `frozen_batch_norm.py`. KerasHub has a
DeepLab v3+ too, but it installs TensorFlow whatever the backend, and its pretrained
weights have to be downloaded from elsewhere.
"""

from environment import SHORT  # isort: skip - first: it prepares Keras
import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers
from matplotlib.ticker import MaxNLocator
from real_data import VOID, emotion_model_path, tissue_volume

from keras_trainfix import MeanIoU

try:
    import tensorflow as tf
except ImportError as error:
    raise ImportError(
        "The pipeline of this example is tf.data, which needs TensorFlow with any "
        f"backend of Keras. Received: {error}. Install it: pip install tensorflow."
    ) from error

NAMES = ["background", "gray matter", "white matter", "fluid"]
SIZE = 64  # of the prepared images
SHARD = 10  # images per shard; also the batch size
SLABS = {  # heights, at least 8 mm apart because neighbors are alike
    "train": range(50, 70) if SHORT else range(30, 90),
    "validation": range(98, 108),
    "test": range(116, 136, 2),
}


def load_slices():
    """Horizontal slices of a brain: a dict of slab name to `(images, labels)`.

    Both are `(N, 233, 197)` in uint8. See `real_data.tissue_volume` for the labels.
    """
    image, labels = (volume.T[:, ::-1] for volume in tissue_volume())  # front above
    return {name: (image[slab], labels[slab]) for name, slab in SLABS.items()}


def prepare(image, label):
    """One slice as the network expects it, using TensorFlow functions.

    It is resized to 68 rows and 57 columns. Rows are cropped to 64, and columns padded
    to 64, with mid-gray in the image and with void in the label.

    Returns:
        Image `(64, 64, 1)` in float32 from -1 to 1, label `(64, 64)` in int32.
    """
    image, label = image[..., None], tf.cast(label[..., None], "int32")
    image, label = resize_and_pad(image, label, (68, 57), SIZE)
    return image, label[..., 0]


def resize_and_pad(image, label, shape, size):
    """Resizes an image and its label, then crops or pads them to a square.

    Args:
        image: `(H, W, channels)`, from 0 to 255.
        label: `(H, W, 1)`, in a signed dtype.
        shape: `(height, width)` to resize to.
        size: Integer, the side of the square.

    Returns:
        The image, from -1 to 1, and the label.
    """
    image = tf.image.resize(image, shape, antialias=True) / 127.5 - 1
    label = tf.image.resize(label, shape, method="nearest")
    image = tf.image.resize_with_crop_or_pad(image, size, size)
    # Padding is 0: mid-gray in the image, but not void in the label, hence the shift.
    label = tf.image.resize_with_crop_or_pad(label - VOID, size, size) + VOID
    return image, label


def one_hot(label):
    """One channel per class, of 0 and 1; void pixels have 255 in every channel."""
    is_void = (label == VOID)[..., None]
    return tf.where(is_void, float(VOID), tf.one_hot(label, len(NAMES)))


def batches(slab, encode=None, seed=None):
    """A `tf.data.Dataset` of shards of 10 slices.

    Args:
        slab: `(images, labels)` from `load_slices`.
        encode: Function to apply to labels, such as `one_hot`; None keeps them sparse.
        seed: Integer, to assign slices to shards at random, once, and to reshuffle the
            shards every epoch; None to do neither.
    """
    order = np.arange(len(slab[0]))
    if seed is not None:
        np.random.default_rng(seed).shuffle(order)
    dataset = tf.data.Dataset.from_tensor_slices(tuple(part[order] for part in slab))
    dataset = dataset.map(prepare)
    if encode is not None:
        dataset = dataset.map(lambda image, label: (image, encode(label)))
    dataset = dataset.batch(SHARD).cache()
    if seed is not None:
        dataset = dataset.shuffle(len(order) // SHARD, seed=seed)
    return dataset.prefetch(1)


def deeplab(seed, softmax=False):
    """DeepLab v3+ for 64x64x1 and four classes, on a pretrained mini-Xception.

    Returns:
        The model, with 104,000 parameters, and its pretrained backbone, a model that is
        not trainable. The output is logits, or probabilities with `softmax`.
    """
    keras.utils.set_random_seed(seed)
    network = keras.models.load_model(emotion_model_path(), compile=False)
    adds = [layer for layer in network.layers if isinstance(layer, layers.Add)]
    taps = keras.Model(network.inputs[0], [adds[0].output, adds[-1].output])
    # The first two convolutions remove 4 rows and columns.
    larger = keras.Input((SIZE + 4, SIZE + 4, 1))
    backbone = keras.models.clone_model(taps, input_tensors=larger)
    backbone.set_weights(taps.get_weights())
    backbone.trainable = False
    inputs = keras.Input((SIZE, SIZE, 1))
    low, high = backbone(layers.ZeroPadding2D(2)(inputs))
    logits = deeplab_head(low, high, len(NAMES), SIZE)
    outputs = layers.Softmax()(logits) if softmax else logits
    return keras.Model(inputs, outputs), backbone


def deeplab_head(low, high, classes, size, filters=48, rates=(1, 2, 3)):
    """Pyramid pooling and decoder of DeepLab v3+; ends in logits.

    Args:
        low: Fine features, from the early layers.
        high: Coarse features, from the last layer.
        classes: Integer, the number of classes.
        size: Integer, height and width of the logits.
        filters: Integer, the filters of each convolution.
        rates: Dilation rates of the pyramid's convolutions.
    """
    mean = _convolution(layers.GlobalAveragePooling2D(keepdims=True)(high), filters)
    pyramid = [_enlarge(mean, high.shape[1]), _convolution(high, filters)]
    pyramid += [_convolution(high, filters, 3, rate) for rate in rates]
    x = _convolution(layers.Concatenate()(pyramid), filters)
    x = [_enlarge(x, low.shape[1]), _convolution(low, 16)]
    x = _convolution(layers.Concatenate()(x), filters, 3)
    x = _convolution(x, filters, 3)
    return _enlarge(layers.Conv2D(classes, 1)(x), size)


def _convolution(x, filters, kernel=1, rate=1):
    kind = layers.Conv2D if kernel == 1 else layers.SeparableConv2D
    x = kind(filters, kernel, padding="same", dilation_rate=rate, use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization()(x))


def _enlarge(x, size):
    return layers.UpSampling2D(size // x.shape[1], interpolation="bilinear")(x)


def train(model, loss, optimizer, data, validation, epochs, callbacks=()):
    """Compiles and trains, with early stopping.

    Args:
        model: What `deeplab` returns first.
        loss: Loss that fits the labels of `data`.
        optimizer: Optimizer.
        data: What `batches` returns.
        validation: The same for other slices.
        epochs: Integer, the maximum number of epochs.
        callbacks: More callbacks.

    Returns:
        Dict of lists with one number per epoch: `loss`, `mean_iou`, and both with
        `val_`.
    """
    stop = keras.callbacks.EarlyStopping(patience=7, min_delta=0.01)
    # On TensorFlow, a few eager steps finish before compilation would.
    eagerly = SHORT and keras.backend.backend() == "tensorflow"
    metrics = [MeanIoU(len(NAMES))]
    model.compile(optimizer, loss, metrics=metrics, run_eagerly=eagerly)
    return model.fit(
        data,
        validation_data=validation,
        epochs=epochs,
        shuffle=False,  # the pipeline shuffles
        callbacks=[stop, *callbacks],
        verbose=0,
    ).history


def score(model, dataset):
    """The `MeanIoU` of a model in inference mode, on a data set with sparse labels."""
    metric = MeanIoU(len(NAMES), per_class=True, class_names=NAMES)
    for image, label in dataset.as_numpy_iterator():
        metric.update_state(label, model.predict_on_batch(image))
    return metric


def plot_curves(arms):
    """Plots mean IoU per epoch, one panel per variant, one line per seed.

    Args:
        arms: Dict of a panel title to a list of results of `train`.

    Returns:
        The figure.
    """
    size = (1 + 3 * len(arms), 3.2)
    figure, panels = plt.subplots(
        1, len(arms), sharey=True, squeeze=False, figsize=size
    )
    colors = {"mean_iou": "0.6", "val_mean_iou": "tab:blue"}
    for panel, (title, histories) in zip(panels[0], arms.items(), strict=True):
        for history in histories:
            for name, color in colors.items():
                epochs = range(1, len(history[name]) + 1)
                panel.plot(epochs, history[name], color=color)
        panel.set(title=title, xlabel="epoch", ylim=(0, 1))
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.grid(alpha=0.3)
    panels[0, 0].set_ylabel("mean IoU")
    panels[0, 0].legend(panels[0, 0].lines[:2], ["training", "validation"])
    figure.tight_layout()
    return figure


def plot_labels(images, labels, answers):
    """Plots images, labels and predictions side by side, with void in gray.

    Args:
        images: Array `(N, H, W, 1)` from -1 to 1.
        labels: Array `(N, H, W)`.
        answers: Dict of a title to predicted class ids `(N, H, W)`.

    Returns:
        The figure.
    """
    colors = plt.get_cmap("viridis", len(NAMES)).with_extremes(over="0.7")
    columns = {"label": labels, **answers}
    size = (2 * len(columns) + 2, 2 * len(images))
    figure, panels = plt.subplots(
        len(images), len(columns) + 1, squeeze=False, figsize=size
    )
    for row, image in zip(panels, images, strict=True):
        row[0].imshow(image[..., 0], cmap="gray")
    panels[0, 0].set_title("image")
    for column, (title, values) in enumerate(columns.items(), start=1):
        panels[0, column].set_title(title)
        for panel, value in zip(panels[:, column], values, strict=True):
            panel.imshow(value, cmap=colors, vmin=-0.5, vmax=len(NAMES) - 0.5)
    for panel in panels.flat:
        panel.axis("off")
    figure.tight_layout()
    return figure
