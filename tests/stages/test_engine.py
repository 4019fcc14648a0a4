import logging
from dataclasses import replace

import numpy as np
import pytest

from lfcore.calibration.model import Calibration
from lfcore.errors import DeviceMemoryError, SettingsError
from lfcore.opencl.device import MEMORY_VARIABLE, Device
from lfcore.opencl.session import Session
from lfcore.optics.instrument import Instrument
from lfcore.projection.device_memory import Case
from lfcore.projection.device_plan import plan_device
from lfcore.projection.kernels import PlaneKernels, plane_kernels
from lfcore.projection.numpy_projector import NumpyProjector
from lfcore.projection.opencl_planned import projector_for
from lfcore.projection.opencl_projector import OpenclProjector
from lfcore.settings import Reconstruction
from lfcore.stages.engine import Engine
from lfcore.stages.series import reconstruct_frames
from tests.calibration.test_rectify import calibration_of
from tests.instruments import instrument

ROWS, COLUMNS, SEED = 14, 11, 5
SETTINGS = Reconstruction(iterations=4, background=0.02, acceleration=False)


@pytest.fixture(scope="module")
def kernels() -> list[PlaneKernels]:
    return [plane_kernels(instrument(), z_um, 2) for z_um in (-15.0, 0.0, 20.0)]


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return calibration_of((90, 70), 5.4, 1.0, (6.2, 5.1), ROWS, COLUMNS, 5)


def volume_of(engine: Engine) -> np.ndarray:
    """From a random camera frame to its volume."""
    generator = np.random.default_rng(SEED)
    frame = generator.random(engine.calibration.image_shape, np.float32) + 0.5
    frame[40, 30] = np.nan
    weight = 0.5 + generator.random((ROWS * 5, COLUMNS * 5), np.float32)
    estimate = engine.attempt(
        lambda: reconstruct_frames(engine.projector, engine.rectify(frame)[None], weight, SETTINGS)
    )
    return estimate.volume


@pytest.fixture(scope="module")
def expected(kernels: list[PlaneKernels], calibration: Calibration) -> np.ndarray:
    return volume_of(Engine(None, kernels, calibration))


def assert_close(volume: np.ndarray, expected: np.ndarray) -> None:
    assert np.linalg.norm(volume - expected) < 1e-5 * np.linalg.norm(expected)


def tiles_of(engine: Engine) -> int:
    assert isinstance(engine.projector, OpenclProjector)
    return engine.projector.layout.tiling.tiles


def test_a_device_gives_the_volume_that_numpy_gives(
    cpu_device: Device, kernels: list[PlaneKernels], calibration: Calibration, expected: np.ndarray
) -> None:
    engine = Engine(cpu_device, kernels, calibration)
    assert tiles_of(engine) == 1
    assert_close(volume_of(engine), expected)


def test_less_memory_gives_the_same_volume_in_tiles_without_seams(
    cpu_device: Device,
    kernels: list[PlaneKernels],
    calibration: Calibration,
    expected: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = Case(ROWS, COLUMNS, (5, 5), (2, 2), tuple(kernel.radius_cells for kernel in kernels))
    whole = plan_device(cpu_device, cpu_device.memory_bytes, case, 1).needed_bytes
    monkeypatch.setenv(MEMORY_VARIABLE, str(0.8 * whole / 2**30))
    engine = Engine(cpu_device, kernels, calibration)
    assert tiles_of(engine) > 1
    volume = volume_of(engine)
    assert_close(volume, expected)
    worst = np.abs(volume - expected).max(axis=(0, 1))
    assert worst.max() < 1e-4 * np.abs(expected).max()


def test_when_memory_runs_out_the_work_is_done_again_with_a_smaller_plan(
    cpu_device: Device, kernels: list[PlaneKernels], calibration: Calibration, caplog: pytest.LogCaptureFixture
) -> None:
    engine, first = Engine(cpu_device, kernels, calibration), []

    def work() -> str:
        if not first:
            first.append(engine.projector)
            raise DeviceMemoryError("device 0:0: no memory")
        return "done"

    assert engine.attempt(work) == "done"
    assert engine.projector is not first[0]
    assert "planning with half of it" in caplog.text


def test_an_allocation_that_fails_in_the_middle_leads_to_a_smaller_plan_and_the_same_volume(
    cpu_device: Device, kernels: list[PlaneKernels], calibration: Calibration, expected: np.ndarray
) -> None:
    engine = Engine(cpu_device, kernels, calibration)
    first = engine.session
    assert first is not None
    first.memory_bytes = int(1.5 * first.taken_bytes)
    assert_close(volume_of(engine), expected)
    assert tiles_of(engine) > 1
    first.release_free()
    assert first.taken_bytes == 0, "what the first attempt held is gone"


def test_when_no_smaller_plan_is_left_the_error_says_so(
    cpu_device: Device, kernels: list[PlaneKernels], calibration: Calibration
) -> None:
    engine = Engine(cpu_device, kernels, calibration)

    def work() -> None:
        raise DeviceMemoryError("device 0:0: no memory")

    with pytest.raises(DeviceMemoryError, match="are needed at least"):
        engine.attempt(work)


def test_a_plan_for_another_device_is_refused(cpu_device: Device, kernels: list[PlaneKernels]) -> None:
    case = Case(ROWS, COLUMNS, (5, 5), (2, 2), tuple(kernel.radius_cells for kernel in kernels))
    elsewhere = plan_device(replace(cpu_device, selector="9:9"), cpu_device.memory_bytes, case, 1)
    with pytest.raises(SettingsError, match="cannot be used on"):
        projector_for(Session(cpu_device), elsewhere, kernels)


def array_of(optics: Instrument) -> Calibration:
    """7 x 6 cells of an array, from the square one's steps."""
    square = calibration_of((90, 70), 5.4, 1.0, (6.2, 5.1), 7, 6, 5)
    lattice = square.lattice
    (row_y, row_x), long = lattice.row_step_px, optics.cell.pixels[0] / 5
    cells = replace(lattice, row_step_px=(long * row_y, long * row_x), kind=optics.lattice)
    return replace(square, lattice=cells)


def test_what_the_devices_kernels_cannot_do_numpy_does_and_it_is_said(
    cpu_device: Device, caplog: pytest.LogCaptureFixture
) -> None:
    optics = instrument(zernike=((3, 1, 0.05),))
    caplog.set_level(logging.INFO)
    engine = Engine(cpu_device, [plane_kernels(optics, 5.0, 2)], array_of(optics))
    assert isinstance(engine.projector, NumpyProjector)
    assert engine.device is None
    assert "point images that mirrors change; numpy does" in caplog.text
    image = engine.rectify(np.ones((90, 70), np.float32))
    assert image.shape == engine.projector.image_shape == (35, 30)


@pytest.mark.parametrize(
    "optics",
    [
        instrument(lattice="hexagonal", aperture="hexagonal"),
        instrument(zernike=((2, 2, 0.05),)),
    ],
    ids=["hexagonal", "astigmatism"],
)
def test_a_device_does_whatever_both_mirrors_leave_as_it_is(cpu_device: Device, optics: Instrument) -> None:
    kernels, calibration = [plane_kernels(optics, z_um, 2) for z_um in (-5.0, 8.0)], array_of(optics)
    device, host = Engine(cpu_device, kernels, calibration), Engine(None, kernels, calibration)
    assert isinstance(device.projector, OpenclProjector)
    generator = np.random.default_rng(SEED)
    frame = generator.random((90, 70), np.float32) + 0.5
    weight = 0.5 + generator.random(calibration.rectified_shape, np.float32)
    found, expected = (
        reconstruct_frames(engine.projector, engine.rectify(frame)[None], weight, SETTINGS).volume
        for engine in (device, host)
    )
    assert_close(found, expected)
