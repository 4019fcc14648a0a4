"""The batched matrix products of the operator on a device: the portable kernel, or the device's matrix units."""

import abc
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyopencl

from lfcore.opencl.session import Lease, Session
from lfcore.projection.matrix_layout import MatrixLayout

WORK_ITEMS = 256
TILE_BYTES = 16384
PIECE_BYTES = 64
WARP = 32
MOST_WARPS = 12
MOST_TILES = 12
"""A lane holds 8 sums for each tile of eight columns; with more than 96 of them its registers overflow."""

Defines = dict[str, int | float | str]


@dataclass(frozen=True)
class Operator:
    """The stored matrices and the kinds of the quads of both sides."""

    layout: MatrixLayout
    matrices: Lease
    volume_kinds: Lease
    image_kinds: Lease

    @property
    def exchanges(self) -> int:
        """Pieces a group has for each column."""
        return 2 if self.layout.tiling.square else 1

    @property
    def groups(self) -> int:
        """Matrices."""
        return len(self.layout.tiling.groups())

    def defines(self) -> Defines:
        """Sizes that all product kernels share."""
        return self.layout.defines() | {
            "VOLUME_QUADS": len(self.layout.volume_kinds),
            "IMAGE_QUADS": len(self.layout.image_kinds),
            "EXCHANGES": self.exchanges,
            "SLOTS": self.layout.tiling.slot_count,
            "HALF_X": self.layout.tiling.plane.x.points // 2 + 1,
        }


class Products(abc.ABC):
    """Multiplies the spectra of up to ``columns`` columns with all matrices, or with their transposes."""

    needs_peaks: ClassVar[bool] = False

    def __init__(self, session: Session, operator: Operator, columns: int) -> None:
        self.session, self.operator, self.columns = session, operator, columns
        self.slots = session.upload(operator.layout.tiling.slots())
        self.quads = {True: len(operator.layout.image_kinds), False: len(operator.layout.volume_kinds)}
        self.kernels = {forward: self._kernel(forward) for forward in (True, False)}

    def __call__(self, forward: bool, columns: int, source: Lease, peaks: Lease, target: Lease) -> None:
        """Spectra of ``columns`` volumes to those of images, or with ``forward`` false the transpose."""
        operator = self.operator
        kinds = operator.volume_kinds, operator.image_kinds
        items, group = self._items(forward, self.operator.exchanges * columns)
        self.session.launch(
            self.kernels[forward],
            (*items, operator.groups),
            (*group, 1),
            *(operator.matrices, source, target, *(kinds if forward else kinds[::-1]), self.slots, np.int32(columns)),
            *([peaks] if self.needs_peaks else []),
        )

    @abc.abstractmethod
    def _kernel(self, forward: bool) -> pyopencl.Kernel: ...

    @abc.abstractmethod
    def _items(self, forward: bool, pieces: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Work-items over pieces and quads, and of a work-group."""


class PortableProducts(Products):
    """``product.cl``: any OpenCL 1.2 device."""

    def _kernel(self, forward: bool) -> pyopencl.Kernel:
        pieces, quads = self._tile()
        tile = {"TILE_PIECES": pieces, "TILE_QUADS": quads, "TILE_DEPTH": TILE_BYTES // PIECE_BYTES // (pieces + quads)}
        defines = self.operator.defines() | tile | {"FORWARD": int(forward)}
        return self.session.kernels(("spectrum.cl", "quad.cl", "product.cl"), defines)["product"]

    def _items(self, forward: bool, pieces: int) -> tuple[tuple[int, int], tuple[int, int]]:
        tile = self._tile()
        return (_rounded(pieces, tile[0]), _rounded(self.quads[forward], tile[1])), tile

    def _tile(self) -> tuple[int, int]:
        # PoCL does not finish compiling work-groups of one piece.
        pieces = min(16, 1 << max(1, (self.operator.exchanges * self.columns - 1).bit_length()))
        return pieces, WORK_ITEMS // pieces


class UnitProducts(Products):
    """``product_units.cl``: factors in half precision, sums in single.

    ``ptx`` uses NVIDIA's instruction; without it the same kernel emulates it, for tests.
    """

    needs_peaks = True

    def __init__(self, session: Session, operator: Operator, columns: int, ptx: bool = True) -> None:
        self.ptx = ptx
        tiles = -(-operator.exchanges * columns // 2)
        self.tiles = -(-tiles // -(-tiles // MOST_TILES))
        super().__init__(session, operator, columns)

    def _kernel(self, forward: bool) -> pyopencl.Kernel:
        shape = {"WARPS": self._warps(forward), "TILES_N": self.tiles, "DEPTH": 2 if self.tiles > 4 else 4}
        defines = self.operator.defines() | shape | {"FORWARD": int(forward), "PTX": int(self.ptx)}
        files = "spectrum.cl", "quad.cl", "matrix_units.cl", "product_units.cl"
        return self.session.kernels(files, defines)["product"]

    def _items(self, forward: bool, pieces: int) -> tuple[tuple[int, int], tuple[int, int]]:
        warps = self._warps(forward)
        group = WARP * warps
        return (-(-pieces // (2 * self.tiles)) * group, -(-self.quads[forward] // (8 * warps))), (group, 1)

    def _warps(self, forward: bool) -> int:
        blocks = -(-self.quads[forward] // 8)
        return -(-blocks // -(-blocks // MOST_WARPS))


def _rounded(count: int, multiple: int) -> int:
    return -(-count // multiple) * multiple
