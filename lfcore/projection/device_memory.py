"""How much of a device's memory Richardson-Lucy takes there: plain arithmetic, without a device.

Buffers are kept by kind for the next of their kind (``Session``), so the most that is taken is, summed over kinds, the
most of each that is held at a time. That is counted here from ``OpenclProjector`` and ``richardson_lucy``, and held to
what a session measures by a test.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from lfcore.projection.cell import octant
from lfcore.projection.matrix_layout import MatrixLayout
from lfcore.projection.quads import quad_order
from lfcore.projection.tiling import Tiling

FLOAT_BYTES = 4
PIECE_BYTES = 16
PAIR_BYTES = 8
HOST_PART_BYTES = 64 * 2**20
"""Fields larger than this come from the host in parts, so that no second copy of them need lie on the device."""

TABLE_BYTES = 2**20
"""Tables of rows, frequencies and places, and sums."""

Bytes = Mapping[str, int]


@dataclass(frozen=True)
class Case:
    """A reconstruction: ``rows`` x ``columns`` lenslets of ``pixels`` x ``pixels``; ``samples`` a lenslet's side.

    ``radii``: lenslets that each plane's blur reaches to every side. ``image_work_bytes``: what computing the point
    images of one plane takes on the device, besides the images.
    """

    rows: int
    columns: int
    pixels: int
    samples: int
    radii: tuple[int, ...]
    accelerate: bool = False
    image_work_bytes: int = 0

    @property
    def margin(self) -> int:
        """Lenslets by which the volume reaches past the image."""
        return max(self.radii)


@dataclass(frozen=True)
class Shape:
    """A case laid out on grids: what its buffers take, in bytes."""

    case: Case
    tiling: Tiling
    half: bool

    @cached_property
    def layout(self) -> MatrixLayout:
        """The stored matrices."""
        case = self.case
        return MatrixLayout(self.tiling, quad_order(case.samples), quad_order(case.pixels), len(case.radii), self.half)

    @cached_property
    def matrices(self) -> int:
        """All matrices."""
        return self.layout.size_bytes

    @cached_property
    def volume(self) -> int:
        """One frame's volume."""
        return len(self.case.radii) * self.case.samples**2 * _field_bytes(self.tiling.y.volume, self.tiling.x.volume)

    @cached_property
    def image(self) -> int:
        """One frame's image."""
        return self.case.pixels**2 * _field_bytes(self.tiling.y.image, self.tiling.x.image)

    @cached_property
    def volume_pieces(self) -> int:
        """One column of a volume's spectrum."""
        return self._pieces(len(self.layout.volume_kinds))

    @cached_property
    def image_pieces(self) -> int:
        """One column of an image's spectrum."""
        return self._pieces(len(self.layout.image_kinds))

    @property
    def exchanges(self) -> int:
        """Pieces a group of frequencies has for each column."""
        return 2 if self.tiling.square else 1

    def building(self) -> Bytes:
        """While the matrices are built: point images of a plane and of the one before it."""
        case, work = self.case, self.layout.work()
        side = (2 * case.margin + 1) * case.pixels
        return {
            "matrices": self.matrices,
            "point images": 2 * len(octant(case.samples)) * side**2 * FLOAT_BYTES + case.image_work_bytes,
            "work": work.folded_bytes + work.down_bytes,
            "tables": TABLE_BYTES,
        }

    def solving(self, frames: int, tiles_at_a_time: int) -> Bytes:
        """While ``frames`` frames are reconstructed."""
        fused, columns = self.tiling.tiles == 1, frames * tiles_at_a_time
        volumes, volume_spectra = _VOLUMES[fused, self.case.accelerate], 3 if fused else 1
        return {
            "matrices": self.matrices,
            "volumes": volumes * frames * self.volume,
            "images": _IMAGES * frames * self.image,
            "volume spectra": volume_spectra * columns * self.volume_pieces,
            "image spectra": (3 if fused else 1) * columns * self.image_pieces,
            "host arrays": 2 * min(frames * self.volume, HOST_PART_BYTES),
            "tables": TABLE_BYTES,
        }

    def largest_buffer(self, frames: int, tiles_at_a_time: int) -> int:
        """The largest single buffer."""
        columns = frames * tiles_at_a_time
        return max(self.matrices, frames * self.volume, frames * self.image, columns * self.volume_pieces)

    def _pieces(self, quads: int) -> int:
        return self.tiling.slot_count * 4 * quads * self.exchanges * PIECE_BYTES


_VOLUMES = {(True, False): 4, (True, True): 8, (False, False): 2, (False, True): 7}
"""Volumes held at a time, where steps are fused or not and the solver accelerates or not.

Plain: the estimate, the inverse of the normaliser, and where fused the next estimate and the normaliser. Accelerated:
besides, two estimates and two steps.
"""

_IMAGES = 6


def _field_bytes(height: int, width: int) -> int:
    return height // 2 * width * PAIR_BYTES
