"""What every solver is given, what it gives back, and when it ends.

A solver starts from the back projection, or from a given volume, and ends after ``Options.iterations``, or earlier by
a rule: *discrepancy*, when the residual is what noise alone would leave (Morozov 1966, Soviet Math. Dokl. 7, 414), or
*change*, when an iteration changes it by less than a share of itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, Literal

import numpy as np

from lfcore.errors import DataError
from lfcore.projection.protocol import Host, Projector, Resident

Progress = Callable[[int, Host], None]
Rule = Literal["none", "discrepancy", "change"]

FRESH_SHARE = 0.01
"""The share of the back projection in a given start: what is zero stays zero under multiplications."""

DIVERGED_FACTOR = 2.0
DIVERGED_ITERATIONS = 3
"""A residual so many times its smallest, for so many iterations together, is going nowhere."""


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


@dataclass(frozen=True)
class Problem(Generic[Resident]):
    """Frames to be explained: ``E[b] = W (H x) + g``.

    ``light`` (frame, y, x) is what was measured: not negative, zero where the weight is. ``background`` (frame,) is
    ``g``, counts a pixel. ``noise`` (frame,) is the relative residual that noise alone leaves, where that is known.
    """

    projector: Projector[Resident]
    light: Host
    weighting: Weighting[Resident]
    background: Host
    noise: Host | None = None

    @cached_property
    def norms(self) -> Host:
        """(frame,) ``|b|``; raises ``DataError`` for a frame without light."""
        norms = np.array([np.sqrt(np.vdot(row, row)) for row in self.light.reshape(len(self.light), -1)], np.float64)
        if not norms.all():
            raise DataError(
                f"frame {int(np.argmin(norms))} of this batch holds no light where the camera is usable; leave it out"
            )
        return norms

    def start(self, given: Host | None, counts: Resident) -> Resident:
        """The back projection of ``counts``, or ``given`` (frame, z, y, x), margin included, with a share of it."""
        projector, weighting = self.projector, self.weighting
        back = projector.adjoint(projector.weigh(counts, weighting.weight))
        volume = projector.update(weighting.uniform, back, weighting.start_normaliser)
        if given is None:
            return volume
        return projector.extrapolate(projector.pack_volume(given), volume, np.full(len(given), -FRESH_SHARE))

    def host_start(self, given: Host | None) -> Host:
        """The same as ``start``, (frame, voxel) in double precision on the host."""
        volume = self.projector.unpack_volume(self.start(given, self.projector.pack_image(self.light)))
        return volume.reshape(len(volume), -1).astype(np.float64)


@dataclass(frozen=True)
class Options:
    """How to solve.

    ``regularisation`` and ``huber`` are explained by the solvers that have them, and None is their default.
    ``tolerance`` belongs to ``rule``: times what noise leaves, or the relative change of an iteration.
    """

    iterations: int
    accelerate: bool = False
    regularisation: float | None = None
    huber: float | None = None
    rule: Rule = "none"
    tolerance: float = 1.0


@dataclass(frozen=True)
class Solution(Generic[Resident]):
    """``volume``, resident, margin included and not negative; ``residuals`` (iteration, frame); why it ``stopped``.

    A residual is ``|b - W H x| / |b|`` over ``W > 0``; ``residuals[i]`` belongs to the volume after ``i`` iterations,
    the last one to ``volume``. ``stopped`` is "iterations", "discrepancy" or "change".
    """

    volume: Resident
    residuals: Host
    stopped: str


@dataclass(frozen=True)
class Estimate:
    """A solution on the host: ``volume`` (frame, z, y, x), the rest as in ``Solution``.

    ``whole`` is the volume with its margin, where the next frames are to start from it.
    """

    volume: Host
    residuals: Host
    stopped: str = "iterations"
    whole: Host | None = None


class Course:
    """The residuals of a solver under way, and whether to go on."""

    def __init__(self, solver: str, problem: Problem[Resident], options: Options, on_iteration: Progress) -> None:
        if options.rule == "discrepancy" and problem.noise is None:
            raise ValueError("the rule of discrepancy needs the noise of the frames")
        self.solver, self.options, self.noise, self.on_iteration = solver, options, problem.noise, on_iteration
        self.stopped = ""
        self._residuals: list[Host] = []
        self._grown = 0

    @property
    def residuals(self) -> Host:
        """(iteration, frame) so far."""
        return np.stack(self._residuals)

    @property
    def before_last(self) -> bool:
        """Whether one iteration is left at most."""
        return len(self._residuals) == self.options.iterations

    def ends(self, residual: Host) -> bool:
        """Take note of the (frame,) residual of the volume at hand; whether that is the one to return.

        A batch goes on until all its frames may end. Raises ``DataError`` when a frame's residual is no number, or has
        stayed large for some iterations.
        """
        iteration = len(self._residuals)
        self._residuals.append(residual)
        self._refuse_divergence(iteration)
        self.on_iteration(iteration, residual)
        if iteration and self._is_enough(residual):
            self.stopped = self.options.rule
        elif iteration == self.options.iterations:
            self.stopped = "iterations"
        return bool(self.stopped)

    def _is_enough(self, residual: Host) -> bool:
        if self.options.rule == "discrepancy":
            return bool(np.all(residual <= self.options.tolerance * np.asarray(self.noise)))
        if self.options.rule == "change":
            before = self._residuals[-2]
            return bool(np.all(np.abs(before - residual) <= self.options.tolerance * before))
        return False

    def _refuse_divergence(self, iteration: int) -> None:
        residuals = self.residuals
        smallest = residuals.min(0)
        growth = residuals[-1] / np.where(smallest > 0, smallest, 1)
        is_number = np.isfinite(residuals[-1]).all()
        self._grown = self._grown + 1 if is_number and (growth > DIVERGED_FACTOR).any() else 0
        if is_number and self._grown < DIVERGED_ITERATIONS:
            return
        frame = int(np.argmax(np.where(np.isfinite(residuals[-1]), growth, np.inf)))
        what = f"{growth[frame]:.3g} times its smallest" if is_number else "not a number"
        remedies = [
            *(["switch reconstruction.acceleration off"] if self.options.accelerate else []),
            *(["raise reconstruction.regularisation"] if self.solver != "richardson_lucy" else []),
            f"stop before iteration {max(iteration - self._grown, 1)}",
        ]
        raise DataError(
            f"{self.solver} diverges: at iteration {iteration} the residual of frame {frame} of this batch is {what}; "
            + ", or ".join(remedies)
        )
