"""The camera image of one point by rays, as waves have it in the limit of short wavelengths.

Rays leave the point with equal energies, so they fill the pupil as ``1/cos(theta)`` does. The ray through ``s`` meets
the array at ``M (x0 - grad W(s))`` with the sine ``s / M``, or in the pupil at ``-f_F s / M`` with ``M (x0 - grad W) /
f_F``; a lenslet changes its sine by ``-x_l / f``; the camera is ``d`` further.

The rays form a sunflower in an eighth of the pupil, and seven mirror images: equal areas, and no row of them along a
pixel's edge. A pixel's count of ``n`` rays is off by about ``n^(1/4)``, so images take ``RAYS`` to be smooth to a
thousandth.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lfcore.optics.array import cover, from_nearest, has_gaps
from lfcore.optics.boxes import box_um
from lfcore.optics.instrument import Instrument
from lfcore.optics.pupil_waves import pupil_lens_um
from lfcore.threads import in_parts

RAYS = 2**20
PART = 2**15
"""So many rays at a time stay in a core's cache."""

EIGHTH = 8
"""Rays come in eights, the relatives under the symmetries of the square, so that images have the pupil's symmetry."""

GOLDEN = (math.sqrt(5) - 1) / 2
ROOTS = math.sqrt(2), math.sqrt(3), math.sqrt(7)
"""Multiples of them, modulo one, place the rays of a box in it."""

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True)
class _Bundle:
    """Rays at the array, of a point on the axis: positions in um, sines, and what they grow by a um of the point."""

    down: Floats
    right: Floats
    sine_down: Floats
    sine_right: Floats
    position_per_um: float
    sine_per_um: float

    def part(self, which: slice, offset_um: tuple[float, float]) -> tuple[Floats, Floats, Floats, Floats]:
        """Positions and sines of some of the rays, of a point at ``offset_um``."""
        dy, dx = offset_um
        return (
            self.down[which] + np.float32(self.position_per_um * dy),
            self.right[which] + np.float32(self.position_per_um * dx),
            self.sine_down[which] + np.float32(self.sine_per_um * dy),
            self.sine_right[which] + np.float32(self.sine_per_um * dx),
        )


def ray_images(
    instrument: Instrument,
    z_um: float,
    offsets_um: Sequence[tuple[float, float]],
    cells: tuple[int, int],
    rays: int = RAYS,
) -> Floats:
    """(point, y, x) float64 images of points, or boxes, at ``z_um`` and ``offsets_um``, on ``cells`` (y, x) cells.

    The energy that passes the pupil is one.
    """
    bundle = _bundle(instrument, z_um, rays)
    shape = cells[0] * instrument.cell.pixels[0], cells[1] * instrument.cell.pixels[1]
    return np.stack([_count(instrument, bundle, offset, shape) / rays for offset in offsets_um])


def _bundle(instrument: Instrument, z_um: float, rays: int) -> _Bundle:
    optics, index = instrument.pupil, np.arange(rays // EIGHTH)
    cosine = 1 - (index + 0.5) / len(index) * (1 - math.sqrt(1 - (optics.edge / optics.medium_index) ** 2))
    radius, angle = optics.medium_index * np.sqrt(1 - cosine**2), np.pi / 4 * np.modf(index * GOLDEN)[0]
    down, right = _mirrored(radius * np.sin(angle), radius * np.cos(angle))
    parts = [np.modf(index * root)[0] - 0.5 for root in ROOTS]
    depth_um, height_um, width_um = box_um(instrument)
    up, (off_y, off_x) = np.tile(parts[0], EIGHTH), _mirrored(parts[1], parts[2])
    slope_y, slope_x = optics.gradient_um(z_um + depth_um * up if depth_um else z_um, down, right)
    from_y, from_x = height_um * off_y - slope_y, width_um * off_x - slope_x
    if instrument.lattice == "none":
        place = -pupil_lens_um(instrument) / instrument.magnification
        sine = -1 / place
        return _Bundle(*_single([place * down, place * right, sine * from_y, sine * from_x]), 0.0, sine)
    scale = instrument.magnification
    return _Bundle(*_single([scale * from_y, scale * from_x, down / scale, right / scale]), scale, 0.0)


def _mirrored(down: Floats, right: Floats) -> tuple[Floats, Floats]:
    """The eight relatives of each place under the symmetries of the square."""
    signs = [(y, x) for y in (1, -1) for x in (1, -1)]
    pairs = [(y * first, x * second) for first, second in ((down, right), (right, down)) for y, x in signs]
    return np.concatenate([pair[0] for pair in pairs]), np.concatenate([pair[1] for pair in pairs])


def _single(parts: list[Floats]) -> tuple[Floats, Floats, Floats, Floats]:
    down, right, sine_down, sine_right = (part.astype(np.float32) for part in parts)
    return down, right, sine_down, sine_right


def _count(
    instrument: Instrument, bundle: _Bundle, offset_um: tuple[float, float], shape: tuple[int, int]
) -> npt.NDArray[np.int64]:
    """(y, x) rays that meet each pixel."""
    rays, pixels = len(bundle.down), shape[0] * shape[1]
    places = np.empty(rays, np.intp)

    def meet(parts: slice) -> None:
        for begin in range(parts.start * PART, min(parts.stop * PART, rays), PART):
            which = slice(begin, min(begin + PART, rays))
            places[which] = _pixels_met(instrument, bundle.part(which, offset_um), shape)

    in_parts(math.ceil(rays / PART), meet)
    counts = np.bincount(places, minlength=pixels + 1)[:pixels]
    return counts.reshape(shape)


def _pixels_met(
    instrument: Instrument, rays: tuple[Floats, Floats, Floats, Floats], shape: tuple[int, int]
) -> npt.NDArray[np.intp]:
    """(ray,) flat index of the pixel that each ray meets; one past the last pixel for those that meet none."""
    down, right, sine_down, sine_right = rays
    down_l, right_l = from_nearest(instrument, down, right)
    lost: npt.NDArray[np.bool_] | bool = False
    if has_gaps(instrument):
        inside = cover(instrument, down_l, right_l)
        if instrument.gaps == "opaque":
            lost = inside == 0
        down_l, right_l = down_l * inside, right_l * inside
    sine_down = sine_down - down_l / np.float32(instrument.focal_length_um)
    sine_right = sine_right - right_l / np.float32(instrument.focal_length_um)
    along = np.float32(instrument.sensor_distance_um) / np.sqrt(1 - sine_down**2 - sine_right**2)
    row, column = (
        np.floor((place + along * sine) * np.float32(count / size_um) + np.float32(length / 2)).astype(np.intp)
        for place, sine, count, size_um, length in zip(
            (down, right), (sine_down, sine_right), instrument.cell.pixels, instrument.cell.size_um, shape, strict=True
        )
    )
    lost = lost | (row < 0) | (row >= shape[0]) | (column < 0) | (column >= shape[1])
    return np.where(lost, shape[0] * shape[1], row * shape[1] + column)
