"""``lfcore doctor``: what this machine has."""

import json

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
        click.echo(f"OpenCL      {', '.join(facts['opencl']['devices']) or 'no device'}: {facts['opencl']['note']}")
        click.echo(f"storage     {facts['storage']['path']}: {facts['storage']['note']}")
        click.echo(f"AWS         credentials: {facts['aws']['note']}")
    if not facts["storage"]["usable"]:
        raise UnavailableError(f"{facts['storage']['path']}: cannot be used for storage; {facts['storage']['note']}")
