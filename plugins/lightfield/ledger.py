"""What the nightly knows of each data set: one JSON file beside its runs, so that the knowledge moves with the data."""

import json
import logging
import os
import posixpath
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Self

from lfcore.contracts import fingerprint, safe_name
from lightfield.files import write_whole
from lightfield.folders import read_file
from lightfield.request import RUNS_VARIABLE, default_run

LONGEST_NAME = 100
READS_AT_ONCE = 16

log = logging.getLogger(__name__)


class State(StrEnum):
    """What became of a data set's last attempt; ``BROKEN`` is one that was never begun."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    BROKEN = "broken"


@dataclass(frozen=True)
class Record:
    """The last attempt on a data set: of which signature, the how manieth of it, and what became of it.

    ``permanent`` says that trying again cannot help; ``updated`` is a time in ISO 8601, UTC.
    """

    dataset: str
    signature: str
    state: State
    attempts: int = 0
    permanent: bool = False
    message: str = ""
    run: str | None = None
    run_id: str | None = None
    updated: str = ""

    @classmethod
    def from_json(cls, content: bytes) -> Self:
        """The inverse of ``to_json``; raises ``ValueError``, ``TypeError`` or ``KeyError`` for anything else."""
        document = json.loads(content)
        known = {entry.name for entry in fields(cls)}
        record = cls(**{key: value for key, value in document.items() if key in known})
        return replace(record, state=State(record.state), attempts=int(record.attempts))

    def to_json(self) -> bytes:
        """A file that people can read as well."""
        return json.dumps(asdict(self), indent=2).encode()


def short_name(dataset: str) -> str:
    """A data set's own name, safe in names of files, folders and runs."""
    return safe_name(posixpath.basename(dataset))[:LONGEST_NAME]


def runs_root(dataset: str, environment: Mapping[str, str] = os.environ) -> str:
    """Where a data set's runs lie when nobody says otherwise."""
    return posixpath.dirname(default_run(dataset, "night", environment.get(RUNS_VARIABLE)))


def place(dataset: str, environment: Mapping[str, str] = os.environ) -> str:
    """The file of a data set's record."""
    name = f"{short_name(dataset)}-{fingerprint(dataset)}.json"
    return posixpath.join(runs_root(dataset, environment), "nightly", name)


def read(dataset: str) -> Record | None:
    """What is known of a data set. A record that cannot be understood is as good as none, and is logged."""
    path = place(dataset)
    try:
        return Record.from_json(read_file(path))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, AttributeError) as error:
        log.warning("%s: is no record of the nightly (%s); the data set is looked at anew", path, error)
        return None


def read_all(datasets: Iterable[str]) -> dict[str, Record]:
    """The records of those data sets that have one."""
    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        return {record.dataset: record for record in pool.map(read, datasets) if record}


def write(record: Record) -> None:
    """Keep a record, whole or not at all."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    write_whole(place(record.dataset), replace(record, updated=now).to_json())
