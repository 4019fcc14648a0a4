"""The voxel grid of a run's volumes, from its settings and its calibration."""

from dataclasses import dataclass

from lfcore.calibration.lattice import Calibration
from lfcore.io.ome_zarr import plane_step_um
from lfcore.optics.instrument import instrument_from
from lfcore.settings import Settings


@dataclass(frozen=True)
class VolumeGrid:
    """``shape`` (z, y, x) in voxels; ``voxel_um`` (z, y, x), along z the median step."""

    shape: tuple[int, int, int]
    voxel_um: tuple[float, float, float]


def volume_grid(settings: Settings, calibration: Calibration) -> VolumeGrid:
    """The grid on which volumes are written: all planes, and ``samples_per_lenslet`` for each whole lenslet."""
    samples, planes = settings.volume.samples_per_lenslet, settings.volume.planes_um
    instrument = instrument_from(settings, calibration.lattice.mean_pitch_px, calibration.pixels_per_lenslet)
    lateral_um = instrument.object_pitch_um / samples
    return VolumeGrid(
        shape=(len(planes), calibration.rows * samples, calibration.columns * samples),
        voxel_um=(plane_step_um(planes), lateral_um, lateral_um),
    )
