"""Pretrained nets are known by their layers, with what they expect."""

import keras
import pytest

from keras_trainfix.diagnosis.observe.pretrained import scheme_of

SMALL = {"weights": None, "include_top": False, "input_shape": (96, 96, 3)}


def names(net):
    return [layer.name for layer in net(**SMALL).layers]


@pytest.mark.parametrize(
    ("net", "family"),
    [
        (keras.applications.MobileNetV2, "MobileNetV2"),
        (keras.applications.MobileNet, "MobileNet"),
        (keras.applications.Xception, "Xception"),
        (keras.applications.VGG16, "VGG"),
        (keras.applications.ResNet50, "ResNet"),
        (keras.applications.ResNet50V2, "ResNetV2"),
        (keras.applications.DenseNet121, "DenseNet"),
        (keras.applications.InceptionV3, "InceptionV3"),
    ],
)
def test_families(net, family):
    assert scheme_of(names(net)).name == family


@pytest.mark.parametrize(
    "net", [keras.applications.EfficientNetB0, keras.applications.MobileNetV3Small]
)
def test_nets_that_scale_themselves_are_left_out(net):
    assert scheme_of(names(net)) is None
    assert scheme_of(["block1_conv1", "block1_conv2", "block2_conv1"]).name == "VGG"


def test_ranges():
    centered = scheme_of(["mixed0", "mixed1"])
    caffe = scheme_of(["block1_conv1", "block1_conv2", "block2_conv1"])
    assert [centered.factor(*r) for r in ((-1, 1), (0, 1), (0, 255))] == [
        None,
        None,
        127.5,
    ]
    assert [caffe.factor(*r) for r in ((-120, 150), (0, 255), (0, 1))] == [
        None,
        None,
        1 / 255,
    ]
