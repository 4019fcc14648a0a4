"""Transforms over the lenslet grid against numpy, for every length and for every way to lie in local memory."""

import numpy as np
import numpy.typing as npt
import pyopencl
import pytest

from lfcore.opencl.device import Device
from lfcore.opencl.fourier import LENGTHS, Length, PlaneLayout, plane_layout, shortest
from lfcore.opencl.program import source
from lfcore.projection.matrix_layout import MatrixLayout
from lfcore.projection.opencl_fields import Field, Fields
from lfcore.projection.quads import quad_order
from lfcore.projection.tiling import Axis, Tiling
from tests.devices import PoisonedSession

LOCAL_BYTES = 2**20
LONGEST = 128
FRAMES = 2
PIECES = """
// piece_of[entry]: slot * 2 + exchange. Launch: (entries, columns).
#define AT(ORDER) ORDER(piece_of[get_global_id(0)] >> 1, 0, \
    (piece_of[get_global_id(0)] & 1) * get_global_size(1) + get_global_id(1), EXCHANGES * get_global_size(1))
#define ENTRY (get_global_id(1) * get_global_size(0) + get_global_id(0))
__kernel void sorted(__global const float4 *spectrum, __global float4 *entries, __global const int *piece_of) {
    entries[ENTRY] = spectrum[AT(product_reads)];
}
__kernel void unsorted(__global float4 *spectrum, __global const float4 *entries, __global const int *piece_of) {
    spectrum[AT(product_writes)] = entries[ENTRY];
}
"""


@pytest.fixture(scope="module")
def session(cpu_device: Device) -> PoisonedSession:
    return PoisonedSession(cpu_device)


class Plane:
    """Transforms of one channel on a grid that is filled with lenslets."""

    def __init__(self, session: PoisonedSession, plane: PlaneLayout) -> None:
        self.session, self.plane = session, plane
        self.shape = plane.y.points // 2 + 1, plane.x.points // 2 + 1
        one = quad_order((1, 1))
        tiling = Tiling(Axis(plane.y.points, 0, 1, even=True), Axis(plane.x.points, 0, 1, even=False), plane)
        self.fields = Fields(session, MatrixLayout(tiling, one, one, 1, half=False))
        slots = {tuple(group): slot for group, slot in zip(tiling.groups().tolist(), tiling.slots(), strict=True)}
        places = [
            2 * slots[ky, kx] if (ky, kx) in slots else 2 * slots[kx, ky] + 1 for ky, kx in np.ndindex(*self.shape)
        ]
        self.places = session.upload(np.array(places, np.int32))
        text = source(["spectrum.cl"]) + PIECES
        sizes = {"EXCHANGES": 1 + tiling.square, "SLOTS": tiling.slot_count, "HALF_X": self.shape[1]}
        options = ["-cl-std=CL1.2", *(f"-D{name}={value}" for name, value in sizes.items())]
        self.program = pyopencl.Program(session.context, text).build(options)

    def forward(self, values: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.complex64], npt.NDArray[np.float32]]:
        """(frame, ky, kx, 2) of (frame, y, x): X(ky, kx) and X(-ky, kx) of a quarter plane; and (frame,) peaks."""
        fields = self.fields
        spectrum = fields.spectrum(fields.pack(fields.volume, values[:, None]))
        entries = self.session.take("entries", FRAMES * int(np.prod(self.shape)) * 16)
        self._launch("sorted", spectrum.pieces.buffer, entries.buffer)
        peaks = self.session.download(spectrum.peaks, (FRAMES,), np.float32)
        return self.session.download(entries, (FRAMES, *self.shape, 2), np.complex64), peaks

    def inverse(self, pieces: npt.NDArray[np.complex64]) -> npt.NDArray[np.float32]:
        """(frame, y, x) of what ``forward`` gives."""
        fields, side = self.fields, self.fields.volume
        product = fields.take_product(side, FRAMES)
        self._launch("unsorted", product.buffer, self.session.upload(pieces).buffer)
        return fields.unpack(Field(side, FRAMES, None, product), side.origin, side.count)[:, 0]

    def _launch(self, name: str, spectrum: pyopencl.Buffer, entries: pyopencl.Buffer) -> None:
        kernel = pyopencl.Kernel(self.program, name)
        kernel(self.session.queue, (int(np.prod(self.shape)), FRAMES), None, spectrum, entries, self.places.buffer)


def quarter(values: npt.NDArray[np.float32]) -> npt.NDArray[np.complex128]:
    """What ``Plane.forward`` should give, by numpy in double precision."""
    whole = np.fft.rfft2(values.astype(np.float64))
    ky = np.arange(values.shape[1] // 2 + 1)
    return np.stack([whole[:, ky], whole[:, -ky]], axis=-1)


def assert_transforms(plane: Plane, seed: int) -> None:
    """There and back, on random values of either sign."""
    shape = FRAMES, plane.plane.y.points, plane.plane.x.points
    values = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    expected = quarter(values)
    found, peaks = plane.forward(values)
    assert np.abs(found - expected).max() < 1e-6 * np.abs(expected).max()
    # The sum of magnitudes, which no element of the transform exceeds.
    np.testing.assert_allclose(peaks, np.abs(values).sum((1, 2)), rtol=1e-5)
    back = plane.inverse(expected.astype(np.complex64))
    assert np.abs(back - values).max() < 1e-6 * np.abs(values).max()


def layouts(y: Length, x: Length) -> list[PlaneLayout]:
    """From the roomiest to the tightest."""
    found, local_bytes = [], LOCAL_BYTES
    while layout := plane_layout(y, x, local_bytes):
        found.append(layout)
        local_bytes = layout.size_bytes - 1
    return found


def grids() -> list[tuple[Length, Length]]:
    """Every length on both axes once, in turn on two square grids and on two that are not."""
    some = [length for length in LENGTHS if length.points <= LONGEST]
    beside = [some[i + (0, 0, 1, -1)[i % 4]] for i in range(len(some))]
    assert {length.points for length in beside} == {length.points for length in some}
    return list(zip(some, beside, strict=True))


@pytest.mark.parametrize(("y", "x"), grids(), ids=[f"{y.points}x{x.points}" for y, x in grids()])
def test_every_length_on_both_axes(session: PoisonedSession, y: Length, x: Length) -> None:
    layout = plane_layout(y, x, LOCAL_BYTES)
    assert layout is not None
    assert_transforms(Plane(session, layout), seed=1000 * y.points + x.points)


@pytest.mark.parametrize(("down", "across"), [(6, 10), (20, 20)])
def test_every_way_to_lie_in_local_memory(session: PoisonedSession, down: int, across: int) -> None:
    y, x = shortest(down), shortest(across)
    assert y is not None
    assert x is not None
    found = layouts(y, x)
    assert len(found) >= 2
    assert found[-1].size_bytes == down // 2 * (across + 2) * 8
    for seed, layout in enumerate(found):
        assert_transforms(Plane(session, layout), seed)


def test_places_in_local_memory_are_within_it_and_different() -> None:
    for y in (LENGTHS[0], LENGTHS[7], LENGTHS[-1]):
        for x in LENGTHS:
            for layout in layouts(y, x):
                rows, columns = range(y.points), range(x.points // 2 + 1)
                places = {layout.place(ky, kx) for ky in rows for kx in columns}
                assert len(places) == len(rows) * len(columns)
                assert min(places) >= 0
                assert max(places) * 8 < layout.size_bytes


def test_lengths_are_even_and_products_of_two_stages() -> None:
    assert all(length.points % 2 == 0 and length.points == length.first * length.second for length in LENGTHS)
    points = [length.points for length in LENGTHS]
    assert points == sorted(set(points))


@pytest.mark.parametrize(("points", "expected"), [(1, 4), (4, 4), (5, 6), (13, 16), (37, 40), (256, 256), (257, None)])
def test_the_shortest_length_that_holds_the_points(points: int, expected: int | None) -> None:
    length = shortest(points)
    assert (None if length is None else length.points) == expected


def test_a_plane_larger_than_local_memory_has_no_layout() -> None:
    y, x = shortest(100), shortest(120)
    assert y is not None
    assert x is not None
    tightest = layouts(y, x)[-1].size_bytes
    assert plane_layout(y, x, tightest) is not None
    assert plane_layout(y, x, tightest - 1) is None
