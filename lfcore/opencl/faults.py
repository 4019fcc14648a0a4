"""Faults of devices, told apart: too little memory, which a smaller plan may cure, and a device that is lost.

What drivers return, by the numbers of the OpenCL specification:

==========  ==============================  ==========================================================================
  -2        DEVICE_NOT_AVAILABLE            the device went away
  -4        MEM_OBJECT_ALLOCATION_FAILURE   no memory; NVIDIA and PoCL allocate when a buffer is first used, so it may
                                            come from any later call
  -5        OUT_OF_RESOURCES                while memory is reserved: no memory (NVIDIA, AMD). Afterwards, from a
                                            kernel's start, a finish or a blocking read: NVIDIA says so when a kernel
                                            touched foreign memory, ran into the watchdog or met a hardware error, and
                                            then at every call, since the context is dead
  -6        OUT_OF_HOST_MEMORY              no memory, on PoCL and other processors the same as the device's
  -14       EXEC_STATUS_ERROR…              a command that was waited for had failed
 -33, -34   INVALID_DEVICE, …_CONTEXT       handles that were valid before: the driver dropped them
 -36        INVALID_COMMAND_QUEUE           what NVIDIA returns from a finish after a reset or a fault
 -61        INVALID_BUFFER_SIZE             larger than the device's largest allocation
 -9999      (none)                          NVIDIA: "illegal read or write to a buffer"; the context is dead
==========  ==============================  ==========================================================================

Every other number is a mistake of this program and stays what it is.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pyopencl

from lfcore.errors import DeviceMemoryError, TemporaryError
from lfcore.opencl.device import Device

NO_MEMORY = frozenset({-4, -6, -61})
OUT_OF_RESOURCES = -5
LOST = frozenset({-2, OUT_OF_RESOURCES, -14, -33, -34, -36, -9999})


@contextmanager
def reserving(device: Device, needed_bytes: int, what: str) -> Iterator[None]:
    """Translate the errors of a block that makes buffers of ``needed_bytes`` in all and writes to each of them once.

    The writing is what makes drivers that allocate late tell now.

    Raises ``DeviceMemoryError`` where the memory is not there, at once if the device never had so much;
    ``TemporaryError`` when the device is lost.
    """
    if needed_bytes > device.memory_bytes:
        raise _too_little_memory(device, what, needed_bytes)
    try:
        yield
    except pyopencl.Error as error:
        if error.code == OUT_OF_RESOURCES:
            raise _too_little_memory(device, what, needed_bytes) from error
        _raise_translated(error, device, what, needed_bytes)
        raise


@contextmanager
def running(device: Device, what: str) -> Iterator[None]:
    """Translate the errors of a block that runs kernels and waits for them; ``what`` is said as "computing kernels".

    Raises ``DeviceMemoryError`` where a driver that allocates late finds no memory, ``TemporaryError`` when the device
    is lost or a kernel failed on it.
    """
    try:
        yield
    except pyopencl.Error as error:
        _raise_translated(error, device, what)
        raise


def _raise_translated(error: pyopencl.Error, device: Device, what: str, needed_bytes: int | None = None) -> None:
    if error.code in NO_MEMORY:
        raise _too_little_memory(device, what, needed_bytes) from error
    if error.code in LOST:
        raise TemporaryError(
            f"{device}: lost while {what} (OpenCL error {error.code} from {error.routine}); run the same command "
            "again, and if it comes back look into the system's log for the device, or use --device numpy"
        ) from error


def _too_little_memory(device: Device, what: str, needed_bytes: int | None) -> DeviceMemoryError:
    needed = "" if needed_bytes is None else f" of {needed_bytes / 1e9:.2f} GB"
    return DeviceMemoryError(
        f"{device}: too little of its {device.memory_bytes / 1e9:.2f} GB of memory is free for {what}{needed}; "
        "end other programs on it, reconstruct fewer planes or a coarser volume, or use --device numpy"
    )
