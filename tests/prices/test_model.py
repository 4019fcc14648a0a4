"""The arithmetic of machines: against a simulation that hands items to places one by one (seed 7)."""

import heapq

import numpy as np
import pytest

from lfcore.prices.model import Starting, Work, dollars, fleet, machines_for

NOTHING = Starting(0.0, 0.0)


def _simulated(work: Work, machines: int) -> float:
    """Seconds until the last item is done, each place taking the next one as it comes free."""
    free = [0.0] * (machines * work.places)
    for _ in range(work.items):
        heapq.heappush(free, heapq.heappop(free) + work.seconds_per_item)
    return max(free)


def test_a_stage_takes_as_long_as_its_places_need() -> None:
    generator = np.random.default_rng(7)
    for _ in range(200):
        items, places, machines = (int(number) for number in generator.integers(1, [500, 30, 20]))
        work = Work("reconstruct", items, float(generator.uniform(0.01, 50)), places)
        assert fleet([work], machines, NOTHING).seconds == pytest.approx(_simulated(work, machines))


def test_starting_is_paid_for_by_each_machine_that_is_used_and_no_other() -> None:
    laid = fleet([Work("a", 4, 10.0, 2), Work("b", 1, 5.0, 2)], 100, Starting(180.0, 7.0))
    assert [share.machines for share in laid.shares] == [2, 1]
    assert laid.seconds == 180 + 7 + 10 + 7 + 5
    assert laid.paid_s == 2 * 180 + 2 * 17 + 12


def test_a_long_share_is_cut_into_jobs_that_each_start() -> None:
    laid = fleet([Work("a", 100, 60.0, 1)], 1, Starting(0.0, 10.0, job_minutes=10))
    assert laid.seconds == 6000 + 10 * 10


def test_the_number_of_machines_for_a_deadline_is_the_least() -> None:
    generator = np.random.default_rng(7)
    for _ in range(50):
        items, places = (int(number) for number in generator.integers(1, [2000, 8]))
        work, fixed = Work("b", items, float(generator.uniform(1, 100)), places), [Work("a", 3, 20.0, 1)]
        starting = Starting(100.0, 5.0)
        deadline = float(generator.uniform(300, 5000))

        def seconds(machines: int) -> float:
            return fleet(fixed, 1, starting).seconds + fleet([work], machines, starting).seconds  # noqa: B023  # used in this turn only

        found = machines_for(deadline, [(fixed, 1), ([work], None)], starting)
        if found is None:
            assert seconds(10_000) > deadline
        else:
            assert seconds(found) <= deadline
            assert found == 1 or seconds(found - 1) > deadline


def test_dollars_are_hours_times_the_price() -> None:
    assert dollars(7200, (0.5, 0.75)) == (1.0, 1.5)
