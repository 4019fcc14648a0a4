"""What the environment and the trigger form say about the nightly: when it comes, where it looks, how much it does."""

import json
import os
import re
import zoneinfo
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, Param
from airflow.sdk.exceptions import AirflowException

from lfcore.errors import SettingsError
from lfcore.settings import check_overrides
from lightfield.params import PATH_HINT, PATH_PATTERN, ROOTS_VARIABLE, overrides_schema
from lightfield.schemas import checked

CRON_VARIABLE = "LIGHTFIELD_NIGHTLY_CRON"
TIMEZONE_VARIABLE = "LIGHTFIELD_NIGHTLY_TIMEZONE"
RUNS_AT_ONCE_VARIABLE = "LIGHTFIELD_NIGHTLY_RUNS"
SETTINGS_VARIABLE = "LIGHTFIELD_NIGHTLY_SETTINGS"


def nightly_timetable(environment: Mapping[str, str] = os.environ) -> CronTriggerTimetable | None:
    """When the nightly comes: never at once when it is unpaused for the first time, and not at all without roots.

    Raises ``SettingsError``, one line that names the variable.
    """
    cron = environment.get(CRON_VARIABLE, "0 2 * * *")
    zone = environment.get(TIMEZONE_VARIABLE, "UTC")
    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise SettingsError(f"{TIMEZONE_VARIABLE}: '{zone}' is no time zone; give one such as Europe/Berlin") from error
    # Anything but zero would let Airflow start the night before at once.
    timetable = CronTriggerTimetable(cron, timezone=zone, run_immediately=timedelta(0))
    try:
        timetable.validate()
    except (AirflowException, ValueError) as error:
        raise SettingsError(f"{CRON_VARIABLE}: '{cron}' is no cron expression ({error}); try '0 2 * * *'") from error
    return timetable if _roots(environment) else None


def runs_at_once(environment: Mapping[str, str] = os.environ) -> int:
    """How many reconstructions a night has under way at a time. Raises ``SettingsError`` for what is no such number."""
    text = environment.get(RUNS_AT_ONCE_VARIABLE, "4")
    if not re.fullmatch("[1-9][0-9]{0,2}", text):
        raise SettingsError(f"{RUNS_AT_ONCE_VARIABLE}: '{text}' must be a whole number from 1 to 999")
    return int(text)


def nightly_params(environment: Mapping[str, str] = os.environ) -> dict[str, Param]:
    """Parameters of ``lightfield_nightly``; a scheduled night has their defaults.

    Raises ``SettingsError``, one line that names the variable, when the environment's defaults cannot be used.
    """
    return {
        "roots": Param(
            _roots(environment),
            f"Folders or prefixes to search for data sets, a line each: {PATH_HINT}. Default: {ROOTS_VARIABLE}.",
            schema={"type": "array", "title": "Roots", "items": {"type": "string", "pattern": PATH_PATTERN}},
        ),
        "settle_minutes": _number(
            30, 10080, "Minutes to settle", "A data set with a younger file is still being recorded."
        ),
        "second_look_s": _number(
            20, 600, "Seconds to the second look", "A data set whose files change in between is still being recorded."
        ),
        "max_datasets": Param(
            200,
            "At most so many reconstructions a night; the rest are left for the next one.",
            schema={"type": "integer", "title": "Most data sets", "minimum": 1, "maximum": 1000},
        ),
        "settings": Param(
            _settings(environment),
            f"Overrides of every data set's dataset.yaml, as JSON; other ones make every data set count as changed. "
            f"Default: {SETTINGS_VARIABLE}.",
            schema=checked(overrides_schema() | {"title": "Settings"}),
        ),
    }


def _number(default: int, highest: int, title: str, description: str) -> Param:
    return Param(default, description, schema={"type": "number", "title": title, "minimum": 0, "maximum": highest})


def _roots(environment: Mapping[str, str]) -> list[str]:
    roots = [root.strip() for root in environment.get(ROOTS_VARIABLE, "").split(",") if root.strip()]
    for root in roots:
        if not re.fullmatch(PATH_PATTERN, root):
            raise SettingsError(f"{ROOTS_VARIABLE}: '{root}' must be {PATH_HINT}; separate several by commas")
    return roots


def _settings(environment: Mapping[str, str]) -> dict[str, Any]:
    try:
        settings = json.loads(environment.get(SETTINGS_VARIABLE) or "{}")
    except ValueError as error:
        raise SettingsError(f"{SETTINGS_VARIABLE}: not valid JSON ({error})") from error
    if not isinstance(settings, dict):
        raise SettingsError(f'{SETTINGS_VARIABLE}: must be an object such as {{"reconstruction": {{}}}}')
    check_overrides(settings, SETTINGS_VARIABLE)
    return settings
