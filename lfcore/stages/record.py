"""``run.json``: what a run is made of and with; every stage after ``plan`` starts from it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from lfcore.contracts import RunPaths, fingerprint
from lfcore.errors import DataError, UsageError
from lfcore.io import store
from lfcore.settings import Settings

RUN_FORMAT = 1
"""Raised when a run of an earlier version cannot be continued."""


@dataclass(frozen=True)
class RunRecord:
    """The content of ``run.json``.

    ``hash`` identifies data set and settings; ``inputs`` holds {role, path, size, checksum, pages} a file;
    ``transforms`` is the folder under which transforms are shared; ``estimates`` is
    {stage: {items, seconds_per_item, memory_bytes}}.
    """

    dataset: str
    settings: Settings
    frames: int
    frame_shape: tuple[int, int]
    inputs: list[dict[str, Any]]
    software: dict[str, str]
    transforms: str
    estimates: dict[str, dict[str, float]]

    @property
    def hash(self) -> str:
        """Identifies the data set's place and all settings."""
        return run_hash(self.dataset, self.settings)

    def inputs_of(self, role: str) -> list[str]:
        """Paths of the files of one role (light_field, radiometry, dark), in natural order."""
        return [str(entry["path"]) for entry in self.inputs if entry["role"] == role]

    def to_json(self) -> dict[str, Any]:
        """The content of ``run.json``."""
        content = {**asdict(self), "settings": self.settings.model_dump(mode="json")}
        return {"format": RUN_FORMAT, "hash": self.hash, **content}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """The inverse of ``to_json``."""
        fields = {key: value for key, value in content.items() if key not in ("format", "hash", "settings")}
        fields["frame_shape"] = tuple(fields["frame_shape"])
        return cls(settings=Settings.model_validate(content["settings"]), **fields)


def run_hash(dataset: str, settings: Settings) -> str:
    """Sixteen hexadecimal digits that identify a data set's place and all settings."""
    return fingerprint([RUN_FORMAT, dataset, settings.model_dump(mode="json")])


def read_run(run: RunPaths) -> RunRecord:
    """The record of a planned run.

    Raises ``UsageError`` when the run has not been planned, ``DataError`` when its record is not of this version.
    """
    content = store.read_many([run.run_json])
    if not content:
        raise UsageError(f"{run.root}: holds no run.json; run 'lfcore plan DATASET {run.root}' first")
    try:
        document = json.loads(*content.values())
        if document["format"] != RUN_FORMAT:
            versions = f"is of format {document['format']}, not {RUN_FORMAT}"
            raise DataError(f"{run.run_json}: {versions}; use a new run folder")
        return RunRecord.from_json(document)
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, DataError):
            raise
        problem = " ".join(str(error).split())
        raise DataError(f"{run.run_json}: cannot be read ({problem}); use a new run folder") from error
