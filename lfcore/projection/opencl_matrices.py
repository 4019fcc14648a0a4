"""From point images to the operator's matrices, on a device (``kernels/matrices.cl``; twin: ``matrices``)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lfcore.errors import SettingsError
from lfcore.opencl.session import Lease, Session
from lfcore.projection.cell import even_count, octant, pair_weight
from lfcore.projection.matrix_layout import MatrixLayout
from lfcore.projection.quads import EMPTY, QuadOrder

Table = npt.NDArray[np.generic]

RUN = 4
"""Frequencies of one work-item of the last step: its sums take sixteen registers each."""


@dataclass(frozen=True)
class PlaneImages:
    """Point images of one plane on the device: [octant position][y][x] float32."""

    radius_lenslets: int
    images: Lease


def device_matrices(session: Session, layout: MatrixLayout, planes: Sequence[PlaneImages]) -> Lease:
    """The matrices of all planes on the device."""
    matrices = session.take("matrices", layout.size_bytes)
    session.clear(matrices)
    builder = _Builder(session, layout)
    for index, plane in enumerate(planes):
        builder.add_plane(matrices, index * layout.samples.quads, plane)
    session.finish()
    return matrices


class _Builder:
    """Tables and kernels that all planes share."""

    def __init__(self, session: Session, layout: MatrixLayout) -> None:
        self.session, self.layout = session, layout
        self.pixels = layout.pixels.length
        self.half_y = layout.tiling.plane.y.points // 2 + 1
        shape = {"PIXELS": self.pixels, "HALF_Y": self.half_y, "RUN": RUN}
        self.kernels = session.kernels(("matrices.cl",), layout.defines() | shape)
        sources, weights, targets = _positions(layout.samples)
        self.positions = len(sources)
        self.sources, self.weights = session.upload(sources), session.upload(weights)
        runs = _runs(layout.tiling.groups())
        self.targets, self.runs, self.run_count = session.upload(targets), session.upload(runs), len(runs)
        self.image_quads = len(layout.image_kinds)
        self.work = layout.work()
        self.folded = session.take("matrix work", self.work.folded_bytes)
        self.down = session.take("matrix work", self.work.down_bytes)
        slots = np.full((self.image_quads, 4, 2), EMPTY, np.int32)
        slots[: layout.pixels.quads] = layout.pixels.parities
        self.image_slots = session.upload(slots)

    def add_plane(self, matrices: Lease, first_quad: int, plane: PlaneImages) -> None:
        """Fill the rows of one plane, some positions at a time."""
        margin = self.layout.tiling.y.margin
        if plane.radius_lenslets > margin:
            raise SettingsError(
                f"a plane whose blur reaches {plane.radius_lenslets} lenslets: the grid is for {margin}"
            )
        lenslets = 2 * plane.radius_lenslets + 1
        side = lenslets * self.pixels
        grid = self.layout.tiling.plane
        turns_y, turns_x = (self.session.upload(_turns(lenslets, length.points)) for length in (grid.y, grid.x))
        folded, down, count = self.folded, self.down, np.int32(lenslets)
        for first in range(0, self.positions, self.work.positions):
            some, part = min(self.work.positions, self.positions - first), (np.int32(first), count)
            self._launch("fold", (side, side, some), plane.images, folded, self.sources, self.weights, *part)
            self._launch("transform_down", (side, self.half_y * self.pixels, 2 * some), folded, down, turns_y, count)
            self._launch(
                "transform_across",
                (self.image_quads, self.run_count, some),
                *(down, matrices, self.runs, self.image_slots, self.targets, turns_x, *part),
                *(np.int32(first_quad), np.int32(len(self.layout.volume_kinds)), np.int32(self.image_quads)),
            )

    def _launch(self, name: str, items: tuple[int, int, int], *arguments: object) -> None:
        self.session.launch(self.kernels[name], items, None, *arguments)


def _turns(lenslets: int, length: int) -> npt.NDArray[np.complex64]:
    """(frequency from 0 to half the length, lenslet) cosine and sine."""
    radius = lenslets // 2
    angles = 2 * np.pi / length * np.outer(np.arange(length // 2 + 1), np.arange(-radius, radius + 1))
    return np.asarray(np.exp(1j * angles), np.complex64)


def _runs(groups: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """(run, 4) the groups (ky, kx) in runs along kx, as ``matrices.cl`` has them."""
    firsts = np.flatnonzero(groups[:, 1] % RUN == 0)
    counts = np.diff(np.append(firsts, len(groups)))
    return np.column_stack([groups[firsts], firsts, counts]).astype(np.int32)


def _positions(samples: QuadOrder) -> tuple[Table, Table, Table]:
    """For each position (a, c) that no mirror relates: its source, weight and targets, as ``matrices.cl`` has them."""
    evens, weight, known = even_count(samples.length), pair_weight(samples.length), octant(samples.length)
    at = {tuple(parity): divmod(row, 4) for row, parity in enumerate(samples.parities.reshape(-1, 2))}
    sources, weights, targets = [], [], []
    for a in range(evens):
        for c in range(evens):
            sources.append((known.index((max(a, c), min(a, c))), a < c))
            weights.append(weight[a] * weight[c])
            slots = [
                at.get((a + evens * odd_a, c + evens * odd_c), (EMPTY, EMPTY))[1]
                for odd_a in (0, 1)
                for odd_c in (0, 1)
            ]
            targets.append((at[a, c][0], *slots))
    return np.array(sources, np.int32), np.array(weights, np.float32), np.array(targets, np.int32)
