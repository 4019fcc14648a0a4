"""Measured point images of a data set: read from its folder, and made part of the instrument."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from lfcore.contracts import join
from lfcore.errors import DataError
from lfcore.io import sources, store
from lfcore.optics.instrument import Instrument
from lfcore.optics.measured import MeasuredImages, measured_images
from lfcore.projection.kernels import PlaneKernels, plane_kernels
from lfcore.settings import Settings


def measured_checksum(dataset: str, settings: Settings) -> str | None:
    """Checksum of the file that ``microscope.measured_psf`` names, None where nothing is named.

    Raises ``DataError`` when the file is not there.
    """
    measured = settings.microscope.measured_psf
    if measured is None:
        return None
    path = join(dataset, measured.file)
    if not store.exists(path):
        raise DataError(f"microscope.measured_psf.file: {path} is not there; check the path below the data set")
    return store.facts(path).checksum


def with_measured(dataset: str, settings: Settings, instrument: Instrument) -> tuple[Instrument, MeasuredImages | None]:
    """``instrument`` with what ``microscope.measured_psf`` names, and the images; as it is when nothing is named.

    Raises ``DataError`` or ``SettingsError`` when the stack cannot be used with these settings.
    """
    if settings.microscope.measured_psf is None:
        return instrument, None
    path = join(dataset, settings.microscope.measured_psf.file)
    with sources.FrameReader() as reader:
        pages = np.stack([reader.read(path, page) for page in range(sources.inspect(path).frames)])
    measured = measured_images(pages, settings, instrument, path)
    return replace(instrument, measured=measured.about), measured


def kernels_of(
    instrument: Instrument, samples_per_lenslet: int, measured: MeasuredImages | None
) -> Callable[[float], PlaneKernels]:
    """What gives the kernels of a plane: the model by numpy, or measured point images as they are."""
    if measured is None:
        return lambda z_um: plane_kernels(instrument, z_um, samples_per_lenslet)
    cell = instrument.cell
    samples = cell.samples(samples_per_lenslet)
    return lambda z_um: PlaneKernels(z_um, samples, cell.pixels, measured.at(z_um), instrument.symmetry)
