from dataclasses import replace

import pytest

from lfcore.errors import DeviceMemoryError, SettingsError
from lfcore.opencl.device import Device
from lfcore.projection.device_memory import Case
from lfcore.projection.device_plan import DevicePlan, plan_device

GIB = 2**30
F = Case(rows=77, columns=67, pixels=19, samples=19, radii=(7,) * 25)
P = Case(rows=128, columns=128, pixels=15, samples=15, radii=(9,) * 51)


def gpu(memory_gib: float, local_bytes: int = 48 * 1024) -> Device:
    memory = int(memory_gib * GIB)
    return Device("0:0", "platform", "GPU", "maker", "1", "gpu", memory, memory // 4, local_bytes, 100, True)


def plan(case: Case, memory_gib: float, frames: int = 24) -> DevicePlan:
    return plan_device(gpu(memory_gib), int(memory_gib * GIB), case, frames)


SIZES = [(F, size) for size in (4, 8, 16, 24, 140)] + [(P, size) for size in (8, 16, 24, 140)]
"""A volume of P does not fit one allocation of a device of 4 GiB."""


@pytest.mark.parametrize(("case", "memory_gib"), SIZES)
def test_what_is_planned_fits(case: Case, memory_gib: int) -> None:
    found = plan(case, memory_gib)
    assert found.needed_bytes < memory_gib * GIB
    assert found.shape.largest_buffer(found.frames, found.tiles_at_a_time) <= memory_gib * GIB // 4
    assert found.tiling.plane.size_bytes < 48 * 1024


def test_more_memory_is_used_for_fewer_tiles_and_more_frames() -> None:
    tiles = [plan(F, memory_gib).tiling.tiles for memory_gib in (4, 8, 16, 140)]
    assert tiles == sorted(tiles, reverse=True)
    assert tiles[0] > 1
    largest = plan(F, 140)
    assert (largest.tiling.tiles, largest.frames) == (1, 24)
    assert plan(F, 140, frames=5).frames == 5


def test_local_memory_bounds_the_grid() -> None:
    device = gpu(140, local_bytes=32 * 1024)
    assert plan_device(device, 140 * GIB, F, 1).tiling.plane.size_bytes < 32 * 1024


def test_precision_is_the_devices_unless_it_is_asked_for() -> None:
    device = gpu(140)
    assert plan_device(device, 140 * GIB, F, 1).shape.half
    assert not plan_device(device, 140 * GIB, F, 1, half=False).shape.half
    assert not plan_device(replace(device, has_matrix_units=False), 140 * GIB, F, 1).shape.half


def test_what_cannot_fit_is_refused_with_what_it_needs() -> None:
    with pytest.raises(DeviceMemoryError, match=r"GiB are needed at least, 1\.0 GiB may be used, 0\.2 in one piece"):
        plan(P, 1)
    with pytest.raises(DeviceMemoryError, match="local memory hold no grid for a blur of 7 lenslets"):
        plan_device(gpu(140, local_bytes=2048), 140 * GIB, F, 1)


@pytest.mark.parametrize("case", [replace(F, rows=0), replace(F, pixels=0), replace(F, radii=())])
def test_nothing_to_reconstruct_is_refused(case: Case) -> None:
    with pytest.raises(SettingsError, match="nothing to reconstruct"):
        plan(case, 140)


def test_no_frames_are_refused() -> None:
    with pytest.raises(SettingsError, match="0 frames at a time"):
        plan(F, 140, frames=0)
