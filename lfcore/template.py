"""A commented ``dataset.yaml`` and its JSON Schema, both from the descriptions in `settings`."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from lfcore.settings import Settings

SCHEMA_FILE = "dataset.schema.json"

EXAMPLES = {
    "microscope.magnification": 20,
    "microscope.numerical_aperture": 0.5,
    "microscope.wavelength_um": 0.51,
    "microscope.design_tube_lens_mm": 200,
    "microscope.layers": {"immersion_index": 1.33, "focus_depth_um": 50},
    "microscope.measured_psf": {"file": "psf.tif", "z_um": {"start": -60, "stop": 60, "step": 4}, "pixel_um": 6.5},
    "microlens_array.pitch_um": 125,
    "microlens_array.focal_length_um": 2433,
    "microlens_array.sensor_distance_um": 2433,
    "microlens_array.aperture": "square",
    "microlens_array.aperture_um": 120,
    "microlens_array.fourier_lens_mm": 100,
    "camera.pixel_um": 6.5,
    "camera.frame_interval_s": 0.1,
    "camera.counts_per_electron": 0.46,
    "images.light_field": "raw/*.tif",
    "images.radiometry": "radiometry.tif",
    "images.dark": "dark.tif",
    "calibration.pixels_per_lenslet": 19,
    "volume.z_um": {"start": -60, "stop": 60, "step": 4},
    "reconstruction.acceleration": True,
    "reconstruction.regularisation": 0.01,
    "reconstruction.huber": 0.1,
    "reconstruction.stopping": {"rule": "change", "tolerance": 0.01},
}
"""Values for the keys that have no default; the optional ones are written as comments."""

LONG_ENTRY = 44
"""A longer entry pushes its own description to the right, and not those of the others."""

WRITTEN_ALTHOUGH_OPTIONAL = ("images.radiometry",)


def template(
    schema: bool = False,
    values: Mapping[str, Any] | None = None,
    remarks: Mapping[str, str] | None = None,
    heading: Sequence[str] = (),
) -> str:
    """The text of a ``dataset.yaml`` with every key, its unit and meaning.

    ``schema`` adds the line by which editors find the JSON Schema beside it. ``values`` are written in place of
    defaults and examples, and ``remarks`` behind the meanings; both by ``section.key``. ``heading`` is lines of comment
    to stand above all keys.
    """
    lines = ["# A light field data set; lengths, times and pixels carry their units in the keys' names."]
    if schema:
        lines.insert(0, f"# yaml-language-server: $schema={SCHEMA_FILE}")
    lines += [f"# {line}" for line in heading]
    for name, field in Settings.model_fields.items():
        section = cast(type[BaseModel], field.annotation)
        keys = list(_keys(name, section, values or {}, remarks or {}))
        idle = "# " if all(key.startswith("  #") for key in keys) else ""
        lines += ["", f"# {section.__doc__}", f"{idle}{name}:", *keys]
    return "\n".join(lines) + "\n"


def schema() -> str:
    """The JSON Schema of ``dataset.yaml``, for editors and other programs."""
    return json.dumps(Settings.model_json_schema(), indent=1) + "\n"


def _keys(section: str, model: type[BaseModel], values: Mapping[str, Any], remarks: Mapping[str, str]) -> Iterator[str]:
    entries = []
    for key, field in model.model_fields.items():
        remark = remarks.get(f"{section}.{key}")
        entries.append((_entry(section, key, field, values), f"{field.description}{f' ({remark})' if remark else ''}"))
    width = max(len(entry) for entry, _ in entries if len(entry) <= LONG_ENTRY)
    return (f"  {entry:<{width}}  # {description}" for entry, description in entries)


def _entry(section: str, key: str, field: FieldInfo, values: Mapping[str, Any]) -> str:
    place = f"{section}.{key}"
    left_out = place not in values and field.default is None and place not in WRITTEN_ALTHOUGH_OPTIONAL
    usual = EXAMPLES[place] if field.is_required() or field.default is None else field.default
    value = values.get(place, usual)
    flow = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=1000, allow_unicode=True).removesuffix(
        "...\n"
    )
    return f"{'# ' if left_out else ''}{key}: {flow.strip()}"
