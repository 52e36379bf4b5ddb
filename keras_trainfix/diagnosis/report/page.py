"""A report as one page that needs no other file and no network."""

import contextlib
import os
import tempfile
from collections.abc import Sequence
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

from keras_trainfix.diagnosis.findings import Diagnosis, provides
from keras_trainfix.diagnosis.report.html import diagnosis_html

# Nothing can be requested, whatever the texts of a diagnosis contain.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "img-src data:"
)
STYLE = """
:root{color-scheme:light dark}
body{margin:0 auto;max-width:860px;padding:20px 16px 60px;background-color:#fff;
color:#1c2128;overflow-wrap:break-word}
h1{font:600 20px/1.3 system-ui,sans-serif;margin:0 0 4px}
header p,footer{font:13px/1.5 system-ui,sans-serif;color:#57606a;margin:0 0 16px}
button{position:absolute;top:6px;right:6px;font:12px system-ui,sans-serif;
padding:3px 9px;border-radius:5px;border:1px solid #8b949e;background-color:#f6f8fa;
color:#1c2128;cursor:pointer}
.code{position:relative}
@media (prefers-color-scheme:dark){
body{background-color:#0d1117;color:#e6edf3}
header p,footer{color:#9aa4af}
button{background-color:#21262d;color:#e6edf3}}
@media (max-width:600px){button{position:static}}
@media print{button{display:none}body{background-color:#fff;color:#000}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
"""
SCRIPT = """
for (const code of document.querySelectorAll("pre")) {
  const frame = document.createElement("div");
  frame.className = "code";
  code.replaceWith(frame);
  frame.append(code);
  const button = document.createElement("button");
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = document.execCommand("copy") ? "Copied" : "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  frame.append(button);
}
addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("details")) part.open = true;
});
"""


@provides
def save_diagnosis(
    diagnosis: Diagnosis, path: Any, class_names: Sequence[str] | None = None
) -> Path:
    """Writes a diagnosis as a page; see `Diagnosis.save`."""
    body = diagnosis_html(diagnosis, class_names, is_open=True)
    looked = ""
    if diagnosis.instruments:
        names = escape("; ".join(diagnosis.instruments))
        looked = f"<details><summary>What was measured</summary>{names}</details>"
    return write(path, page("Diagnosis", body, looked))


def page(title: str, body: str, footer: str = "") -> str:
    """A whole page.

    Args:
        title: String.
        body: String, HTML.
        footer: String, HTML that stands last.
    """
    import keras

    import keras_trainfix

    made = (
        f"keras_trainfix {keras_trainfix.__version__}, Keras {keras.__version__} on "
        f"{keras.backend.backend()}, {datetime.now():%Y-%m-%d %H:%M}"
    )
    return (
        "<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'/>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'/>"
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"/>'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>"
        f"<header><h1>{escape(title)}</h1><p>{escape(made)}</p></header>"
        f"<main>{body}</main><footer>{footer}</footer>"
        f"<script>{SCRIPT}</script></body></html>\n"
    )


def write(path: Any, text: str) -> Path:
    """Writes a file at once, or not at all.

    Args:
        path: String or `Path`.
        text: String.

    Returns:
        `pathlib.Path` of the file.

    Raises:
        OSError: If it cannot be written; what was there before stays.
    """
    target = Path(path)
    other = None
    try:
        handle, other = tempfile.mkstemp(dir=target.parent, suffix=".part")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(other, 0o666 & ~_umask())
        os.replace(other, target)
    except OSError as error:
        if other is not None:
            with contextlib.suppress(OSError):
                os.unlink(other)
        raise OSError(
            "The report cannot be written: its folder must exist and be writable. "
            f"Received: path={str(target)!r} ({error.strerror})."
        ) from error
    return target


def _umask() -> int:
    """The mode bits that new files of this process lack."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
