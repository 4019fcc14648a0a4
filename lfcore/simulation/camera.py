"""From a phantom to raw camera frames: exact positions, finer pixels, a turned lattice, vignetting and noise.

The light field is summed point by point from the wave model on pixels twice as fine as the camera's and then resampled
to the camera, so neither the sample grid nor the pixel grid of a reconstruction is built in.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates

from lfcore.calibration.lattice import Lattice
from lfcore.optics.instrument import Instrument
from lfcore.optics.psf import point_images
from lfcore.simulation.phantoms import Floats, Phantom

FINE = 2
SAME_PLACE = 6
"""Decimals of a cell to which two positions are the same."""

Image = npt.NDArray[np.floating]
ImageOf = Callable[[float, float, float], Image]
"""The image (y, x) of a point at z and at the offset (dy, dx) from the axis of a lenslet, all in um."""

WHITE_POSITIONS = 6
DARK_COUNTS = 100.0
FULL_SCALE = 65535


@dataclass(frozen=True)
class Exposure:
    """How the camera records: photons at the brightest pixel, read noise in counts, light left at the corners."""

    photons: float = 2000.0
    read_noise: float = 2.0
    corner_light: float = 0.7


@dataclass(frozen=True)
class Bench:
    """An instrument whose array lies on a camera of ``image_shape`` (y, x) px as ``lattice`` says."""

    instrument: Instrument
    lattice: Lattice
    image_shape: tuple[int, int]

    @property
    def fine(self) -> Instrument:
        """The instrument with pixels finer than the camera's."""
        return replace(self.instrument, pixels_per_lenslet=FINE * self.instrument.pixels_per_lenslet)

    def cell_coordinates(self, offset_px: tuple[float, float]) -> Floats:
        """(2, y, x): the coordinates (row, column) in cells of all camera pixels, moved by ``offset_px``."""
        pixels = np.stack(np.meshgrid(*(np.arange(length) for length in self.image_shape), indexing="ij"), axis=-1)
        from_origin = pixels + offset_px - np.array(self.lattice.origin_px)
        return np.moveaxis(from_origin @ np.linalg.inv(self.lattice.steps).T, -1, 0)

    def on_camera(self, fine_light_field: Floats, first: tuple[int, int], *, periodic: bool = False) -> Floats:
        """(y, x) energy a camera pixel, of a light field of ``fine`` pixels whose cell (0, 0) is ``first``."""
        size = np.array(self.fine.cell.pixels)[:, None, None]
        total = np.zeros(self.image_shape)
        for offset in ((-0.25, -0.25), (-0.25, 0.25), (0.25, -0.25), (0.25, 0.25)):
            cells = self.cell_coordinates(offset) - np.array(first)[:, None, None]
            places = (cells + 0.5) * size - 0.5
            mode = "grid-wrap" if periodic else "constant"
            total += map_coordinates(fine_light_field, places, order=1, mode=mode)
        return np.asarray(total / 4 * size.prod() / abs(np.linalg.det(self.lattice.steps)))


class KeptImages:
    """An ``ImageOf`` for many points in few places: each image is computed once, its mirror images not at all."""

    def __init__(self, instrument: Instrument) -> None:
        """``instrument`` is ``Bench.fine``, with a square cell and all its symmetries."""
        self.instrument = instrument
        self._kept: dict[tuple[float, float, float], Image] = {}

    def __call__(self, z_um: float, dy_um: float, dx_um: float) -> Image:
        """The image, from that of its relative with ``dy >= dx >= 0``."""
        long_um, short_um = sorted((abs(dy_um), abs(dx_um)), reverse=True)
        key = z_um, round(long_um, SAME_PLACE), round(short_um, SAME_PLACE)
        if key not in self._kept:
            [self._kept[key]] = point_images(self.instrument, z_um, [(long_um, short_um)])
        image = self._kept[key] if abs(dy_um) >= abs(dx_um) else self._kept[key].T
        return image[:: -1 if dy_um < 0 else 1, :: -1 if dx_um < 0 else 1]


def expected_frames(bench: Bench, phantom: Phantom, image_of: ImageOf | None = None) -> Floats:
    """(frame, y, x) energy a camera pixel, for points of unit energy through the pupil.

    ``image_of`` replaces the model of ``bench.fine``, for instance by ``KeptImages`` of it.
    """
    fine, cell_um = bench.fine, bench.instrument.object_cell_um
    height, width = fine.cell.pixels
    corners = bench.cell_coordinates((0, 0))[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    low, high = np.floor(corners.min(1)).astype(int), np.ceil(corners.max(1)).astype(int)
    rows, columns = high - low + 1
    light_field = np.zeros((len(phantom.brightness), rows * height, columns * width))
    for (z_um, down, right), members in _places(phantom, cell_um).items():
        above, left = fine.window_radius_cells(z_um)
        image = (image_of or _modelled(fine))(z_um, down * cell_um[0], right * cell_um[1])
        for point, row, column in members:
            _add(
                light_field,
                image,
                phantom.brightness[:, point],
                (row - low[0] - above) * height,
                (column - low[1] - left) * width,
            )
    first = (int(low[0]), int(low[1]))
    return np.stack([bench.on_camera(frame, first) for frame in light_field])


def white_pattern(instrument: Instrument) -> Floats:
    """(y, x) mean light a pixel of one cell under uniform light, mean one over the cell.

    The incoherent sum over a plane does not depend on its depth; a defocused plane needs few positions.
    """
    z_um = 3 * instrument.object_pitch_um / np.tan(np.arcsin(instrument.numerical_aperture / instrument.medium_index))
    fractions = (np.arange(WHITE_POSITIONS) + 0.5) / WHITE_POSITIONS - 0.5
    down, right = (fractions * side_um for side_um in instrument.object_cell_um)
    images = point_images(instrument, z_um, [(float(dy), float(dx)) for dy in down for dx in right])
    height, width = instrument.cell.pixels
    cells = images.reshape(-1, images.shape[1] // height, height, images.shape[2] // width, width)
    pattern: Floats = cells.sum((0, 1, 3)).astype(np.float64)
    return np.asarray(pattern / pattern.mean())


def white_frame(bench: Bench) -> Floats:
    """(y, x) light a camera pixel under uniform light, about one at the brightest."""
    frame = bench.on_camera(np.tile(white_pattern(bench.fine), (2, 2)), (0, 0), periodic=True)
    return np.asarray(frame / frame.max())


def vignetting(shape: tuple[int, int], corner_light: float) -> Floats:
    """(y, x) relative light, one in the middle and ``corner_light`` at the corners."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, length) for length in shape), indexing="ij")
    return np.asarray(1 - (1 - corner_light) * (y**2 + x**2) / 2)


def record(photons: Floats, read_noise: float, rng: np.random.Generator) -> npt.NDArray[np.uint16]:
    """Counts of a 16-bit camera: Poisson noise, read noise and a dark level."""
    counts = rng.poisson(np.maximum(photons, 0)) + rng.normal(DARK_COUNTS, read_noise, photons.shape)
    return np.clip(np.rint(counts), 0, FULL_SCALE).astype(np.uint16)


def _modelled(instrument: Instrument) -> ImageOf:
    return lambda z_um, dy_um, dx_um: point_images(instrument, z_um, [(dy_um, dx_um)])[0]


def _places(
    phantom: Phantom, cell_um: tuple[float, float]
) -> dict[tuple[float, float, float], list[tuple[int, int, int]]]:
    """Points that share a point image: (z, fraction down, fraction right) to (point, row, column)."""
    places = defaultdict(list)
    for point, (z_um, y_um, x_um) in enumerate(phantom.positions_um):
        y, x = y_um / cell_um[0], x_um / cell_um[1]
        row, column = round(y), round(x)
        key = (z_um, round(y - row, SAME_PLACE), round(x - column, SAME_PLACE))
        places[key].append((point, row, column))
    return places


def _add(frames: Floats, image: Image, brightness: Floats, top: int, left: int) -> None:
    """Add ``brightness`` (frame,) times ``image`` with its corner at (top, left), as far as it lies on the frames."""
    height, width = frames.shape[1:]
    inside = image[max(-top, 0) : max(height - top, 0), max(-left, 0) : max(width - left, 0)]
    place = frames[:, max(top, 0) : max(top, 0) + inside.shape[0], max(left, 0) : max(left, 0) + inside.shape[1]]
    place += brightness[:, None, None] * inside
