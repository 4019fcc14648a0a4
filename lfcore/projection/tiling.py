"""How a field of lenslets is laid on the device's periodic grids: one grid, or exact overlapping tiles.

Lenslets are counted from the image's first one. The volume reaches past it by the margin (the blur); its field starts
at ``-lead``, where ``lead`` is the margin, rounded up to even along y since lenslet rows lie in pairs.

``H`` on a tile reads a window of the volume that begins ``lead`` before the tile of the image, and is right from
``lead`` to ``lead + step`` of the grid; ``H^T`` likewise reads the image and is right for a tile of the volume
(overlap-save; Oppenheim and Schafer 1989, section 8.7). With one tile the grid holds everything and all of it is right.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lfcore.errors import SettingsError
from lfcore.opencl.fourier import PlaneLayout, plane_layout, shortest
from lfcore.projection.spectrum import SQUARE_LIMIT

Window = npt.NDArray[np.int32]
Visit = tuple[int, int]
TILES_X, TILES, STEP_Y, STEP_X, BASE_Y, BASE_X = range(6, 12)
"""Places in a ``Window``."""

SECTOR_LENSLETS = 4
"""float2 values in 32 bytes, which GPUs read and write as one: rows of a field are whole sectors."""


@dataclass(frozen=True)
class Span:
    """A window along one axis: from tile to tile, the first tile's origin in its field, and what is right of it."""

    step: int
    base: int
    low: int
    high: int


@dataclass(frozen=True)
class Axis:
    """One axis: ``lenslets`` of the image, ``margin`` of the volume, ``tiles``; ``even`` where lenslets are paired."""

    lenslets: int
    margin: int
    tiles: int
    even: bool

    @property
    def lead(self) -> int:
        """Lenslets of the volume's field before the image."""
        return self._rounded(self.margin)

    @property
    def volume(self) -> int:
        """Lenslets of the volume's field."""
        return self._field(self.lead + self.lenslets + self.margin)

    @property
    def image(self) -> int:
        """Lenslets of the image's field."""
        return self._field(self.lenslets)

    @property
    def volume_exists(self) -> tuple[int, int]:
        """First and last (not included) lenslet of the volume in its field; the rest of the field is zero."""
        first = self.lead - self.margin
        return first, first + self.lenslets + 2 * self.margin

    @property
    def volume_step(self) -> int:
        """From tile to tile of the volume."""
        return self._rounded(-(-self.volume // self.tiles))

    @property
    def image_step(self) -> int:
        """From tile to tile of the image."""
        return self._rounded(-(-self.image // self.tiles))

    @property
    def points(self) -> int:
        """Least length of the periodic grid."""
        if self.tiles == 1:
            return max(self.volume, self.lead + self.image)
        return max(self.volume_step, self.image_step) + self.lead + self.margin

    def volume_reads(self) -> Span:
        """For the forward transform of a volume."""
        return Span(self.image_step, 0, 0, 0)

    def image_writes(self) -> Span:
        """For the inverse transform of ``H x``."""
        return Span(self.image_step, -self.lead, self.lead, self.lead + self.image_step)

    def image_reads(self) -> Span:
        """For the forward transform of an image."""
        return Span(self.volume_step, -self.lead if self.tiles == 1 else -2 * self.lead, 0, 0)

    def volume_writes(self) -> Span:
        """For the inverse transform of ``H^T y``."""
        if self.tiles == 1:
            return Span(0, 0, 0, self.volume)
        return Span(self.volume_step, -self.lead, self.lead, self.lead + self.volume_step)

    def _rounded(self, count: int) -> int:
        return count + count % 2 if self.even else count

    def _field(self, count: int) -> int:
        granule = 2 if self.even else SECTOR_LENSLETS
        return -(-count // granule) * granule


@dataclass(frozen=True)
class Tiling:
    """Both axes, the periodic grid with its place in local memory, and whether an exchange of axes is a symmetry."""

    y: Axis
    x: Axis
    plane: PlaneLayout
    exchange: bool = True

    @property
    def tiles(self) -> int:
        """Tiles of one frame."""
        return self.y.tiles * self.x.tiles

    @property
    def square(self) -> bool:
        """Whether (ky, kx) and (kx, ky) share a matrix."""
        return self.exchange and self.plane.y == self.plane.x

    def groups(self) -> npt.NDArray[np.int32]:
        """(group, 2) frequencies (ky, kx) of the stored matrices."""
        half_y, half_x = (length.points // 2 + 1 for length in (self.plane.y, self.plane.x))
        ky, kx = np.meshgrid(np.arange(half_y), np.arange(half_x), indexing="ij")
        keep = kx <= ky if self.square else np.full(ky.shape, True)
        return np.stack([ky[keep], kx[keep]], axis=1).astype(np.int32)

    def slots(self) -> npt.NDArray[np.int32]:
        """(group,) place of each group in a spectrum: each ky begins at an even place."""
        return np.array([self._slot_at(int(ky), int(kx)) for ky, kx in self.groups()], np.int32)

    @property
    def slot_count(self) -> int:
        """Places of a spectrum, an even number."""
        return self._slot_at(self.plane.y.points // 2, self.plane.x.points // 2) // 2 * 2 + 2

    def block(self, tiles: int) -> tuple[int, int]:
        """Tiles (y, x) of a block, for work on up to ``tiles`` tiles at a time.

        A frame is covered with blocks of this shape, rows of tiles or parts of one; the last ones may reach past it.
        """
        if tiles < self.x.tiles:
            return 1, _even_parts(self.x.tiles, tiles)
        return _even_parts(self.y.tiles, tiles // self.x.tiles), self.x.tiles

    def blocks(self, tiles: int) -> list[tuple[int, int]]:
        """The first tile (y, x) of every block."""
        down, right = self.block(tiles)
        return [(y, x) for y in range(0, self.y.tiles, down) for x in range(0, self.x.tiles, right)]

    def visits(self) -> tuple[npt.NDArray[np.int32], int]:
        """Where a work-group finds the pieces of its row: to load them, then to store them, and the number to store.

        (visit, 2): slot * 2 + exchange, and the places of both members in local memory, ``plus | minus << 16``. Two
        visits that store into one sector are neighbours; where there is but one, the unused slot beside it gets the
        same.
        """
        half_y, half_x = self.plane.y.points // 2 + 1, self.plane.x.points // 2 + 1
        order = self.plane.columns()[:half_x] & 1023
        loads = [self._visit(y, int(x), exchanged=self.square and int(x) > y) for y in range(half_y) for x in order]
        stores = []
        for y in range(half_y):
            row = [self._visit(y, x, exchanged=False) for x in range(y + 1 if self.square else half_x)]
            stores += row + [_beside(row[-1])] * (len(row) % 2)
        for y in range(0, half_y if self.square else 0, 2):
            for x in range(y, half_x):
                visit = self._visit(y, x, exchanged=True)
                stores += [visit, self._visit(y + 1, x, exchanged=True) if y < x else _beside(visit)]
        return np.array(loads + stores, np.uint32).view(np.int32), len(stores)

    def _visit(self, y: int, x: int, *, exchanged: bool) -> Visit:
        slot = self._slot_at(x, y) if exchanged else self._slot_at(y, x)
        plus, minus = self.plane.place(y, x), self.plane.place(-y % self.plane.y.points, x)
        return slot * 2 + exchanged, plus | minus << 16

    def _slot_at(self, ky: int, kx: int) -> int:
        if self.square:
            return 2 * ((ky + 1) // 2) * (ky // 2 + 1) + kx
        half_x = self.plane.x.points // 2 + 1
        return (half_x + half_x % 2) * ky + kx

    def volume_window(self, y: Span, x: Span) -> Window:
        """The struct ``Window`` of ``kernels/transform.cl`` for a volume."""
        return self._window(self.y.volume, self.x.volume, (*self.y.volume_exists, *self.x.volume_exists), y, x)

    def image_window(self, y: Span, x: Span) -> Window:
        """The struct ``Window`` for an image."""
        return self._window(self.y.image, self.x.image, (0, self.y.lenslets, 0, self.x.lenslets), y, x)

    def _window(self, height: int, width: int, exist: tuple[int, int, int, int], y: Span, x: Span) -> Window:
        spans = (y.step, x.step, y.base, x.base, y.low, y.high, x.low, x.high)
        return np.array([height // 2, width, *exist, self.x.tiles, self.tiles, *spans], np.int32)


def _beside(visit: Visit) -> Visit:
    """A visit with the same piece for the next slot."""
    return visit[0] + 2, visit[1]


def part_of(window: Window, first: tuple[int, int], block: tuple[int, int]) -> Window:
    """The window of the ``block`` (y, x) of tiles that begins at tile ``first`` (y, x)."""
    part = window.copy()
    part[TILES_X], part[TILES] = block[1], block[0] * block[1]
    part[BASE_Y] += first[0] * window[STEP_Y]
    part[BASE_X] += first[1] * window[STEP_X]
    return part


def _even_parts(count: int, most: int) -> int:
    """Length of as few parts of ``count`` as can be, none longer than ``most``, that are as long as each other."""
    return -(-count // -(-count // min(count, most)))


def tiling(
    rows: int,
    columns: int,
    margin: tuple[int, int],
    local_bytes: int,
    tiles_y: int = 1,
    tiles_x: int = 1,
    exchange: bool = True,
) -> Tiling | None:
    """Lay ``rows`` x ``columns`` lenslets on grids; None when a grid does not fit ``local_bytes`` of local memory.

    ``margin`` is the blur (y, x). Where an ``exchange`` of axes is a symmetry the grid is square if that costs less
    than half as much again, for then two frequencies share each matrix.
    Raises ``SettingsError`` for tiles without lenslets.
    """
    if not (1 <= tiles_y <= rows and 1 <= tiles_x <= columns and min(margin) >= 0):
        raise SettingsError(
            f"{tiles_y} x {tiles_x} tiles over {rows} x {columns} lenslets, margin {margin[0]} x {margin[1]}: "
            "each tile needs a lenslet or more, and the margin none or more"
        )
    y, x = Axis(rows, margin[0], tiles_y, even=True), Axis(columns, margin[1], tiles_x, even=False)
    length_y, length_x = shortest(y.points), shortest(x.points)
    if length_y is None or length_x is None:
        return None
    longest = max(length_y, length_x, key=lambda length: length.points)
    if exchange and longest.points**2 <= SQUARE_LIMIT * length_y.points * length_x.points:
        length_y = length_x = longest
    plane = plane_layout(length_y, length_x, local_bytes)
    return None if plane is None else Tiling(y, x, plane, exchange)
