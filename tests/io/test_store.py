"""Storage: atomic writes, natural order, odd names, a disk that is really full, and the same on S3."""

import hashlib
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from lfcore.errors import DataError, SettingsError, TemporaryError
from lfcore.io import store

ODD_NAME = "a [b]{c} d#e%20f é?*"


def test_what_is_written_is_read_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = f"{tmp_path}/{ODD_NAME}/x.bin"
    store.write_bytes(path, b"one")
    store.write_bytes(path, b"two")
    assert store.read_bytes(path) == b"two"
    assert [file.name for file in Path(path).parent.iterdir()] == ["x.bin"]


def test_files_are_found_in_natural_order_below_an_odd_root(tmp_path: Path) -> None:
    root = f"{tmp_path}/{ODD_NAME}"
    for name in ("raw/f10.tif", "raw/f9.tif", "raw/f1.tif", "raw/f1.txt", "raw/deep/f2.tif"):
        store.write_bytes(f"{root}/{name}", b"")
    assert store.glob(root, "raw/*.tif") == [f"{root}/raw/f{number}.tif" for number in (1, 9, 10)]
    assert store.glob(root, "**/f?.tif") == [f"{root}/raw/{name}" for name in ("deep/f2.tif", "f1.tif", "f9.tif")]
    assert store.glob(root, "nothing/*.tif") == []


def test_a_pattern_that_is_none_is_a_settings_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no file pattern"):
        store.glob(str(tmp_path), "/absolute/*")


def test_a_missing_file_is_named() -> None:
    with pytest.raises(DataError, match=r"^/nowhere/x: not found"):
        store.read_bytes("/nowhere/x")


def test_checksum_follows_content(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    expected = hashlib.blake2b(b"abc", digest_size=16).hexdigest()
    assert store.facts(str(path)) == store.FileFacts(3, expected)


def test_deleting_twice_is_no_error(tmp_path: Path) -> None:
    store.write_bytes(f"{tmp_path}/x", b"")
    store.delete(f"{tmp_path}/x")
    store.delete(f"{tmp_path}/x")
    assert not store.exists(f"{tmp_path}/x")


WRITE_A_MEGABYTE = """
import sys
from lfcore.errors import TemporaryError
from lfcore.io import store
try:
    store.write_bytes(sys.argv[1], bytes(1 << 20))
except TemporaryError as error:
    sys.exit(str(error))
"""


def _limit_file_size() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 18, 1 << 18))


def _no_limit() -> None:
    """The mounted disk is small by itself."""


def _mount_small_disk(folder: Path) -> bool:
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    return os.geteuid() == 0 and subprocess.run(mount, check=False, capture_output=True).returncode == 0


@pytest.mark.parametrize("kind", ["small disk", "limited file size"])
def test_a_full_disk_leaves_the_old_file_and_no_rest(tmp_path: Path, kind: str, request: pytest.FixtureRequest) -> None:
    folder, limit = tmp_path / "disk", _limit_file_size
    if kind == "small disk":
        if not _mount_small_disk(folder):
            pytest.skip("mounting a small disk needs root")
        request.addfinalizer(lambda: subprocess.run(["umount", str(folder)], check=True))
        limit = _no_limit
    path = folder / "x"
    store.write_bytes(str(path), b"old")
    done = subprocess.run(
        [sys.executable, "-c", WRITE_A_MEGABYTE, str(path)],
        check=False,
        capture_output=True,
        text=True,
        preexec_fn=limit,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"{path}: disk full")
    assert "free space and run again" in done.stderr
    assert path.read_bytes() == b"old"
    assert [file.name for file in folder.iterdir()] == ["x"]


def test_an_interrupted_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        store.write_bytes(f"{tmp_path}/x", b"abc")
    assert list(tmp_path.iterdir()) == []


def test_other_failures_of_storage_are_temporary() -> None:
    with pytest.raises(TemporaryError, match="run again"), store.explained("x"):
        raise ConnectionResetError("reset by peer")


def test_an_object_store_does_the_same(s3_bucket: str) -> None:
    root = f"{s3_bucket}/odd [x] #é"
    for name in ("raw/f10.tif", "raw/f9.tif", "raw/deep/f2.tif", "other/f1.tif"):
        store.write_bytes(f"{root}/{name}", name.encode())
    assert store.glob(root, "raw/*.tif") == [f"{root}/raw/f9.tif", f"{root}/raw/f10.tif"]
    short = ("other/f1.tif", "raw/deep/f2.tif", "raw/f9.tif")
    assert store.glob(root, "**/f?.tif") == [f"{root}/{name}" for name in short]
    assert store.read_bytes(f"{root}/raw/f9.tif") == b"raw/f9.tif"
    paths = [f"{root}/raw/f9.tif", f"{root}/missing"]
    assert store.read_many(paths) == {paths[0]: b"raw/f9.tif"}
    assert store.facts(paths[0]) == store.FileFacts(10, hashlib.md5(b"raw/f9.tif").hexdigest())
    assert store.exists(paths[0])
    assert not store.exists(paths[1])
    store.delete(paths[0])
    store.delete(paths[0])
    assert not store.exists(paths[0])
    with pytest.raises(DataError, match="not found"):
        store.read_bytes(paths[0])
