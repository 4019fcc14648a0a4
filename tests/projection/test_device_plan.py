import math
import re
from contextlib import suppress
from dataclasses import replace

import pytest

from lfcore.errors import DeviceMemoryError, SettingsError
from lfcore.opencl.device import Device
from lfcore.projection.device_memory import Case
from lfcore.projection.device_plan import DevicePlan, plan_device, smaller_plan

GIB = 2**30
F = Case(rows=77, columns=67, pixels=(19, 19), samples=(19, 19), radii=((7, 7),) * 25)
P = Case(rows=128, columns=128, pixels=(15, 15), samples=(15, 15), radii=((9, 9),) * 51)
WIDER = replace(P, radii=tuple((reach, reach) for reach in (*range(12, 0, -1), *[1] * 27, *range(1, 13))))


def gpu(memory_gib: float, local_bytes: int = 48 * 1024) -> Device:
    memory = int(memory_gib * GIB)
    return Device("0:0", "platform", "GPU", "maker", "1", "gpu", memory, memory // 4, local_bytes, 100, True)


def plan(case: Case, memory_gib: float, frames: int = 24) -> DevicePlan:
    return plan_device(gpu(memory_gib), int(memory_gib * GIB), case, frames)


@pytest.mark.parametrize("memory_gib", [4, 8, 16, 24, 140])
@pytest.mark.parametrize("units", [True, False], ids=["units", "portable"])
@pytest.mark.parametrize("case", [F, P, WIDER], ids=["F", "P", "P with a margin of 12"])
def test_what_is_planned_fits(case: Case, units: bool, memory_gib: int) -> None:
    device = replace(gpu(memory_gib), has_matrix_units=units)
    found = plan_device(device, memory_gib * GIB, case, 24)
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


@pytest.mark.parametrize("memory_gib", [16, 24, 40, 60])
def test_no_frame_at_a_time_is_planned_that_saves_no_batch(memory_gib: int) -> None:
    count = plan_device(gpu(140), memory_gib * GIB, F, 25).frames
    assert count > 1
    assert math.ceil(25 / (count - 1)) > math.ceil(25 / count)


def test_a_cap_below_the_memory_keeps_the_largest_allocation() -> None:
    device = gpu(140)
    found = plan_device(device, 16 * GIB, F, 1, half=False)
    assert found.needed_bytes < 16 * GIB
    assert found.shape.matrices > 4 * GIB


def test_reduced_precision_is_taken_where_single_fits_nowhere() -> None:
    device = replace(gpu(4), has_matrix_units=False)
    assert plan_device(device, 4 * GIB, WIDER, 1).shape.half
    with pytest.raises(DeviceMemoryError, match="are needed at least"):
        plan_device(device, 4 * GIB, WIDER, 1, half=False)


def test_acceleration_needs_more_memory_and_the_error_says_that_without_it_fits() -> None:
    ahead = replace(P, accelerate=True)
    with pytest.raises(DeviceMemoryError, match="it fits without acceleration"):
        plan(ahead, 4)
    assert plan(ahead, 24).needed_bytes < 24 * GIB


@pytest.mark.parametrize("memory_gib", [1, 2, 3])
def test_what_the_error_says_would_fit_does_and_not_much_more(memory_gib: int) -> None:
    with pytest.raises(DeviceMemoryError) as caught:
        plan(P, memory_gib)
    assert "\n" not in str(caught.value)
    found = re.search(r"; (\d+) planes fit, (\d+) samples per lenslet fit, or use --device numpy$", str(caught.value))
    assert found
    planes, samples = map(int, found.groups())
    assert plan(replace(P, radii=P.radii[:planes]), memory_gib).fits
    assert plan(replace(P, samples=(samples, samples)), memory_gib).fits
    for larger in (replace(P, radii=P.radii[: planes * 5 // 4 + 1]), replace(P, samples=(samples + 1, samples + 1))):
        with pytest.raises(DeviceMemoryError):
            plan(larger, memory_gib)


@pytest.mark.parametrize("case", [F, P], ids=["F", "P"])
def test_smaller_plans_end(case: Case) -> None:
    plans = [plan(case, 24)]
    with suppress(DeviceMemoryError):
        while len(plans) < 20:
            plans.append(smaller_plan(plans[-1], 24))
    assert 2 < len(plans) < 20
    assert all(found.fits for found in plans)
    needed = [found.needed_bytes for found in plans]
    assert needed == sorted(set(needed), reverse=True)


def test_a_plan_is_for_its_device() -> None:
    found = plan(F, 24)
    found.check_device(gpu(24))
    with pytest.raises(SettingsError, match=r"a plan for device 0:0 \(GPU\) cannot be used on device 1:0 \(GPU\)"):
        found.check_device(replace(gpu(24), selector="1:0"))


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


@pytest.mark.parametrize("case", [replace(F, rows=0), replace(F, pixels=(0, 0)), replace(F, radii=())])
def test_nothing_to_reconstruct_is_refused(case: Case) -> None:
    with pytest.raises(SettingsError, match="nothing to reconstruct"):
        plan(case, 140)


def test_no_frames_are_refused() -> None:
    with pytest.raises(SettingsError, match="0 frames at a time"):
        plan(F, 140, frames=0)
