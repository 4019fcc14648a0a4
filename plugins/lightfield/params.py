"""The trigger form of the light field DAGs, and the schema that refuses bad input before a run exists."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from airflow.sdk import Param

from lfcore.settings import Settings
from lightfield.form import NOT_FINITE, Node, fields, resolved
from lightfield.schemas import checked

ROOTS_VARIABLE = "LIGHTFIELD_ROOTS"
MOST_PROPOSALS = 200

PATH_PATTERN = r"^(?!.*(^|/)\.\.(/|$))(/|s3://[^/]+/)[^/\x00-\x1f][^\x00-\x1f]*$"
"""An absolute path or an object-store prefix below a bucket, free of ``..`` and control characters."""

PATH_SCHEMA = checked({"pattern": PATH_PATTERN, "maxLength": 1000})

PATH_HINT = "an absolute path or s3://bucket/prefix, without '..'"


@dataclass(frozen=True)
class Cap:
    """A number of the fan-out: ``kind`` is ``integer`` or ``number``, and both bounds belong to it."""

    kind: str
    default: int
    lowest: float
    highest: int
    title: str
    description: str

    def param(self) -> Param:
        """The field of the form."""
        return Param(
            self.default,
            self.description,
            schema=checked(
                {
                    "type": self.kind,
                    "title": self.title,
                    "minimum": self.lowest,
                    "maximum": self.highest,
                    "not": NOT_FINITE,
                    "section": "Fan-out",
                }
            ),
        )


CAPS = {
    "max_gpu_jobs": Cap("integer", 64, 1, 300, "Most GPU jobs", "Frames are reconstructed by at most so many jobs."),
    "max_cpu_jobs": Cap("integer", 32, 1, 100, "Most CPU jobs", "Each other stage is cut into at most so many jobs."),
    "job_minutes": Cap("number", 10, 0.01, 1440, "Minutes a job", "Jobs are to take about so long, by estimate."),
}


def overrides_schema() -> Node:
    """JSON Schema of overrides of ``dataset.yaml``: the settings' own schema with no key required, and with no prose.

    Prose would come back, all of it, in Airflow's message on a value that is refused.
    """
    schema = Settings.model_json_schema()
    definitions = schema.pop("$defs")
    return cast("Node", _relaxed(resolved(schema, definitions)))


def _relaxed(node: object) -> object:
    """``node`` where no object has required keys, and what may be null says so without a union of its own."""
    if isinstance(node, list):
        return [_relaxed(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    relaxed = {key: _relaxed(value) for key, value in node.items()}
    # The keys below "properties" are names of settings, not words of the schema language.
    if not ("properties" in node or "type" in node or "anyOf" in node):
        return relaxed
    for word in ("required", "default", "title", "description"):
        relaxed.pop(word, None)
    branches = cast("list[Node]", relaxed.get("anyOf", []))
    if len(branches) == 2 and branches[1] == {"type": "null"} and "type" in branches[0]:
        # A refusal by one schema names the key, a refusal by a union only shows the value.
        enumeration = {"enum": [*branches[0]["enum"], None]} if "enum" in branches[0] else {}
        return branches[0] | {"type": [branches[0]["type"], "null"]} | enumeration
    return relaxed


def known_datasets(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Folders with a ``dataset.yaml`` in the local folders of ``LIGHTFIELD_ROOTS``, for the form to propose.

    Prefixes of object stores are left out: the form is made anew every minute, and listing them takes long.
    """
    roots = [root.strip() for root in environment.get(ROOTS_VARIABLE, "").split(",")]
    found = (path.parent for root in roots if root.startswith("/") for path in Path(root).glob("*/dataset.yaml"))
    return sorted(map(str, found))[:MOST_PROPOSALS]


def reconstruction_params() -> dict[str, Param]:
    """Parameters of ``lightfield_reconstruction``, as ``docs/contracts.md`` names them, in the order of the form."""
    known = known_datasets()
    return {
        "dataset": Param(
            description=f"Folder or prefix that holds dataset.yaml: {PATH_HINT}.",
            schema=PATH_SCHEMA | {"type": "string", "title": "Data set"} | ({"examples": known} if known else {}),
        ),
        "run": Param(
            None,
            description=f"Where results go: {PATH_HINT}. Default: a folder of its own in 'runs' beside the data set.",
            schema=PATH_SCHEMA | {"type": ["null", "string"], "title": "Run"},
        ),
        **{key: field.param() for key, field in fields().items()},
        "settings": Param(
            {},
            description='Overrides of dataset.yaml, as JSON, for what has no field: {"volume": {"z_um": [0, 4, 9]}}.',
            schema=checked(overrides_schema() | {"title": "Settings", "section": "Other settings"}),
        ),
        **{key: cap.param() for key, cap in CAPS.items()},
    }
