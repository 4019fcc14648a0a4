"""What a request works with: the run that it names, and threads and memory that all requests share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, ParamSpec, TypeVar

import anyio
import anyio.to_thread
from airflow.utils.session import create_session
from fastapi import Depends, Request

from lfcore.contracts import RunPaths
from lfcore.stages.keep import Keep
from lfcore.stages.look import Look, NotThereError
from lightfield_page.access import Identifier, may_read_run
from lightfield_page.runs import AirflowRun, find_run

HEAVY_AT_ONCE = 4
PROGRESS_STAYS_S = 2.0
Result = TypeVar("Result")
Parameters = ParamSpec("Parameters")


@dataclass(frozen=True)
class Tools:
    """What all requests share: few threads, none of them Airflow's own, and what was read a moment ago."""

    look: Look = field(default_factory=Look)
    progress: Keep[dict[str, Any]] = field(default_factory=lambda: Keep(64, PROGRESS_STAYS_S))
    limiter: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(HEAVY_AT_ONCE))

    async def do(
        self, work: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Result:
        """The result of ``work``, done in a thread, when one is free."""
        return await anyio.to_thread.run_sync(partial(work, *args, **kwargs), limiter=self.limiter)


def tools_of(request: Request) -> Tools:
    """The application's tools."""
    tools = request.app.state.tools
    assert isinstance(tools, Tools)
    return tools


SharedTools = Annotated[Tools, Depends(tools_of)]


def asked_run(dag_id: Identifier, run_id: Identifier, allowed: Annotated[None, Depends(may_read_run)]) -> AirflowRun:
    """The run, for a user who may read it."""
    with create_session(scoped=False) as session:
        run = find_run(session, dag_id, run_id)
    if run is None:
        raise NotThereError("there is no such run; it may have been deleted")
    return run


AskedRun = Annotated[AirflowRun, Depends(asked_run)]


def asked_paths(run: AskedRun) -> RunPaths:
    """The run's folder or prefix."""
    if run.paths is None:
        raise NotThereError("this run's request holds no folder; it was refused, or is none for a reconstruction")
    return run.paths


AskedPaths = Annotated[RunPaths, Depends(asked_paths)]
