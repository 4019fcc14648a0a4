"""What lies in a folder or below a prefix: one listing a folder, whatever it holds, and never a call for each file."""

import os
import stat
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

Identity = tuple[int, int]
"""Device and number of a folder on this machine, which tell that two paths lead to one folder."""


class Entry(NamedTuple):
    """A file or folder.

    ``size`` is in bytes, ``stamp`` changes with the content (time in ns, or an ETag), ``modified`` is in s since 1970.
    """

    name: str
    is_folder: bool
    size: int
    stamp: str
    modified: float
    identity: Identity | None


def list_folder(path: str) -> list[Entry]:
    """The entries of a folder or prefix, by name; hidden ones, and links that lead nowhere, are left out.

    Raises ``OSError`` when it is not there or cannot be read, and whatever an object store's client raises.
    """
    entries = _list_remote(path) if "://" in path else _list_local(path)
    return sorted(entry for entry in entries if not entry.name.startswith("."))


def read_file(path: str) -> bytes:
    """The content of a file; raises what `list_folder` does."""
    if "://" not in path:
        return Path(path).read_bytes()
    file_system, place = _file_system(path)
    return bytes(file_system.cat_file(place))


def identify(path: str) -> Identity | None:
    """What tells a local folder from all others; nothing for a prefix."""
    if "://" in path:
        return None
    facts = Path(path).stat()
    return facts.st_dev, facts.st_ino


def _list_local(path: str) -> Iterator[Entry]:
    with os.scandir(path) as entries:
        for entry in entries:
            try:
                facts = entry.stat()
            except OSError:  # a link that leads nowhere or in a circle, or a file that is gone again
                continue
            is_folder = stat.S_ISDIR(facts.st_mode)
            if is_folder or stat.S_ISREG(facts.st_mode):
                identity = (facts.st_dev, facts.st_ino) if is_folder else None
                size, stamp = (0, "") if is_folder else (facts.st_size, str(facts.st_mtime_ns))
                yield Entry(entry.name, is_folder, size, stamp, facts.st_mtime, identity)


def _list_remote(path: str) -> Iterator[Entry]:
    file_system, root = _file_system(path)
    for facts in file_system.ls(root, detail=True):
        inside = str(facts["name"]).rstrip("/").removeprefix(f"{root.rstrip('/')}/")
        # Some programs put an empty object in place of the folder itself.
        if inside and "/" not in inside:
            yield _remote_entry(inside, facts)


def _remote_entry(name: str, facts: dict[str, Any]) -> Entry:
    if facts["type"] == "directory":
        return Entry(name, True, 0, "", 0.0, None)
    written = facts.get("LastModified") or facts.get("created") or facts.get("mtime")
    modified = written.timestamp() if isinstance(written, datetime) else float(written or 0)
    stamp = str(facts.get("ETag") or modified).strip('"')
    return Entry(name, False, int(facts["size"] or 0), stamp, modified, None)


def _file_system(path: str) -> tuple[Any, str]:
    """The file system behind ``path``, and what it calls it."""
    from fsspec.core import url_to_fs  # takes a third of a second, and only object stores need it

    # Without the listings cache, the second look sees what was written since the first.
    file_system, place = url_to_fs(path, use_listings_cache=False)
    return file_system, str(place)
