"""Volumes and images on a device: where their values lie, their spectra, and the way to the host and back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from lfcore.errors import SettingsError
from lfcore.opencl.session import Lease, Session
from lfcore.projection.device_memory import PAIR_BYTES, PIECE_BYTES
from lfcore.projection.matrix_layout import MatrixLayout
from lfcore.projection.protocol import Host
from lfcore.projection.quads import plane_rows
from lfcore.projection.tiling import TILES, Tiling, Window

WORK = 256
Corner: TypeAlias = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Side:
    """Volume or image.

    ``planes`` of cells of ``cell`` (y, x) channels over ``height`` x ``width`` lenslets, of which ``count`` (y, x)
    from ``origin`` on exist; ``rows`` of a spectrum, ``rows_of`` each channel (``quads.plane_rows``); what a transform
    ``reads`` and ``writes``.
    """

    name: str
    cell: tuple[int, int]
    planes: int
    height: int
    width: int
    origin: Corner
    count: Corner
    reads: Window
    writes: Window
    rows_of: Lease
    rows: int

    @property
    def channels(self) -> int:
        """Values a lenslet."""
        return self.planes * self.cell[0] * self.cell[1]

    @property
    def size(self) -> int:
        """float2 values of one frame."""
        return self.channels * (self.height // 2) * self.width

    def extent(self, count: Corner) -> tuple[int, int]:
        """(y, x) values of ``count`` (y, x) cells of a plane."""
        return int(count[0]) * self.cell[0], int(count[1]) * self.cell[1]

    def check(self, host: Host) -> None:
        """Raise ``SettingsError`` when (frame, plane, y, x) is not of this side's shape."""
        expected = (self.planes, *self.extent(self.count))
        if host.ndim != 4 or host.shape[1:] != expected or not len(host):
            raise SettingsError(
                f"{self.name} of shape (frame, plane, y, x) = {host.shape}: "
                f"this projector takes (frame, {', '.join(map(str, expected))})"
            )


@dataclass(frozen=True)
class Spectrum:
    """A spectrum ready for the products, and the ``peaks`` (column,) that none of its numbers exceeds."""

    pieces: Lease
    peaks: Lease


class Field:
    """A volume or an image of some frames: values, or their spectrum, or both, or what a product has made.

    ``product`` is a spectrum in the order in which products write, which steps read. ``compute`` makes the values
    anew where that can be done, and ``source`` is the image of which this is the back projection. ``inverse`` belongs
    to a field by which others are divided.
    """

    def __init__(
        self,
        side: Side,
        frames: int,
        values: Lease | None = None,
        product: Lease | None = None,
        source: "Field | None" = None,
        compute: Callable[[], Lease] | None = None,
    ) -> None:
        self.side, self.frames, self.values, self.product = side, frames, values, product
        self.source, self.compute = source, compute
        self.spectrum: Spectrum | None = None
        self.inverse: Lease | None = None


class Fields:
    """Makes fields, fills them, and changes between values and spectra."""

    def __init__(self, session: Session, layout: MatrixLayout) -> None:
        tiling = layout.tiling
        self.session, self.tiling = session, tiling
        self.exchanges = 2 if tiling.square else 1
        self.volume, self.image = _volume_side(session, layout), _image_side(session, layout)
        roots = [session.upload(length.roots()) for length in (tiling.plane.y, tiling.plane.x)]
        visits, stores = tiling.visits()
        self.tables = *roots, session.upload(tiling.plane.columns()), session.upload(visits)
        files = "radix.cl", "spectrum.cl", "transform.cl", "steps.cl", "tiles.cl"
        self.steps = session.kernels(files, _transform_defines(tiling, stores))
        self.elementwise = session.kernels(("fields.cl",), {"WORK": WORK})

    def take_values(self, side: Side, frames: int) -> Lease:
        """Room for the values of ``frames`` frames."""
        return self.session.take(f"{side.name} values", frames * side.size * PAIR_BYTES)

    def take_product(self, side: Side, columns: int) -> Lease:
        """Room for what a product makes, which is in another order than the spectra that it takes."""
        return self.session.take(f"product, {side.name}", self._spectrum_bytes(side, columns))

    def take_spectrum(self, side: Side, columns: int) -> Spectrum:
        """Room for a spectrum, with peaks of zero.

        Rows that no channel has must be zero. They are at first, and stay so, for buffers of this kind go to spectra
        with the same rows alone: products would spread what is left in other rows over all frames.
        """
        grid = self.tiling.plane
        kind = f"spectrum, {side.planes} planes of {side.cell[0]} x {side.cell[1]} on {grid.y.points} x {grid.x.points}"
        peaks = self.session.upload(np.zeros(columns, np.float32), "peaks")
        return Spectrum(self.session.take(kind, self._spectrum_bytes(side, columns), zeroed=True), peaks)

    def _spectrum_bytes(self, side: Side, columns: int) -> int:
        return self.tiling.slot_count * side.rows * self.exchanges * columns * PIECE_BYTES

    def values(self, field: Field) -> Lease:
        """The values of a field, computed if they are not there; its product is given up then."""
        if field.values is None:
            if field.product is not None:
                field.values, field.product = self.values_of_product(field.side, field.frames, field.product), None
            else:
                assert field.compute, "a comparison makes a spectrum alone, and an update may use up a volume"
                field.values = field.compute()
        return field.values

    def values_of_product(self, side: Side, frames: int, product: Lease) -> Lease:
        """Values from what a product has made of all tiles at once."""
        values = self.take_values(side, frames)
        self.step("spectrum_field", side, frames, side.writes, product, values)
        return values

    def spectrum(self, field: Field) -> Spectrum:
        """The spectrum of a field, computed if it is not there."""
        if field.spectrum is None:
            values, spectrum = self.values(field), self.take_spectrum(field.side, field.frames)
            arguments = values, spectrum.pieces, spectrum.peaks
            self.step("field_spectrum", field.side, field.frames, field.side.reads, *arguments)
            field.spectrum = spectrum
        return field.spectrum

    def step(self, name: str, side: Side, frames: int, window: Window, *arguments: object) -> None:
        """Start a kernel of ``steps.cl``."""
        items = frames * int(window[TILES]) * WORK, side.channels
        shape = side.rows_of, window, *self.tables
        self.session.launch(self.steps[name], items, (WORK, 1), *arguments, *shape)

    def pack(self, side: Side, host: Host) -> Field:
        """(frame, plane, y, x) of this side's shape to the device."""
        raw = self.session.upload(host.astype(np.float32, copy=False), "host arrays")
        field = Field(side, len(host), self.take_values(side, len(host)))
        items = side.width, side.height // 2, len(host) * side.channels
        self.session.launch(
            self.elementwise["pack"], items, None, raw, field.values, *self._geometry(side), side.origin, side.count
        )
        return field

    def unpack(self, field: Field, origin: Corner, count: Corner) -> Host:
        """(frame, plane, y, x) of ``count`` (y, x) lenslets from ``origin`` on."""
        raw, shape = self._unpacked(field, origin, count)
        return self.session.download(raw, shape, np.float32)

    def fetch(self, field: Field, origin: Corner, count: Corner) -> Callable[[], Host]:
        """Start what ``unpack`` does; call the result to wait for it."""
        raw, shape = self._unpacked(field, origin, count)
        return self.session.fetch(raw, shape)

    def _unpacked(self, field: Field, origin: Corner, count: Corner) -> tuple[Lease, tuple[int, int, int, int]]:
        side = field.side
        shape = field.frames, side.planes, *side.extent(count)
        raw = self.session.take("host arrays", int(np.prod(shape)) * 4)
        items = shape[3], shape[2], shape[0] * shape[1]
        self.session.launch(
            self.elementwise["unpack"], items, None, self.values(field), raw, *self._geometry(side), origin, count
        )
        return raw, shape

    def temper(
        self, side: Side, frames: int, stepped: Lease, before: Lease, result: Lease, strength: float, smallest: Host
    ) -> None:
        """Start the kernel of ``variation.cl`` on values; see ``Projector.temper``."""
        kernel = self.session.kernels(("variation.cl",), {})["temper"]
        items = side.width * side.cell[1], side.height * side.cell[0], frames * side.planes
        geometry = *self._geometry(side), side.origin, side.count, np.int32(side.planes)
        edges = self.session.upload(smallest.astype(np.float32))
        self.session.launch(kernel, items, None, stepped, before, result, *geometry, np.float32(strength), edges)

    def _geometry(self, side: Side) -> tuple[Corner, np.int32, np.int32]:
        return _corner(*side.cell), np.int32(side.height // 2), np.int32(side.width)


def _volume_side(session: Session, layout: MatrixLayout) -> Side:
    tiling, order = layout.tiling, layout.samples
    y, x = tiling.y, tiling.x
    return Side(
        name="volume",
        cell=order.shape,
        planes=layout.planes,
        height=y.volume,
        width=x.volume,
        origin=_corner(y.volume_exists[0], x.volume_exists[0]),
        count=_corner(y.lenslets + 2 * y.margin, x.lenslets + 2 * x.margin),
        reads=tiling.volume_window(y.volume_reads(), x.volume_reads()),
        writes=tiling.volume_window(y.volume_writes(), x.volume_writes()),
        rows_of=session.upload(plane_rows(order, layout.planes)),
        rows=4 * len(layout.volume_kinds),
    )


def _image_side(session: Session, layout: MatrixLayout) -> Side:
    tiling, order = layout.tiling, layout.pixels
    y, x = tiling.y, tiling.x
    return Side(
        name="light field",
        cell=order.shape,
        planes=1,
        height=y.image,
        width=x.image,
        origin=_corner(0, 0),
        count=_corner(y.lenslets, x.lenslets),
        reads=tiling.image_window(y.image_reads(), x.image_reads()),
        writes=tiling.image_window(y.image_writes(), x.image_writes()),
        rows_of=session.upload(plane_rows(order, 1)),
        rows=4 * len(layout.image_kinds),
    )


def _corner(down: int, right: int) -> Corner:
    return np.array([down, right], np.int32)


def _transform_defines(tiling: Tiling, stores: int) -> dict[str, int | float | str]:
    y, x = tiling.plane.y, tiling.plane.x
    return {
        **{"LY": y.points, "Y1": y.first, "Y2": y.second, "LX": x.points, "X1": x.first, "X2": x.second},
        "PITCH": tiling.plane.pitch,
        "STRIDE": tiling.plane.stride,
        "WORK": WORK,
        "EXCHANGES": 2 if tiling.square else 1,
        "SLOTS": tiling.slot_count,
        "STORES": stores,
        "HALF_X": x.points // 2 + 1,
        "SCALE": 1.0 / (y.points * x.points),
    }
