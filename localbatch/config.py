"""The configuration file: queues with their slots, job definitions, and what differs from AWS's limits."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localbatch.errors import ConfigurationError

ACCOUNT = "000000000000"


@dataclass(frozen=True)
class Config:
    """What the server is told at its start; ``README.md`` explains each key."""

    queues: Mapping[str, int]
    """Name of a queue -> how many of its jobs run at a time."""
    job_definitions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Name -> definition in the short form of the configuration file."""
    region: str = "us-east-1"
    log_group: str = "/aws/batch/job"
    minimum_timeout_s: int = 60
    stop_timeout_s: float = 30.0
    forward: tuple[str, ...] = ()
    """Further variables of the server's environment that jobs see."""

    def arn(self, resource: str) -> str:
        """The Amazon Resource Name of ``resource``, for instance ``job/ID``."""
        return f"arn:aws:batch:{self.region}:{ACCOUNT}:{resource}"


KEYS = {
    "queues",
    "jobDefinitions",
    "region",
    "logGroup",
    "minimumTimeoutSeconds",
    "stopTimeoutSeconds",
    "forwardEnvironment",
}
QUEUE_KEYS = {"slots"}
DEFINITION_KEYS = {"command", "environment", "parameters", "retryStrategy", "timeout", "image", "resourceRequirements"}


def load_config(path: Path, slots: Mapping[str, int]) -> Config:
    """The configuration in the JSON file ``path``; ``slots`` replaces the slots of the queues it names.

    Raises ``ConfigurationError`` for a file that cannot be read, an unknown key, or an impossible value.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}; give --config a file") from error
    except ValueError as error:
        raise ConfigurationError(f"{path}: is not valid JSON ({error}); correct it") from error
    _known_keys(content, KEYS, f"{path}")
    queues = {
        name: _slots(queue, f"{path}: queues.{name}") for name, queue in _mapping(content, "queues", path).items()
    }
    for name in slots:
        if name not in queues:
            raise ConfigurationError(f"--slots {name}: no such queue; {path} has {', '.join(queues) or 'none'}")
    if not queues:
        raise ConfigurationError(f'{path}: queues is empty; name at least one, as {{"cpu": {{"slots": 2}}}}')
    definitions = _mapping(content, "jobDefinitions", path)
    for name, definition in definitions.items():
        _known_keys(definition, DEFINITION_KEYS, f"{path}: jobDefinitions.{name}")
    return Config(
        queues={**queues, **slots},
        job_definitions=definitions,
        region=_text(content, "region", "us-east-1", path),
        log_group=_text(content, "logGroup", "/aws/batch/job", path),
        minimum_timeout_s=int(_seconds(content, "minimumTimeoutSeconds", 60, path)),
        stop_timeout_s=_seconds(content, "stopTimeoutSeconds", 30, path),
        forward=_names(content, path),
    )


def _mapping(content: Mapping[str, Any], key: str, path: Path) -> dict[str, Any]:
    value = content.get(key, {})
    if not isinstance(value, dict):
        raise ConfigurationError(f"{path}: {key} must be an object, name -> settings")
    return value


def _known_keys(content: object, known: set[str], where: str) -> None:
    if not isinstance(content, dict):
        raise ConfigurationError(f"{where}: must be a JSON object")
    unknown = sorted(set(content) - known)
    if unknown:
        raise ConfigurationError(f"{where}: unknown key '{unknown[0]}'; known are {', '.join(sorted(known))}")


def _slots(queue: object, where: str) -> int:
    _known_keys(queue, QUEUE_KEYS, where)
    count = queue.get("slots", os.cpu_count() or 1) if isinstance(queue, dict) else None
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise ConfigurationError(f"{where}.slots: {count!r} is not a whole number above 0")
    return count


def _text(content: Mapping[str, Any], key: str, default: str, path: Path) -> str:
    value = content.get(key, default)
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"{path}: {key} must be a text that is not empty")
    return value


def _names(content: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    value = content.get("forwardEnvironment", [])
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ConfigurationError(f"{path}: forwardEnvironment must be a list of names of environment variables")
    return tuple(value)


def _seconds(content: Mapping[str, Any], key: str, default: float, path: Path) -> float:
    value = content.get(key, default)
    if not isinstance(value, int | float) or isinstance(value, bool) or value <= 0:
        raise ConfigurationError(f"{path}: {key}: {value!r} is not a number of seconds above 0")
    return value
