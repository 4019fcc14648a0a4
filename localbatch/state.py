"""The state folder: one JSON file a job and a registered job definition, written atomically; one server at a time."""

import fcntl
import json
import logging
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from localbatch.errors import ConfigurationError


class StateFolder:
    """Everything that outlives the server."""

    def __init__(self, root: Path) -> None:
        """Make or open the folder and lock it; raises ``ConfigurationError`` where another server has it."""
        self.root = root.resolve()
        try:
            for folder in (self._jobs, self._definitions):
                folder.mkdir(parents=True, exist_ok=True)
            self._lock = (self.root / "lock").open("w", encoding="ascii")
        except OSError as error:
            raise ConfigurationError(f"{root}: cannot hold state: {error.strerror}; name another --state") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigurationError(f"{root}: in use by another server; stop it or name another --state") from error
        _remove_unfinished(self.root)

    @property
    def logs(self) -> Path:
        """Folder of the log streams."""
        return self.root / "logs"

    @property
    def scratch(self) -> Path:
        """Folder of the folders in which jobs run."""
        return self.root / "scratch"

    def clear_scratch(self) -> None:
        """Remove what the jobs of a killed server left behind."""
        shutil.rmtree(self.scratch, ignore_errors=True)

    @property
    def _jobs(self) -> Path:
        return self.root / "jobs"

    @property
    def _definitions(self) -> Path:
        return self.root / "definitions"

    def write_port(self, port: int) -> None:
        """Tell other programs where the server listens: the file ``port``."""
        _write(self.root / "port", str(port))

    def save_job(self, job_id: str, state: Mapping[str, Any]) -> None:
        """Store a job; ids are the server's own, a UUID and for a child ``:index``."""
        _write(self._jobs / f"{job_id.replace(':', '.')}.json", json.dumps(state))

    def jobs(self) -> Iterator[dict[str, Any]]:
        """All stored jobs."""
        yield from _read_all(self._jobs)

    def save_definition(self, name: str, revision: int, state: Mapping[str, Any]) -> None:
        """Store one revision of a job definition, whose name was checked."""
        _write(self._definitions / f"{name}.{revision}.json", json.dumps(state))

    def definitions(self) -> Iterator[dict[str, Any]]:
        """All stored job definitions."""
        yield from _read_all(self._definitions)


def _write(path: Path, content: str) -> None:
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_text(content, encoding="utf-8")
    unfinished.replace(path)


def _read_all(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob("*.json")):
        try:
            yield json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ConfigurationError(f"{path}: is damaged ({error}); remove it or the whole state folder") from error


def _remove_unfinished(root: Path) -> None:
    for path in root.rglob("*.part"):
        logging.getLogger(__name__).warning("%s: removed, the server ended while writing it", path.name)
        path.unlink()
