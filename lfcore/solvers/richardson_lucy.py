"""Richardson-Lucy with a measured sensitivity, missing pixels and a background (Richardson 1972; Lucy 1974).

For counts with mean ``E[b] = W (H x) + g`` the likelihood grows with every step of

    x <- x * H^T( W b / (W H x + g) ) / H^T W.

With acceleration the step starts from a point extrapolated along the last change of ``x``, by the ratio of inner
products of the last steps (Biggs and Andrews 1997, Appl. Opt. 36, 1766).
"""

from collections.abc import Callable
from typing import Generic

import numpy as np

from lfcore.projection.protocol import Host, Projector, Resident
from lfcore.solvers.problem import Course, Estimate, Options, Problem, Progress, Solution, Weighting


def richardson_lucy(
    projector: Projector[Resident],
    measured: Host,
    weight: Host,
    background: Host,
    iterations: int,
    accelerate: bool = False,
    on_iteration: Progress = lambda iteration, residual: None,
) -> Estimate:
    """Estimate the volumes, margin included, of several frames at once.

    ``measured`` and ``weight`` are (frame, y, x), the latter zero where a pixel says nothing; ``background`` is
    (frame,) counts a pixel. The start is the back projection. ``on_iteration(i, residual)`` hears the (frame,)
    residuals of the volume after ``i`` iterations. Raises ``DataError`` for a frame without a single usable pixel or
    without light.
    """
    light = np.where(weight > 0, np.maximum(measured, 0), 0)
    problem = Problem(projector, light, Weighting.of(projector, weight), background)
    solution = solve(problem, Options(iterations, accelerate), None, on_iteration)
    return Estimate(projector.unpack_volume(solution.volume), solution.residuals)


def solve(
    problem: Problem[Resident], options: Options, start: Host | None, on_iteration: Progress
) -> Solution[Resident]:
    """See `lfcore.solvers.solve.solve`."""
    return iterate("richardson_lucy", problem, options, start, on_iteration)


def iterate(
    solver: str,
    problem: Problem[Resident],
    options: Options,
    start: Host | None,
    on_iteration: Progress,
    temper: Callable[[Resident, Resident], Resident] | None = None,
) -> Solution[Resident]:
    """Iterate; ``temper(stepped, before)`` may change what each step has led to."""
    projector, weighting, norms = problem.projector, problem.weighting, problem.norms
    counts = projector.pack_image(problem.light)
    volume = problem.start(start, counts)
    path, course = _Path(projector, options.accelerate), Course(solver, problem, options, on_iteration)
    while True:
        correction, squares = projector.compare(counts, projector.forward(volume), weighting.weight, problem.background)
        if course.ends(np.sqrt(squares) / norms):
            return Solution(volume, course.residuals, course.stopped)
        stepped = projector.update(volume, projector.adjoint(correction), weighting.normaliser)
        if temper is not None:
            stepped = temper(stepped, volume)
        volume = stepped if course.before_last else path.next_point(volume, stepped)


class _Path(Generic[Resident]):
    """Where the next step starts: at the last estimate, or beyond it along the way that the estimates go."""

    def __init__(self, projector: Projector[Resident], accelerate: bool) -> None:
        self.projector = projector
        self.accelerate = accelerate
        self.estimate: Resident | None = None
        self.step: Resident | None = None

    def next_point(self, start: Resident, stepped: Resident) -> Resident:
        """The point from which to go on after a step has led from ``start`` to ``stepped``."""
        if not self.accelerate:
            return stepped
        step = self.projector.difference(stepped, start)
        estimate, previous_step = self.estimate, self.step
        self.estimate, self.step = stepped, step
        if estimate is None or previous_step is None:
            return stepped
        along, norm = self.projector.inner(step, previous_step), self.projector.inner(previous_step, previous_step)
        ratio = np.divide(along, norm, out=np.zeros_like(along), where=norm > 0)
        return self.projector.extrapolate(stepped, estimate, np.clip(ratio, 0, 1))
