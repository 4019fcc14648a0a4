"""Whether a failed attempt is followed by another: attempts and ``evaluateOnExit``."""

from collections.abc import Mapping
from typing import Any


def retries(strategy: Mapping[str, Any], made: int, status_reason: str, reason: str, exit_code: int | None) -> bool:
    """Whether AWS Batch would try again after ``made`` attempts of which the last failed so.

    The first rule all of whose conditions match decides; where none matches the job is tried again.
    A condition on something absent (a host that vanished gives no exit code) is matched by ``*`` alone.
    """
    if made >= strategy.get("attempts", 1):
        return False
    seen = {
        "onStatusReason": status_reason,
        "onReason": reason,
        "onExitCode": "" if exit_code is None else str(exit_code),
    }
    for rule in strategy.get("evaluateOnExit", []):
        if all(_matches(rule[key], text) for key, text in seen.items() if rule.get(key) is not None):
            return str(rule["action"]).upper() == "RETRY"
    return True


def _matches(pattern: str, text: str) -> bool:
    if pattern.endswith("*"):
        return text.startswith(pattern[:-1])
    return text == pattern
