"""Non-negative least squares with total variation, by alternating directions.

The method of multipliers (ADMM) is that of Boyd 2011, Found. Trends Mach. Learn. 3, 1. With
``A = sqrt(W) H / s`` and ``c = (b - g) / (sqrt(W) s m)``, where ``s`` is the largest singular value of ``sqrt(W) H``
and ``m`` the root mean square that a volume needs at least to explain the data, it approaches the least of

    1/2 |A x - c|^2 + r sum phi(|grad x|),   x >= 0,

times ``m``. ``phi(t)`` is ``t``, or with Huber's width ``h`` it is ``t^2/(2 h)`` up to ``h`` and ``t - h/2`` beyond:
faint slopes are then smoothed and not made into steps. ``r`` and ``h`` have no unit: the same for any brightness.
Gradients are those of `lfcore.projection.variation`. The gradient and the volume have copies, bound to them by the
fixed penalty ``PENALTY``; an iteration is ``linear.STEPS`` steps of LSMR for the volume and one of
each for the copies and their multipliers. The copy that is not negative is returned.
"""

import math
from dataclasses import dataclass, field
from typing import Generic

import numpy as np
import numpy.typing as npt
from scipy.sparse.linalg import LinearOperator

from lfcore.projection.protocol import Host, Resident
from lfcore.projection.variation import divergence, gradient, lengths
from lfcore.solvers.linear import FrameOperator, Vector, improved
from lfcore.solvers.problem import Course, Options, Problem, Progress, Solution

REGULARISATION = 0.02
PENALTY = 0.01
Doubles = npt.NDArray[np.float64]


def solve(
    problem: Problem[Resident], options: Options, start: Host | None, on_iteration: Progress
) -> Solution[Resident]:
    """See `lfcore.solvers.solve.solve`; ``options.regularisation`` is ``r`` and ``options.huber`` is ``h``."""
    projector, count = problem.projector, len(problem.norms)
    strength = REGULARISATION if options.regularisation is None else options.regularisation
    starts = problem.host_start(start)
    frames = [
        _Frame(FrameOperator(problem, frame), strength, options.huber or 0.0, starts[frame]) for frame in range(count)
    ]
    course = Course("admm_tv", problem, options, on_iteration)
    while True:
        volumes = [frame.positive * frame.brightness for frame in frames]
        if course.ends(
            np.array([frame.operator.residual(volume.ravel()) for frame, volume in zip(frames, volumes, strict=True)])
        ):
            packed = projector.pack_volume(np.reshape(volumes, (count, *projector.volume_shape)))
            return Solution(packed, course.residuals, course.stopped)
        for frame in frames:
            frame.step()


@dataclass
class _Frame(Generic[Resident]):
    """One frame's volume (1, z, y, x) over ``brightness``, its copies and their multipliers."""

    operator: FrameOperator[Resident]
    strength: float
    huber: float
    volume: Doubles
    brightness: float = field(init=False)

    def __post_init__(self) -> None:
        operator = self.operator
        least = float(np.linalg.norm(operator.data)) / operator.norm / math.sqrt(operator.voxels)
        self.brightness = least or 1.0
        self._data = operator.data / (operator.norm * self.brightness)
        self.volume = self.volume.reshape(1, *operator.projector.volume_shape) / self.brightness
        self.positive, self._edges = np.maximum(self.volume, 0), gradient(self.volume)
        self._tension, self._lift = np.zeros_like(self._edges), np.zeros_like(self.volume)
        self._bond = math.sqrt(PENALTY)
        self._stacked = self._with_copies()

    def step(self) -> None:
        """One iteration."""
        targets = self._edges - self._tension, self.positive - self._lift
        data = np.concatenate([self._data, *(self._bond * target.ravel() for target in targets)])
        self.volume = improved(self._stacked, data, self.volume.ravel()).reshape(self.volume.shape)
        pulled = gradient(self.volume) + self._tension
        self._edges = shrunk(pulled, self.strength / PENALTY, self.huber)
        self._tension = pulled - self._edges
        raised = self.volume + self._lift
        self.positive = np.maximum(raised, 0)
        self._lift = raised - self.positive

    def _with_copies(self) -> LinearOperator:
        """``A / s`` above the root of the penalty times gradient and identity."""
        operator, bond, shape = self.operator, self._bond, self.volume.shape
        pixels, voxels = operator.pixels, operator.voxels

        def forward(volume: Vector) -> Vector:
            slope = gradient(volume.reshape(shape)).ravel()
            return np.concatenate([operator.forward(volume) / operator.norm, bond * slope, bond * volume])

        def adjoint(every: Vector) -> Vector:
            seen, slope, own = np.split(every, [pixels, pixels + 3 * voxels])
            return (
                operator.adjoint(seen) / operator.norm
                - bond * divergence(slope.reshape(3, *shape)).ravel()
                + bond * own
            )

        return LinearOperator((pixels + 4 * voxels, voxels), forward, adjoint, dtype=np.float64)


def shrunk(vectors: Doubles, threshold: float, huber: float) -> Doubles:
    """The least of ``threshold sum phi(|v|) + 1/2 |v - vectors|^2`` for ``phi`` with Huber's width.

    ``vectors`` are (3, frame, z, y, x).
    """
    length = lengths(vectors)
    far = length > threshold + huber
    near = huber / (huber + threshold)
    return vectors * np.where(far, 1 - threshold / np.where(far, length, 1), near)
