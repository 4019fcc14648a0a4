"""A data set's ``dataset.yaml`` from the metadata file of an LFAnalyze or napari-LF project."""

from lfcore import template
from lfcore.contracts import join
from lfcore.errors import DataError
from lfcore.io import store
from lfcore.lfanalyze import Conversion, convert
from lfcore.settings import parse_settings
from lfcore.stages.dataset import SETTINGS_FILE

PICTURES = ("images.light_field", "images.radiometry", "images.dark")


def write_converted(metadata: str, folder: str, schema: bool = False) -> list[str]:
    """Write ``dataset.yaml`` into ``folder`` from the file ``metadata``, and return what its owner should look at.

    Raises ``DataError`` for what is no such file, ``SettingsError`` where its values contradict each other.
    """
    try:
        text = store.read_bytes(metadata).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{metadata}: is not a text file in UTF-8, as LFAnalyze's metadata.txt is") from error
    found = convert(text, metadata)
    for place in PICTURES:
        pattern = found.values.get(place)
        if pattern and not store.glob(folder, pattern):
            found.notes.append(f"{place}: '{pattern}' is not in {folder}; put it there, or correct its name")
    text = template.template(schema, found.values, found.remarks, _heading(found, metadata))
    converted = f"{text}\n{_footer(found)}"
    parse_settings(converted, f"{metadata} as {SETTINGS_FILE}")
    store.write_bytes(join(folder, SETTINGS_FILE), converted.encode())
    return found.notes


def _heading(found: Conversion, metadata: str) -> list[str]:
    lines = [f"Converted from {metadata} of LFAnalyze or napari-LF, whose names and values are in brackets."]
    if found.comment:
        lines.append(f"Its comment: {found.comment}")
    if found.notes:
        lines += ["To look at:", *(f"- {note}" for note in found.notes)]
    return lines


def _footer(found: Conversion) -> str:
    lines = ["Not taken from the metadata file:"]
    for reason, entries in found.left.items():
        lines += [f"- {reason}:", *(f"    {entry}" for entry in entries)]
    return "".join(f"# {line}\n" for line in lines)
