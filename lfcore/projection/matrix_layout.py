"""How the operator's matrices are stored on a device, and how many bytes they take; plain arithmetic."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lfcore.projection.cell import even_count
from lfcore.projection.quads import QuadOrder, padded_kinds
from lfcore.projection.tiling import Tiling

HALF_SCALE = 8192.0
"""Matrices in half precision are stored times this; no element exceeds four, since a point image's energy is one."""

VOLUME_MULTIPLE, IMAGE_MULTIPLE = 8, 4
"""Quads of either side come in such multiples; the rest is empty."""

LARGEST_WORK_BYTES = 512 * 2**20


@dataclass(frozen=True)
class MatrixWork:
    """How many positions of a plane are worked on at a time, and the bytes of the two buffers that takes."""

    positions: int
    folded_bytes: int
    down_bytes: int


@dataclass(frozen=True)
class MatrixLayout:
    """Sizes of the stored matrices: [group][volume quad][image quad][4][4]."""

    tiling: Tiling
    samples: QuadOrder
    pixels: QuadOrder
    planes: int
    half: bool

    @property
    def volume_kinds(self) -> npt.NDArray[np.uint8]:
        """(volume quad,) kinds, padded."""
        return padded_kinds(self.samples, self.planes, VOLUME_MULTIPLE)

    @property
    def image_kinds(self) -> npt.NDArray[np.uint8]:
        """(image quad,) kinds, padded."""
        return padded_kinds(self.pixels, 1, IMAGE_MULTIPLE)

    @property
    def scale(self) -> float:
        """Factor that stored elements carry."""
        return HALF_SCALE if self.half else 1.0

    @property
    def size_bytes(self) -> int:
        """Bytes of all matrices."""
        blocks = len(self.tiling.groups()) * len(self.volume_kinds) * len(self.image_kinds)
        return blocks * 16 * (2 if self.half else 4)

    def work(self) -> MatrixWork:
        """Work of ``opencl_matrices`` on the plane with the largest blur, which does for every plane."""
        height, width = self.pixels.shape
        down, across = (2 * self.tiling.y.margin + 1) * height, (2 * self.tiling.x.margin + 1) * width
        folded_bytes = down * across * 4
        down_bytes = 2 * (self.tiling.plane.y.points // 2 + 1) * height * across * 4
        all_positions = math.prod(map(even_count, self.samples.shape))
        positions = max(1, min(all_positions, LARGEST_WORK_BYTES // (down_bytes + folded_bytes)))
        return MatrixWork(positions, positions * folded_bytes, positions * down_bytes)

    def defines(self) -> dict[str, int | float | str]:
        """What every kernel that touches matrices must know."""
        return {"HALF_MATRICES": int(self.half), "MATRIX_SCALE": self.scale}
