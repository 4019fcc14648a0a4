"""From what the user asked for to the first work item: everything a run needs before its first job."""

import difflib
import json
import os
import posixpath
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lfcore.contracts import RunPaths, Stage, dump_items, fingerprint, plan_item, safe_name
from lfcore.errors import DataError, SettingsError
from lfcore.settings import check_overrides
from lightfield.fanout import Caps
from lightfield.params import PATH_HINT, PATH_PATTERN

RUNS_VARIABLE = "LIGHTFIELD_RUNS"
LONGEST_NAME = 180
KNOWN_KEYS = ("dataset", "run", "settings", "max_jobs", "job_minutes")


@dataclass(frozen=True)
class Request:
    """A checked request: ``dataset`` and ``run`` are folders or prefixes without a trailing slash."""

    dataset: str
    run: str
    settings: dict[str, Any]
    caps: Caps


def check_request(conf: Mapping[str, Any], run_id: str, environment: Mapping[str, str] = os.environ) -> Request:
    """The request in ``conf``, with the run's folder resolved.

    Raises ``SettingsError``, one line that names the key, for what the trigger form's schema cannot see as well.
    """
    for key in conf:
        if key not in KNOWN_KEYS:
            near = difflib.get_close_matches(key, KNOWN_KEYS, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(KNOWN_KEYS)}"
            raise SettingsError(f"conf: unknown key '{key}'; {hint}")
    dataset = _checked_path(conf.get("dataset"), "dataset")
    settings = dict(conf.get("settings") or {})
    check_overrides(settings, "settings")
    run = conf.get("run")
    run = default_run(dataset, run_id, environment.get(RUNS_VARIABLE)) if run is None else _checked_path(run, "run")
    if run == dataset:
        raise SettingsError(f"run: '{run}' is the data set itself; give a folder of its own")
    caps = Caps(max_jobs=int(conf.get("max_jobs", 64)), job_minutes=float(conf.get("job_minutes", 10)))
    return Request(dataset, run, settings, caps)


def default_run(dataset: str, run_id: str, runs_root: str | None = None) -> str:
    """Where results go when the user does not say: a folder named for the data set and the run's id.

    It lies in ``runs_root``, by default in ``runs`` beside the data set.
    """
    parent, name = posixpath.split(dataset)
    root = _checked_path(runs_root, RUNS_VARIABLE) if runs_root else f"{parent.rstrip('/')}/runs"
    folder = f"{safe_name(name)}-{safe_name(run_id)}"
    # What safe_name replaces may be all that tells two runs apart; Airflow's own ids use only ':', '.' and '+'.
    if re.search(r"[^A-Za-z0-9_:.+-]", name + run_id) or len(folder) > LONGEST_NAME:
        folder = f"{folder[:LONGEST_NAME]}-{fingerprint([name, run_id])[:8]}"
    return f"{root}/{folder}"


def _checked_path(path: object, key: str) -> str:
    if not isinstance(path, str) or not re.fullmatch(PATH_PATTERN, path):
        raise SettingsError(f"{key}: {path!r} must be {PATH_HINT}")
    return path.rstrip("/")


def write_plan_item(request: Request) -> str:
    """Write the one work item of the ``plan`` stage, so that the first job finds it; its path is returned."""
    path = RunPaths(request.run).items(Stage.PLAN)
    _write_whole(path, dump_items([plan_item(request.dataset, request.run, request.settings)]))
    return path


def read_run_json(run: str) -> dict[str, Any]:
    """What ``plan`` wrote about the run. Raises ``DataError`` when it is no JSON object."""
    from upath import UPath  # fsspec takes a third of a second to import, and only tasks need it

    path = RunPaths(run).run_json
    try:
        content = json.loads(UPath(path).read_bytes())
    except ValueError as error:
        raise DataError(f"{path}: not valid JSON ({error}); plan the run again") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: holds no object; plan the run again")
    return content


def _write_whole(path: str, content: bytes) -> None:
    """Write a file so that nobody sees half of it; object stores do that by themselves."""
    from upath import UPath

    if "://" in path:
        UPath(path).write_bytes(content)
        return
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    part.write_bytes(content)
    part.replace(target)
