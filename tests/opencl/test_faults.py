"""What a user, and a caller that can make a smaller plan, get for each fault of a device."""

import numpy as np
import pyopencl
import pytest

from lfcore.errors import DeviceMemoryError, TemporaryError
from lfcore.opencl.device import Device
from lfcore.opencl.faults import reserving, running

DEVICE = Device("0:1", "NVIDIA CUDA", "NVIDIA H200", "NVIDIA", "550", "gpu", 8 * 10**9, 2 * 10**9, 49152, 132, True)


class Fault(pyopencl.RuntimeError):
    """An error of a driver, which only drivers can make."""

    def __init__(self, code: int, routine: str = "clFinish") -> None:
        Exception.__init__(self)
        self._code, self._routine = code, routine

    code = property(lambda self: self._code)
    routine = property(lambda self: self._routine)


@pytest.mark.parametrize("code", [-4, -5, -6, -61])
def test_too_little_memory_while_reserving(code: int) -> None:
    with pytest.raises(DeviceMemoryError) as caught, reserving(DEVICE, 3 * 10**9, "24 planes"):
        raise Fault(code)
    assert str(caught.value) == (
        "device 0:1 (NVIDIA H200): too little of its 8.00 GB of memory is free for 24 planes of 3.00 GB; "
        "end other programs on it, reconstruct fewer planes or a coarser volume, or use --device numpy"
    )
    assert caught.value.exit_code == 69


def test_more_than_the_device_has_is_not_even_tried() -> None:
    tried = []
    with (
        pytest.raises(DeviceMemoryError, match="is free for spectra of 8"),
        reserving(DEVICE, 8_010_000_000, "spectra"),
    ):
        tried.append(True)
    assert not tried


@pytest.mark.parametrize("code", [-4, -6])
def test_drivers_that_allocate_late_find_no_memory_while_running(code: int) -> None:
    with pytest.raises(DeviceMemoryError, match="is free for iterating;"), running(DEVICE, "iterating"):
        raise Fault(code, "clEnqueueNDRangeKernel")


@pytest.mark.parametrize("code", [-2, -5, -14, -33, -34, -36, -9999])
def test_a_lost_device_may_be_tried_again(code: int) -> None:
    with pytest.raises(TemporaryError) as caught, running(DEVICE, "iterating"):
        raise Fault(code)
    assert str(caught.value) == (
        f"device 0:1 (NVIDIA H200): lost while iterating (OpenCL error {code} from clFinish); run the same command "
        "again, and if it comes back look into the system's log for the device, or use --device numpy"
    )
    assert caught.value.exit_code == 75


def test_a_device_lost_while_reserving_is_lost_and_not_full() -> None:
    with pytest.raises(TemporaryError, match="lost while"), reserving(DEVICE, 1, "spectra"):
        raise Fault(-36)


@pytest.mark.parametrize("context", [running(DEVICE, "x"), reserving(DEVICE, 1, "x")])
def test_mistakes_of_this_program_stay_what_they_are(context: object) -> None:
    with pytest.raises(Fault) as caught, context:
        raise Fault(-52)
    assert caught.value.code == -52


def test_a_real_driver_without_the_memory(cpu_device: Device) -> None:
    with pytest.raises(DeviceMemoryError, match="spectra"), running(cpu_device, "spectra"):
        pyopencl.Buffer(cpu_device.context(), pyopencl.mem_flags.READ_WRITE, cpu_device.memory_bytes * 2)


def test_real_mistakes_pass(cpu_device: Device) -> None:
    small = pyopencl.Buffer(cpu_device.context(), pyopencl.mem_flags.READ_WRITE, 4)
    queue = pyopencl.CommandQueue(cpu_device.context())
    with pytest.raises(pyopencl.LogicError), running(cpu_device, "copying"):
        pyopencl.enqueue_copy(queue, np.zeros(4, np.float32), small)
