"""One slice of one stage: what a container, and each thin command, does.

A job learns its slice from its environment (``docs/contracts.md``, section 4): the list file, the number of
slices, and its own index from AWS Batch (array jobs) or from the submitter.
"""

import importlib
import os
from collections.abc import Mapping
from typing import cast

from lfcore.contracts import (
    ARRAY_SIZE_VARIABLE,
    BATCH_INDEX_VARIABLE,
    COMPUTING,
    LIST_FILE_VARIABLE,
    SLICE_INDEX_VARIABLE,
    RunPaths,
    Stage,
    WorkItem,
    parse_items,
    slice_bounds,
)
from lfcore.errors import DataError, SettingsError
from lfcore.io import store
from lfcore.opencl.device import choose
from lfcore.stages.progress import Listener, silent
from lfcore.stages.runner import Outcome, StageFunction, read_items


def stage_function(stage: Stage) -> StageFunction:
    """The entry point of a stage; its module is imported here and not before."""
    return cast(StageFunction, importlib.import_module(f"lfcore.stages.{stage}").run_items)


def do_slice(run: RunPaths, stage: Stage, index: int = 0, slices: int = 1, listener: Listener = silent) -> Outcome:
    """Do slice ``index`` of ``slices`` of a planned stage.

    Raises ``UnavailableError`` at once when the stage may use a device and the one that is demanded is not there.
    """
    return _do(run, stage, read_items(run, stage), index, slices, listener)


def do_job(environment: Mapping[str, str] = os.environ, listener: Listener = silent) -> Outcome:
    """Do the slice that a job's environment names.

    Raises ``SettingsError`` when a variable is missing or no number, ``DataError`` for a list file that cannot be used,
    ``UnavailableError`` as `do_slice`.
    """
    path = environment.get(LIST_FILE_VARIABLE)
    if not path:
        raise SettingsError(f"{LIST_FILE_VARIABLE} is not set; it names the list of work items of this job")
    index = _number(environment, BATCH_INDEX_VARIABLE, SLICE_INDEX_VARIABLE, default="0")
    slices = _number(environment, ARRAY_SIZE_VARIABLE, default="1")
    try:
        items = parse_items(store.read_bytes(path))
        stages = {(Stage(item["stage"]), str(item["run"])) for item in items}
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: not a list of work items ({error}); plan the run again") from error
    if len(stages) > 1:
        raise DataError(f"{path}: mixes stages or runs; one list holds one stage of one run")
    if not stages:
        return Outcome()
    stage, root = stages.pop()
    return _do(RunPaths(root), stage, items, index, slices, listener)


def _do(run: RunPaths, stage: Stage, items: list[WorkItem], index: int, slices: int, listener: Listener) -> Outcome:
    first, last = slice_bounds(index, slices, len(items))
    if stage in COMPUTING:
        choose()
    return stage_function(stage)(run, items[first:last], listener)


def _number(environment: Mapping[str, str], *names: str, default: str) -> int:
    for name in names:
        text = environment.get(name)
        if text:
            break
    else:
        text = default
    if not text.isdecimal():
        raise SettingsError(f"{name}='{text}': must be a whole number")
    return int(text)
