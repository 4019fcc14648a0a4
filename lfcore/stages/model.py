"""The microscope's model by itself: the image of one point, and the light field of a volume."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lfcore.contracts import RunPaths
from lfcore.errors import DataError, UsageError
from lfcore.io import ome_tiff, sources, store, tiff
from lfcore.io.quantise import restore
from lfcore.optics.instrument import Instrument, instrument_from
from lfcore.optics.measured import nearest_position
from lfcore.optics.psf import RealImage, point_images
from lfcore.projection.host import host_projector
from lfcore.projection.protocol import Host, Projector, Resident
from lfcore.stages.dataset import read_settings
from lfcore.stages.grid import instrument_of
from lfcore.stages.measured import kernels_of, with_measured
from lfcore.stages.transforms import read_calibration

FINE_GUARD_LENSLETS = 4.0
EXTRA_LENSLETS = 4
"""A single image can afford a wide window and a wide guard; the kernels of a volume make do with less."""


def point_image(
    dataset: str,
    overrides: Mapping[str, Any],
    z_um: float,
    offset_um: tuple[float, float],
    lenslets: int | None,
    output: str,
) -> float:
    """Write the image of a point at ``z_um`` and lateral ``offset_um`` (dy, dx), and return the energy inside.

    Of measured point images it is that of the sample nearest to ``offset_um``. Raises ``UsageError`` for an even number
    of ``lenslets``, or any where the images were measured.
    """
    if lenslets is not None and lenslets % 2 == 0:
        raise UsageError(f"--lenslets {lenslets}: must be odd, the image is centred on a lenslet")
    settings = read_settings(dataset, overrides)
    instrument, measured = with_measured(dataset, settings, instrument_from(settings))
    if measured is not None and lenslets is not None:
        raise UsageError(f"--lenslets {lenslets}: measured point images have their own window; leave it out")
    if measured is not None:
        image = measured.at(z_um)[nearest_position(instrument, settings.volume.samples_per_lenslet, offset_um)]
    else:
        image = _modelled(instrument, z_um, offset_um, None if lenslets is None else lenslets // 2)
    store.write_bytes(output, tiff.encode_image(image))
    return float(image.sum())


def _modelled(instrument: Instrument, z_um: float, offset_um: tuple[float, float], radius: int | None) -> RealImage:
    """(y, x) image of a point on a fine grid; behind an array in the pupil on the usual one, which is large enough."""
    if instrument.lattice == "none":
        return np.asarray(point_images(instrument, z_um, [offset_um], radius, np.float64)[0])
    down, right = instrument.window_radius_cells(z_um)
    wide = (down + EXTRA_LENSLETS, right + EXTRA_LENSLETS) if radius is None else radius
    return np.asarray(point_images(instrument, z_um, [offset_um], wide, np.float64, FINE_GUARD_LENSLETS)[0])


def project_file(
    dataset: str,
    overrides: Mapping[str, Any],
    source: str,
    output: str,
    *,
    adjoint: bool,
    run: str | None = None,
) -> tuple[int, ...]:
    """Write the light field (y, x) of the volume file ``source`` (z, y, x), or the transpose.

    The array is as the settings state it or, with ``run``, as that run has measured it. Returns the output's shape.

    Raises ``DataError`` when the file does not lie on the data set's voxel or pixel grid.
    """
    settings = read_settings(dataset, overrides)
    data = _read_stack(source)
    modelled = instrument_of(settings, read_calibration(RunPaths(run))) if run else instrument_from(settings)
    instrument, measured = with_measured(dataset, settings, modelled)
    cell = instrument.cell
    down, right = cell.pixels if adjoint else cell.samples(settings.volume.samples_per_lenslet)
    planes = len(settings.volume.planes_um)
    depth, height, width = data.shape
    if depth != (1 if adjoint else planes) or height % down or width % right or not np.isfinite(data).all():
        unit = f"in multiples of {down}" if down == right else f"in multiples of {down} and {right}"
        wanted = f"(y, x) {unit} px" if adjoint else f"({planes}, y, x) {unit} samples"
        raise DataError(f"{source}: holds {data.shape}; it must be {wanted}, all finite, for the settings of {dataset}")
    compute = kernels_of(instrument, settings.volume.samples_per_lenslet, measured)
    projector = host_projector([compute(z) for z in settings.volume.planes_um], height // down, width // right)
    inside = _back_projected(projector, data) if adjoint else projected(projector, data[None])[0]
    store.write_bytes(output, tiff.encode_image(inside))
    return inside.shape


def _read_stack(source: str) -> Host:
    """The pages of a TIFF (page, y, x) as float32, in their true values where 16 bits hold a scaled volume."""
    pages = sources.inspect(source).frames
    with sources.FrameReader() as reader:
        stored = np.stack([reader.read(source, page) for page in range(pages)])
    scale = ome_tiff.stored_scale(source)
    return stored.astype(np.float32) if scale is None else restore(stored, *scale)


def projected(projector: Projector[Resident], volume: Host) -> Host:
    """Light fields (frame, y, x) of volumes (frame, z, y, x) without a margin: nothing lies outside."""
    padding = [(full - inside) // 2 for full, inside in zip(projector.volume_shape[1:], volume.shape[2:], strict=True)]
    padded = np.pad(volume, [(0, 0), (0, 0), *((width, width) for width in padding)])
    return projector.unpack_image(projector.forward(projector.pack_volume(padded)))


def _back_projected(projector: Projector[Resident], image: Host) -> Host:
    """``H^T`` of a light field (1, y, x) as a volume (z, y, x), without a margin."""
    volume = projector.fetch_inside(projector.adjoint(projector.pack_image(image)))()
    return np.asarray(volume[0])
