"""Routes that give whole files: HTML, the page's own scripts and styles, and a run's report and pictures."""

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import PlainTextResponse, Response

from lfcore.contracts import Stage
from lightfield_page import answers, served
from lightfield_page.access import Identifier, may_read_logs, may_read_run
from lightfield_page.asked import AskedPaths, AskedRun, SharedTools
from lightfield_page.joblog import job_log

router = APIRouter()

REPORT_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'"
)
"""The report is a file that jobs have written: shown as a page of nobody's, which can run and fetch nothing."""


@router.get("/")
def home(request: Request) -> Response:
    """The list of runs."""
    return answers.whole(served.shell("home.html"), "text/html", request)


@router.get("/run")
def run_page(request: Request, run_id: Identifier, allowed: Annotated[None, Depends(may_read_run)]) -> Response:
    """One run."""
    return answers.whole(served.shell("run.html"), "text/html", request)


@router.get("/static/{name}")
def static(request: Request, name: str) -> Response:
    """A script or style of the page."""
    found = served.static_file(name)
    if found is None:
        raise HTTPException(404, "there is no such file")
    return answers.whole(*found, request)


@router.get("/report")
async def report(request: Request, run: AskedPaths, tools: SharedTools) -> Response:
    """The run's report."""
    content = await tools.do(served.of_run, run, run.report_html)
    return answers.whole(content, "text/html", request, {"Content-Security-Policy": REPORT_POLICY})


@router.get("/picture/lattice.png")
async def lattice(request: Request, run: AskedPaths, tools: SharedTools) -> Response:
    """The lattice over the calibration image."""
    return answers.whole(await tools.do(served.of_run, run, run.lattice_picture), "image/png", request)


@router.get("/log", dependencies=[Depends(may_read_logs)])
async def log(
    run: AskedRun, stage: Stage, slice_: Annotated[int, Query(alias="slice", ge=0, lt=10_000)], tools: SharedTools
) -> PlainTextResponse:
    """The log of a slice's newest Batch job."""
    return PlainTextResponse(await tools.do(job_log, run.dag_id, run.run_id, stage, slice_))
