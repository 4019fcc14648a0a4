"""The elementwise steps of a solver with numpy, on resident arrays (frame, channel, y, x) of any projector."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from lfcore.projection.cell import Array
from lfcore.projection.protocol import Host
from lfcore.projection.variation import tempered

UNSEEN = 1e-6


class NumpySteps(ABC):
    """The steps of ``Projector`` that know nothing of the operator."""

    dtype: np.dtype[Any]

    @abstractmethod
    def pack_volume(self, volume: Host) -> Array:
        """See ``Projector.pack_volume``."""

    @abstractmethod
    def unpack_volume(self, volume: Array) -> Host:
        """See ``Projector.unpack_volume``."""

    def weigh(self, image: Array, weight: Array) -> Array:
        """``W y``."""
        return image * weight

    def compare(self, measured: Array, expected: Array, weight: Array, background: Host) -> tuple[Array, Host]:
        """See ``Projector.compare``."""
        model = weight * expected
        squares = np.square(measured - model, where=weight > 0, out=np.zeros_like(model))
        total = model + background.astype(self.dtype)[:, None, None, None]
        correction = np.divide(weight * measured, total, out=np.zeros_like(total), where=total > 0)
        return correction, squares.reshape(len(squares), -1).sum(1, dtype=np.float64)

    def update(self, volume: Array, correction: Array, normaliser: Array) -> Array:
        """See ``Projector.update``; rounding must not make a voxel negative."""
        seen = normaliser > UNSEEN * normaliser.max((1, 2, 3), keepdims=True)
        factor = np.divide(correction, normaliser, out=np.zeros_like(correction), where=seen)
        return np.asarray(volume * np.maximum(factor, 0))

    def extrapolate(self, current: Array, previous: Array, step: Host) -> Array:
        """See ``Projector.extrapolate``."""
        change = (current - previous) * step.astype(self.dtype)[:, None, None, None]
        return np.asarray(np.maximum(current + change, 0, out=change))

    def temper(self, stepped: Array, before: Array, strength: float, smallest: Host) -> Array:
        """See ``Projector.temper``."""
        stepped, before = self.unpack_volume(stepped), self.unpack_volume(before)
        return self.pack_volume(tempered(stepped, before, strength, smallest))

    def difference(self, first: Array, second: Array) -> Array:
        """``first - second``."""
        return first - second

    def inner(self, first: Array, second: Array) -> Host:
        """(frame,) inner products."""
        return np.asarray(np.einsum("tyxc,tyxc->t", first, second, dtype=np.float64))

    def mix_planes(self, volume: Array, mixture: Host) -> Array:
        """See ``Projector.mix_planes``."""
        planes = volume.reshape(len(volume), len(mixture), -1)
        return np.asarray(np.matmul(mixture.astype(self.dtype), planes).reshape(volume.shape))
