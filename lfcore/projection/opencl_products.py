"""The batched matrix products of the operator on a device: the portable kernel, or another that the device allows."""

from dataclasses import dataclass

import numpy as np

from lfcore.opencl.session import Lease, Session
from lfcore.projection.opencl_matrices import MatrixLayout

WORK_ITEMS = 256
TILE_BYTES = 16384
PIECE_BYTES = 64


@dataclass(frozen=True)
class Operator:
    """The stored matrices and the kinds of the quads of both sides."""

    layout: MatrixLayout
    matrices: Lease
    volume_kinds: Lease
    image_kinds: Lease


class PortableProducts:
    """``product.cl``: any OpenCL 1.2 device."""

    def __init__(self, session: Session, operator: Operator, columns: int) -> None:
        self.session, self.operator = session, operator
        layout = operator.layout
        self.exchanges = 2 if layout.tiling.square else 1
        self.groups = len(layout.tiling.groups())
        self.quads = {True: len(layout.image_kinds), False: len(layout.volume_kinds)}
        self.tile_pieces = min(16, _power_of_two(self.exchanges * columns))
        self.tile_quads = WORK_ITEMS // self.tile_pieces
        self.kernels = {forward: self._kernel(forward) for forward in (True, False)}

    def __call__(self, forward: bool, columns: int, source: Lease, target: Lease) -> None:
        """Spectra of ``columns`` volumes to those of images, or with ``forward`` false the transpose."""
        operator = self.operator
        kinds = operator.volume_kinds, operator.image_kinds
        pieces = _rounded(self.exchanges * columns, self.tile_pieces)
        quads = _rounded(self.quads[forward], self.tile_quads)
        self.session.launch(
            self.kernels[forward],
            (pieces, quads, self.groups),
            (self.tile_pieces, self.tile_quads, 1),
            *(operator.matrices, source, target, *(kinds if forward else kinds[::-1]), np.int32(columns)),
        )

    def _kernel(self, forward: bool) -> object:
        tile = {
            "TILE_PIECES": self.tile_pieces,
            "TILE_QUADS": self.tile_quads,
            "TILE_DEPTH": max(1, TILE_BYTES // PIECE_BYTES // (self.tile_pieces + self.tile_quads)),
        }
        defines = product_defines(self.operator.layout) | tile | {"FORWARD": int(forward)}
        return self.session.kernels(("quad.cl", "product.cl"), defines)["product"]


def product_defines(layout: MatrixLayout) -> dict[str, int | float | str]:
    """Sizes that all product kernels share."""
    return layout.defines() | {
        "VOLUME_QUADS": len(layout.volume_kinds),
        "IMAGE_QUADS": len(layout.image_kinds),
        "EXCHANGES": 2 if layout.tiling.square else 1,
    }


def _power_of_two(count: int) -> int:
    return 1 << (count - 1).bit_length()


def _rounded(count: int, multiple: int) -> int:
    return -(-count // multiple) * multiple
