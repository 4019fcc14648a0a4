"""How the operator's matrices are stored on a device, and how many bytes they take; plain arithmetic."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lfcore.projection.quads import QuadOrder, padded_kinds
from lfcore.projection.tiling import Tiling

HALF_SCALE = 8192.0
"""Matrices in half precision are stored times this; no element exceeds four, since a point image's energy is one."""

VOLUME_MULTIPLE, IMAGE_MULTIPLE = 8, 4
"""Quads of either side come in such multiples; the rest is empty."""


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

    def defines(self) -> dict[str, int | float | str]:
        """What every kernel that touches matrices must know."""
        return {"HALF_MATRICES": int(self.half), "MATRIX_SCALE": self.scale}
