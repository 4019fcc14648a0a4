"""Which projector the processor uses for given kernels, and which kernels a device can do in its stead."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lfcore.projection.cell import Array
from lfcore.projection.kernels import PlaneKernels
from lfcore.projection.numpy_projector import NumpyProjector
from lfcore.projection.protocol import Projector
from lfcore.projection.shift_invariant import ShiftInvariantProjector


def host_projector(
    kernels: Sequence[PlaneKernels], rows: int, columns: int, dtype: npt.DTypeLike = np.float32
) -> Projector[Array]:
    """A projector for ``rows`` x ``columns`` cells on the processor. Raises ``SettingsError`` for none at all."""
    if kernels and kernels[0].pixels == (1, 1):
        return ShiftInvariantProjector(kernels, rows, columns, dtype)
    return NumpyProjector(kernels, rows, columns, dtype)


def why_not_on_a_device(kernel: PlaneKernels) -> str | None:
    """What about cells and symmetry the device's kernels cannot do; None where they can."""
    if kernel.pixels == (1, 1):
        return "cells of one pixel"
    if not (kernel.symmetry.mirror_y and kernel.symmetry.mirror_x):
        return "point images that mirrors change"
    return None
