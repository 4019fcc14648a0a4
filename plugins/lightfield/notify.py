"""Notifications of a run's end, by whatever notifiers the deployment names in its environment.

``LIGHTFIELD_NOTIFIERS`` is a JSON list of ``{"class": "package.module.Notifier", "on": ["failure"], "arguments": {}}``.
"""

import importlib
import inspect
import json
import os
from collections.abc import Mapping
from typing import Any, TypedDict, cast

from airflow.sdk import BaseNotifier

from lfcore.errors import SettingsError
from lightfield.tidings import Tidings

VARIABLE = "LIGHTFIELD_NOTIFIERS"
EVENTS = ("failure", "success")
KNOWN_KEYS = {"class", "on", "arguments"}

SUBJECT = "{{ lightfield.subject }}"
TEXT = "{{ lightfield.text }}"
DEFAULT_TEXTS = {
    "subject": SUBJECT,
    "title": SUBJECT,
    "text": TEXT,
    "body": TEXT,
    "message": TEXT,
    "html_content": "<pre>{{ lightfield.text | e }}</pre>",
}
"""What a notifier's templated arguments of these names say where the configuration leaves them out."""


class Callbacks(TypedDict):
    """What ``@dag`` is given: notifiers, which it takes for functions of a context."""

    on_success_callback: list[Any] | None
    on_failure_callback: list[Any] | None


def dag_callbacks(environment: Mapping[str, str] = os.environ) -> Callbacks:
    """The arguments ``on_success_callback`` and ``on_failure_callback`` of a DAG.

    Templates of the arguments may use ``lightfield``, the ``Tidings`` of the run. Raises ``SettingsError``, one line
    that names the variable, for what is no such list.
    """
    callbacks: dict[str, list[BaseNotifier]] = {event: [] for event in EVENTS}
    for index, entry in enumerate(_entries(environment.get(VARIABLE, ""))):
        origin = f"{VARIABLE}[{index}]"
        # A notifier renders its templates in place, so each event has one of its own.
        for event in _events(entry, origin):
            callbacks[event].append(_notifier(entry, event, origin))
    # Airflow calls back for an empty list, too, and dag.test() then stumbles over parameters without a default.
    return Callbacks(on_success_callback=callbacks["success"] or None, on_failure_callback=callbacks["failure"] or None)


def _entries(text: str) -> list[dict[str, Any]]:
    try:
        entries = json.loads(text) if text.strip() else []
    except ValueError as error:
        raise SettingsError(f"{VARIABLE}: not valid JSON ({error})") from error
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise SettingsError(f'{VARIABLE}: must be a list of {{"class", "on", "arguments"}}')
    return entries


def _events(entry: Mapping[str, Any], origin: str) -> list[str]:
    if unknown := sorted(set(entry) - KNOWN_KEYS):
        raise SettingsError(f"{origin}: unknown key '{unknown[0]}'; known are {', '.join(sorted(KNOWN_KEYS))}")
    events = entry.get("on", ["failure"])
    if not isinstance(events, list) or not set(map(str, events)) <= set(EVENTS):
        raise SettingsError(f"{origin}.on: {events!r} must be a list of {' and '.join(EVENTS)}")
    return list(dict.fromkeys(events))


def _notifier(entry: Mapping[str, Any], event: str, origin: str) -> BaseNotifier:
    kind = _notifier_class(entry.get("class"), f"{origin}.class")
    arguments = entry.get("arguments", {})
    if not isinstance(arguments, dict):
        raise SettingsError(f"{origin}.arguments: {arguments!r} must be an object")
    informed = type(kind.__name__, (_Informed, kind), {"__module__": kind.__module__, "event": event})
    try:
        return cast("BaseNotifier", informed(**_default_texts(kind, arguments), **arguments))
    except Exception as error:
        # Whatever the class objects to, the remedy is in the variable.
        raise SettingsError(f"{origin}: {kind.__name__} does not take these arguments ({error})") from error


def _notifier_class(name: object, origin: str) -> type[BaseNotifier]:
    module, _, attribute = str(name).rpartition(".")
    try:
        kind = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise SettingsError(f"{origin}: there is no {name!r} ({error}); is its provider installed?") from error
    if not (isinstance(kind, type) and issubclass(kind, BaseNotifier)):
        raise SettingsError(f"{origin}: {name!r} is no notifier of Airflow")
    return kind


def _default_texts(kind: type[BaseNotifier], given: Mapping[str, Any]) -> dict[str, str]:
    """The default texts that ``kind`` has templated arguments for, and that are not given."""
    known = set(inspect.signature(kind).parameters) & set(kind.template_fields)
    if "template" in given:  # of an e-mail: a file with the text
        known.discard("html_content")
    return {name: text for name, text in DEFAULT_TEXTS.items() if name in known and name not in given}


class _Informed:
    """Mixed into a notifier: gives its templates the tidings of the run."""

    event: str

    def _update_context(self, context: Any) -> Any:  # noqa: ANN401 - a context, which Airflow types as a closed dict
        updated = super()._update_context(context)  # type: ignore[misc]  # of BaseNotifier, the other base
        updated["lightfield"] = Tidings.of(context, self.event)
        return updated
