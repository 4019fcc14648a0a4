"""Sharing work between the processor's cores.

The operator's products are narrow, and BLAS shares them out badly: its threads wait for each other in a loop, which
costs most where cores are shared with other processes. So BLAS is held to one thread, and whole parts of the work go to
threads.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from os import cpu_count, register_at_fork

from threadpoolctl import ThreadpoolController


def in_parts(count: int, work: Callable[[slice], None]) -> None:
    """Call ``work`` on even parts of ``range(count)``, a thread a core; ``work`` must not share out work itself.

    To be called with BLAS held to one thread.
    """
    workers = min(count, cpu_count() or 1)
    parts = [slice(count * index // workers, count * (index + 1) // workers) for index in range(workers)]
    others = [_pool().submit(work, part) for part in parts[1:]]
    try:
        work(parts[0])
    finally:
        errors = [other.exception() for other in others]
    for error in filter(None, errors):
        raise error


@cache
def _pool() -> ThreadPoolExecutor:
    """Threads for all but one core, kept: to start them anew takes as long as a small product."""
    return ThreadPoolExecutor(max((cpu_count() or 1) - 1, 1))


register_at_fork(after_in_child=_pool.cache_clear)


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Hold BLAS to one thread."""
    with _blas().limit(limits=1, user_api="blas"):
        yield


@cache
def _blas() -> ThreadpoolController:
    """The BLAS libraries of this process; looking for them takes a millisecond."""
    return ThreadpoolController()
