"""What a learning rate range test found: a suggestion, a table and a picture."""

import html
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_trainfix.diagnosis.report.rate_plot import rate_figure
from keras_trainfix.messages import count

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False, repr=False)
class LearningRateRange:
    """What runs at several learning rates reached; its `str()` is a table.

    Attributes:
        rates: Array `(R,)` of learning rates, from the lowest.
        losses: Array `(R,)`: the loss after the steps at each rate, of samples that
            were not stepped on. NaN where it is not finite.
        skills: Array `(R,)`: how good the predictions are then. 0 is the best constant
            answer, 1 is perfect; -1 where they are worse, or not finite.
        suggestion: Float, the rate to use; None if the model learns at no rate.
        edge: Float, the lowest rate at which the training diverges; None if it diverges
            at none.
        start: Float, the loss before the first step.
        compiled: Float, the present learning rate of the model.
        steps: Integer, the steps of each run.
        batch_size: Integer, the samples of each step.
    """

    rates: np.ndarray
    losses: np.ndarray
    skills: np.ndarray
    suggestion: float | None
    edge: float | None
    start: float
    compiled: float
    steps: int
    batch_size: int

    def __str__(self) -> str:
        lines = [
            self._headline(),
            f"{self.steps} steps of {count(self.batch_size, 'sample')} at each rate, "
            "from the same weights;",
            f"loss and skill on other samples. The loss was {self.start:.4g} before.",
            "",
            f"{'rate':>7}  {'loss':>10}  {'skill':>5}",
        ]
        rows = zip(self.rates, self.losses, self.skills, strict=True)
        for rate, loss, skill in rows:
            line = f"{rate:>7g}  {loss:10.4g}  {skill:5.2f}  {self._remark(rate)}"
            lines.append(line.rstrip())
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        text = f"<pre>{html.escape(str(self))}</pre>"
        try:
            figure = self.plot()
        except ImportError:
            return text
        picture = io.StringIO()
        figure.savefig(picture, format="svg")
        svg = picture.getvalue()
        return f"{svg[svg.index('<svg') :]}{text}"

    def plot(self, path: Any = None) -> "Figure":
        """Draws the loss at each rate, the suggestion, and where training diverges.

        Args:
            path: File to save the picture to, or None.

        Returns:
            `matplotlib.figure.Figure`.

        Raises:
            ImportError: If matplotlib is not installed.
        """
        return rate_figure(self, path)

    def _headline(self):
        if self.suggestion is None:
            falls = bool((self.losses < self.start).any())
            what = (
                "At no learning rate is the model better than a constant answer"
                if falls
                else "No learning rate lowers the loss"
            )
            return f"{what}. `diagnose(model, x, y)` looks for the cause."
        return (
            f"Use a learning rate of {self.suggestion:g}. The model is compiled with "
            f"{self.compiled:.3g}."
        )

    def _remark(self, rate):
        if rate == self.suggestion:
            return "<- use this"
        return "diverges" if self.edge is not None and rate >= self.edge else ""
