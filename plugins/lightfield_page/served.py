"""Files that are given to browsers: those of this package by a list, those of a run if they lie in the run."""

from pathlib import Path

from lfcore.contracts import RunPaths
from lfcore.io import store
from lfcore.stages.look import NotThereError

STATIC = Path(__file__).with_name("static")
MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
LARGEST_FILE = 64 << 20


def shell(name: str) -> bytes:
    """The HTML around what scripts will show."""
    return (STATIC / name).read_bytes()


def static_file(name: str) -> tuple[bytes, str] | None:
    """Content and media type of one of the package's own files; None for any other name."""
    # The name is compared and never becomes a path.
    for file in STATIC.iterdir():
        if file.name == name and file.suffix in MEDIA_TYPES and file.is_file():
            return file.read_bytes(), MEDIA_TYPES[file.suffix]
    return None


def of_run(run: RunPaths, path: str) -> bytes:
    """A file of a run. Raises ``NotThereError`` when it is not there, too large, or leads out of the run."""
    name = path.removeprefix(run.root.rstrip("/") + "/")
    if store.is_local(path):
        real = Path(path).resolve()
        if not real.is_relative_to(Path(run.root).resolve()) or not real.is_file():
            raise NotThereError(f"{name} is not there yet")
        path = str(real)
    elif not store.exists(path):
        raise NotThereError(f"{name} is not there yet")
    with store.open_binary(path) as file:
        content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise NotThereError(f"{name} is too large to be shown here")
    return content
