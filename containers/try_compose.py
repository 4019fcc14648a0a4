"""``make compose-test``: builds the images, starts ``docker-compose.yaml``, and reconstructs synthetic data with it.

Without a Docker engine nothing is tried, and a line says why. Where no registry is reachable, the base images are made
from Debian's packages, which needs root and debootstrap. The environment's PIP_INDEX_URL and PIP_CERT reach the builds.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from containers.engine import Engine, NoEngineError, find_engine
from demo.airflow_api import AirflowApi, summarise
from demo.layout import DAG_ID, LOCALHOST, REPOSITORY, USER, free_port
from demo.verdict import join, judge_files, judge_volume
from lfcore.contracts import RunPaths, Stage

READY_S = 300
RUN_S = 900
RUN_ID = "compose"
WORKER, BATCH, AIRFLOW = (f"lightfield-test-{name}" for name in ("worker", "batch", "airflow"))
DEBIAN, POSTGRES = "debian:bookworm-slim", "postgres:16"
STAND_INS = {DEBIAN: "lightfield-test-debian", POSTGRES: "lightfield-test-postgres"}
SERVICES = {"airflow-init", "api-server", "batch", "dag-processor", "postgres", "scheduler", "triggerer"}
STARTED = time.monotonic()


class FaultError(RuntimeError):
    """The deployment does not do what it should."""


def say(text: str) -> None:
    """A line with the time since the start."""
    print(f"[{time.monotonic() - STARTED:4.0f} s] {text}", flush=True)


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Say how long it took."""
    begun = time.monotonic()
    yield
    say(f"{what}: {time.monotonic() - begun:.1f} s")


def base_images(engine: Engine) -> tuple[str, str]:
    """Names of the images of Debian and Postgres: those of the registry, or stand-ins where it is out of reach."""
    debian = DEBIAN
    if not engine.has(DEBIAN) and not engine.pulls(DEBIAN):
        debian = STAND_INS[DEBIAN]
        if not engine.has(debian):
            with timed("stand-in for Debian's image"):
                subprocess.run([REPOSITORY / "tests/containers/base_image.sh", debian], check=True)
    if engine.has(POSTGRES) or engine.pulls(POSTGRES):
        return debian, POSTGRES
    with timed("stand-in for Postgres' image"):
        engine.build(STAND_INS[POSTGRES], "tests/containers/postgres.Dockerfile", None, debian)
    return debian, STAND_INS[POSTGRES]


def build(engine: Engine, debian: str) -> None:
    """Build the images of the project."""
    for image, dockerfile, target in (
        (WORKER, "containers/Dockerfile", "cpu"),
        (BATCH, "containers/Dockerfile", "batch"),
        (AIRFLOW, "containers/airflow.Dockerfile", None),
    ):
        with timed(f"image {target or 'airflow'}"):
            engine.build(image, dockerfile, target, debian)
        say(f"  {engine.size_bytes(image) / 1e6:.0f} MB")


def make_env(folder: Path, postgres: str) -> dict[str, str]:
    """What ``.env`` holds, as users make it, and what is different in this test."""
    data, file = folder / "data", folder / "env"
    environment = os.environ | {"LIGHTFIELD_DATA": str(data)}
    subprocess.run([REPOSITORY / "containers/make_env.sh", file], env=environment, check=True)
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    written = dict(line.split("=", 1) for line in lines)
    port = str(free_port())
    return written | {
        "AIRFLOW_IMAGE": AIRFLOW,
        "AIRFLOW_PORT": port,
        "BATCH_IMAGE": BATCH,
        "POSTGRES_IMAGE": postgres,
    }


def simulate(engine: Engine, choices: dict[str, str]) -> None:
    """Make the data set with the worker's image, confined as the job will be."""
    volume = f"{choices['LIGHTFIELD_DATA']}:/data"
    confined = ("--rm", "--read-only", "--cap-drop", "ALL", "--user", choices["LIGHTFIELD_USER"], "--volume", volume)
    engine.docker("run", *confined, WORKER, "simulate", "/data/beads", "--frames", "4", "--seed", "1")


def wait_until_healthy(engine: Engine, project: str) -> None:
    """Wait until every service is healthy. Raises ``FaultError`` when one ends, or after ``READY_S``."""
    deadline = time.monotonic() + READY_S
    while True:
        states = {name: state for name, state in engine.states(project).items() if name != "airflow-init"}
        if all(state == "healthy" for state in states.values()):
            return
        if time.monotonic() > deadline or {"exited", "unhealthy", "restarting"} & set(states.values()):
            raise FaultError(f"not all services are healthy: {states}")
        time.sleep(1)


def check_confinement(engine: Engine, project: str) -> None:
    """Raises ``FaultError`` for a service that may do more than it needs."""
    services = engine.inspect(project)
    if set(services) != SERVICES:
        raise FaultError(f"services are {sorted(services)}, not {sorted(SERVICES)}")
    for name, service in services.items():
        host = service["HostConfig"]
        ports = [port for ports in (host["PortBindings"] or {}).values() for port in ports]
        wrong = {
            "is privileged": host["Privileged"],
            "keeps capabilities": host["CapDrop"] != ["ALL"] or host["CapAdd"],
            "may gain privileges": "no-new-privileges:true" not in host["SecurityOpt"],
            "has a writable root": not host["ReadonlyRootfs"],
            "runs as root": service["Config"]["User"].partition(":")[0] in {"", "0", "root"},
            "is published beyond this machine": any(port["HostIp"] != LOCALHOST for port in ports),
            "keeps its log for ever": not host["LogConfig"]["Config"].get("max-size"),
        }
        for fault in (text for text, is_wrong in wrong.items() if is_wrong):
            raise FaultError(f"{name} {fault}")
    for host_name, port in (("postgres", 5432), ("api-server", 8080)):
        connects = f"import socket; socket.create_connection(('{host_name}', {port}), 3)"
        if engine.succeeds("exec", services["batch"]["Id"], "python3", "-c", connects):
            raise FaultError(f"a job can reach {host_name}")
    say("every service is confined, and jobs reach neither database nor api-server")


def follow(api: AirflowApi) -> None:
    """Trigger the DAG and wait until its run ends. Raises ``FaultError`` when it fails or takes too long."""
    api.trigger(DAG_ID, RUN_ID, {"dataset": "/data/beads", "job_minutes": 0.01})
    deadline, shown = time.monotonic() + RUN_S, ""
    while (state := api.run_state(DAG_ID, RUN_ID)) in {"queued", "running"}:
        line = summarise(api.task_instances(DAG_ID, RUN_ID), list(Stage))
        if line != shown:
            say(line)
            shown = line
        if time.monotonic() > deadline:
            raise FaultError(f"the run has not ended after {RUN_S} s")
        time.sleep(1)
    if state != "success":
        failed = [task["task_id"] for task in api.task_instances(DAG_ID, RUN_ID) if task["state"] == "failed"]
        raise FaultError(f"the run failed in {', '.join(failed)}")


def judge(data: Path, user: str) -> None:
    """Raises ``FaultError`` unless the beads are found in the volume, and files belong to whom they should."""
    [run] = (data / "runs").glob("beads-*")
    paths = RunPaths(str(run))
    verdict = join(judge_volume(data / "beads", run), judge_files(Path(paths.ome_zarr), Path(paths.report_html)))
    for line in verdict.lines:
        say(line)
    owner = Path(paths.report_html).stat().st_uid
    faults = [*verdict.faults, *([] if str(owner) == user.partition(":")[0] else [f"the report belongs to {owner}"])]
    if faults:
        raise FaultError("; ".join(faults))


def try_deployment(engine: Engine, folder: Path) -> None:
    """From nothing to a reconstruction. Raises ``FaultError``, ``TimeoutError`` or ``CalledProcessError``."""
    debian, postgres = base_images(engine)
    build(engine, debian)
    choices = make_env(folder, postgres)
    with timed("synthetic data set"):
        simulate(engine, choices)
    project = f"lightfieldtest{os.getpid()}"
    with engine.deployment(project, choices, say):
        with timed("up and healthy"):
            engine.compose("up", "--detach", "--no-build")
            wait_until_healthy(engine, project)
        check_confinement(engine, project)
        api = AirflowApi(f"http://{LOCALHOST}:{choices['AIRFLOW_PORT']}", USER, choices["AIRFLOW_ADMIN_PASSWORD"])
        api.wait_until_ready(DAG_ID, lambda: None, READY_S)
        with timed("run"):
            follow(api)
        judge(Path(choices["LIGHTFIELD_DATA"]), choices["LIGHTFIELD_USER"])
        say(engine.memory(project))


def main() -> int:
    """Try it; the process's exit code is returned."""
    try:
        engine = find_engine()
    except NoEngineError as reason:
        print(f"compose-test: skipped: {reason}")
        return 0
    try:
        with tempfile.TemporaryDirectory(prefix="lightfield-") as folder:
            Path(folder).chmod(0o755)
            try_deployment(engine, Path(folder))
    except (FaultError, TimeoutError, RuntimeError, subprocess.CalledProcessError) as error:
        say(f"FAILED: {error}")
        return 1
    say("everything stopped and removed, but the images")
    return 0


if __name__ == "__main__":
    sys.exit(main())
