"""Files behind path strings: local, or any object store that fsspec knows (``s3://bucket/key``).

A local write is atomic: the bytes go to a temporary name in the same folder, are flushed to the
disk and then take the final name. An object store's puts are atomic by themselves.
"""

import contextlib
import hashlib
import os
import re
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from lfcore.errors import DISK_IS_FULL, DataError, LfcoreError, SettingsError, TemporaryError, UnavailableError

HASH_BLOCK_BYTES = 1 << 20
REQUESTS_AT_ONCE = 16


@dataclass(frozen=True)
class FileFacts:
    """What identifies a file's content: size in bytes, and a checksum (BLAKE2b; an object store's ETag)."""

    size: int
    checksum: str


def is_local(path: str) -> bool:
    """Whether ``path`` is a plain path of this machine's file system."""
    return "://" not in path


@contextlib.contextmanager
def explained(path: str) -> Iterator[None]:
    """Turn the failures of storage below into one-line errors that name ``path``.

    Raises ``DataError`` (not there, not allowed), ``TemporaryError`` (full disk, lost connection),
    ``UnavailableError`` (no credentials or no such file system).
    """
    try:
        yield
    except LfcoreError:
        raise
    except FileNotFoundError as error:
        raise DataError(f"{path}: not found; check the path") from error
    except (IsADirectoryError, NotADirectoryError) as error:
        raise DataError(f"{path}: a folder stands where a file is expected, or the reverse; check the path") from error
    except PermissionError as error:
        raise DataError(f"{path}: access denied; check the permissions ({error})") from error
    except OSError as error:
        if error.errno in DISK_IS_FULL:
            raise TemporaryError(f"{path}: disk full ({error.strerror}); free space and run again") from error
        raise TemporaryError(f"{path}: {error}; run again") from error
    except ImportError as error:
        raise UnavailableError(f"{path}: {error}; install what this kind of storage needs") from error
    except Exception as error:
        if type(error).__module__.startswith("botocore"):
            raise UnavailableError(f"{path}: {error}; check credentials and connection") from error
        raise


def read_bytes(path: str) -> bytes:
    """The whole content of a file. Raises ``DataError`` when it is not there."""
    with explained(path):
        if is_local(path):
            return Path(path).read_bytes()
        return cast(bytes, _file_system(path).cat_file(path))


def read_many(paths: Sequence[str]) -> dict[str, bytes]:
    """The contents of those of ``paths`` that exist."""
    if len(paths) <= 1 or all(map(is_local, paths)):
        contents = [_read_if_there(path) for path in paths]
    else:
        with ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:
            contents = list(pool.map(_read_if_there, paths))
    return {path: content for path, content in zip(paths, contents, strict=True) if content is not None}


def write_bytes(path: str, content: bytes) -> None:
    """Write a file so that no reader ever sees a part of it. Folders are made as needed.

    Raises ``TemporaryError`` on a full disk, leaving nothing under ``path``.
    """
    with explained(path):
        if is_local(path):
            _replace_local(Path(path), content)
        else:
            _file_system(path).pipe_file(path, content)


def exists(path: str) -> bool:
    """Whether a file, folder or prefix is there."""
    with explained(path):
        return Path(path).exists() if is_local(path) else bool(_file_system(path).exists(path))


def existing(paths: Sequence[str]) -> list[str]:
    """Those of ``paths`` that are there."""
    if all(map(is_local, paths)):
        return [path for path in paths if exists(path)]
    with ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:
        return [path for path, there in zip(paths, pool.map(exists, paths), strict=True) if there]


def delete(path: str) -> None:
    """Remove a file; one that is not there is no error."""
    with explained(path), contextlib.suppress(FileNotFoundError):
        if is_local(path):
            Path(path).unlink()
        else:
            _file_system(path).rm_file(path)


def glob(root: str, pattern: str) -> list[str]:
    """Files below ``root`` that match ``pattern`` (``*``, ``?``, ``[…]``, ``**``), in natural order.

    ``root`` is taken as it is, whatever characters it holds. Raises ``SettingsError`` for a pattern that is none.
    """
    with explained(root):
        found = _glob_local(root, pattern) if is_local(root) else _glob_remote(root, pattern)
    return sorted(found, key=natural_key)


def listing(folder: str) -> dict[str, float]:
    """Files directly in a folder or prefix, by name, with the time of their last change in seconds since 1970.

    Files with a hidden name, among them those that are still being written, are left out; a folder that is not there
    is empty.
    """
    with explained(folder), contextlib.suppress(FileNotFoundError, NotADirectoryError):
        found = _listing_local(folder) if is_local(folder) else _listing_remote(folder)
        return {name: changed for name, changed in found if not name.startswith(".")}
    return {}


def natural_key(text: str) -> list[tuple[int, int, str]]:
    """Sort key under which ``frame_10`` follows ``frame_9``."""
    return [(0, int(part), part) if part.isdigit() else (1, 0, part) for part in re.findall(r"[0-9]+|[^0-9]+", text)]


def facts(path: str) -> FileFacts:
    """Size and checksum of a file."""
    with explained(path):
        if not is_local(path):
            info = _file_system(path).info(path)
            return FileFacts(int(info["size"]), str(info.get("ETag", info.get("mtime", ""))).strip('"'))
        digest, size = hashlib.blake2b(digest_size=16), 0
        with Path(path).open("rb") as file:
            while block := file.read(HASH_BLOCK_BYTES):
                digest.update(block)
                size += len(block)
        return FileFacts(size, digest.hexdigest())


def open_binary(path: str) -> BinaryIO:
    """A file open for reading, seekable, local or remote."""
    with explained(path):
        return Path(path).open("rb") if is_local(path) else cast(BinaryIO, _file_system(path).open(path, "rb"))


def _read_if_there(path: str) -> bytes | None:
    with explained(path), contextlib.suppress(FileNotFoundError, IsADirectoryError):
        if is_local(path):
            return Path(path).read_bytes()
        return cast(bytes, _file_system(path).cat_file(path))
    return None


def _replace_local(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _glob_local(root: str, pattern: str) -> list[str]:
    try:
        files = [path for path in Path(root).glob(pattern) if path.is_file()]
    except (ValueError, NotImplementedError) as error:
        raise SettingsError(f"'{pattern}': is no file pattern ({error}); use *, ?, [...] and ** as a part") from error
    return [f"{root.rstrip('/')}/{path.relative_to(root).as_posix()}" for path in files]


def _listing_local(folder: str) -> list[tuple[str, float]]:
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            # One may be taken away meanwhile.
            with contextlib.suppress(FileNotFoundError):
                if entry.is_file():
                    found.append((entry.name, entry.stat().st_mtime))
    return found


def _listing_remote(folder: str) -> list[tuple[str, float]]:
    entries = _file_system(folder).ls(folder, detail=True)
    return [
        (str(entry["name"]).rpartition("/")[2], entry["LastModified"].timestamp())
        for entry in entries
        if entry["type"] == "file"
    ]


def _glob_remote(root: str, pattern: str) -> list[str]:
    from fsspec.utils import glob_translate

    file_system = _file_system(root)
    fixed = re.split(r"[*?\[]", pattern, maxsplit=1)[0].rpartition("/")[0]
    base = f"{str(file_system._strip_protocol(root)).rstrip('/')}/"
    matches = re.compile(glob_translate(pattern)).match
    names = (str(name).removeprefix(base) for name in file_system.find(base + fixed))
    return [f"{root.rstrip('/')}/{name}" for name in names if matches(name)]


def _file_system(path: str) -> Any:  # noqa: ANN401  # fsspec is untyped
    from fsspec.core import url_to_fs

    # Without the listings cache, what another job has written since is seen.
    return url_to_fs(path, use_listings_cache=False)[0]
