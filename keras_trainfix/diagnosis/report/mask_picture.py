"""Image, label and prediction side by side, as PNG within the page."""

import base64
import colorsys
import struct
import zlib
from collections.abc import Sequence
from html import escape

import numpy as np

from keras_trainfix.diagnosis.findings import MaskExamples

VOID_COLOR = (200, 120, 200)
SIZE = 96  # CSS pixels


def draw_masks(
    examples: MaskExamples, of: str = "", class_names: Sequence[str] | None = None
) -> str:
    """A table of images, labels and predictions, as HTML.

    Of a single unit the probability is drawn, from black to white, so that a mask below
    the threshold can be seen to rise.

    Args:
        examples: `MaskExamples`.
        of: String that names the output in the title, or `""`.
        class_names: List of strings, or None.
    """
    is_probability = examples.predictions.dtype.kind == "f"
    heads = ("image", "label", "probability" if is_probability else "prediction")
    rows = [
        f"<tr>{_cell(image)}{_cell(_colored(label))}{_cell(_colored(answer))}"
        f"<td>IoU {score:.2f}</td></tr>"
        for image, label, answer, score in zip(
            examples.images,
            examples.labels,
            examples.predictions,
            examples.scores,
            strict=True,
        )
    ]
    head = "".join(f"<th>{word}</th>" for word in (*heads, ""))
    return (
        f"<figure class='ktf-masks'><figcaption>Masks{escape(of)}</figcaption>"
        f"<table><tr>{head}</tr>{''.join(rows)}</table>"
        f"{_key(examples, class_names)}</figure>"
    )


def png(pixels: np.ndarray) -> bytes:
    """A PNG file of an image.

    Args:
        pixels: Uint8 array `(H, W, 3)`.
    """
    height, width, _ = pixels.shape
    rows = np.concatenate(
        [np.zeros((height, 1), "uint8"), pixels.reshape(height, 3 * width)], axis=1
    )

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(rows.tobytes(), 9)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def color_of(number: int) -> tuple[int, int, int]:
    """The color of a class: black, white, then hues far from the one before."""
    if number < 0:
        return VOID_COLOR
    if number < 2:
        return ((20, 22, 28), (240, 240, 240))[number]
    hue = (0.5 + 0.618034 * number) % 1
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.75, 0.95)
    return round(255 * red), round(255 * green), round(255 * blue)


def _colored(mask: np.ndarray) -> np.ndarray:
    if mask.dtype.kind == "f":
        low, high = np.array(color_of(0)), np.array(color_of(1))
        return (low + np.clip(mask, 0, 1)[..., None] * (high - low)).astype("uint8")
    colors = np.zeros((*mask.shape, 3), "uint8")
    for number in np.unique(mask):
        colors[mask == number] = color_of(int(number))
    return colors


def _cell(pixels: np.ndarray) -> str:
    data = base64.b64encode(png(pixels)).decode()
    return (
        f"<td><img alt='' width='{SIZE}' height='{SIZE}' "
        f"src='data:image/png;base64,{data}'/></td>"
    )


def _key(examples: MaskExamples, class_names: Sequence[str] | None) -> str:
    """The colors of the classes that occur."""
    shown = set(np.unique(examples.labels).tolist())
    if examples.predictions.dtype.kind != "f":
        shown |= set(np.unique(examples.predictions).tolist())
    parts = [
        f"<span><i style='background-color:rgb{color_of(int(number))}'></i>"
        f"{escape(name_of(int(number), class_names))}</span>"
        for number in sorted(shown)
    ]
    return f"<p class='ktf-key'>{' '.join(parts)}</p>"


def name_of(number: int, class_names: Sequence[str] | None) -> str:
    """The name of a class, or its number."""
    if number < 0:
        return "void"
    known = class_names is not None and number < len(class_names)
    return str(class_names[number]) if known and class_names else str(number)
