"""Richardson-Lucy with a measured sensitivity, missing pixels and a background (Richardson 1972; Lucy 1974).

For counts with mean ``E[b] = W (H x) + g`` the likelihood grows with every step of

    x <- x * H^T( W b / (W H x + g) ) / H^T W.

With acceleration the step starts from a point extrapolated along the last change of ``x``, by the ratio of inner
products of the last steps (Biggs and Andrews 1997, Appl. Opt. 36, 1766).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic

import numpy as np

from lfcore.errors import DataError
from lfcore.projection.protocol import Host, Projector, Resident

Progress = Callable[[int, Host], None]


@dataclass(frozen=True)
class Estimate:
    """``volume`` (frame, z, y, x) and ``residuals`` (iteration, frame).

    A residual is ``|b - W H x| / |b|`` over ``W > 0``; ``residuals[i]`` belongs to the volume after ``i`` iterations,
    the last one to the returned volume.
    """

    volume: Host
    residuals: Host


@dataclass(frozen=True)
class Weighting(Generic[Resident]):
    """What depends on the sensitivity ``W`` alone: ``H^T W`` and ``H^T W (W H 1)``; of one frame, or one for all."""

    weight: Resident
    normaliser: Resident
    start_normaliser: Resident
    uniform: Resident

    @classmethod
    def of(cls, projector: Projector[Resident], weight: Host) -> "Weighting[Resident]":
        """Prepare ``weight`` (frame, y, x), zero where a pixel says nothing; one frame serves any number of them."""
        weights = projector.pack_image(weight)
        uniform = projector.pack_volume(np.ones((1, *projector.volume_shape), np.float32))
        expected = projector.weigh(projector.weigh(projector.forward(uniform), weights), weights)
        return cls(weights, projector.adjoint(weights), projector.adjoint(expected), uniform)


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
    weighting = Weighting.of(projector, weight)
    volume, residuals = solve(projector, light, weighting, background, iterations, accelerate, on_iteration)
    return Estimate(projector.unpack_volume(volume), residuals)


def solve(
    projector: Projector[Resident],
    light: Host,
    weighting: Weighting[Resident],
    background: Host,
    iterations: int,
    accelerate: bool = False,
    on_iteration: Progress = lambda iteration, residual: None,
) -> tuple[Resident, Host]:
    """``richardson_lucy`` for a sensitivity prepared beforehand: the resident volume and its residuals.

    ``light`` (frame, y, x) is what was measured: not negative, zero where the weight is.
    """
    norms = np.array([np.sqrt(np.vdot(row, row)) for row in light.reshape(len(light), -1)], np.float64)
    if not norms.all():
        raise DataError(
            f"frame {int(np.argmin(norms))} of this batch holds no light where the camera is usable; leave it out"
        )
    counts, weights, normaliser = projector.pack_image(light), weighting.weight, weighting.normaliser
    back = projector.adjoint(projector.weigh(counts, weights))
    volume = projector.update(weighting.uniform, back, weighting.start_normaliser)
    path = _Path(projector, accelerate)
    residuals = []
    for iteration in range(iterations + 1):
        correction, squares = projector.compare(counts, projector.forward(volume), weights, background)
        residuals.append(np.sqrt(squares) / norms)
        on_iteration(iteration, residuals[-1])
        if iteration < iterations:
            stepped = projector.update(volume, projector.adjoint(correction), normaliser)
            last = iteration + 1 == iterations
            volume = stepped if last else path.next_point(volume, stepped)
    return volume, np.stack(residuals)


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
