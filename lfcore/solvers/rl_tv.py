"""Richardson-Lucy with total variation (Dey 2006, Microsc. Res. Tech. 69, 260).

For the likelihood less ``lambda H^T W`` times the total variation, sum of ``|grad x|``, a step is that of
Richardson-Lucy over ``1 - lambda div(grad x / |grad x|)``, taken at the volume before the step. ``lambda`` has no
unit. Gradients are between neighbouring voxels, whatever their sizes; below a share of the volume's mean square they
count as none, so that faint noise has no edges.
"""

import math
from typing import Generic

import numpy as np

from lfcore.projection.protocol import Host, Projector, Resident
from lfcore.solvers import richardson_lucy
from lfcore.solvers.problem import Options, Problem, Progress, Solution

REGULARISATION = 0.01
EDGE_SHARE = 1e-2
"""Of the root mean square of the first volume that is tempered."""


def solve(
    problem: Problem[Resident], options: Options, start: Host | None, on_iteration: Progress
) -> Solution[Resident]:
    """See `lfcore.solvers.solve.solve`; ``options.regularisation`` is ``lambda``."""
    strength = REGULARISATION if options.regularisation is None else options.regularisation
    temper = _Temper(problem.projector, strength)
    return richardson_lucy.iterate("rl_tv", problem, options, start, on_iteration, temper)


class _Temper(Generic[Resident]):
    """Divides each step, with edges measured against the first volume's brightness."""

    def __init__(self, projector: Projector[Resident], strength: float) -> None:
        self.projector, self.strength = projector, strength
        self._smallest: Host | None = None

    def __call__(self, stepped: Resident, before: Resident) -> Resident:
        if self._smallest is None:
            voxels = math.prod(self.projector.volume_shape)
            self._smallest = EDGE_SHARE * np.sqrt(self.projector.inner(before, before) / voxels)
        return self.projector.temper(stepped, before, self.strength, self._smallest)
