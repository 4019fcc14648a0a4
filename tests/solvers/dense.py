"""A tiny operator as a matrix, for solvers to be held to what numpy and scipy make of it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lfcore.projection.cell import Array
from lfcore.projection.kernels import plane_kernels
from lfcore.projection.numpy_projector import NumpyProjector
from lfcore.solvers.problem import Problem, Weighting
from tests.instruments import instrument

Floats = npt.NDArray[np.float64]
BACKGROUND = 0.3


@dataclass(frozen=True)
class Dense:
    """``problem`` of one frame, and the same as ``matrix`` (pixel, voxel), ``weight`` and ``counts`` (pixel,)."""

    problem: Problem[Array]
    matrix: Floats
    weight: Floats
    counts: Floats

    @property
    def scaled(self) -> tuple[Floats, Floats]:
        """``sqrt(W) H`` and ``(b - g)/sqrt(W)``, of pixels with ``W > 0``."""
        seen = self.weight > 0
        root = np.sqrt(self.weight[seen])
        return root[:, None] * self.matrix[seen], (self.counts[seen] - BACKGROUND) / root


def tiny_problem(seed: int, planes_um: tuple[float, ...] = (-6.0, 8.0), samples: int = 2) -> Dense:
    """Random blobs in front of 3 x 2 lenslets of 4 px, a tenth of the pixels missing; double precision."""
    projector = NumpyProjector(
        [plane_kernels(instrument(pixels_per_lenslet=4), z_um, samples) for z_um in planes_um], 3, 2, np.float64
    )
    generator = np.random.default_rng(seed)
    shape = 1, *projector.volume_shape
    matrix = np.stack(
        [
            projector.unpack_image(projector.forward(projector.pack_volume(unit.reshape(shape)))).ravel()
            for unit in np.eye(int(np.prod(shape)))
        ],
        axis=1,
    )
    truth = generator.exponential(40, shape) * (generator.random(shape) < 0.2)
    light = np.maximum(matrix @ truth.ravel(), 0)
    weight = generator.uniform(0.5, 1.5, light.shape) * (generator.random(light.shape) > 0.1)
    counts = generator.poisson(weight * light + BACKGROUND * (weight > 0)).astype(float)
    host_weight, host_counts = (values.reshape(1, *projector.image_shape) for values in (weight, counts))
    problem = Problem(projector, host_counts, Weighting.of(projector, host_weight), np.array([BACKGROUND]))
    return Dense(problem, matrix, weight, counts)
