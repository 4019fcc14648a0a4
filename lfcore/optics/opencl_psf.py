"""Point images on an OpenCL device (``kernels/field.cl``); the twin of ``psf.point_images``, on the same grids."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt
import pyopencl

from lfcore.errors import UnavailableError
from lfcore.opencl.session import Lease, Session
from lfcore.optics.array import transmission
from lfcore.optics.grid import Axis, Grid, make_grid
from lfcore.optics.instrument import Instrument
from lfcore.optics.line_transform import LineTransform, line_transform
from lfcore.optics.waves import pupil, pupil_edge, pupil_energy, ramp

FILES = ("radix.cl", "line.cl", "field.cl")
BATCH_BYTES = 2**30
ROW_MULTIPLE = 16
"""Stored rows begin at multiples of so many samples, 128 bytes."""

LARGEST_LOCAL_BYTES = 48 * 2**10
"""With more local memory a work-group, too few groups would be at work at a time."""

MOST_LINES, MOST_ITEMS, ITEM_MULTIPLE = 8, 768, 32
"""Neighbouring columns and work-items of a work-group, and what items a line come in."""

Offsets = tuple[tuple[float, float], ...]


class DevicePointImages:
    """Point images of one instrument, computed and left on a device.

    A call returns when its kernels are queued, not when they are done.
    """

    def __init__(self, session: Session, instrument: Instrument, batch_bytes: int = BATCH_BYTES) -> None:
        """``batch_bytes`` is the most that the fields on the device take at a time; one point's may take more."""
        self.session, self.instrument = session, instrument
        self.batch_bytes = min(batch_bytes, session.device.largest_allocation_bytes)
        self._last: dict[float, _Field] = {}

    def images(
        self, z_um: float, offsets_um: Sequence[tuple[float, float]], radius_lenslets: int | None = None
    ) -> Lease:
        """Images of points at ``z_um`` and at each lateral offset (dy, dx) in um from the axis of the middle lenslet.

        Returns a buffer (point, y, x) float32, ``N`` pixels a lenslet and ``2 radius + 1`` lenslets a side; values and
        window are those of ``psf.point_images``. Raises ``UnavailableError`` when a line of the field is too long for
        the device's local memory, ``DeviceMemoryError`` when its memory does not do for one field.
        """
        radius = self._radius(z_um, radius_lenslets)
        fields = [
            self._field(wavelength_um, radius, tuple(offsets_um)) for wavelength_um, _ in self.instrument.spectrum
        ]
        images = self.session.take("point images", 4 * len(offsets_um) * fields[0].layout.side ** 2)
        for index, (field, (_, weight)) in enumerate(zip(fields, self.instrument.spectrum, strict=True)):
            field.add_images(z_um, weight, index == 0, images, self.batch_bytes)
        return images

    def host_images(
        self, z_um: float, offsets_um: Sequence[tuple[float, float]], radius_lenslets: int | None = None
    ) -> npt.NDArray[np.float32]:
        """The images of ``images`` as an array (point, y, x) float32."""
        radius = self._radius(z_um, radius_lenslets)
        side = (2 * radius + 1) * self.instrument.pixels_per_lenslet
        images = self.images(z_um, offsets_um, radius)
        return self.session.download(images, (len(offsets_um), side, side), np.float32)

    def _radius(self, z_um: float, radius_lenslets: int | None) -> int:
        return self.instrument.window_radius_lenslets(z_um) if radius_lenslets is None else radius_lenslets

    def _field(self, wavelength_um: float, radius_lenslets: int, offsets_um: Offsets) -> "_Field":
        """The field of a wavelength, kept for the next plane, whose window is often the same."""
        here = layout(self.instrument, wavelength_um, radius_lenslets)
        last = self._last.get(wavelength_um)
        if last is None or (last.layout, last.offsets_um) != (here, offsets_um):
            self._last[wavelength_um] = _Field(self.session, self.instrument, wavelength_um, here, offsets_um)
        return self._last[wavelength_um]


@dataclass(frozen=True)
class Layout:
    """How a grid lies on the device, and what a point's image costs there; ``reach`` is the pupil's last frequency."""

    grid: Axis
    reach: int

    @property
    def side(self) -> int:
        """Pixels a side of the window."""
        return self.grid.window // self.grid.oversampling

    @property
    def stride(self) -> int:
        """Samples from row to row of a field."""
        return _up(self.grid.size, ROW_MULTIPLE)

    @property
    def near_stride(self) -> int:
        """Samples from row to row where there are only the pupil's columns."""
        return _up(2 * self.reach + 1, ROW_MULTIPLE)

    @property
    def stored_bytes(self) -> int:
        """Memory of the fields of one point."""
        return 8 * self.grid.size * (self.near_stride + self.stride)

    @property
    def moved_bytes(self) -> int:
        """Bytes that one point's image moves through device memory when each pass reads and writes once."""
        size, window = self.grid.size, self.grid.window
        near, whole, kept = (2 * self.reach + 1) * size, size * size, window * size
        return 8 * (2 * near + 2 * whole + 2 * kept) + 4 * self.side**2

    @property
    def operations(self) -> float:
        """Floating point operations of one point's image: ``5 n log2 n`` a line transform, and the products."""
        size, window, columns = self.grid.size, self.grid.window, 2 * self.reach + 1
        lines = columns + 4 * size + window
        return 5 * size * math.log2(size) * lines + 12 * columns**2 + 12 * size**2 + 4 * window**2


def layout(instrument: Instrument, wavelength_um: float, radius_lenslets: int) -> Layout:
    """The layout of the grid that ``psf.point_images`` has for this window."""
    grid = make_grid(instrument, wavelength_um, (2 * radius_lenslets + 1,) * 2).down
    return Layout(grid, math.ceil(_edge(instrument, wavelength_um, grid)) - 1)


class _WorkGroup(NamedTuple):
    """``lines`` of neighbouring columns, which interleave, with ``items`` work-items each."""

    lines: int
    items: int


class _Field:
    """One wavelength, window and set of offsets: what all planes share."""

    def __init__(
        self, session: Session, instrument: Instrument, wavelength_um: float, here: Layout, offsets_um: Offsets
    ) -> None:
        self.session, self.instrument, self.wavelength_um = session, instrument, wavelength_um
        self.layout, self.offsets_um = here, offsets_um
        self.step = float(here.grid.frequencies()[1])
        self.kernels = session.kernels(FILES, {})
        line = line_transform(here.grid.size)
        self.columns = _work_group(session, self.kernels, line)
        self.rows = _WorkGroup(1, self.columns.items)
        self.size = np.array([line.size, len(line.radices)], np.int32)
        self.plan = (self.size, session.upload(line.stages()), session.upload(line.roots()))
        self.frequencies = session.upload(line.frequencies())
        self.ramps, self.offsets = (session.upload(table) for table in self._ramps())
        self.lenslet = session.upload(self._one_lenslet())
        self.travel = self._travel()

    def add_images(self, z_um: float, weight: float, is_first: bool, images: Lease, batch_bytes: int) -> None:
        """Queue the images of all offsets at ``z_um`` times ``weight``, to be added to ``images`` if not the first."""
        grid, points = self.layout.grid, len(self.offsets_um)
        squares, table = self._pupil(z_um)
        pupil_table = self.session.upload(table)
        scale = weight * self.step**2 / grid.size**2 / pupil_energy(self.instrument, self.wavelength_um)
        batch = max(1, min(points, batch_bytes // self.layout.stored_bytes))
        near = self.session.take("fields of the pupil", 8 * batch * grid.size * self.layout.near_stride)
        field = self.session.take("fields", 8 * batch * grid.size * self.layout.stride)
        for first in range(0, points, batch):
            some, geometry = min(batch, points - first), self._geometry(squares, first)
            source = (self.frequencies, geometry, pupil_table, self.ramps, self.offsets, near)
            self._launch("pupil_columns", self.layout.near_stride, some, self.columns, *source)
            lens = (self.frequencies, geometry, near, self.lenslet, field)
            self._launch("lenslet_rows", grid.size, some, self.rows, *lens)
            self._launch("travel_columns", grid.size, some, self.columns, geometry, self.travel, field)
            camera = (geometry, field, np.float32(scale), np.int32(is_first), images)
            self._launch("camera_rows", self.layout.side, some, self.rows, *camera)

    def _pupil(self, z_um: float) -> tuple[int, npt.NDArray[np.complex64]]:
        """Length and table over the squared radius of a pupil that is round; 0 and the whole pupil of another."""
        grid, reach = self.layout.grid, self.layout.reach
        if all(m == 0 for _, m, _ in self.instrument.zernike):
            squares = math.ceil(_edge(self.instrument, self.wavelength_um, grid) ** 2)
            down, right = np.zeros(1), np.sqrt(np.arange(squares, dtype=np.float64)) * self.step
        else:
            squares = 0
            down = right = np.arange(-reach, reach + 1, dtype=np.float64) * self.step
        table = pupil(self.instrument, self.wavelength_um, Grid(grid, grid), (down, right), z_um)
        return squares, table.astype(np.complex64)

    def _launch(self, name: str, lines: int, points: int, group: _WorkGroup, *arguments: object) -> None:
        local = pyopencl.LocalMemory(8 * group.lines * self.layout.grid.size)
        items = (_up(lines, group.lines), group.items, points)
        self.session.launch(self.kernels[name], items, (*group, 1), *self.plan, *arguments, local)

    def _geometry(self, squares: int, first: int) -> npt.NDArray[np.int32]:
        """The structure ``Field`` of the kernels."""
        here, grid = self.layout, self.layout.grid
        start, cell = (grid.size - grid.window) // 2, _cell(self.instrument, grid)
        sizes = (here.reach, squares, here.near_stride, here.stride, start, here.side, grid.oversampling, cell, first)
        return np.array(sizes, np.int32)

    def _ramps(self) -> tuple[npt.NDArray[np.complex64], npt.NDArray[np.int32]]:
        """(shift, frequency) ramps of every shift that occurs along either axis, and (point, 2) which ones."""
        values, index = np.unique(np.array(self.offsets_um), return_inverse=True)
        frequencies = np.arange(-self.layout.reach, self.layout.reach + 1, dtype=np.float64) * self.step
        image_um = self.instrument.magnification * values
        ramps = np.array([ramp(self.layout.grid, frequencies, shift_um) for shift_um in image_um])
        return ramps.astype(np.complex64), index.reshape(-1, 2).astype(np.int32)

    def _one_lenslet(self) -> npt.NDArray[np.complex64]:
        cell = _cell(self.instrument, self.layout.grid)
        one = replace(self.layout.grid, window=cell, size=cell)
        return transmission(self.instrument, self.wavelength_um, Grid(one, one)).astype(np.complex64)

    def _travel(self) -> Lease:
        """The angular spectrum's factor at every place of a transformed field."""
        size, distance_um = self.layout.grid.size, self.instrument.sensor_distance_um
        squared = (np.arange(size // 2 + 1) * self.step * self.wavelength_um) ** 2
        paraxial = np.exp(-1j * np.pi * distance_um / self.wavelength_um * squared)
        quarter = np.stack([paraxial.real, paraxial.imag, squared, 0 * squared], axis=1).astype(np.float32)
        travel = self.session.take("free space", 8 * size * self.layout.stride)
        cycles = np.float32(2 * np.pi * distance_um / self.wavelength_um)
        tables = (self.size, self.frequencies, self.session.upload(quarter), cycles, np.int32(self.layout.stride))
        self.session.launch(self.kernels["travel_table"], (size, size), None, *tables, travel)
        return travel


def _work_group(session: Session, kernels: dict[str, pyopencl.Kernel], line: LineTransform) -> _WorkGroup:
    """As many neighbouring columns as pay and fit into local memory, and an item for each of the last butterflies."""
    line_bytes, device = 8 * line.size, session.device
    if line_bytes > device.local_bytes:
        raise UnavailableError(
            f"{device}: a field of {line.size} samples a side needs {line_bytes} bytes of local memory, "
            f"there are {device.local_bytes}; leave out the planes furthest from focus, or use --device numpy"
        )
    fitting = max(1, min(device.local_bytes, LARGEST_LOCAL_BYTES) // line_bytes)
    lines = min(MOST_LINES, 1 << (fitting.bit_length() - 1))
    query = pyopencl.kernel_work_group_info.WORK_GROUP_SIZE
    allowed = [cast(int, kernel.get_work_group_info(query, device.handle)) for kernel in kernels.values()]
    return _WorkGroup(
        lines, min(_up(line.size // max(line.radices), ITEM_MULTIPLE), min(MOST_ITEMS, *allowed) // lines)
    )


def _edge(instrument: Instrument, wavelength_um: float, grid: Axis) -> float:
    """Where the soft edge of the pupil ends, in steps of the grid's frequencies."""
    return pupil_edge(instrument, wavelength_um) / float(grid.frequencies()[1]) + 0.5


def _cell(instrument: Instrument, grid: Axis) -> int:
    """Samples a lenslet's side."""
    return instrument.pixels_per_lenslet * grid.oversampling


def _up(count: int, multiple: int) -> int:
    return -(-count // multiple) * multiple
