"""``lfcore doctor``: what this machine has."""

import json
from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

import click

from lfcore.cli.options import Location
from lfcore.errors import UnavailableError


@click.command()
@click.option("--storage", type=Location(), help="Folder or prefix to try writing to; default: the temporary folder.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
def doctor(storage: str | None, as_json: bool) -> None:
    """Say what this machine has: versions, threads, OpenCL, storage and AWS access. Exit code 69 if storage fails."""
    from lfcore.stages.doctor import examine_machine

    facts = examine_machine(storage)
    if as_json:
        click.echo(json.dumps(facts, indent=1))
    else:
        versions = ", ".join(f"{name} {version or 'not installed'}" for name, version in facts["libraries"].items())
        click.echo(f"lfcore      {facts['lfcore']} on Python {facts['python']}, {facts['system']}")
        click.echo(f"libraries   {versions}")
        click.echo(f"processors  {facts['processors']}; {'; '.join(facts['linear_algebra'])}")
        for label, line in zip_longest(["OpenCL"], opencl_lines(facts["opencl"]), fillvalue=""):
            click.echo(f"{label:<11} {line}")
        click.echo(f"storage     {facts['storage']['path']}: {facts['storage']['note']}")
        click.echo(f"AWS         credentials: {facts['aws']['note']}")
    if not facts["storage"]["usable"]:
        raise UnavailableError(f"{facts['storage']['path']}: cannot be used for storage; {facts['storage']['note']}")


def opencl_lines(facts: Mapping[str, Any]) -> list[str]:
    """A line a device: what it is, and whether it may be used."""
    lines = [_device_line(device) for device in facts["devices"]]
    picked = facts["auto"][0] if facts["auto"] else "none of them, numpy computes"
    return [*lines, *filter(None, [facts["note"]]), f"--device auto picks {picked}"]


def _device_line(device: Mapping[str, Any]) -> str:
    matrix_units = ", matrix units" if device["has_matrix_units"] else ""
    verdict = f"refused: {device['refused']}" if device["refused"] else "usable"
    return (
        f"{device['selector']} {device['name']} ({device['platform']}, driver {device['driver']}): {device['kind']}, "
        f"{device['memory_bytes'] / 1e9:.1f} GB, {device['compute_units']} compute units{matrix_units}; {verdict}"
    )
