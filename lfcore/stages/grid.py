"""The voxel grid of a run's volumes, from its settings and its calibration."""

from dataclasses import dataclass

from lfcore.calibration.lattice import Calibration
from lfcore.io.ome_zarr import plane_step_um
from lfcore.optics.instrument import Instrument, instrument_from
from lfcore.settings import Settings


@dataclass(frozen=True)
class VolumeGrid:
    """``shape`` (z, y, x) in voxels; ``voxel_um`` (z, y, x), along z the median step."""

    shape: tuple[int, int, int]
    voxel_um: tuple[float, float, float]


def volume_grid(settings: Settings, calibration: Calibration) -> VolumeGrid:
    """The grid on which volumes are written: all planes, and the samples of each whole cell."""
    instrument, planes = instrument_of(settings, calibration), settings.volume.planes_um
    down, right = instrument.cell.samples(settings.volume.samples_per_lenslet)
    height_um, width_um = instrument.object_cell_um
    return VolumeGrid(
        shape=(len(planes), calibration.rows * down, calibration.columns * right),
        voxel_um=(plane_step_um(planes), height_um / down, width_um / right),
    )


def instrument_of(settings: Settings, calibration: Calibration) -> Instrument:
    """The instrument of a run: that of its settings, with the array as it was measured."""
    measured = calibration.lattice.mean_pitch_px, calibration.pixels_per_lenslet, calibration.orientation
    return instrument_from(settings, *measured)
