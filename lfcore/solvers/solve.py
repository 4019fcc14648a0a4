"""One way to call every solver."""

from collections.abc import Callable
from typing import Any, Literal

from lfcore.projection.protocol import Host, Resident
from lfcore.solvers import admm_tv, least_squares, richardson_lucy, rl_tv
from lfcore.solvers.problem import Options, Problem, Progress, Solution

Method = Literal["richardson_lucy", "rl_tv", "least_squares", "admm_tv"]

METHODS: dict[Method, Callable[..., Solution[Any]]] = {
    "richardson_lucy": richardson_lucy.solve,
    "rl_tv": rl_tv.solve,
    "least_squares": least_squares.solve,
    "admm_tv": admm_tv.solve,
}


def solve(
    method: Method,
    problem: Problem[Resident],
    options: Options,
    start: Host | None = None,
    on_iteration: Progress = lambda iteration, residual: None,
) -> Solution[Resident]:
    """Volumes of the frames of ``problem`` by ``method``, from the back projection or from ``start``.

    ``start`` (frame, z, y, x) reaches past the image by the margin, as `Projector.unpack_volume` gives it.
    ``on_iteration(i, residual)`` hears the (frame,) residuals of the volume after ``i`` iterations. Raises
    ``DataError`` for a frame without light and where the residual grows without end.
    """
    return METHODS[method](problem, options, start, on_iteration)
