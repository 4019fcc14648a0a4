"""How many jobs a stage is cut into, and what each is called."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

from lfcore.contracts import Stage, slice_bounds
from lfcore.errors import DataError

ITEM_NAMES = {Stage.NORMALISE: "frame", Stage.TRANSFORMS: "plane", Stage.RECONSTRUCT: "frame"}
"""The stages that are mapped, and what one of their work items is."""

SHORTEST_TIMEOUT_S = 30 * 60
TIMEOUT_FACTOR = 10
LONGEST_TIMEOUT_S = 14 * 24 * 3600


class Slice(TypedDict):
    """The arguments that one mapped task has to itself."""

    slice_index: int
    slices: int
    slice_label: str
    timeout_s: int


@dataclass(frozen=True)
class Caps:
    """The user's wishes for the fan-out: at most so many jobs a stage, and about ``job_minutes`` for each of them."""

    max_gpu_jobs: int
    max_cpu_jobs: int
    job_minutes: float

    def most_jobs(self, stage: Stage) -> int:
        """The largest number of jobs for a stage."""
        return self.max_gpu_jobs if stage is Stage.RECONSTRUCT else self.max_cpu_jobs


def count_slices(items: int, seconds_per_item: float, job_minutes: float, most: int) -> int:
    """Number of jobs for ``items`` items: as long as wished for, never more than there are items, nor than ``most``."""
    wanted = math.ceil(items * seconds_per_item / (60 * job_minutes))
    return max(1, min(wanted, items, most))


def attempt_timeout_s(expected_s: float) -> int:
    """Seconds after which Batch ends an attempt: far more than the estimate, which may be wrong."""
    return math.ceil(min(max(SHORTEST_TIMEOUT_S, TIMEOUT_FACTOR * expected_s), LONGEST_TIMEOUT_S))


def name_slice(noun: str, first: int, last: int) -> str:
    """Name of the items ``first`` to one before ``last``, such as ``frames 0-9``."""
    if first == last:
        return f"no {noun}s"
    return f"{noun} {first}" if last - first == 1 else f"{noun}s {first}-{last - 1}"


def cut_stage(stage: Stage, run_json: Mapping[str, Any], caps: Caps, max_map_length: int) -> list[Slice]:
    """The slices of a mapped stage, sized from the estimates that ``plan`` wrote to ``run.json``.

    Raises ``DataError`` when the estimates of the stage are missing or no numbers.
    """
    try:
        estimate = run_json["estimates"][stage.value]
        items, seconds_per_item = int(estimate["items"]), float(estimate["seconds_per_item"])
        most = min(caps.most_jobs(stage), max_map_length)
        slices = count_slices(items, seconds_per_item, caps.job_minutes, most)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DataError(f"run.json: no usable estimate of stage '{stage}' ({error!r}); plan the run again") from error
    return [
        Slice(
            slice_index=index,
            slices=slices,
            slice_label=name_slice(ITEM_NAMES[stage], *slice_bounds(index, slices, items)),
            # Every slice may last as long as the longest of them.
            timeout_s=attempt_timeout_s(seconds_per_item * math.ceil(items / slices)),
        )
        for index in range(slices)
    ]
