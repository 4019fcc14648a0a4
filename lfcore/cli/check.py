"""``lfcore check``: settings against files, and what would be computed."""

import math
from typing import TYPE_CHECKING

import click

from lfcore.cli.costs import chosen_prices, cost_options, offer_lines
from lfcore.cli.options import dataset_argument, parse_assignments, set_option

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lfcore.calibration.model import Calibration
    from lfcore.stages.check import Finding
    from lfcore.stages.dataset import DataSet, InputFile, Role

WHITE_AND_DARK: "tuple[Role, Role]" = ("radiometry", "dark")


@click.command()
@dataset_argument
@click.option("--plot", type=click.Path(dir_okay=False), help="PNG file to write: resolution against depth.")
@cost_options
@set_option
def check(
    dataset: str,
    plot: str | None,
    machines: int,
    deadline: float | None,
    region: str,
    prices: str,
    assignments: tuple[str, ...],
) -> None:
    """Validate the settings of DATASET against its files, and say what a run would compute and cost.

    It also says what the microscope resolves at each depth, and proposes where to sample the volume.
    """
    from lfcore.stages.check import check as check_dataset
    from lfcore.stages.cost import Recording, Wishes, offers
    from lfcore.stages.dataset import examine

    found = examine(dataset, parse_assignments(assignments))
    table = chosen_prices(prices, region)
    # The lattice of a large frame takes seconds: what is known already comes first.
    _show(_files(found))
    finding = check_dataset(found)
    _show(_volume(found, finding))
    click.echo()
    recording = Recording(found.settings, found.frame_shape, len(found.frames()))
    offered = offers(recording, table, Wishes(region, machines, deadline))
    for line in [*_costs(finding), "", *offer_lines(offered, region, deadline), "", *_advice(finding)]:
        click.echo(line)
    if plot is not None and finding.advice is not None:
        _write(plot, finding.advice.picture())
    for warning in finding.warnings:
        click.echo(f"Warning: {warning}", err=True)


def _show(facts: list[tuple[str, str]]) -> None:
    for label, text in facts:
        click.echo(f"{label:<12} {text}")


def _files(found: "DataSet") -> list[tuple[str, str]]:
    height, width = found.frame_shape
    white, dark = (_frames(found.of(role)) for role in WHITE_AND_DARK)
    return [
        ("data set", found.path),
        ("frames", f"{len(found.frames())} of {height} x {width} px in {len(found.of('light_field'))} files"),
        ("white, dark", f"{white} and {dark} frames"),
    ]


def _volume(found: "DataSet", finding: "Finding") -> list[tuple[str, str]]:
    calibration, settings = finding.calibration, found.settings
    planes = settings.volume.planes_um
    shape, voxel = (
        " x ".join(texts) for texts in (map(str, finding.grid.shape), (f"{um:.4g}" for um in finding.grid.voxel_um))
    )
    pitch, nominal = calibration.lattice.mean_pitch_px, settings.nominal_pitch_px
    return [
        ("lattice", _lattice(calibration)),
        ("pitch", f"{pitch:.3f} px (nominal {nominal:.3f}), rotation {calibration.lattice.rotation_deg:+.3f} degrees"),
        ("resampled to", f"{calibration.pixels_per_lenslet} pixels per lenslet"),
        ("volume", f"{shape} voxels (z, y, x) of {voxel} um, z from {min(planes):g} to {max(planes):g} um"),
        ("output", f"{settings.output.format}, {settings.output.dtype}, {finding.output_bytes / 1e9:.3g} GB raw"),
    ]


def _advice(finding: "Finding") -> list[str]:
    advice = finding.advice
    if advice is None:
        return ["no advice on sampling: the array lies in the pupil"]
    curve, proposal = advice.curve, advice.proposal
    rows = (
        ("z, um", [f"{z_um:.3g}" for z_um in curve.z_um]),
        ("across, um", [f"{1 / limit:.3g}" for limit in curve.band_limit]),
        ("along z, um", [f"{depth_um:.3g}" for depth_um in curve.depth_um]),
    )
    voxels = " x ".join(map(str, advice.shape))
    return [
        "shortest period that is resolved",
        *(f"{label:<12}" + "".join(f"{text:>6}" for text in texts) for label, texts in rows),
        "",
        f"{'proposed':<12} z from {-proposal.reach_um:g} to {proposal.reach_um:g} um in steps of {proposal.step_um:g}"
        f" um, {proposal.samples_per_lenslet} samples a lenslet: {voxels} voxels,"
        f" {math.prod(advice.shape) / math.prod(finding.grid.shape):.2g} times as many as set",
        *(f"{'':<12} {reason}" for reason in advice.reasons),
        *(f"{'as set':<12} {remark}" for remark in advice.remarks),
    ]


def _write(path: str, content: bytes) -> None:
    from lfcore.io import store

    store.write_bytes(path, content)
    click.echo(f"{path}: resolution against depth")


def _lattice(calibration: "Calibration") -> str:
    kind, source = calibration.lattice.kind, calibration.source.replace("_", " ")
    if kind == "none":
        return "none: each camera pixel stands for itself"
    counted = "lenslets" if kind == "square" else f"cells of two lenslets, {calibration.orientation} along the camera's"
    fitted = f"{calibration.inliers} lenslets measured" if calibration.inliers else "nothing measured"
    return f"{kind}, {calibration.rows} x {calibration.columns} {counted}; from the {source}, {fitted}"


def _frames(files: "Iterable[InputFile]") -> int:
    return sum(file.image.frames for file in files if file.image)


def _costs(finding: "Finding") -> list[str]:
    lines = [f"{'stage':<12} {'items':>7} {'s an item':>10} {'s in all':>10} {'memory, GiB':>12}"]
    for stage, cost in finding.estimates.items():
        items, seconds = cost["items"], cost["seconds_per_item"]
        memory = cost["memory_bytes"] / 2**30
        lines.append(f"{stage:<12} {items:>7} {seconds:>10.2f} {items * seconds:>10.1f} {memory:>12.2f}")
    return [*lines, "(estimates for the numpy back end on one core of a server)"]
