"""Job definitions: revisions, names and Amazon Resource Names, and what a submission makes of one."""

import threading
from collections.abc import Mapping
from typing import Any

from localbatch import limits
from localbatch.config import Config
from localbatch.errors import BatchClientError
from localbatch.jobs import resolve_references
from localbatch.state import StateFolder

REGISTRATION_KEYS = ("revision", "jobDefinitionArn", "status")
OVERRIDABLE_KEYS = ("vcpus", "memory", "instanceType")
NOT_PROVIDED = ("nodeProperties", "eksProperties", "ecsProperties")


class Definitions:
    """All revisions of all job definitions, stored in the state folder."""

    def __init__(self, config: Config, state: StateFolder) -> None:
        """Read the stored definitions and register those of the configuration that are new or were changed."""
        self._config = config
        self._state = state
        self._lock = threading.Lock()
        self._revisions: dict[str, dict[int, dict[str, Any]]] = {}
        for stored in state.definitions():
            self._revisions.setdefault(stored["jobDefinitionName"], {})[stored["revision"]] = stored
        for name, short in config.job_definitions.items():
            self._register_configured(name, short)

    def _register_configured(self, name: str, short: Mapping[str, Any]) -> None:
        request = expand(name, short)
        revisions = self._revisions.get(name, {})
        newest = revisions[max(revisions)] if revisions else {"status": "INACTIVE"}
        content = {key: value for key, value in newest.items() if key not in REGISTRATION_KEYS}
        if newest["status"] != "ACTIVE" or content != self._definition(request):
            self.register(request)

    def register(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """RegisterJobDefinition: check the definition and store it as a new revision."""
        definition = self._definition(request)
        name = definition["jobDefinitionName"]
        with self._lock:
            revision = max(self._revisions.get(name, {0: {}})) + 1
            arn = self._config.arn(f"job-definition/{name}:{revision}")
            stored = {**definition, "revision": revision, "jobDefinitionArn": arn, "status": "ACTIVE"}
            self._state.save_definition(name, revision, stored)
            self._revisions.setdefault(name, {})[revision] = stored
        return {"jobDefinitionName": name, "jobDefinitionArn": arn, "revision": revision}

    def _definition(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The request checked, as DescribeJobDefinitions will give it back."""
        name = limits.required(request, "jobDefinitionName")
        limits.check_name(name, "Job definition name")
        container = request.get("containerProperties")
        refused = [key for key in NOT_PROVIDED if request.get(key)]
        if refused or request.get("type") != "container" or not isinstance(container, dict):
            raise BatchClientError("this server runs jobs of type container, which need containerProperties, only")
        limits.check_command(container.get("command"))
        limits.check_environment(container.get("environment"))
        definition: dict[str, Any] = {
            "jobDefinitionName": name,
            "type": "container",
            "parameters": limits.check_text_map(request.get("parameters"), "parameters"),
            "containerProperties": {"image": limits.required(container, "image"), **container},
            "tags": limits.check_tags(request.get("tags")),
            "platformCapabilities": ["EC2"],
            "containerOrchestrationType": "ECS",
        }
        if strategy := limits.check_retry_strategy(request.get("retryStrategy")):
            definition["retryStrategy"] = strategy
        if seconds := limits.check_timeout(request.get("timeout"), self._config.minimum_timeout_s):
            definition["timeout"] = {"attemptDurationSeconds": seconds}
        return definition

    def deregister(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """DeregisterJobDefinition: the revision named is no longer for new jobs."""
        name, revision = self._parts(limits.required(request, "jobDefinition"))
        with self._lock:
            stored = self._revisions.get(name, {}).get(revision or 0)
            if stored is None:
                raise BatchClientError(f"Job definition {request['jobDefinition']}: name:revision is not registered")
            stored["status"] = "INACTIVE"
            self._state.save_definition(name, stored["revision"], stored)
        return {}

    def find(self, reference: str) -> dict[str, Any]:
        """The active definition of a name, ``name:revision`` or ARN; without a revision the newest one."""
        name, revision = self._parts(reference)
        with self._lock:
            revisions = dict(self._revisions.get(name, {}))
        active = {number: stored for number, stored in revisions.items() if stored["status"] == "ACTIVE"}
        found = active.get(revision if revision is not None else max(active, default=0))
        if found is None:
            raise BatchClientError(f"JobDefinition {reference} is not registered or not active")
        return found

    def describe(self, request: Mapping[str, Any]) -> list[dict[str, Any]]:
        """DescribeJobDefinitions: by references, or by name and status."""
        name, status = request.get("jobDefinitionName"), request.get("status")
        wanted = [self._parts(reference) for reference in request.get("jobDefinitions") or []]
        with self._lock:
            everything = [
                (known, revision, stored)
                for known, revisions in self._revisions.items()
                for revision, stored in revisions.items()
            ]
        return [
            stored
            for known, revision, stored in everything
            if name in {None, known}
            and status in {None, stored["status"]}
            and (not wanted or (known, revision) in wanted or (known, None) in wanted)
        ]

    @staticmethod
    def _parts(reference: str) -> tuple[str, int | None]:
        """Name and revision of a reference."""
        name, _, revision = reference.rpartition("/")[2].partition(":")
        if revision and not revision.isdecimal():
            raise BatchClientError(f"JobDefinition {reference}: '{revision}' is not a revision")
        return name, int(revision) if revision else None


def expand(name: str, short: Mapping[str, Any]) -> dict[str, Any]:
    """The RegisterJobDefinition request that a definition of the configuration file stands for."""
    container = {
        "image": short.get("image", "local"),
        "command": short.get("command", []),
        "environment": [{"name": key, "value": value} for key, value in short.get("environment", {}).items()],
        "resourceRequirements": short.get("resourceRequirements", []),
    }
    return {
        "jobDefinitionName": name,
        "type": "container",
        "containerProperties": container,
        "parameters": short.get("parameters"),
        "retryStrategy": short.get("retryStrategy"),
        "timeout": short.get("timeout"),
    }


def container_of(
    definition: Mapping[str, Any], overrides: Mapping[str, Any], parameters: Mapping[str, str], log_group: str
) -> dict[str, Any]:
    """AWS's ContainerDetail of a job: the definition's container with the submission's overrides laid over it."""
    container = dict(definition["containerProperties"])
    container |= {key: overrides[key] for key in OVERRIDABLE_KEYS if key in overrides}
    command = limits.check_command(overrides.get("command")) or container.get("command") or []
    environment = {
        **limits.check_environment(container.get("environment")),
        **limits.check_environment(overrides.get("environment")),
    }
    requirements = {entry["type"]: entry for entry in container.get("resourceRequirements") or []}
    requirements |= {entry["type"]: entry for entry in overrides.get("resourceRequirements") or []}
    logs = container.get("logConfiguration") or {"logDriver": "awslogs"}
    return {
        **container,
        "command": resolve_references(command, parameters),
        "environment": [{"name": name, "value": value} for name, value in environment.items()],
        "resourceRequirements": list(requirements.values()),
        "logConfiguration": {**logs, "options": {"awslogs-group": log_group, **logs.get("options", {})}},
        "volumes": container.get("volumes", []),
        "mountPoints": container.get("mountPoints", []),
        "ulimits": container.get("ulimits", []),
        "secrets": container.get("secrets", []),
        "networkInterfaces": [],
    }
