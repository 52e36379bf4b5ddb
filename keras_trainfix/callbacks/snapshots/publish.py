"""Where a picture goes: to a file, a notebook, or a writer."""

import io
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_trainfix import backend

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def png_of(figure: "Figure") -> bytes:
    """A figure as the bytes of a PNG file."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def pixels_of(figure: "Figure") -> np.ndarray:
    """A figure as an array `(height, width, 3)` of uint8."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def write_image(writer: Any, tag: str, image: np.ndarray, step: int) -> None:
    """Passes a picture to a writer for TensorBoard, or to a function.

    Args:
        writer: Object with `add_image`, a writer of `tf.summary`, or a function of
            `(tag, image, step)`.
        tag: String, the name of the picture.
        image: Array `(height, width, 3)` of uint8.
        step: Integer.

    Examples:
        >>> def writer(tag, image, step):
        ...     print(tag, image.shape, step)
        >>> write_image(writer, "predictions", np.zeros((8, 8, 3), "uint8"), 2)
        predictions (8, 8, 3) 2
    """
    if hasattr(writer, "add_image"):
        writer.add_image(tag, np.moveaxis(image, -1, 0), step)  # channels first
    elif hasattr(writer, "as_default"):
        backend.write_summary(writer, tag, image, step)
    else:
        writer(tag, image, step)


def is_notebook() -> bool:
    """Whether this runs in a notebook, as opposed to a terminal."""
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None else None
    return shell is not None and getattr(shell, "kernel", None) is not None


def show_inline(png: bytes, handle: Any) -> Any:
    """Shows a picture in a notebook; it replaces the previous one.

    Args:
        png: Bytes of a PNG file.
        handle: The return value for the previous picture, or None.

    Returns:
        A display handle of IPython.
    """
    from IPython.display import Image, display

    picture = Image(data=png, format="png")
    if handle is None:
        return display(picture, display_id=True)
    handle.update(picture)
    return handle
