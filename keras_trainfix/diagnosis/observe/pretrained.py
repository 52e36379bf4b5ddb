"""Nets of `keras.applications`, known by the names of their layers."""

import re
from collections.abc import Iterable
from typing import NamedTuple

SCALED, RAW = 10.0, 20.0  # largest number of scaled images, and of raw ones at least


class Scheme(NamedTuple):
    """What a family of nets expects.

    Attributes:
        name: String, the family.
        expected: String, the range in words.
        is_raw: Whether the numbers are those of pixels, up to 255.
        module: Name of the module of `keras.applications` with `preprocess_input`.
    """

    name: str
    expected: str
    is_raw: bool
    module: str

    def factor(self, low: float, high: float) -> float | None:
        """By how much inputs of a range are too large; None where they may be right.

        Args:
            low: Float, the lowest number.
            high: Float, the highest number.
        """
        largest = max(-low, high)
        if self.is_raw:
            return 1 / 255 if 0 < largest <= SCALED else None
        return 127.5 if largest >= RAW else None


CENTERED = "-1 to 1"
CAFFE = "0 to 255 less the mean of each channel, as BGR"
TORCH = "-2.1 to 2.6: standardized by channel"
# Each needs one layer of every pattern; the first that fits counts.
FAMILIES = (
    (
        ("Conv1", "bn_Conv1", "expanded_conv_.*"),
        "MobileNetV2",
        CENTERED,
        "mobilenet_v2",
    ),
    (("conv1", "conv_dw_1", "conv_pw_1"), "MobileNet", CENTERED, "mobilenet"),
    (("block1_conv1_bn", "block2_sepconv1"), "Xception", CENTERED, "xception"),
    (("mixed0", "mixed1"), "InceptionV3", CENTERED, "inception_v3"),
    (("mixed_5b",), "InceptionResNetV2", CENTERED, "inception_resnet_v2"),
    (("stem_conv1", "stem_bn1", "normal_.*"), "NASNet", CENTERED, "nasnet"),
    (("conv1_conv", "conv2_block1_preact_bn"), "ResNetV2", CENTERED, "resnet_v2"),
    (
        ("conv1_conv", "conv2_block1_1_conv", "conv2_block1_add"),
        "ResNet",
        CAFFE,
        "resnet",
    ),
    (("block1_conv1", "block1_conv2", "block2_conv1"), "VGG", CAFFE, "vgg16"),
    (("conv1_conv", "conv2_block1_concat"), "DenseNet", TORCH, "densenet"),
)


def scheme_of(names: Iterable[str]) -> Scheme | None:
    """The `Scheme` of the net that has layers of these names, or None.

    Nets that scale their inputs themselves are left out: their layers say what they
    expect.

    Args:
        names: Iterable of the names of layers.

    Examples:
        >>> scheme_of(["block1_conv1", "block1_conv2", "block2_conv1"]).name
        'VGG'
        >>> scheme_of(["dense"]) is None
        True
    """
    names = list(names)
    for patterns, family, expected, module in FAMILIES:
        if all(any(re.fullmatch(p, name) for name in names) for p in patterns):
            return Scheme(family, expected, expected == CAFFE, module)
    return None
