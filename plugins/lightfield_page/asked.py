"""The run that a request names, and a place to work for it that leaves the api-server to others."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, ParamSpec, TypeVar

import anyio
import anyio.to_thread
from airflow.utils.session import create_session
from fastapi import Depends

from lfcore.contracts import RunPaths
from lfcore.stages.look import NotThereError
from lightfield_page.access import Identifier, may_read_run
from lightfield_page.runs import AirflowRun, find_run

HEAVY_AT_ONCE = 4
Result = TypeVar("Result")
Parameters = ParamSpec("Parameters")


class Workers:
    """Threads for what takes long: few, and none of those that Airflow answers its own requests with."""

    def __init__(self) -> None:
        self._limiter = anyio.CapacityLimiter(HEAVY_AT_ONCE)

    async def do(
        self, work: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Result:
        """The result of ``work``, which is given up when nobody waits for it and it has not begun."""
        return await anyio.to_thread.run_sync(partial(work, *args, **kwargs), limiter=self._limiter)


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
