"""The trigger form's fields, one for each setting that is a number, a choice or a yes or no, made from the settings."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from airflow.sdk import Param

from lfcore.settings import Settings
from lightfield.schemas import checked

SECTIONS = ("volume", "reconstruction", "output", "calibration", "microscope", "microlens_array", "camera")
"""The sections of the settings that have fields, in the order of the form: what changes from run to run comes first."""

UNITS = ("um", "mm", "s")
LARGEST_NUMBER = 1.7976931348623157e308

NOT_FINITE = {
    "type": "number",
    "anyOf": [{"exclusiveMaximum": -LARGEST_NUMBER}, {"exclusiveMinimum": LARGEST_NUMBER}],
}
"""JSON Schema of what is no finite number: no comparison with NaN is true, so that it breaks no bound."""

WORDS_OF_TRUTH = {"true": True, "false": False}
"""The form cannot show a switch that is neither on nor off, so there yes and no are words in a list."""

NAME_OF_NOTHING = {"null": "as in dataset.yaml"}
"""What the form calls the choice of nothing; its key ``None`` would be every choice's name that has none."""

Node = dict[str, Any]


@dataclass(frozen=True)
class Field:
    """One setting: its dotted key, what the settings say of it, and the schema of its value where there is one."""

    key: str
    description: str
    default: bool | float | str | None
    value: Node

    @property
    def section(self) -> str:
        """Heading of the form under which it stands."""
        return _in_words(self.key.partition(".")[0])

    @property
    def title(self) -> str:
        """The setting's name in words, with its unit, below its section."""
        names = (name.rpartition("_") for name in self.key.split(".")[1:])
        named = (f"{words}, {last}" if last in UNITS else f"{words}{between}{last}" for words, between, last in names)
        return _in_words(": ".join(named))

    def param(self) -> Param:
        """The field, empty until the user says otherwise."""
        rest = "" if self.default is None else f", else {json.dumps(self.default)}"
        description = f"{self.description} ({self.key}; empty: as in dataset.yaml{rest})"
        return Param(None, description, schema=checked(self._schema() | {"title": self.title, "section": self.section}))

    def _schema(self) -> Node:
        if self.value["type"] == "boolean":
            # Draft 7 reads nothing beside a $ref, the form nothing below it: a list of words there, and both here.
            return {
                "$schema": "http://json-schema.org/draft-07/schema#",
                "$ref": "#/definitions/choice",
                "definitions": {"choice": {"enum": [None, True, False, *WORDS_OF_TRUTH]}},
                "type": ["null", "string"],
                "enum": [None, *WORDS_OF_TRUTH],
                "values_display": NAME_OF_NOTHING,
            }
        schema = self.value | {"type": ["null", self.value["type"]]}
        if "enum" in self.value:
            return schema | {"enum": [None, *self.value["enum"]], "values_display": NAME_OF_NOTHING}
        return schema


@cache
def fields() -> Mapping[str, Field]:
    """All fields by dotted key, in the order of the form."""
    schema = Settings.model_json_schema()
    definitions = schema["$defs"]
    sections = ((name, resolved(schema["properties"][name], definitions)) for name in SECTIONS)
    found = (field for name, section in sections for field in _fields(section, name))
    return {field.key: field for field in found}


def _fields(node: Node, key: str) -> Iterator[Field]:
    """The fields of a setting: one, or those below it if it is a mapping that the form can make whole, or none."""
    branches = node.get("anyOf", [node])
    for branch in branches:
        if branch.get("type") in ("number", "integer", "boolean") or "enum" in branch:
            value = {word: branch[word] for word in branch if word not in ("title", "description", "default")}
            yield Field(key, node.get("description", ""), node.get("default"), value)
            return
    for branch in branches:
        below = {name: list(_fields(entry, f"{key}.{name}")) for name, entry in branch.get("properties", {}).items()}
        if all(below[name] for name in branch.get("required", [])):
            for found in below.values():
                yield from found


def resolved(node: Any, definitions: Mapping[str, Node]) -> Any:  # noqa: ANN401 - any JSON, as it is given
    """``node`` with references replaced by what they refer to, and numbers finite as the settings demand."""
    if isinstance(node, list):
        return [resolved(entry, definitions) for entry in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        beside = {word: value for word, value in node.items() if word != "$ref"}
        return resolved(definitions[node["$ref"].rpartition("/")[2]], definitions) | beside
    whole = {word: resolved(value, definitions) for word, value in node.items()}
    return whole | {"not": NOT_FINITE} if node.get("type") == "number" else whole


def _in_words(name: str) -> str:
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]
