"""Projectors laid out by plans for little memory, against the twin in numpy."""

import numpy as np
import pytest

from lfcore.errors import DeviceMemoryError, SettingsError
from lfcore.opencl.device import MEMORY_VARIABLE, Device, usable_bytes
from lfcore.opencl.session import Session
from lfcore.projection.device_memory import TABLE_BYTES, Case
from lfcore.projection.device_plan import DevicePlan, plan_device
from lfcore.projection.kernels import PlaneKernels
from lfcore.projection.numpy_projector import NumpyProjector
from lfcore.projection.opencl_planned import KernelImages, projector_for
from lfcore.projection.tiling import tiling
from lfcore.solvers.richardson_lucy import richardson_lucy
from tests.projectors import random_kernels

FRAMES, ITERATIONS = 2, 4


@pytest.fixture(scope="module")
def case() -> Case:
    return Case(rows=41, columns=38, pixels=(4, 4), samples=(3, 3), radii=((2, 2), (0, 0), (1, 1)))


@pytest.fixture(scope="module")
def kernels(case: Case) -> list[PlaneKernels]:
    generator = np.random.default_rng(41)
    return [random_kernels(case.samples, case.pixels, radius, generator) for radius in case.radii]


def scene(case: Case) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts, weight with missing pixels, background."""
    generator = np.random.default_rng(42)
    shape = FRAMES, case.rows * 4, case.columns * 4
    weight = (0.5 + generator.random(shape)) * (generator.random(shape) > 0.05)
    return generator.random(shape) + 0.1, weight, np.full(FRAMES, 0.02)


@pytest.fixture(scope="module")
def expected(case: Case, kernels: list[PlaneKernels]) -> np.ndarray:
    twin = NumpyProjector(kernels, case.rows, case.columns, np.float64)
    return richardson_lucy(twin, *scene(case), ITERATIONS).volume


def capped(device: Device, case: Case, share: float) -> DevicePlan:
    """A plan for this share of the memory that the whole field takes at once, tables apart."""
    whole = plan_device(device, device.memory_bytes, case, FRAMES)
    assert (whole.tiling.tiles, whole.frames) == (1, FRAMES)
    return plan_device(device, int(share * (whole.needed_bytes - TABLE_BYTES)) + 2 * TABLE_BYTES, case, FRAMES)


@pytest.mark.parametrize("share", [0.5, 0.4])
def test_tiles_give_the_volume_of_the_whole_field_without_a_seam(
    cpu_device: Device, case: Case, kernels: list[PlaneKernels], expected: np.ndarray, share: float
) -> None:
    plan = capped(cpu_device, case, share)
    assert plan.tiling.tiles > 1
    session = Session(cpu_device, plan.memory_bytes)
    projector = projector_for(session, plan, kernels)
    counts, weight, background = scene(case)
    parts = [slice(first, first + plan.frames) for first in range(0, FRAMES, plan.frames)]
    volume = np.concatenate(
        [richardson_lucy(projector, counts[at], weight[at], background[at], ITERATIONS).volume for at in parts]
    )
    assert np.linalg.norm(volume - expected) < 1e-5 * np.linalg.norm(expected)
    assert session.peak_bytes <= plan.memory_bytes
    for axis, steps in ((2, plan.tiling.y), (3, plan.tiling.x)):
        errors = lenslet_errors(volume, expected, axis, 3)
        borders = np.arange(steps.volume_step, len(errors), steps.volume_step) - steps.volume_exists[0]
        at_borders = np.union1d(borders - 1, borders)
        at_borders = at_borders[(at_borders > case.margin[0]) & (at_borders < len(errors) - case.margin[0])]
        elsewhere = np.setdiff1d(np.arange(case.margin[0], len(errors) - case.margin[0]), at_borders)
        assert errors[at_borders].max(initial=0) <= 1.5 * errors[elsewhere].max()


def lenslet_errors(volume: np.ndarray, expected: np.ndarray, axis: int, samples: int) -> np.ndarray:
    """Relative L2 difference in each lenslet row or column."""
    others = tuple(other for other in range(4) if other != axis)
    squares = [np.square(values).sum(others).reshape(-1, samples).sum(1) for values in (volume - expected, expected)]
    return np.sqrt(squares[0] / squares[1])


def test_more_frames_than_planned_are_refused(cpu_device: Device, case: Case, kernels: list[PlaneKernels]) -> None:
    projector = projector_for(Session(cpu_device), plan_device(cpu_device, cpu_device.memory_bytes, case, 1), kernels)
    with pytest.raises(SettingsError, match="2 frames at a time: this projector is planned for 1"):
        richardson_lucy(projector, *scene(case), 1)


@pytest.mark.parametrize("tiles", [(0, 1), (1, 0), (42, 1), (1, 39)])
def test_tiles_without_lenslets_are_refused(case: Case, tiles: tuple[int, int]) -> None:
    with pytest.raises(SettingsError, match="each tile needs a lenslet or more"):
        tiling(case.rows, case.columns, case.margin, 48 * 1024, *tiles)


def test_a_plan_that_a_session_has_no_memory_for_is_refused_in_one_line(
    cpu_device: Device, case: Case, kernels: list[PlaneKernels]
) -> None:
    plan = plan_device(cpu_device, cpu_device.memory_bytes, case, 1)
    with pytest.raises(DeviceMemoryError, match=r"matrices of .* GB do not fit") as caught:
        projector_for(Session(cpu_device, plan.shape.matrices // 2), plan, kernels)
    assert "\n" not in str(caught.value)


def test_a_blur_that_reaches_past_the_grid_is_refused(
    cpu_device: Device, case: Case, kernels: list[PlaneKernels]
) -> None:
    generator = np.random.default_rng(43)
    wide = [random_kernels(case.samples, case.pixels, 3, generator), *kernels[1:]]
    plan = plan_device(cpu_device, cpu_device.memory_bytes, case, 1)
    with pytest.raises(SettingsError, match="blur reaches 3 x 3 cells: the grid is for 2 x 2"):
        projector_for(Session(cpu_device), plan, wide)


def test_images_are_sent_one_after_the_other(cpu_device: Device, kernels: list[PlaneKernels]) -> None:
    session = Session(cpu_device)
    images = KernelImages(session, kernels)
    for plane, kernel in zip(images, kernels, strict=True):
        shape = kernel.images.shape
        np.testing.assert_array_equal(session.download(plane.images, shape, np.float32), kernel.images)
    assert [plane.radius_cells for plane in images[1:]] == [(0, 0), (1, 1)]
    assert session.peak_bytes < sum(kernel.images.nbytes for kernel in kernels)


@pytest.mark.parametrize(("allowed", "usable"), [("", None), ("1.5", 3 * 2**29), ("1e9", None)])
def test_the_environment_caps_the_memory(
    cpu_device: Device, monkeypatch: pytest.MonkeyPatch, allowed: str, usable: int | None
) -> None:
    monkeypatch.setenv(MEMORY_VARIABLE, allowed)
    assert usable_bytes(cpu_device) == usable or cpu_device.memory_bytes
    assert Session(cpu_device).memory_bytes == usable_bytes(cpu_device)
