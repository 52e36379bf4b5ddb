"""A DeepLab v3+ small enough for a CPU, on brain slices with void pixels.

What `03_segmentation_with_void.ipynb` trains, and how: the network, a `tf.data`
pipeline, and training with early stopping. `voc.py` does the same with Pascal VOC.

The encoder is the pretrained mini-Xception of `frozen_batch_norm.py`. KerasHub has a
DeepLab v3+ too, but installing it brings TensorFlow along whatever the backend, and
its pretrained weights are a download from another place.
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

NAMES = ["background", "grey matter", "white matter", "fluid"]
SIZE = 64  # of images, once they are prepared
SHARD = 10  # images, and the batch size
SLABS = {  # heights, 8 mm and more apart since neighbours are alike
    "train": range(50, 70) if SHORT else range(30, 90),
    "validation": range(98, 108),
    "test": range(116, 136, 2),
}


def load_slices():
    """Horizontal slices of a brain: a dict of the slab to `(images, labels)`.

    Both are `(N, 233, 197)` in uint8. See `real_data.tissue_volume` for the labels.
    """
    image, labels = (volume.T[:, ::-1] for volume in tissue_volume())  # front above
    return {name: (image[slab], labels[slab]) for name, slab in SLABS.items()}


def prepare(image, label):
    """One slice as the network takes it, made by functions of TensorFlow.

    It is resized to 68 lines and 57 columns; the lines are cropped to 64, and the
    columns padded to 64, with mid-grey in the image and with void in the label.

    Returns:
        Image `(64, 64, 1)` in float32 from -1 to 1, label `(64, 64)` in int32.
    """
    image, label = image[..., None], tf.cast(label[..., None], "int32")
    image, label = resize_and_pad(image, label, (68, 57), SIZE)
    return image, label[..., 0]


def resize_and_pad(image, label, shape, size):
    """An image from -1 to 1 and its label, resized, and cropped or padded to a square.

    Args:
        image: `(H, W, channels)`, of 0 to 255.
        label: `(H, W, 1)`, of a type that has negative numbers.
        shape: `(height, width)` to resize to.
        size: Integer, the side of the square.
    """
    image = tf.image.resize(image, shape, antialias=True) / 127.5 - 1
    label = tf.image.resize(label, shape, method="nearest")
    image = tf.image.resize_with_crop_or_pad(image, size, size)
    # What is padded is 0, which is mid-grey in the image, and no void in the label.
    label = tf.image.resize_with_crop_or_pad(label - VOID, size, size) + VOID
    return image, label


def one_hot(label):
    """A channel a class, of 0 and 1; a pixel that is void has 255 in all of them."""
    is_void = (label == VOID)[..., None]
    return tf.where(is_void, float(VOID), tf.one_hot(label, len(NAMES)))


def batches(slab, encode=None, seed=None):
    """A `tf.data.Dataset` of shards of 10 slices.

    Args:
        slab: `(images, labels)`, of `load_slices`.
        encode: What to make of a label, such as `one_hot`; None to leave it sparse.
        seed: Integer, to deal the slices out to the shards at random, once, and to
            take the shards in a new order each epoch; None to do neither.
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
        The model, 104,000 parameters, and the pretrained half of it, a model as well,
        which is not trainable. It gives logits, or with `softmax` probabilities.
    """
    keras.utils.set_random_seed(seed)
    network = keras.models.load_model(emotion_model_path(), compile=False)
    adds = [layer for layer in network.layers if isinstance(layer, layers.Add)]
    taps = keras.Model(network.inputs[0], [adds[0].output, adds[-1].output])
    # The first two convolutions take 4 lines and columns away.
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
        low: Features of few layers, fine.
        high: Features of all layers, coarse.
        classes: Integer, the number of classes.
        size: Integer, height and width of the logits.
        filters: Integer, of the convolutions.
        rates: Dilation of the convolutions of the pyramid.
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
    """Compiles and trains, and stops early.

    Args:
        model: What `deeplab` returns first.
        loss: Loss, for labels as `data` has them.
        optimizer: Optimizer.
        data: What `batches` returns.
        validation: The same, of other slices.
        epochs: Integer, the most epochs there may be.
        callbacks: More callbacks.

    Returns:
        Dict of lists, a number an epoch: `loss`, `mean_iou`, and both with `val_`.
    """
    stop = keras.callbacks.EarlyStopping(patience=7, min_delta=0.01)
    # With TensorFlow a few steps are over before they would have been compiled.
    eagerly = SHORT and keras.backend.backend() == "tensorflow"
    metrics = [MeanIoU(len(NAMES))]
    model.compile(optimizer, loss, metrics=metrics, run_eagerly=eagerly)
    return model.fit(
        data,
        validation_data=validation,
        epochs=epochs,
        shuffle=False,  # by Keras: the pipeline does that
        callbacks=[stop, *callbacks],
        verbose=0,
    ).history


def score(model, dataset):
    """A `MeanIoU` of a model, in inference mode, over a data set of sparse labels."""
    metric = MeanIoU(len(NAMES), per_class=True, class_names=NAMES)
    for image, label in dataset.as_numpy_iterator():
        metric.update_state(label, model.predict_on_batch(image))
    return metric


def plot_curves(arms):
    """Mean IoU by epoch: a panel an arm, a line a seed.

    Args:
        arms: Dict of the title of a panel to a list of what `train` returns.

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
    """Images, labels and answers by the side of each other, void in grey.

    Args:
        images: Array `(N, H, W, 1)` from -1 to 1.
        labels: Array `(N, H, W)`.
        answers: Dict of a title to class ids `(N, H, W)`.

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
