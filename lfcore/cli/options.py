"""Options and arguments that several verbs share."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import click

from lfcore.errors import UsageError
from lfcore.opencl.device import DEVICE_VARIABLE

Slice = tuple[int, int]


class Location(click.ParamType[str]):
    """A folder or an object-store prefix; local ones are made absolute."""

    name = "path"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """``value`` without a trailing slash."""
        if "://" in value:
            return value.rstrip("/")
        return os.path.abspath(value)  # noqa: PTH100  # Path.resolve would follow symbolic links


class SliceType(click.ParamType[Slice]):
    """``i/n``: slice ``i`` of ``n``, counted from 0."""

    name = "i/n"

    def convert(self, value: str | Slice, param: click.Parameter | None, ctx: click.Context | None) -> Slice:
        """The two numbers."""
        if isinstance(value, tuple):
            return value
        index, _, slices = value.partition("/")
        if not (index.isdecimal() and slices.isdecimal() and int(index) < int(slices)):
            self.fail(f"'{value}' is no slice; give i/n with 0 <= i < n, for instance 0/4", param, ctx)
        return int(index), int(slices)


dataset_argument = click.argument("dataset", type=Location())
run_argument = click.argument("run_root", metavar="RUN", type=Location())
slice_option = click.option("--slice", "slice_", type=SliceType(), default="0/1", help="Do slice i of n only, from 0.")
set_option = click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="SECTION.KEY=VALUE",
    help="Override a setting (YAML value); repeatable.",
)
frame_option = click.option(
    "--frame", type=click.IntRange(0), default=0, show_default=True, help="Which frame of the recording, from 0."
)
calibration_option = click.option("--run", metavar="RUN", type=Location(), help="Use the calibration of this run.")


def _keep_device(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    # The stages read the variable, and so do processes that they start.
    if value:
        os.environ[DEVICE_VARIABLE] = value


device_option = click.option(
    "--device",
    metavar="DEVICE",
    expose_value=False,
    callback=_keep_device,
    help="Where to compute: auto, numpy, opencl, all, a selector such as 0:1, or a part of a device's name; several "
    f"with commas. Default: {DEVICE_VARIABLE}, else auto. 'lfcore doctor' lists the devices.",
)


def parse_assignments(assignments: Sequence[str]) -> Mapping[str, Any]:
    """Nested overrides from ``section.key=value`` texts, values read as YAML.

    Raises ``UsageError`` for a text of another form, ``SettingsError`` for unknown keys and values of a wrong type.
    """
    import yaml

    from lfcore.settings import check_overrides

    overrides: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        parts = key.strip().split(".")
        if not equals or not all(parts):
            raise UsageError(f"--set '{assignment}': give section.key=value, for instance reconstruction.iterations=20")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise UsageError(f"--set '{assignment}': the value is not valid YAML") from error
        level = overrides
        for part in parts[:-1]:
            level = level.setdefault(part, {})
            if not isinstance(level, dict):
                raise UsageError(f"--set '{assignment}': '{part}' was given a plain value by another --set")
        level[parts[-1]] = value
    # Else the message would send its reader to dataset.yaml, where the mistake is not.
    check_overrides(overrides, "--set")
    return overrides


def require_own_folder(dataset: str, run_root: str) -> None:
    """Raise ``UsageError`` where a run would be written among the files of its data set."""
    if dataset == run_root:
        raise UsageError(f"{run_root}: is the data set itself; give RUN a folder of its own")
