"""The operator of one frame as scipy takes it: on flat host vectors in double precision.

Pixels are scaled by ``1/sqrt(W)``: the noise of counts grows with the light that reaches a pixel, and of two pixels
that see the same the less sensitive one is the less certain.
"""

import math
from functools import cached_property
from typing import Any, Generic

import numpy as np
import numpy.typing as npt
from scipy.sparse.linalg import LinearOperator, lsmr

from lfcore.projection.protocol import Resident
from lfcore.solvers.problem import Problem

Vector = npt.NDArray[np.float64]

STEPS = 4
"""Steps of LSMR an iteration."""

NORM_STEPS = 4


class FrameOperator(Generic[Resident]):
    """``A = sqrt(W) H`` of frame ``frame`` of a problem, and its data ``(b - g)/sqrt(W)``, zero where ``W`` is.

    Vectors are the voxels (z, y, x), margin included, and the pixels (y, x), in row order.
    """

    def __init__(self, problem: Problem[Resident], frame: int) -> None:
        projector = problem.projector
        weight = projector.unpack_image(problem.weighting.weight)
        # Packing and unpacking may round a weight that is nothing.
        weight = np.maximum(weight[min(frame, len(weight) - 1)], 0)
        self.projector, self._root = projector, np.sqrt(weight)
        self._roots = projector.pack_image(self._root[None])
        self.light = problem.light[frame].astype(np.float64)
        rest = np.where(weight > 0, self.light - problem.background[frame], 0)
        self.data: Vector = np.divide(rest, self._root, out=np.zeros_like(rest), where=weight > 0).ravel()
        self.voxels, self.pixels = math.prod(projector.volume_shape), weight.size

    def forward(self, volume: Vector) -> Vector:
        """``A x``."""
        resident = self.projector.pack_volume(volume.reshape(1, *self.projector.volume_shape))
        image = self.projector.weigh(self.projector.forward(resident), self._roots)
        return self.projector.unpack_image(image).ravel().astype(np.float64)

    def adjoint(self, image: Vector) -> Vector:
        """``A^T y``."""
        resident = self.projector.pack_image(image.reshape(1, *self._root.shape))
        volume = self.projector.adjoint(self.projector.weigh(resident, self._roots))
        return self.projector.unpack_volume(volume).ravel().astype(np.float64)

    @cached_property
    def norm(self) -> float:
        """The largest singular value, by power iteration; its vector has one sign, so that few steps do."""
        volume = np.ones(self.voxels)
        for _ in range(NORM_STEPS):
            volume /= np.linalg.norm(volume)
            volume = self.adjoint(self.forward(volume))
        return math.sqrt(float(np.linalg.norm(volume)))

    def residual(self, volume: Vector) -> float:
        """``|b - W H x| / |b|`` over ``W > 0``."""
        model = self._root.ravel() * self.forward(volume)
        rest = np.where(self._root.ravel() > 0, self.light.ravel() - model, 0)
        return float(np.linalg.norm(rest) / np.linalg.norm(self.light))


def improved(operator: LinearOperator, data: Vector, volume: Vector, steps: int = STEPS) -> Vector:
    """``volume`` after so many steps of LSMR (Fong and Saunders 2011) towards the least ``|operator x - data|``."""
    rest = data - operator.matvec(volume)
    step: Any = lsmr(operator, rest, maxiter=steps, atol=0, btol=0, conlim=0)[0]
    return np.asarray(volume + step)
