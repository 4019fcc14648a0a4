"""What AWS Batch accepts: names, sizes and counts, checked before anything is done."""

import json
import re
from collections.abc import Mapping
from typing import Any

from localbatch.errors import BatchClientError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
EXIT_RULE_TEXT = re.compile(r"[A-Za-z0-9.:\s]{0,511}\*?|[A-Za-z0-9.:\s]{512}")
EXIT_RULE_CODE = re.compile(r"[0-9]{0,511}\*?|[0-9]{512}")
EXIT_CONDITIONS = ("onStatusReason", "onReason", "onExitCode")
MAXIMUM_DESCRIBED_JOBS = 100
MAXIMUM_DEPENDENCIES = 20
MAXIMUM_OVERRIDES_CHARACTERS = 8192
MAXIMUM_PAYLOAD_BYTES = 30 * 1024


def required(request: Mapping[str, Any], key: str) -> str:
    """The text under ``key``, which must be there; raises ``BatchClientError``."""
    value = request.get(key)
    if not isinstance(value, str) or not value:
        raise BatchClientError(f"{key} is required")
    return value


def check_name(name: str, what: str) -> None:
    """Raise ``BatchClientError`` unless ``name`` is a job's or job definition's name as AWS takes it."""
    if not NAME.fullmatch(name):
        raise BatchClientError(f"{what} should match valid pattern, {NAME.pattern}: '{name[:200]}'")


def check_text_map(content: object, key: str) -> dict[str, str]:
    """``content`` as a map of text to text; ``None`` is the empty one."""
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
        raise BatchClientError(f"{key} must be a map of strings to strings")
    return content


def check_tags(content: object) -> dict[str, str]:
    """The tags of a job or job definition, at most 50 of them."""
    tags = check_text_map(content, "tags")
    if len(tags) > 50:
        raise BatchClientError(f"{len(tags)} tags exceed the maximum of 50")
    return tags


def check_command(content: object) -> list[str]:
    """A container's command as a list of texts; ``None`` is the empty one."""
    if content is None:
        return []
    if not isinstance(content, list) or not all(isinstance(part, str) for part in content):
        raise BatchClientError("command must be a list of strings")
    return content


def check_environment(content: object) -> dict[str, str]:
    """Name -> value of a list of ``{name, value}``; names of AWS Batch's own are refused."""
    if content is None:
        return {}
    if not isinstance(content, list):
        raise BatchClientError("environment must be a list of {name, value}")
    environment: dict[str, str] = {}
    for entry in content:
        name, value = (entry.get("name"), entry.get("value", "")) if isinstance(entry, dict) else (None, None)
        if not isinstance(name, str) or not isinstance(value, str) or not name or "=" in name or "\0" in name + value:
            raise BatchClientError(f"environment: {entry!r} is not {{name, value}}")
        if name.startswith("AWS_BATCH"):
            raise BatchClientError(f"Environment variables cannot start with AWS_BATCH: {name}")
        environment[name] = value
    return environment


def check_array_size(content: object) -> int | None:
    """The size of an array job; ``None`` for a single one."""
    size = content.get("size") if isinstance(content, dict) else None
    if size is None:
        return None
    if not isinstance(size, int) or not 2 <= size <= 10_000:
        raise BatchClientError(f"Invalid arrayProperties size {size!r}: must be between 2 and 10000")
    return size


def check_retry_strategy(content: object) -> dict[str, Any] | None:
    """A retry strategy in which attempts (1 to 10) and at most five rules are in order."""
    if content is None or content == {}:
        return None
    if not isinstance(content, dict) or not isinstance(content.get("attempts"), int):
        raise BatchClientError("RetryAttempts must be provided with retry strategy")
    if not 1 <= content["attempts"] <= 10:
        raise BatchClientError(f"RetryAttempts {content['attempts']} must be between 1 and 10")
    rules = content.get("evaluateOnExit", [])
    if not isinstance(rules, list) or len(rules) > 5:
        raise BatchClientError("evaluateOnExit takes at most 5 rules")
    for rule in rules:
        _check_exit_rule(rule)
    return content


def _check_exit_rule(rule: object) -> None:
    if not isinstance(rule, dict) or str(rule.get("action", "")).upper() not in {"RETRY", "EXIT"}:
        raise BatchClientError(f"evaluateOnExit: {rule!r} needs the action RETRY or EXIT")
    conditions = {key: rule[key] for key in EXIT_CONDITIONS if rule.get(key) is not None}
    if not conditions:
        raise BatchClientError(f"evaluateOnExit: a rule needs one of {', '.join(EXIT_CONDITIONS)}")
    for key, pattern in conditions.items():
        allowed = EXIT_RULE_CODE if key == "onExitCode" else EXIT_RULE_TEXT
        if not isinstance(pattern, str) or not allowed.fullmatch(pattern):
            raise BatchClientError(f"evaluateOnExit: {key} {pattern!r} is not a pattern; only its end may be *")


def check_timeout(content: object, minimum_s: int) -> int | None:
    """Seconds that an attempt may last, ``None`` for no limit."""
    seconds = content.get("attemptDurationSeconds") if isinstance(content, dict) else None
    if seconds is None:
        return None
    if not isinstance(seconds, int) or seconds < minimum_s:
        raise BatchClientError(f"attemptDurationSeconds must be greater than or equal to {minimum_s}, not {seconds!r}")
    return seconds


def check_payload(request: Mapping[str, Any]) -> None:
    """Raise ``BatchClientError`` for a submission that AWS would find too long."""
    overrides = request.get("containerOverrides")
    if overrides is not None and len(json.dumps(overrides)) > MAXIMUM_OVERRIDES_CHARACTERS:
        raise BatchClientError(f"Container Overrides length must be at most {MAXIMUM_OVERRIDES_CHARACTERS}")
    if len(json.dumps(request)) > MAXIMUM_PAYLOAD_BYTES:
        raise BatchClientError(f"the submission is longer than {MAXIMUM_PAYLOAD_BYTES} bytes")
    for key in ("nodeOverrides", "eksPropertiesOverride", "ecsPropertiesOverride"):
        if request.get(key):
            raise BatchClientError(f"{key}: this server runs container jobs only; use containerOverrides")
