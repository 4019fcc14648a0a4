"""How much of a device's memory Richardson-Lucy takes there: plain arithmetic, without a device.

Buffers are kept by kind for the next of their kind (``Session``), so the most that is taken is, summed over kinds, the
most of each that is held at a time. That is counted here for ``solve`` on an ``OpenclProjector``, batch after batch,
and held to what a session measures by a test.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from lfcore.projection.cell import SQUARE, positions
from lfcore.projection.matrix_layout import MatrixLayout
from lfcore.projection.quads import quad_order
from lfcore.projection.tiling import Tiling

FLOAT_BYTES = 4
PIECE_BYTES = 16
PAIR_BYTES = 8
HOST_PART_BYTES = 64 * 2**20
"""With several tiles, volumes larger than this come from the host and go there in parts."""

TABLE_BYTES = 2**20
"""Tables of rows, frequencies and places, and sums."""

Bytes = Mapping[str, int]


@dataclass(frozen=True)
class Case:
    """A reconstruction: ``rows`` x ``columns`` cells of ``pixels`` and ``samples`` (y, x).

    ``radii``: cells (y, x) that each plane's blur reaches. ``shared_weight``: every frame has the same missing pixels,
    so that one sensitivity serves them all. ``other_bytes``: what else lies on the device meanwhile. ``exchange``:
    whether an exchange of axes is a symmetry; mirrors are.
    """

    rows: int
    columns: int
    pixels: tuple[int, int]
    samples: tuple[int, int]
    radii: tuple[tuple[int, int], ...]
    accelerate: bool = False
    shared_weight: bool = False
    other_bytes: int = 0
    exchange: bool = True

    @property
    def margin(self) -> tuple[int, int]:
        """Cells (y, x) by which the volume reaches past the image."""
        down, right = zip(*self.radii, strict=True)
        return max(down), max(right)

    def host_volume(self, margin: tuple[int, int]) -> int:
        """Bytes of one frame's volume on the host, ``margin`` cells past the image."""
        cells = (self.rows + 2 * margin[0]) * (self.columns + 2 * margin[1])
        return cells * len(self.radii) * math.prod(self.samples) * FLOAT_BYTES

    @property
    def host_image(self) -> int:
        """Bytes of one light field on the host."""
        return self.rows * self.columns * math.prod(self.pixels) * FLOAT_BYTES


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
        return (
            len(self.case.radii)
            * math.prod(self.case.samples)
            * _field_bytes(self.tiling.y.volume, self.tiling.x.volume)
        )

    @cached_property
    def image(self) -> int:
        """One frame's light field."""
        return math.prod(self.case.pixels) * _field_bytes(self.tiling.y.image, self.tiling.x.image)

    @cached_property
    def volume_pieces(self) -> int:
        """One column of a volume's spectrum."""
        return self._pieces(len(self.layout.volume_kinds))

    @cached_property
    def image_pieces(self) -> int:
        """One column of a light field's spectrum."""
        return self._pieces(len(self.layout.image_kinds))

    @property
    def exchanges(self) -> int:
        """Pieces a group of frequencies has for each column."""
        return 2 if self.tiling.square else 1

    def building(self) -> Bytes:
        """While the matrices are built: point images of a plane and of the one before it."""
        case, work = self.case, self.layout.work()
        sides = ((2 * far + 1) * size for far, size in zip(case.margin, case.pixels, strict=True))
        images = len(positions(case.samples, replace(SQUARE, exchange=case.exchange)))
        return {
            "matrices": self.matrices,
            "point images": 2 * images * math.prod(sides) * FLOAT_BYTES,
            "work": work.folded_bytes + work.down_bytes,
            "tables": TABLE_BYTES,
            "others": case.other_bytes,
        }

    def solving(self, frames: int, tiles_at_a_time: int) -> Bytes:
        """While batches of ``frames`` frames are reconstructed."""
        weights = 1 if self.case.shared_weight else frames
        return {
            "matrices": self.matrices,
            **(self._fused(frames, weights) if self.tiling.tiles == 1 else self._tiled(frames, weights)),
            **self._spectra(frames, weights, tiles_at_a_time),
            "light fields sent": (frames + weights) * self.case.host_image,
            "tables": TABLE_BYTES,
            "others": self.case.other_bytes,
        }

    def largest_buffer(self, frames: int, tiles_at_a_time: int) -> int:
        """The largest single buffer."""
        columns = frames * tiles_at_a_time
        return max(self.matrices, frames * self.volume, frames * self.image, columns * self.volume_pieces)

    def _fused(self, frames: int, weights: int) -> Bytes:
        """Two estimates, the inverses of both normalisers, and one uniform volume; two batches on their way back."""
        case = self.case
        whole, inside = case.host_volume(case.margin), case.host_volume((0, 0))
        ahead = 4 * frames if case.accelerate else 0
        return {
            "volumes": (2 * frames + 2 * weights + 1 + ahead) * self.volume,
            "light fields": (2 * frames + 3 * weights + 1) * self.image,
            "volumes sent": whole + max(2 * frames * inside, frames * whole),
        }

    def _tiled(self, frames: int, weights: int) -> Bytes:
        """The estimate and the inverse of one normaliser; several estimates and steps where the solver accelerates."""
        volumes = 5 * frames + weights + 1 if self.case.accelerate else frames + weights + int(frames > 1)
        parts = min(self.volume, HOST_PART_BYTES) + min(frames * self.volume, HOST_PART_BYTES)
        return {
            "volumes": volumes * self.volume,
            "light fields": (5 * frames + 2 * weights + 1) * self.image,
            "volumes sent": 2 * parts,
        }

    def _spectra(self, frames: int, weights: int, tiles: int) -> Bytes:
        """Fused, both normalisers are spectra until they are first used.

        Beside many frames, one more comes from the uniform volume, and one from the weight if it is one for all.
        """
        fused, single = self.tiling.tiles == 1, int(frames > 1)
        light_field, adjoint = (2 * frames if fused else frames), single * int(weights == 1)
        products = frames + 2 * weights if fused else (frames + adjoint) * tiles
        return {
            "volume spectra": (frames + single) * tiles * self.volume_pieces,
            "volume products": products * self.volume_pieces,
            "light field spectra": (light_field + adjoint) * tiles * self.image_pieces,
            "light field products": (frames + single) * tiles * self.image_pieces,
        }

    def _pieces(self, quads: int) -> int:
        return self.tiling.slot_count * 4 * quads * self.exchanges * PIECE_BYTES


def _field_bytes(height: int, width: int) -> int:
    return height // 2 * width * PAIR_BYTES
