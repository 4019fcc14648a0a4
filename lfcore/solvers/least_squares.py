"""Least squares with Tikhonov's regularisation, by LSMR (Fong and Saunders 2011, SIAM J. Sci. Comput. 33, 2950).

The least of ``|(b - g - W H x) / sqrt(W)|^2 + (r s)^2 |x|^2``, where ``r`` is the regularisation, without unit, and
``s`` the largest singular value of ``sqrt(W) H``. An iteration is ``linear.STEPS`` steps, started anew where the last
one ended. ``x`` may be negative on its way; what is returned, and what residuals are of, is its positive part.
"""

import numpy as np
from scipy.sparse.linalg import LinearOperator

from lfcore.projection.protocol import Host, Resident
from lfcore.solvers.linear import FrameOperator, Vector, improved
from lfcore.solvers.problem import Course, Options, Problem, Progress, Solution

REGULARISATION = 0.15


def solve(
    problem: Problem[Resident], options: Options, start: Host | None, on_iteration: Progress
) -> Solution[Resident]:
    """See `lfcore.solvers.solve.solve`."""
    projector, frames = problem.projector, range(len(problem.norms))
    strength = REGULARISATION if options.regularisation is None else options.regularisation
    operators = [FrameOperator(problem, frame) for frame in frames]
    stacked = [_with_damping(operator, strength * operator.norm) for operator in operators]
    data = [np.concatenate([operator.data, np.zeros(operator.voxels)]) for operator in operators]
    volumes = list(problem.host_start(start))
    course = Course("least_squares", problem, options, on_iteration)
    while True:
        positive = [np.maximum(volume, 0) for volume in volumes]
        if course.ends(np.array([operators[frame].residual(positive[frame]) for frame in frames])):
            shape = len(frames), *projector.volume_shape
            return Solution(projector.pack_volume(np.reshape(positive, shape)), course.residuals, course.stopped)
        volumes = [improved(stacked[frame], data[frame], volumes[frame]) for frame in frames]


def _with_damping(operator: FrameOperator[Resident], damping: float) -> LinearOperator:
    """``A`` above ``damping`` times the identity."""
    pixels, voxels = operator.pixels, operator.voxels

    def forward(volume: Vector) -> Vector:
        return np.concatenate([operator.forward(volume), damping * volume])

    def adjoint(both: Vector) -> Vector:
        return operator.adjoint(both[:pixels]) + damping * both[pixels:]

    return LinearOperator((pixels + voxels, voxels), forward, adjoint, dtype=np.float64)
