"""From what the user asked for to the first work item: everything a run needs before its first job."""

import difflib
import json
import os
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lfcore.contracts import RunPaths, Stage, dump_items, fingerprint, plan_item, safe_name
from lfcore.errors import DataError, SettingsError
from lfcore.settings import check_overrides
from lightfield.fanout import Caps
from lightfield.files import write_whole
from lightfield.form import WORDS_OF_TRUTH, fields
from lightfield.params import CAPS, PATH_HINT, PATH_PATTERN

RUNS_VARIABLE = "LIGHTFIELD_RUNS"
LONGEST_NAME = 180
PATH_KEYS = ("dataset", "run")


@dataclass(frozen=True)
class Request:
    """A checked request: ``dataset`` and ``run`` are folders or prefixes without a trailing slash."""

    dataset: str
    run: str
    settings: dict[str, Any]
    caps: Caps


def check_request(conf: Mapping[str, Any], run_id: str, environment: Mapping[str, str] = os.environ) -> Request:
    """The request in ``conf``, with the run's folder resolved and the fields of the form merged into the settings.

    Raises ``SettingsError``, one line that names the key, for what the trigger form's schema cannot see as well.
    """
    known = [*PATH_KEYS, "settings", *CAPS, *fields()]
    for key in conf:
        if key not in known:
            raise SettingsError(f"conf: unknown key '{key}'; {_nearest(str(key), known)}")
    dataset = _checked_path(conf.get("dataset"), "dataset")
    settings = asked_settings(conf)
    run = conf.get("run")
    run = default_run(dataset, run_id, environment.get(RUNS_VARIABLE)) if run is None else _checked_path(run, "run")
    if run == dataset:
        raise SettingsError(f"run: '{run}' is the data set itself; give a folder of its own")
    gpu_jobs, cpu_jobs, minutes = (_checked_cap(conf, key) for key in ("max_gpu_jobs", "max_cpu_jobs", "job_minutes"))
    return Request(dataset, run, settings, Caps(int(gpu_jobs), int(cpu_jobs), minutes))


def asked_settings(conf: Mapping[str, Any]) -> dict[str, Any]:
    """The overrides in ``conf``: what is under ``settings``, with the fields of the form that are not empty.

    Raises ``SettingsError`` for a key or value that the settings do not know, and for a field that says otherwise
    than ``settings`` does.
    """
    settings = {} if conf.get("settings") is None else conf["settings"]
    if not isinstance(settings, Mapping):
        raise SettingsError(f"settings: {settings!r} must be an object such as {{'reconstruction': {{...}}}}")
    check_overrides(settings, "settings")
    asked = dict(settings)
    for key, field in fields().items():
        if (value := conf.get(key)) is not None:
            yes_or_no = field.value["type"] == "boolean" and isinstance(value, str)
            override = _nested(key.split("."), WORDS_OF_TRUTH.get(value, value) if yes_or_no else value)
            check_overrides(override, "conf")
            asked = _merged(asked, override, key)
    return asked


def _nested(keys: list[str], value: object) -> dict[str, Any]:
    return {keys[0]: _nested(keys[1:], value) if keys[1:] else value}


def _merged(settings: Mapping[str, Any], override: Mapping[str, Any], key: str) -> dict[str, Any]:
    """``settings`` with the field ``key``, whose value is all that ``override`` holds."""
    [(name, value)] = override.items()
    there = settings.get(name, {} if isinstance(value, Mapping) else value)
    if isinstance(value, Mapping) and isinstance(there, Mapping):
        return {**settings, name: _merged(there, value, key)}
    if there != value:
        raise SettingsError(f"conf: '{key}' is {_innermost(value)!r}, but 'settings' has '{name}': {there!r}; give one")
    return {**settings, name: value}


def _innermost(value: object) -> object:
    return _innermost(next(iter(value.values()))) if isinstance(value, Mapping) else value


def _checked_cap(conf: Mapping[str, Any], key: str) -> int | float:
    """A number of the fan-out, or its default."""
    cap, value = CAPS[key], conf.get(key, CAPS[key].default)
    kinds = (int,) if cap.kind == "integer" else (int, float)
    # JSON has one kind of number, so that 8.0 is an integer too.
    number = int(value) if isinstance(value, float) and value.is_integer() else value
    if isinstance(number, bool) or not isinstance(number, kinds) or not cap.lowest <= number <= cap.highest:
        kind = "an integer" if cap.kind == "integer" else "a number"
        raise SettingsError(f"{key}: {value!r} must be {kind} from {cap.lowest:g} to {cap.highest}")
    return number


def _nearest(key: str, known: list[str]) -> str:
    """A hint naming the known key nearest to ``key``; the last part of a dotted key is enough."""
    by_last_part = {name.rpartition(".")[2]: name for name in reversed(known)}
    if near := difflib.get_close_matches(key, known, n=1) or difflib.get_close_matches(key, by_last_part, n=1):
        return f"did you mean '{by_last_part.get(near[0], near[0])}'?"
    return f"known are {', '.join(PATH_KEYS)}, settings, {', '.join(CAPS)} and those of dataset.yaml, dotted"


def told(request: Request) -> list[str]:
    """What was asked for, a line each, for the log."""
    lines = [f"dataset: {request.dataset}", f"run: {request.run}"]
    lines += [f"settings.{key}: {value!r}" for key, value in _flat(request.settings)]
    return lines + [f"{key}: {value}" for key, value in asdict(request.caps).items()]


def _flat(settings: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, object]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


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
    write_whole(path, dump_items([plan_item(request.dataset, request.run, request.settings)]))
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
