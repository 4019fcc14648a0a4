"""A night's look round: surveys the roots twice, settles what earlier nights have left, and decides."""

import logging
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lfcore.errors import DataError, SettingsError
from lightfield import ledger
from lightfield.discovery import Look, Searcher, Survey
from lightfield.ledger import Record, State
from lightfield.nightly import Decisions, Situation, decide, needs_settling, still_recording
from lightfield.outcomes import ACTIVE_STATES, settled, traces_of
from lightfield.params import PATH_HINT, PATH_PATTERN
from lightfield.request import RUNS_VARIABLE

log = logging.getLogger(__name__)

StateOf = Callable[[str], str | None]
"""State of a reconstruction by its run id; none where Airflow does not know it."""


@dataclass(frozen=True)
class Wishes:
    """What a night is asked for: times in s; ``settings`` overrides every data set's."""

    roots: Sequence[str]
    settle_s: float
    second_look_s: float
    max_datasets: int
    settings: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> "Wishes":
        """From the DAG's parameters. Raises ``SettingsError`` when no root is named, or one is no path."""
        roots = list(params["roots"])
        if not roots:
            raise SettingsError("roots: none given; name the folders to search in LIGHTFIELD_ROOTS or in 'roots'")
        for root in roots:
            if not isinstance(root, str) or not re.fullmatch(PATH_PATTERN, root):
                raise SettingsError(f"roots: {root!r} must be {PATH_HINT}")
        minutes, pause_s = float(params["settle_minutes"]), float(params["second_look_s"])
        return cls(roots, 60 * minutes, pause_s, int(params["max_datasets"]), dict(params["settings"] or {}))


def look_round(wishes: Wishes, state_of: StateOf) -> tuple[Decisions, Survey]:
    """Survey, settle, decide, and write down what is broken.

    Raises ``DataError`` when not one root can be read.
    """
    runs = os.environ.get(RUNS_VARIABLE)
    searcher = Searcher(wishes.settings, time.time(), [runs] if runs else [])
    survey = searcher.survey(wishes.roots)
    for place, reason in survey.unreadable.items():
        log.warning("%s: cannot be read (%s)", place, reason)
    if not survey.roots_read:
        raise DataError(f"no root can be read: {'; '.join(map(': '.join, survey.unreadable.items()))}")
    records, under_way = _settle(ledger.read_all(survey.looks), state_of)
    recording = _watch(searcher, survey.looks, records, wishes)
    decisions = decide(Situation(survey.looks, records, under_way, recording), wishes.max_datasets)
    for dataset, problem in decisions.broken.items():
        log.warning("%s: broken: %s", dataset, problem)
        signature = survey.looks[dataset].signature
        ledger.write(Record(dataset, signature, State.BROKEN, permanent=True, message=problem))
    return decisions, survey


def _settle(records: Mapping[str, Record], state_of: StateOf) -> tuple[dict[str, Record], frozenset[str]]:
    """The records with what ended since they were written, and the data sets whose run has not ended."""
    settled_records, under_way = dict(records), set()
    for dataset, record in records.items():
        if record.state is not State.RUNNING:
            continue
        state = state_of(str(record.run_id))
        if state in ACTIVE_STATES:
            under_way.add(dataset)
            continue
        ended = settled(record, state, traces_of(str(record.run)))
        if ended != record:
            log.info("%s: the run %s of an earlier night is %s", dataset, record.run_id, ended.state)
            ledger.write(ended)
        settled_records[dataset] = ended
    return settled_records, frozenset(under_way)


def _watch(
    searcher: Searcher, looks: Mapping[str, Look], records: Mapping[str, Record], wishes: Wishes
) -> dict[str, str]:
    """Those data sets that are still being recorded; the ones that stay as they are anyway are not watched."""
    watched = {name: look for name, look in looks.items() if needs_settling(look, records.get(name))}
    if not watched:
        return {}
    log.info(
        "%d data sets, %d of them new or changed; looking again in %g s", len(looks), len(watched), wishes.second_look_s
    )
    time.sleep(wishes.second_look_s)
    return still_recording(watched, searcher.look_again(watched), time.time(), wishes.settle_s)
