"""From point images to the operator's matrices, on a device (``kernels/matrices.cl``; twin: ``matrices``)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from lfcore.errors import SettingsError
from lfcore.opencl.session import Lease, Session
from lfcore.projection.cell import SQUARE, even_count, pair_weight, positions
from lfcore.projection.matrix_layout import MatrixLayout
from lfcore.projection.quads import EMPTY, QuadOrder

Table = npt.NDArray[np.generic]

RUN = 4
"""Frequencies of one work-item of the last step: its sums take sixteen registers each."""


@dataclass(frozen=True)
class PlaneImages:
    """Point images of one plane on the device: [position][y][x] float32, as ``PlaneKernels`` has them."""

    radius_cells: tuple[int, int]
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
        self.pixels = layout.pixels.shape
        self.half_y = layout.tiling.plane.y.points // 2 + 1
        shape = {"PIXELS_Y": self.pixels[0], "PIXELS_X": self.pixels[1], "HALF_Y": self.half_y, "RUN": RUN}
        self.kernels = session.kernels(("matrices.cl",), layout.defines() | shape)
        sources, weights, targets = _positions(layout.samples, layout.tiling.exchange)
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
        margin = self.layout.tiling.y.margin, self.layout.tiling.x.margin
        if any(reach > room for reach, room in zip(plane.radius_cells, margin, strict=True)):
            said = "a plane whose blur reaches {} x {} cells: the grid is for {} x {}"
            raise SettingsError(said.format(*plane.radius_cells, *margin))
        below, beside = (2 * reach + 1 for reach in plane.radius_cells)
        height, width = below * self.pixels[0], beside * self.pixels[1]
        grid = self.layout.tiling.plane
        turns_y = self.session.upload(_turns(below, grid.y.points))
        turns_x = self.session.upload(_turns(beside, grid.x.points))
        folded, down, count = self.folded, self.down, np.array([below, beside], np.int32)
        for first in range(0, self.positions, self.work.positions):
            some, part = min(self.work.positions, self.positions - first), (np.int32(first), count)
            self._launch("fold", (width, height, some), plane.images, folded, self.sources, self.weights, *part)
            self._launch(
                "transform_down", (width, self.half_y * self.pixels[0], 2 * some), folded, down, turns_y, count
            )
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


def _positions(samples: QuadOrder, exchange: bool) -> tuple[Table, Table, Table]:
    """For each position (a, c) that no mirror relates: its source, weight and targets, as ``matrices.cl`` has them."""
    (evens_y, evens_x), (weight_y, weight_x) = map(even_count, samples.shape), map(pair_weight, samples.shape)
    known = positions(samples.shape, replace(SQUARE, exchange=exchange))
    at = {tuple(parity): divmod(row, 4) for row, parity in enumerate(samples.parities.reshape(-1, 2))}
    sources, weights, targets = [], [], []
    for a in range(evens_y):
        for c in range(evens_x):
            transposed = exchange and a < c
            sources.append((known.index((c, a) if transposed else (a, c)), transposed))
            weights.append(weight_y[a] * weight_x[c])
            slots = [
                at.get((a + evens_y * odd_a, c + evens_x * odd_c), (EMPTY, EMPTY))[1]
                for odd_a in (0, 1)
                for odd_c in (0, 1)
            ]
            targets.append((at[a, c][0], *slots))
    return np.array(sources, np.int32), np.array(weights, np.float32), np.array(targets, np.int32)
