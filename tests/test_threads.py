"""Parts of work: each done once, all finished before an error is told, and after a fork as well."""

import os
import threading
import time

import pytest

from lfcore.threads import in_parts


@pytest.mark.parametrize("count", [1, 2, 3, 17])
def test_every_index_is_worked_on_once(count: int) -> None:
    seen: list[int] = []
    in_parts(count, lambda part: seen.extend(range(*part.indices(count))))
    assert sorted(seen) == list(range(count))


@pytest.mark.parametrize("failing", [0, 1])
def test_an_error_is_told_when_no_part_is_under_way(monkeypatch: pytest.MonkeyPatch, failing: int) -> None:
    monkeypatch.setattr("lfcore.threads.cpu_count", lambda: 2)
    finished = threading.Event()

    def work(part: slice) -> None:
        if part.start == failing:
            raise ValueError(part)
        time.sleep(0.05)
        finished.set()

    with pytest.raises(ValueError, match="slice"):
        in_parts(2, work)
    assert finished.is_set()


def test_a_forked_process_has_threads_of_its_own() -> None:
    in_parts(2, lambda part: None)
    child = os.fork()
    if child == 0:
        in_parts(2, lambda part: None)
        os._exit(0)
    deadline = time.monotonic() + 30
    while (ended := os.waitpid(child, os.WNOHANG))[0] == 0 and time.monotonic() < deadline:
        time.sleep(0.01)
    if ended[0] == 0:
        os.kill(child, 9)
        os.waitpid(child, 0)
    assert ended == (child, 0)
