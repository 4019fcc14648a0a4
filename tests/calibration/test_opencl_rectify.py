"""Rectified frames on the device against the numpy twin: values on finite samples, and where samples are missing."""

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from lfcore.calibration.distortion import Distortion, point
from lfcore.calibration.model import Calibration, Orientation
from lfcore.calibration.opencl_rectify import DeviceRectifier, device_bytes
from lfcore.calibration.rectify import Rectifier
from lfcore.errors import DataError
from lfcore.opencl.device import Device
from lfcore.opencl.session import Session
from tests.calibration.test_rectify import calibration_of
from tests.devices import PoisonedSession


def of_kind(calibration: Calibration, bent: bool, orientation: Orientation | None = None) -> Calibration:
    """``calibration`` under another array: bent by some pixels in the corners, or hexagonal in oblong cells."""
    shape = np.array(calibration.image_shape)
    bend = Distortion(point((shape - 1) / 2), 0.5 * float(np.hypot(*shape)), (0.011, -0.017), 0.021) if bent else None
    lattice = replace(calibration.lattice, distortion=bend)
    if orientation is not None:
        long, kind = math.sqrt(3), "hexagonal"
        steps = np.array([lattice.row_step_px, lattice.column_step_px])
        down, right = steps * ([[long], [1]] if orientation == "rows" else [[1], [long]])
        lattice = replace(
            lattice, row_step_px=point(down), column_step_px=point(right), kind=kind, orientation=orientation
        )
    return replace(calibration, lattice=lattice)


CALIBRATIONS = {
    "larger pixels, off the camera": calibration_of((123, 130), 16.37, 3.0, (6.2, 5.9), 8, 8, 8),
    "turned a little": calibration_of((101, 96), 12.3, 0.5, (7.1, 6.4), 7, 6, 12),
    "smaller pixels": calibration_of((90, 110), 11.2, -7.0, (20.0, 30.0), 5, 6, 17),
    "exact, on the edge": calibration_of((64, 80), 8.0, 0.0, (3.0, 3.0), 8, 10, 8),
    "a small camera": calibration_of((11, 13), 6.0, 0.0, (2.4, 2.6), 2, 2, 6),
    "far from the origin": calibration_of((40, 2600), 10.6, 0.03, (6.0, 8.0), 3, 243, 10),
}
CALIBRATIONS |= {
    "bent, odd": of_kind(calibration_of((123, 130), 11.2, 0.5, (6.2, 5.9), 10, 11, 11), bent=True),
    "bent, even, larger pixels": of_kind(calibration_of((101, 96), 12.3, -2.0, (7.1, 6.4), 8, 7, 4), bent=True),
    "bent, far from the origin": of_kind(calibration_of((40, 2600), 10.6, 0.03, (6.0, 8.0), 3, 243, 10), bent=True),
    "hexagonal": of_kind(calibration_of((123, 130), 9.4, 1.0, (8.2, 5.9), 7, 13, 9), bent=False, orientation="rows"),
    "hexagonal, bent": of_kind(calibration_of((90, 110), 9.4, 1.0, (5.2, 7.9), 9, 6, 8), True, "columns"),
}


@pytest.fixture(scope="module")
def session(cpu_device: Device) -> PoisonedSession:
    return PoisonedSession(cpu_device)


def on_the_device(
    session: PoisonedSession, calibration: Calibration, frame: NDArray[np.generic]
) -> NDArray[np.float32]:
    rectified = DeviceRectifier(session, calibration)(frame)
    return session.download(rectified, calibration.rectified_shape, np.float32)


def assert_alike(found: NDArray[np.float32], twin: NDArray[np.float32]) -> None:
    np.testing.assert_array_equal(np.isnan(found), np.isnan(twin))
    there = ~np.isnan(twin)
    assert there.any()
    # White noise may cancel in one sample, so errors are relative to the brightest.
    np.testing.assert_allclose(found[there], twin[there], rtol=0, atol=1e-5 * np.abs(twin[there]).max())
    assert np.linalg.norm((found - twin)[there]) <= 1e-6 * np.linalg.norm(twin[there])


@pytest.mark.parametrize("name", CALIBRATIONS)
def test_counts(session: PoisonedSession, name: str) -> None:
    calibration = CALIBRATIONS[name]
    frame = np.random.default_rng(31).integers(0, 65536, calibration.image_shape, np.uint16)
    assert_alike(on_the_device(session, calibration, frame), Rectifier(calibration)(frame))


@pytest.mark.parametrize("name", CALIBRATIONS)
@pytest.mark.parametrize("missing", [0.0, 0.02])
def test_values_some_of_which_are_missing(session: PoisonedSession, name: str, missing: float) -> None:
    calibration = CALIBRATIONS[name]
    random = np.random.default_rng(32)
    frame = random.gamma(2.0, 300.0, calibration.image_shape).astype(np.float32)
    frame[random.random(frame.shape) < missing] = np.nan
    # In a corner, an edge, and where no neighbour is left to fill from.
    frame[:1, :1], frame[5:10, :5], frame[-1, -2:] = np.inf, np.nan, -np.inf
    assert_alike(on_the_device(session, calibration, frame), Rectifier(calibration)(frame))


def test_one_frame_after_another(session: PoisonedSession) -> None:
    calibration = CALIBRATIONS["turned a little"]
    device, twin, random = DeviceRectifier(session, calibration), Rectifier(calibration), np.random.default_rng(33)
    frames = [random.random(calibration.image_shape), random.random(calibration.image_shape).T.copy().T]
    leases = [device(frame) for frame in frames]
    for lease, frame in zip(leases, frames, strict=True):
        assert_alike(session.download(lease, device.twin.shape, np.float32), twin(frame))


@pytest.mark.parametrize("name", CALIBRATIONS)
@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_it_takes_the_memory_that_is_planned_for_it(cpu_device: Device, name: str, dtype: type) -> None:
    calibration, session = CALIBRATIONS[name], Session(cpu_device)
    rectify = DeviceRectifier(session, calibration)
    for _ in range(2):
        rectify(np.ones(calibration.image_shape, dtype))
    spare = 2 * math.prod(calibration.image_shape) if dtype is np.uint16 else 0
    assert session.peak_bytes <= device_bytes(calibration) <= session.peak_bytes + spare + 1024


def test_a_frame_of_another_size_is_refused_as_by_the_twin(session: PoisonedSession) -> None:
    calibration, frame = CALIBRATIONS["turned a little"], np.zeros((101, 97), np.uint16)
    with pytest.raises(DataError) as twin:
        Rectifier(calibration)(frame)
    with pytest.raises(DataError) as found:
        DeviceRectifier(session, calibration)(frame)
    assert str(found.value) == str(twin.value)
