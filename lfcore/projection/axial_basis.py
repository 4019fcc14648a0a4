"""Volumes as sums of functions that are as deep as the microscope resolves, against blocks near the native plane.

There the images of neighbouring planes hardly differ, and each plane is sampled once a lenslet. A solver that is free
to share light between such planes pays with blocks of lenslet size (Stefanoiu 2019, Opt. Express 27, 31644, who
low-passes every iterate laterally). Here the solver works on coefficients ``u`` and the volume is

    x = B u,    B[j, k] = exp(-(z_j - z_k)^2 / (2 sigma_k^2)), columns sum to one,

a sieve (Snyder and Miller 1985, IEEE Trans. Nucl. Sci. 32, 3864) along z. ``B`` keeps lateral positions, so ``H B`` is
the operator of other point images: iterations cost what they cost without, and the likelihood still rises with each.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lfcore.optics.instrument import Instrument
from lfcore.projection.kernels import PlaneKernels
from lfcore.threads import in_parts

Floats = npt.NDArray[np.float64]

SMALLEST_SHARE = 0.01
"""Planes with less than this part of a function's largest value have none of it."""


def axial_widths_um(instrument: Instrument, planes_um: Sequence[float], depth: float) -> Floats:
    """(plane,) standard deviations of the functions, um.

    At the native plane they are ``depth`` times the distance ``z0`` at which a point's blur reaches the next lenslet,
    ``pitch / (M tan alpha)``; beyond ``z0`` they fall as ``sqrt(z0 / |z|)``. The law is empirical: other powers, and
    smoothing sideways too, were worse on the vesicle's truth (``docs/measurements.md``).
    """
    sine = min(instrument.numerical_aperture / instrument.medium_index, 0.999)
    reach_um = instrument.object_pitch_um / math.tan(math.asin(sine))
    distance = np.maximum(np.abs(np.asarray(planes_um, np.float64)), reach_um)
    return np.asarray(depth * reach_um * np.sqrt(reach_um / distance))


def axial_basis(planes_um: Sequence[float], widths_um: Floats) -> npt.NDArray[np.float32]:
    """``B`` (plane of the volume, function) float32; functions narrower than the planes' distance are single planes."""
    planes = np.asarray(planes_um, np.float64)
    thickness = np.gradient(planes) if len(planes) > 1 else np.ones(1)
    basis = np.exp(-0.5 * ((planes[:, None] - planes[None, :]) / widths_um) ** 2)
    basis[basis < SMALLEST_SHARE] = 0
    basis *= thickness[:, None]
    return np.asarray(basis / basis.sum(0), np.float32)


def combined(kernels: Sequence[PlaneKernels], basis: npt.NDArray[np.float32]) -> list[PlaneKernels]:
    """The kernels of ``H B``: one for each function, of planes in the order of ``basis``."""
    result: list[PlaneKernels | None] = [None] * len(kernels)

    def work(part: slice) -> None:
        for function in range(*part.indices(len(kernels))):
            result[function] = _of_function(kernels, basis[:, function], kernels[function])

    in_parts(len(kernels), work)
    return [kernel for kernel in result if kernel is not None]


def _of_function(
    kernels: Sequence[PlaneKernels], shares: npt.NDArray[np.float32], middle: PlaneKernels
) -> PlaneKernels:
    """The sum of the planes' images by their ``shares`` (plane,), on a window that holds them all."""
    planes = [int(plane) for plane in np.flatnonzero(shares)]
    if len(planes) == 1:
        return kernels[planes[0]]
    height, width = (max(kernels[plane].images.shape[axis] for plane in planes) for axis in (1, 2))
    images = np.zeros((len(middle.images), height, width), middle.images.dtype)
    for plane in planes:
        source = kernels[plane].images
        top, left = (height - source.shape[1]) // 2, (width - source.shape[2]) // 2
        images[:, top : top + source.shape[1], left : left + source.shape[2]] += shares[plane] * source
    return PlaneKernels(middle.z_um, middle.samples, middle.pixels, images, middle.symmetry)
