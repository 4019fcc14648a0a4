"""Host memory that a device reaches by itself: copies to it are several times as fast as to ordinary memory."""

import weakref
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyopencl


class _Loan:
    """What all views of an array have as their base, so that the end of the last of them is noticed.

    numpy skips arrays in a chain of bases, but not another object.
    """

    def __init__(self, memory: npt.NDArray[np.float32]) -> None:
        self.__array_interface__ = memory.__array_interface__


class PinnedMemory:
    """Arrays in pinned memory. An array's memory is used again when nobody holds the array or a view of it any more.

    Pinning costs as much as several copies, which is why memory is kept.
    """

    def __init__(self, context: pyopencl.Context, queue: pyopencl.CommandQueue) -> None:
        self._context, self._queue = context, queue
        self._free: dict[int, list[npt.NDArray[np.float32]]] = defaultdict(list)

    def array(self, shape: Sequence[int]) -> npt.NDArray[np.float32]:
        """A float32 array of ``shape`` with undefined contents."""
        size = int(np.prod(shape))
        free = self._free[size]
        memory = free.pop() if free else self._pin(size)
        loan = _Loan(memory)
        weakref.finalize(loan, free.append, memory)
        return np.asarray(loan, np.float32)[:size].reshape(shape)

    def _pin(self, size: int) -> npt.NDArray[np.float32]:
        flags = pyopencl.mem_flags.ALLOC_HOST_PTR | pyopencl.mem_flags.READ_WRITE
        buffer = pyopencl.Buffer(self._context, flags, max(size, 1) * 4)
        access = pyopencl.map_flags.READ | pyopencl.map_flags.WRITE
        memory, _ = pyopencl.enqueue_map_buffer(
            self._queue,
            buffer,
            access,  # type: ignore[arg-type]  # flags joined are an int, which the call takes
            0,
            (max(size, 1),),
            np.dtype(np.float32),
        )
        return np.asarray(memory)
