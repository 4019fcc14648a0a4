"""One device at work: its queue, its programs, and memory that is taken and given back."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyopencl

from lfcore.errors import DeviceMemoryError
from lfcore.opencl.device import Device, usable_bytes
from lfcore.opencl.faults import reserving, running
from lfcore.opencl.pinned import PinnedMemory
from lfcore.opencl.program import OPENCL_C_1_2, build, kernels

UNIT_BYTES = 16
CLEARERS = 2**18

Defines = Mapping[str, int | float | str]


class Lease:
    """A buffer that goes back to its session when nobody holds the lease any more.

    The session's queue works in order, so a buffer may be taken anew while its last kernel is still under way.
    """

    def __init__(self, session: "Session", buffer: pyopencl.Buffer, kind: str) -> None:
        self.session, self.buffer, self.kind = session, buffer, kind

    def __del__(self) -> None:
        self.session.give_back(self)


class Session:
    """Queue, kernels and buffers of one device; not for use by several threads at a time."""

    def __init__(self, device: Device, memory_bytes: int | None = None) -> None:
        """``memory_bytes`` caps what may be taken, and so does ``usable_bytes``."""
        self.device = device
        self.memory_bytes = min(memory_bytes or device.memory_bytes, usable_bytes(device))
        self.context = device.context()
        self.queue = pyopencl.CommandQueue(self.context, device.handle)
        self._transfers = pyopencl.CommandQueue(self.context, device.handle)
        self.pinned = PinnedMemory(self.context, self._transfers)
        self.taken_bytes = self.peak_bytes = 0
        self._free: dict[tuple[str, int], list[pyopencl.Buffer]] = defaultdict(list)
        self._kernels: dict[object, dict[str, pyopencl.Kernel]] = {}

    def kernels(
        self, files: Sequence[str], defines: Defines, options: Sequence[str] = OPENCL_C_1_2
    ) -> dict[str, pyopencl.Kernel]:
        """The kernels of a program by name; built once for the same files and definitions."""
        key = (tuple(files), tuple(sorted(defines.items())), tuple(options))
        if key not in self._kernels:
            self._kernels[key] = kernels(build(self.context, self.device, files, defines, options))
        return self._kernels[key]

    def take(self, kind: str, size_bytes: int, zeroed: bool = False) -> Lease:
        """A buffer of ``size_bytes``; contents are undefined, or what the last holder of this ``kind`` left.

        With ``zeroed`` a new buffer begins as zeros. Raises ``DeviceMemoryError`` when there is not enough memory.
        """
        size_bytes = max(1, -(-size_bytes // UNIT_BYTES)) * UNIT_BYTES
        free = self._free[kind, size_bytes]
        if free:
            return Lease(self, free.pop(), kind)
        if self.taken_bytes + size_bytes > self.memory_bytes:
            self.release_free()
        if self.taken_bytes + size_bytes > self.memory_bytes:
            raise DeviceMemoryError(
                f"{self.device}: {kind} of {size_bytes / 1e9:.2f} GB do not fit, "
                f"{self.taken_bytes / 1e9:.2f} of {self.memory_bytes / 1e9:.2f} GB are taken; "
                "reconstruct fewer frames at a time or a smaller volume"
            )
        try:
            buffer = self._reserve(kind, size_bytes, zeroed)
        except DeviceMemoryError:
            # Other programs may have what the cap allows.
            self.release_free()
            buffer = self._reserve(kind, size_bytes, zeroed)
        self.taken_bytes += size_bytes
        self.peak_bytes = max(self.peak_bytes, self.taken_bytes)
        return Lease(self, buffer, kind)

    def _reserve(self, kind: str, size_bytes: int, zeroed: bool) -> pyopencl.Buffer:
        with reserving(self.device, size_bytes, kind):
            buffer = pyopencl.Buffer(self.context, pyopencl.mem_flags.READ_WRITE, size_bytes)
            # Drivers may allocate at the first use; better now than in the middle of the work.
            self._zero(buffer, size_bytes if zeroed else UNIT_BYTES)
        return buffer

    def clear(self, lease: Lease) -> None:
        """Fill a buffer with zeros."""
        self._zero(lease.buffer, lease.buffer.size)

    def _zero(self, buffer: pyopencl.Buffer, size_bytes: int) -> None:
        clear = self.kernels(("clear.cl",), {})["clear"]
        clear(self.queue, (CLEARERS,), None, buffer, np.uint64(-(-size_bytes // UNIT_BYTES)))
        self.queue.finish()

    def give_back(self, lease: Lease) -> None:
        """Keep a lease's buffer for the next of its kind and size."""
        self._free[lease.kind, lease.buffer.size].append(lease.buffer)

    def release_free(self) -> None:
        """Give unused buffers back to the device."""
        for (_, size_bytes), buffers in self._free.items():
            for buffer in buffers:
                buffer.release()
            self.taken_bytes -= size_bytes * len(buffers)
        self._free.clear()

    def upload(self, array: npt.NDArray[Any], kind: str = "tables") -> Lease:
        """A buffer that holds ``array``."""
        lease = self.take(kind, array.nbytes)
        self.write(lease, array)
        return lease

    def write(self, lease: Lease, array: npt.NDArray[Any]) -> None:
        """Put ``array`` at the beginning of a buffer."""
        with running(self.device, f"sending {lease.kind}"):
            pyopencl.enqueue_copy(self.queue, lease.buffer, np.ascontiguousarray(array))

    def copy(self, source: Lease, source_at: int, target: Lease, target_at: int, size_bytes: int) -> None:
        """Copy a part of a buffer to a place in another one; places are bytes."""
        with running(self.device, f"copying {source.kind}"):
            pyopencl.enqueue_copy(
                self.queue,
                target.buffer,
                source.buffer,
                byte_count=size_bytes,
                src_offset=source_at,
                dst_offset=target_at,
            )

    def download(self, lease: Lease, shape: Sequence[int], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """The first values of a buffer as an array of ``shape`` and ``dtype``."""
        array = np.empty(shape, dtype)
        with running(self.device, f"fetching {lease.kind}"):
            pyopencl.enqueue_copy(self.queue, array, lease.buffer)
        return array

    def fetch(self, lease: Lease, shape: Sequence[int]) -> Callable[[], npt.NDArray[np.float32]]:
        """Start bringing a buffer of float32 back beside what the queue does next; call the result to wait for it."""
        with running(self.device, f"fetching {lease.kind}"):
            ready = pyopencl.enqueue_marker(self.queue)
            self.queue.flush()
            array = self.pinned.array(shape)
            done = pyopencl.enqueue_copy(self._transfers, array, lease.buffer, is_blocking=False, wait_for=[ready])
            self._transfers.flush()

        def wait(lease: Lease = lease) -> npt.NDArray[np.float32]:
            with running(self.device, f"fetching {lease.kind}"):
                done.wait()
            return array

        return wait

    def launch(
        self, kernel: pyopencl.Kernel, items: Sequence[int], group: Sequence[int] | None, *arguments: object
    ) -> None:
        """Put a kernel in the queue; leases stand for their buffers, plain arrays are passed by value."""
        plain: list[Any] = [argument.buffer if isinstance(argument, Lease) else argument for argument in arguments]
        with running(self.device, f"starting {kernel.function_name}"):
            kernel(self.queue, tuple(items), None if group is None else tuple(group), *plain)

    def finish(self) -> None:
        """Wait for all that was put in the queue."""
        with running(self.device, "computing"):
            self.queue.finish()
