"""A figure to draw on, in the report's colours, and its PNG bytes."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DARK, LIGHT = "#14171c", "#d7dce2"
ACCENT, WARNING, MARK = "#4cc9f0", "#ff5d8f", "#ffd166"


@contextmanager
def canvas(width: float, height: float, paper: str = DARK, ink: str = LIGHT) -> Iterator["Figure"]:
    """An empty figure of this size in inches; axes added inside the context are drawn in ``ink`` on ``paper``.

    Matplotlib is imported here, and pyplot never, so that no state outlives the picture.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    coloured = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
    style: Any = dict.fromkeys(coloured, ink) | {
        "axes.facecolor": paper,
        "font.size": 9.0,
        "axes.titlesize": 10.0,
        "text.usetex": False,
        "figure.constrained_layout.w_pad": 0.08,
    }
    with mpl.rc_context(style):
        figure = Figure(figsize=(width, height), dpi=110, facecolor=paper, layout="constrained")
        FigureCanvasAgg(figure)
        yield figure


def png(figure: "Figure") -> bytes:
    """The figure as PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def plain(title: str) -> str:
    """``title`` as one line that matplotlib takes literally, whatever characters a file name brought along."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in title).split())
    return (line if len(line) <= 90 else line[:87] + "...").replace("$", r"\$")
