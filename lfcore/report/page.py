"""The report: one self-contained HTML page, for a screen in light or dark, and for paper."""

import base64
from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

import jinja2

from lfcore.report.methods import REFERENCES, methods_text
from lfcore.report.words import Verdict, bytes_in_words, calibration_verdicts, number, seconds_in_words


class FrameCounts(TypedDict):
    """How many frames there were, and what became of them."""

    total: int
    done: int
    quarantined: int


class Input(TypedDict):
    """One input file or stack: ``role`` is light field, radiometry or dark."""

    role: str
    name: str
    frames: int
    bytes: int
    checksum: NotRequired[str]


class VolumeFacts(TypedDict):
    """The volumes written: ``shape`` and ``voxel_um`` are (z, y, x)."""

    path: str
    format: str
    dtype: str
    shape: tuple[int, int, int]
    voxel_um: tuple[float, float, float]


class Projections(TypedDict):
    """Maximum projections of one frame's volume, as PNG."""

    frame: int
    png: bytes


class Quarantined(TypedDict):
    """One item that could not be processed, and why."""

    stage: str
    item: str
    reason: str


class StageFacts(TypedDict):
    """Work of one stage, summed over its jobs; the peak is of the largest job."""

    stage: str
    items: int
    seconds: float
    peak_memory_bytes: int


class StageCost(TypedDict):
    """What one stage has cost: ``dollars`` is None where it is not known, and ``how`` says why or shows the sum."""

    stage: str
    machine: str
    market: str
    job_seconds: float
    attempts: int
    dollars: float | None
    how: str


class CostFacts(TypedDict):
    """What the run has cost; None where that is not known."""

    rows: list[StageCost]
    dollars: float | None
    dollars_per_frame: float | None


class Facts(TypedDict):
    """Everything on the page. Optional keys may be left out; then the page says so, or leaves their part out."""

    dataset: str
    run: str
    created: str
    settings_hash: str
    settings: Mapping[str, Any]
    frames: FrameCounts
    stages: list[StageFacts]
    quarantine: list[Quarantined]
    versions: Mapping[str, str]
    costs: NotRequired[CostFacts]
    inputs: NotRequired[list[Input]]
    volume: NotRequired[VolumeFacts]
    calibration: NotRequired[Mapping[str, Any]]
    nominal_pitch_px: NotRequired[float]
    relative_residual: NotRequired[float]
    frame_png: NotRequired[bytes]
    lattice_png: NotRequired[bytes]
    projections: NotRequired[list[Projections]]
    convergence_png: NotRequired[bytes]
    resolution_png: NotRequired[bytes]
    sampling_remarks: NotRequired[list[str]]


def render(facts: Facts) -> str:
    """The page as HTML; every text in ``facts`` is escaped.

    ``settings`` is ``Settings.model_dump(mode="json")``, ``calibration`` the content of ``calibration.json``,
    ``relative_residual`` the last iteration's, median over frames.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("lfcore.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "as_bytes": bytes_in_words,
        "as_seconds": seconds_in_words,
        "as_number": number,
        "data_url": _data_url,
    }
    optional = dict.fromkeys(Facts.__optional_keys__)
    calibration = facts.get("calibration")
    verdicts: list[Verdict] = []
    if calibration is not None:
        verdicts = calibration_verdicts(calibration, facts.get("nominal_pitch_px"))
    return environment.get_template("page.html.j2").render(
        **{**optional, **facts},
        verdicts=verdicts,
        methods=methods_text(facts["settings"], calibration),
        references=REFERENCES,
        settings_rows=list(_flattened(facts["settings"])),
    )


def _data_url(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _flattened(settings: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    """(dotted key, value in words) of every setting."""
    rows: list[tuple[str, str]] = []
    for key, value in settings.items():
        if isinstance(value, Mapping):
            rows += _flattened(value, f"{above}{key}.")
        else:
            rows.append((f"{above}{key}", "default" if value is None else str(value)))
    return rows
