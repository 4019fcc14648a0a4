"""Sharing work between the processor's cores.

The operator's products are narrow, and BLAS shares them out badly: its threads wait for each other in a loop, which
costs most where cores are shared with other processes. So BLAS is held to one thread, and whole parts of the work go to
threads.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from os import cpu_count

from threadpoolctl import ThreadpoolController


def in_parts(count: int, work: Callable[[slice], None]) -> None:
    """Call ``work`` on even parts of ``range(count)``, a thread a core."""
    workers = min(count, cpu_count() or 1)
    parts = [slice(count * index // workers, count * (index + 1) // workers) for index in range(workers)]
    with single_threaded_blas(), ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, parts))


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Hold BLAS to one thread."""
    with _blas().limit(limits=1, user_api="blas"):
        yield


@cache
def _blas() -> ThreadpoolController:
    """The BLAS libraries of this process; looking for them takes a millisecond."""
    return ThreadpoolController()
