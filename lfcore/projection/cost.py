"""What a reconstruction costs, from the settings alone: plain arithmetic, so that a scheduler can size jobs with it.

The rates are those of two cores of a server processor (``docs/measurements.md``). Another machine is faster or slower
by a factor, which leaves the even split of the work as it is.
"""

from dataclasses import dataclass

from lfcore.optics.instrument import instrument_from
from lfcore.settings import Settings

FIELD_SAMPLES_PER_SECOND = 4e6
MATRIX_BYTES_PER_SECOND = 4e9
VOXELS_PER_SECOND = 1e7
START_SECONDS = 1.0
FLOAT_BYTES = 4
COMPLEX_BYTES = 8
FIELD_ARRAYS = 7
VOLUME_ARRAYS = 8
FIELD_OVERSAMPLING = 3
INTERPRETER_BYTES = 400_000_000


@dataclass(frozen=True)
class Cost:
    """Seconds for one plane's kernels, for one frame, and bytes of memory for the larger of the two."""

    plane_seconds: float
    frame_seconds: float
    memory_bytes: int


def estimate(settings: Settings, rows: int, columns: int) -> Cost:
    """Cost of a field of ``rows`` x ``columns`` lenslets with the numpy back end."""
    instrument = instrument_from(settings)
    samples, planes = settings.volume.samples_per_lenslet, settings.volume.planes_um
    radii = [instrument.window_radius_lenslets(z) for z in planes]
    sides = [(2 * radius + 2) * instrument.pixels_per_lenslet * FIELD_OVERSAMPLING for radius in radii]
    half = (samples + 1) // 2
    images = half * (half + 1) // 2 * len(instrument.spectrum)
    plane_seconds = images * sum(side**2 for side in sides) / len(sides) / FIELD_SAMPLES_PER_SECOND
    side = max(rows, columns) + 2 * max(radii)
    channels = len(planes) * samples**2
    matrix_bytes = side**2 / 8 * instrument.pixels_per_lenslet**2 * channels * FLOAT_BYTES
    voxels = side**2 * channels
    projection_seconds = matrix_bytes / MATRIX_BYTES_PER_SECOND + voxels / VOXELS_PER_SECOND
    return Cost(
        plane_seconds=plane_seconds,
        frame_seconds=START_SECONDS + 2 * (settings.reconstruction.iterations + 2) * projection_seconds,
        memory_bytes=INTERPRETER_BYTES
        + int(max(max(sides) ** 2 * COMPLEX_BYTES * FIELD_ARRAYS, matrix_bytes + voxels * FLOAT_BYTES * VOLUME_ARRAYS)),
    )
