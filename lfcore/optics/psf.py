"""The camera image of one point, or of one voxel, by the model that the instrument names.

``waves`` and ``pupil_waves`` are the wave optics of the two places of the array, ``rays`` the geometric limit of both.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lfcore.optics.boxes import box_nodes
from lfcore.optics.grid import make_grid
from lfcore.optics.instrument import Instrument
from lfcore.optics.pupil_waves import PupilWave
from lfcore.optics.rays import ray_images
from lfcore.optics.waves import NativeWave
from lfcore.optics.waves import RealImage as RealImage


def point_images(
    instrument: Instrument,
    z_um: float,
    offsets_um: Sequence[tuple[float, float]],
    radius: int | tuple[int, int] | None = None,
    dtype: npt.DTypeLike = np.float32,
    guard_lenslets: float | None = None,
) -> RealImage:
    """Images of points at ``z_um`` and at each lateral offset (dy, dx) in um from the axis of the middle lenslet.

    Returns (point, y, x) of ``dtype`` (float32 or float64) on the pixels of ``instrument.cell``, ``2 radius + 1`` cells
    a side; ``radius`` is one number or (y, x), by default ``instrument.window_radius_cells(z_um)``. The energy
    that passes the pupil is one, so what lies outside the window is missing from the sum. With ``instrument.box`` they
    are the images of voxels about these points.
    """
    down, right = cells = window_cells(instrument, z_um, radius)
    if instrument.model == "rays":
        return ray_images(instrument, z_um, offsets_um, cells).astype(dtype)
    pixels, nodes = instrument.cell.pixels, box_nodes(instrument)
    images = np.zeros((len(offsets_um), down * pixels[0], right * pixels[1]), dtype)
    for depth_um, share in nodes.z:
        for wavelength_um, weight in instrument.spectrum:
            wave = _wave(instrument, wavelength_um, cells, guard_lenslets, z_um + depth_um, dtype)
            for image, (dy_um, dx_um) in zip(images, offsets_um, strict=True):
                for off_y_um, share_y in nodes.y:
                    for off_x_um, share_x in nodes.x:
                        part = wave.image(dy_um + off_y_um, dx_um + off_x_um)
                        image += share * weight * share_y * share_x * part
    return images


def window_cells(instrument: Instrument, z_um: float, radius: int | tuple[int, int] | None) -> tuple[int, int]:
    """Cells (y, x) of a window of ``radius``, one number, two, or None for what a point at ``z_um`` needs."""
    if radius is None:
        radius = instrument.window_radius_cells(z_um)
    down, right = (radius, radius) if isinstance(radius, int) else radius
    return 2 * down + 1, 2 * right + 1


def outer_ring_energy(images: RealImage, instrument: Instrument) -> float:
    """Mean energy of ``images`` (point, y, x) in the outermost cells of their window: what may be missing beyond."""
    down, right = instrument.cell.pixels
    if images.shape[1] <= 2 * down or images.shape[2] <= 2 * right:
        return 1.0
    inner = images[:, down:-down, right:-right]
    return float((images.sum(dtype=np.float64) - inner.sum(dtype=np.float64)) / len(images))


def _wave(
    instrument: Instrument,
    wavelength_um: float,
    cells: tuple[int, int],
    guard_lenslets: float | None,
    z_um: float,
    dtype: npt.DTypeLike,
) -> NativeWave | PupilWave:
    grid = make_grid(instrument, wavelength_um, cells, guard_lenslets, z_um)
    model = PupilWave if instrument.lattice == "none" else NativeWave
    return model(instrument, wavelength_um, grid, z_um, np.result_type(dtype, np.complex64))
