"""Small files of a run, written and removed by Airflow's tasks, in a local folder or an object store."""

import uuid
from pathlib import Path


def write_whole(path: str, content: bytes) -> None:
    """Write a file so that nobody sees half of it; object stores do that by themselves."""
    if "://" in path:
        from upath import UPath  # fsspec takes a third of a second to import, and only object stores need it

        UPath(path).write_bytes(content)
        return
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    part.write_bytes(content)
    part.replace(target)


def remove(path: str) -> None:
    """Remove a file, where it is there."""
    if "://" in path:
        from upath import UPath  # as above

        UPath(path).unlink(missing_ok=True)
        return
    Path(path).unlink(missing_ok=True)


def read(path: str) -> bytes | None:
    """A file's content; none where there is no such file."""
    try:
        if "://" in path:
            from upath import UPath  # as above

            return UPath(path).read_bytes()
        return Path(path).read_bytes()
    except FileNotFoundError:
        return None
