"""The model of memory against what a session really takes."""

import numpy as np
import pytest

from lfcore.opencl.device import Device
from lfcore.opencl.session import Session
from lfcore.projection import device_memory, opencl_transfers
from lfcore.projection.device_memory import Case, Shape
from lfcore.projection.device_plan import DevicePlan
from lfcore.projection.opencl_planned import projector_for
from lfcore.projection.tiling import tiling
from lfcore.settings import Reconstruction
from lfcore.stages.series import reconstruct_series
from tests.projectors import random_kernels

RADII = tuple((reach, reach) for reach in (3, 2, 1, 1, 2, 3))
BATCHES = 3


def case_of(*, accelerate: bool, shared_weight: bool) -> Case:
    return Case(30, 28, (8, 8), (6, 6), RADII, accelerate, shared_weight)


@pytest.mark.parametrize(
    ("tiles", "tiles_at_a_time", "frames", "accelerate", "shared_weight"),
    [
        ((1, 1), 1, 1, False, False),
        ((1, 1), 1, 3, False, True),
        ((1, 1), 1, 3, True, False),
        ((2, 2), 2, 1, False, False),
        ((2, 3), 3, 3, False, True),
        ((2, 2), 4, 1, True, False),
    ],
)
def test_what_is_taken_is_what_was_reckoned(
    cpu_device: Device,
    monkeypatch: pytest.MonkeyPatch,
    tiles: tuple[int, int],
    tiles_at_a_time: int,
    frames: int,
    accelerate: bool,
    shared_weight: bool,
) -> None:
    """Never more, and not less than nine tenths."""
    # Parts are to be small beside a volume, as they are on a GPU.
    for module in (device_memory, opencl_transfers):
        monkeypatch.setattr(module, "HOST_PART_BYTES", 200_000)
    case = case_of(accelerate=accelerate, shared_weight=shared_weight)
    grids = tiling(case.rows, case.columns, case.margin, 48 * 1024, *tiles)
    assert grids
    shape = Shape(case, grids, half=False)
    plan = DevicePlan(cpu_device, cpu_device.memory_bytes, shape, tiles_at_a_time, frames)
    session, generator = Session(cpu_device), np.random.default_rng(31)
    kernels = [random_kernels(case.samples, case.pixels, radius, generator) for radius in RADII]
    projector = projector_for(session, plan, kernels)
    assert session.peak_bytes <= sum(shape.building().values())
    light = generator.random((frames, case.rows * 8, case.columns * 8), np.float32)
    weight = 0.5 + generator.random(light.shape[1:], np.float32)
    if not shared_weight:
        light[:, 1, 2] = np.nan
    settings = Reconstruction(iterations=3, acceleration=accelerate)
    assert len(list(reconstruct_series(projector, weight, [light] * BATCHES, settings))) == BATCHES
    assert 0.9 * plan.needed_bytes < session.peak_bytes <= plan.needed_bytes


def test_matrices_are_built_within_what_was_reckoned(cpu_device: Device) -> None:
    """Point images outweigh the matrices of few lenslets, and lie on the device plane by plane."""
    case = Case(2, 2, (9, 9), (5, 5), ((4, 4),) * 8)
    grids = tiling(case.rows, case.columns, case.margin, 48 * 1024)
    assert grids
    plan = DevicePlan(cpu_device, cpu_device.memory_bytes, Shape(case, grids, half=False), 1, 1)
    session, generator = Session(cpu_device), np.random.default_rng(32)
    projector_for(session, plan, [random_kernels(case.samples, case.pixels, 4, generator) for _ in case.radii])
    reckoned = sum(plan.shape.building().values())
    assert reckoned - device_memory.TABLE_BYTES < session.peak_bytes <= reckoned
