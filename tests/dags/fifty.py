"""Fifty tiny data sets for a night: 30 new, 10 that an earlier night has done, 5 still growing, 5 broken.

The frames hold no images, so only the worker of ``fake_work.py`` can do them. By hand, beside a deployment::

    python tests/dags/fifty.py /data/fifty 600      # makes the tree, and lets five data sets grow for 600 s
"""

import contextlib
import itertools
import os
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from lfcore.settings import REQUIRED_KEYS
from lightfield import ledger
from lightfield.discovery import Searcher
from lightfield.ledger import Record, State

FRAMES = 3
AGE_S = 2 * 86400
BROKEN_SETTINGS = {
    "broken_key": yaml.safe_dump({**REQUIRED_KEYS, "volumes": {}}).encode(),
    "broken_yaml": b"microscope: {magnification: 20",
    "broken_number": yaml.safe_dump({**REQUIRED_KEYS, "camera": {"pixel_um": -1}}).encode(),
    "broken_pattern": yaml.safe_dump({**REQUIRED_KEYS, "images": {"light_field": "row/*.tif"}}).encode(),
    "broken_text": b"\xff\xfe\x00binary",
}


@dataclass(frozen=True)
class Fifty:
    """Paths of the data sets by kind."""

    new: list[str]
    unchanged: list[str]
    growing: list[str]
    broken: list[str]


def make_data_set(folder: Path, settings: bytes | None = None) -> str:
    """A data set of three frames that hold no image, with files that are two days old."""
    (folder / "raw").mkdir(parents=True)
    (folder / "dataset.yaml").write_bytes(settings or yaml.safe_dump(dict(REQUIRED_KEYS)).encode())
    for index in range(FRAMES):
        (folder / "raw" / f"frame_{index}.tif").write_bytes(f"{folder.name} {index}".encode())
    for path in folder.rglob("*"):
        make_old(path)
    return str(folder)


def make_old(path: Path) -> None:
    """Give a file the time that a copying program would give it: the original's."""
    then = time.time() - AGE_S
    os.utime(path, (then, then))


def make_fifty(root: Path) -> Fifty:
    """The tree below ``root``, in folders of several depths, and the ledger's records of the ten."""
    fifty = Fifty(
        [make_data_set(root / f"2026-{index % 3 + 1:02d}" / f"new_{index:02d}") for index in range(30)],
        [make_data_set(root / f"old_{index:02d}") for index in range(10)],
        [make_data_set(root / "today" / f"growing_{index}") for index in range(5)],
        [make_data_set(root / "today" / name, text) for name, text in BROKEN_SETTINGS.items()],
    )
    for look in Searcher({}, time.time()).look_again(fifty.unchanged).values():
        ledger.write(Record(look.dataset, look.signature, State.DONE, attempts=1))
    return fifty


@contextlib.contextmanager
def growing(datasets: list[str], pause_s: float = 0.1) -> Iterator[None]:
    """Let data sets grow by frames that carry old times, or, every other one, by bytes of one frame."""
    over = threading.Event()

    def grow() -> None:
        for step in itertools.count():
            for index, dataset in enumerate(datasets):
                path = Path(dataset, "raw", f"frame_{FRAMES + (step if index % 2 else 0)}.tif")
                with path.open("ab") as file:
                    file.write(b"more")
                make_old(path)
            if over.wait(pause_s):
                return

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


if __name__ == "__main__":
    made = make_fifty(Path(sys.argv[1]))
    with growing(made.growing, pause_s=1):
        time.sleep(float(sys.argv[2]))
