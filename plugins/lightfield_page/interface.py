"""Routes that the page's scripts ask: JSON, and pictures as plain numbers."""

import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.utils.session import create_session
from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from lfcore.contracts import RunPaths
from lfcore.io import store
from lfcore.stages.keep import Keep
from lfcore.stages.look import Axis
from lfcore.stages.watch import Cost, Frames, Prices, RunProgress, quarantine, residuals, watch
from lightfield_page import answers
from lightfield_page.asked import AskedPaths, AskedRun, SharedTools
from lightfield_page.runs import AirflowRun, jobs_at_work, recent_runs

CPU_PRICE_VARIABLE = "LIGHTFIELD_DOLLARS_PER_CPU_JOB_HOUR"
GPU_PRICE_VARIABLE = "LIGHTFIELD_DOLLARS_PER_GPU_JOB_HOUR"
LARGEST_NUMBER = 10**9
NOTHING: dict[str, Any] = {
    "settings_hash": None,
    "frames": asdict(Frames(0, 0, 0, 0)),
    "stages": [],
    "seconds_left": None,
    "cost": asdict(Cost(0.0, 0.0, None, "the run has no folder")),
    "failures": [],
    "has": {"volume": False, "lattice": False, "report": False},
}
"""The progress of a run whose request was refused."""

Number = Annotated[int, Query(ge=0, le=LARGEST_NUMBER)]


router = APIRouter(prefix="/api")


@router.get("/runs")
def runs(user: GetUserDep, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> JSONResponse:
    """The newest runs that the user may read."""
    readable = get_auth_manager().get_authorized_dag_ids(user=user, method="GET")
    with create_session(scoped=False) as session:
        return JSONResponse({"runs": [_row(run) for run in recent_runs(session, readable, limit)]})


@router.get("/progress")
async def progress(run: AskedRun, tools: SharedTools) -> JSONResponse:
    """How far the run has come."""
    from_files = NOTHING if run.paths is None else await tools.do(_kept_progress, tools.progress, run.paths)
    at_work = await tools.do(_at_work, run)
    return JSONResponse(_about(run) | _with_jobs(from_files, at_work))


@router.get("/residuals")
async def residual_curves(run: AskedPaths, tools: SharedTools) -> JSONResponse:
    """How the solver went, for some of the frames."""
    found = await tools.do(residuals, run)
    curves = [{"frame": frame, "residuals": curve} for frame, curve in found.curves]
    return JSONResponse({"curves": curves, "frames_done": found.frames_done, "median": found.median})


@router.get("/quarantine")
async def quarantine_rows(
    run: AskedPaths, tools: SharedTools, offset: Number = 0, limit: Annotated[int, Query(ge=1, le=500)] = 100
) -> JSONResponse:
    """What was set aside, and why."""
    total, rows = await tools.do(quarantine, run, offset, limit)
    return JSONResponse({"total": total, "rows": [asdict(row) for row in rows]})


@router.get("/volume")
async def volume(run: AskedPaths, tools: SharedTools) -> JSONResponse:
    """What the volumes are, and which are there."""
    return JSONResponse(asdict(await tools.do(tools.look.facts, run)))


@router.get("/slice")
async def slice_(
    request: Request, run: AskedPaths, tools: SharedTools, t: Number, axis: Axis, index: Number
) -> Response:
    """One slice of one frame."""
    return answers.pixels(await tools.do(tools.look.slice, run, t, axis, index), request)


@router.get("/projection")
async def projection(request: Request, run: AskedPaths, tools: SharedTools, t: Number, axis: Axis) -> Response:
    """The maximum along an axis of one frame."""
    return answers.pixels(await tools.do(tools.look.projection, run, t, axis), request)


def prices(environment: Mapping[str, str] = os.environ) -> Prices:
    """What this installation pays, if it says so."""
    return Prices(_price(environment, CPU_PRICE_VARIABLE), _price(environment, GPU_PRICE_VARIABLE))


def _price(environment: Mapping[str, str], name: str) -> float | None:
    try:
        return float(environment[name])
    except (KeyError, ValueError):
        return None


def _row(run: AirflowRun) -> dict[str, Any]:
    return _identity(run) | {
        "start": run.start.isoformat() if run.start else None,
        "end": run.end.isoformat() if run.end else None,
    }


def _identity(run: AirflowRun) -> dict[str, Any]:
    folder = run.paths.root if run.paths else None
    return {"dag_id": run.dag_id, "run_id": run.run_id, "state": run.state, "dataset": run.dataset, "run": folder}


def _about(run: AirflowRun) -> dict[str, Any]:
    return _identity(run) | {"requested": run.conf}


def _at_work(run: AirflowRun) -> dict[str, int]:
    with create_session(scoped=False) as session:
        return jobs_at_work(session, run)


def _kept_progress(kept: Keep[dict[str, Any]], run: RunPaths) -> dict[str, Any]:
    """Many who look at one run are served by one look at its files."""
    return kept.get(run.root, lambda: _from_files(run, watch(run, prices())))


def _from_files(run: RunPaths, found: RunProgress) -> dict[str, Any]:
    there = store.existing([run.ome_zarr, run.lattice_picture, run.report_html])
    is_tiff = found.record is not None and found.record.settings.output.format == "ome-tiff"
    return {
        "settings_hash": found.record.hash if found.record else None,
        "frames": asdict(found.frames),
        "stages": [asdict(stage) for stage in found.stages],
        "seconds_left": found.seconds_left,
        "cost": asdict(found.cost),
        "failures": [asdict(failure) for failure in found.failures],
        "has": {
            "volume": found.frames.done > 0 if is_tiff else run.ome_zarr in there,
            "lattice": run.lattice_picture in there,
            "report": run.report_html in there,
        },
    }


def _with_jobs(from_files: dict[str, Any], at_work: dict[str, int]) -> dict[str, Any]:
    stages = [stage | {"running_jobs": at_work.get(stage["stage"], 0)} for stage in from_files["stages"]]
    return from_files | {"stages": stages}
