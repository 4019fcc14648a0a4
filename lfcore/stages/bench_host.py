"""The cases of ``lfcore bench`` that numpy computes."""

import math
import time
from collections.abc import Iterator

import numpy as np

from lfcore.projection.kernels import plane_kernels
from lfcore.projection.numpy_projector import NumpyProjector
from lfcore.projection.roofline import Ceilings, Work
from lfcore.projection.spectrum import frequency_groups
from lfcore.stages.bench_cases import SEED, Case
from lfcore.stages.bench_timing import Figure, figure_of, one_iteration, timed

COPY_VALUES = 64_000_000
PRODUCT_SIDE = 2048
TRIALS = 5


def host_ceilings() -> Ceilings:
    """What numpy reaches in a copy and in a float32 matrix product of BLAS."""
    source = np.ones(COPY_VALUES, np.float32)
    target = np.empty_like(source)
    copy_s = min(timed(lambda: np.copyto(target, source), TRIALS))
    matrix = np.ones((PRODUCT_SIDE, PRODUCT_SIDE), np.float32)
    product_s = min(timed(lambda: matrix @ matrix, TRIALS))
    return Ceilings(copy_rate=2 * source.nbytes / copy_s, float_rate=2 * PRODUCT_SIDE**3 / product_s)


def measure(case: Case, ceilings: Ceilings, repeat: int) -> Iterator[Figure]:
    """Projections and an iteration of one frame, and once the making of kernels and matrices."""
    scene = case.scene
    started = time.perf_counter()
    kernels = [plane_kernels(scene.instrument, z_um, scene.samples_per_lenslet) for z_um in scene.planes_um]
    made = time.perf_counter()
    projector = NumpyProjector(kernels, scene.rows, scene.columns)
    built = time.perf_counter()
    volume = projector.pack_volume(np.random.default_rng(SEED).random((1, *projector.volume_shape), np.float32))
    image = projector.forward(volume)
    product = _product(projector)
    forward = timed(lambda: projector.forward(volume), repeat)
    yield figure_of(f"{case.name} forward", "one projection of one frame, resident", forward, [product], ceilings)
    adjoint = timed(lambda: projector.adjoint(image), repeat)
    yield figure_of(f"{case.name} adjoint", "one back projection of one frame, resident", adjoint, [product], ceilings)
    iteration = timed(one_iteration(projector, scene, case.frames), repeat)
    yield figure_of(
        f"{case.name} iteration", "one iteration of one frame, resident", iteration, 2 * [product], ceilings
    )
    yield Figure(f"{case.name} kernels", "point images of all planes, once", 1e3 * (made - started))
    yield Figure(f"{case.name} matrices", "matrices from the point images, once", 1e3 * (built - made))


def _product(projector: NumpyProjector) -> Work:
    """Both directions read every matrix once, and use it for each real number of the lenslets' spectra."""
    elements = projector.planes * math.prod(projector.samples) * math.prod(projector.pixels)
    groups, points = len(frequency_groups(*projector.grid).ky), projector.grid[0] * projector.grid[1]
    return Work("product", groups * elements * projector.dtype.itemsize, 2 * elements * points)
