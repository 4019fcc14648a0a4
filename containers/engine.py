"""What a test asks of a Docker engine and of compose."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from demo.layout import REPOSITORY

SERVICE_LABEL = "com.docker.compose.service"
PROJECT_LABEL = "com.docker.compose.project"


class NoEngineError(RuntimeError):
    """There is no engine, or no client that can do what is needed."""


class Engine:
    """An engine that answers, a client that builds with BuildKit, and compose."""

    def __init__(self, client: str, compose: list[str]) -> None:
        self._client = client
        self._compose = compose
        self._environment = os.environ | {"DOCKER_BUILDKIT": "1"}

    def docker(self, *arguments: str) -> str:
        """Run a command of the client; what it printed. Raises ``RuntimeError`` with the end of its complaint."""
        return self._run([self._client, *arguments])

    def compose(self, *arguments: str) -> str:
        """Run a command of compose in the deployment. Raises ``RuntimeError`` as `docker`."""
        return self._run([*self._compose, *arguments])

    def succeeds(self, *arguments: str) -> bool:
        """Whether a command of the client ends well."""
        return subprocess.run([self._client, *arguments], capture_output=True, check=False).returncode == 0

    def has(self, image: str) -> bool:
        """Whether the engine has an image."""
        return self.succeeds("image", "inspect", image)

    def pulls(self, image: str) -> bool:
        """Whether a registry gives an image."""
        return self.succeeds("pull", "--quiet", image)

    def build(self, image: str, dockerfile: str, target: str | None, debian: str) -> None:
        """Build an image of the project. Raises ``RuntimeError`` as `docker`."""
        options = ["--tag", image, "--file", dockerfile, "--build-arg", f"DEBIAN={debian}"]
        if target:
            options += ["--target", target]
        if index := os.environ.get("PIP_INDEX_URL"):
            options += ["--build-arg", f"PIP_INDEX_URL={index}"]
        if certificates := os.environ.get("PIP_CERT"):
            options += ["--secret", f"id=certificates,src={certificates}"]
        self.docker("build", *options, ".")

    def size_bytes(self, image: str) -> int:
        """Size of an image, layers that others share included."""
        return int(self.docker("image", "inspect", "--format", "{{.Size}}", image))

    def inspect(self, project: str) -> dict[str, dict[str, Any]]:
        """What the engine knows of each service's container, by the service's name."""
        found = self.docker("ps", "--all", "--quiet", "--filter", f"label={PROJECT_LABEL}={project}").split()
        containers: list[dict[str, Any]] = json.loads(self.docker("inspect", *found))
        return {container["Config"]["Labels"][SERVICE_LABEL]: container for container in containers}

    def states(self, project: str) -> dict[str, str]:
        """Health of each service, or its state where it does not run."""
        states = {name: container["State"] for name, container in self.inspect(project).items()}
        return {
            name: state["Health"]["Status"] if state["Status"] == "running" and "Health" in state else state["Status"]
            for name, state in states.items()
        }

    def memory(self, project: str) -> str:
        """Memory of each running container, in one line."""
        running = self.docker("ps", "--quiet", "--filter", f"label={PROJECT_LABEL}={project}").split()
        lines = self.docker("stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}", *running).splitlines()
        return "memory: " + ", ".join(" ".join(line.split()[:2]) for line in lines)

    @contextmanager
    def deployment(self, project: str, choices: dict[str, str], say: Callable[[str], None]) -> Iterator[None]:
        """Where `compose` belongs to ``project``; the ends of its logs are shown on failure, and all is removed."""
        self._environment |= choices | {"COMPOSE_PROJECT_NAME": project}
        try:
            yield
        except BaseException:
            say(self.compose("logs", "--no-color", "--tail", "20"))
            raise
        finally:
            self.compose("down", "--volumes", "--timeout", "60")

    def _run(self, command: list[str]) -> str:
        ended = subprocess.run(
            command, cwd=REPOSITORY, env=self._environment, capture_output=True, text=True, check=False
        )
        if ended.returncode:
            complaint = "\n".join((ended.stderr or ended.stdout).splitlines()[-20:])
            raise RuntimeError(f"{' '.join(command[:3])} ended with {ended.returncode}:\n{complaint}")
        return ended.stdout


def find_engine() -> Engine:
    """The engine of this machine. Raises ``NoEngineError``, which says what is missing."""
    clients = [path for folder in os.get_exec_path() if os.access(path := str(Path(folder, "docker")), os.X_OK)]
    if not clients:
        raise NoEngineError("there is no docker client; install Docker, or Debian's docker.io and docker-compose")
    client = next(filter(_builds, clients), None)
    if client is None:
        raise NoEngineError("the docker client has no BuildKit; install its plugin buildx")
    answer = subprocess.run(
        [client, "info", "--format", "{{.ServerErrors}}"], capture_output=True, text=True, check=False
    )
    if answer.returncode or "Cannot connect" in answer.stdout + answer.stderr:
        raise NoEngineError("no Docker engine answers; start dockerd")
    if _ends_well(client, "compose", "version"):
        return Engine(client, [client, "compose"])
    if compose := shutil.which("docker-compose"):
        return Engine(client, [compose])
    raise NoEngineError("there is neither 'docker compose' nor docker-compose; install one")


def _builds(client: str) -> bool:
    """Whether a client can build with BuildKit, which those before 23 have built in."""
    if _ends_well(client, "buildx", "version"):
        return True
    version = subprocess.run([client, "--version"], capture_output=True, text=True, check=False).stdout
    return int(version.split()[2].partition(".")[0]) < 23


def _ends_well(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
