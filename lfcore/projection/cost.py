"""What a reconstruction costs, from the settings alone: plain arithmetic, so that a scheduler can size jobs with it.

The rates are those of a core of a server processor (``docs/cost.md``). Another machine is faster or slower by a factor,
which leaves the even split of the work as it is.
"""

import math
from dataclasses import dataclass

from lfcore.optics.instrument import Instrument, instrument_from
from lfcore.projection.cell import positions
from lfcore.projection.parity import parity_classes
from lfcore.projection.spectrum import grid_cells
from lfcore.settings import Settings

FIELD_SAMPLES_PER_SECOND = 23e6
MATRIX_BYTES_PER_SECOND = 18e9
VOXELS_PER_SECOND = 4.5e7
PLANE_START_SECONDS = 0.04
START_SECONDS = 0.5
"""Of a frame: reading and storing, over a network too."""

PREPARATION_PROJECTIONS = 36
"""What a job does before its first frame takes as long as so many projections: matrices from kernels, sensitivity."""

FLOAT_BYTES = 4
COMPLEX_BYTES = 8
FIELD_ARRAYS = 7
VOLUME_ARRAYS = 8
FIELD_OVERSAMPLING = 3
INTERPRETER_BYTES = 400_000_000
STEPS = {"richardson_lucy": 1, "rl_tv": 1, "least_squares": 6, "admm_tv": 6}
"""Pairs of projections an iteration; the solvers that need several add the start of LSMR and a residual."""


@dataclass(frozen=True)
class Cost:
    """Seconds for one plane's kernels, for one frame, and once a job before that; bytes of the larger of the two."""

    plane_seconds: float
    frame_seconds: float
    preparation_seconds: float
    memory_bytes: int


def estimate(settings: Settings, rows: int, columns: int) -> Cost:
    """Cost of a field of ``rows`` x ``columns`` cells with the numpy back end."""
    instrument, planes = instrument_from(settings), settings.volume.planes_um
    samples = instrument.cell.samples(settings.volume.samples_per_lenslet)
    radii = [instrument.window_radius_cells(z) for z in planes]
    fields = [_field_samples(instrument, radius) for radius in radii]
    images = len(positions(samples, instrument.symmetry)) * len(instrument.spectrum)
    plane_seconds = PLANE_START_SECONDS + images * sum(fields) / len(fields) / FIELD_SAMPLES_PER_SECOND
    above, left = (max(axis) for axis in zip(*radii, strict=True))
    grid = grid_cells(rows + 2 * above, columns + 2 * left, instrument.symmetry.exchange)
    cells, channels = math.prod(grid), len(planes) * math.prod(samples)
    matrix_bytes = cells * channels * _matrix_values(instrument, grid) * FLOAT_BYTES
    voxels = cells * channels
    projection_seconds = matrix_bytes / MATRIX_BYTES_PER_SECOND + voxels / VOXELS_PER_SECOND
    return Cost(
        plane_seconds=plane_seconds,
        frame_seconds=START_SECONDS
        + 2 * (STEPS[settings.reconstruction.solver] * settings.reconstruction.iterations + 2) * projection_seconds,
        preparation_seconds=PREPARATION_PROJECTIONS * projection_seconds,
        memory_bytes=INTERPRETER_BYTES
        + int(max(max(fields) * COMPLEX_BYTES * FIELD_ARRAYS, matrix_bytes + voxels * FLOAT_BYTES * VOLUME_ARRAYS)),
    )


def _field_samples(instrument: Instrument, radius: tuple[int, int]) -> int:
    """Samples of the field behind a window of ``radius`` (y, x) cells, guard included."""
    sides = zip(radius, instrument.cell.pixels, strict=True)
    return math.prod((2 * cells + 2) * pixels * FIELD_OVERSAMPLING for cells, pixels in sides)


def _matrix_values(instrument: Instrument, grid: tuple[int, int]) -> float:
    """Values that are kept for each cell and channel: a frequency's matrix serves 4 or 8, a class each its own.

    With one-pixel cells it is one complex number, for half of the frequencies.
    """
    if instrument.cell.pixels == (1, 1):
        return 1
    shared = 8 if instrument.symmetry.exchange and grid[0] == grid[1] else 4
    return math.prod(instrument.cell.pixels) * len(parity_classes(instrument.symmetry)) / shared
