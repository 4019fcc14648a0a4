import os
import random
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from lfcore.contracts import RunPaths, Stage
from lfcore.io import store
from lfcore.settings import REQUIRED_KEYS
from lightfield.discovery import Look, Searcher, Survey, find_problem
from lightfield.request import check_request, write_plan_item

YAML = yaml.safe_dump(dict(REQUIRED_KEYS)).encode()


def make(folder: Path, frames: int = 2, settings: bytes = YAML) -> Path:
    (folder / "raw").mkdir(parents=True)
    (folder / "dataset.yaml").write_bytes(settings)
    for index in range(frames):
        (folder / "raw" / f"f{index}.tif").write_bytes(b"frame")
    return folder


def survey(*roots: Path | str, settings: dict[str, Any] | None = None, outputs: tuple[str, ...] = ()) -> Survey:
    return Searcher(settings or {}, time.time(), outputs).survey(map(str, roots))


def look(folder: Path, settings: dict[str, Any] | None = None) -> Look:
    return survey(folder, settings=settings).looks[str(folder)]


def names(found: Survey, root: Path) -> list[str]:
    return [str(Path(dataset).relative_to(root)) for dataset in found.looks]


def test_every_data_set_is_found_and_nothing_else(tmp_path: Path) -> None:
    for name in ("a", "deep/er/b", "deep/é 3", "a/inside"):
        make(tmp_path / name)
    make(tmp_path / ".hidden/c")
    make(tmp_path / "runs/transforms/d")
    make(tmp_path / "runs/a-1/e")
    (tmp_path / "runs/a-1/run.json").write_text("{}")
    make(tmp_path / "/".join("123456789") / "too deep")
    (tmp_path / "folder/dataset.yaml").mkdir(parents=True)
    found = survey(tmp_path)
    assert names(found, tmp_path) == ["a", "a/inside", "deep/er/b", "deep/é 3"]
    assert found.unreadable == {}


def test_links_that_run_in_circles_and_lead_twice_to_one_place_are_harmless(tmp_path: Path) -> None:
    real = make(tmp_path / "a")
    (real / "raw/again").symlink_to(real)
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        for other in ("x", "y"):
            (tmp_path / folder / other).symlink_to(tmp_path / other)
    (tmp_path / "x/up").symlink_to(tmp_path)
    (tmp_path / "z").symlink_to(real)
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing")
    (tmp_path / "myself").symlink_to("myself")
    assert names(survey(tmp_path, tmp_path), tmp_path) == ["a"]


def test_a_root_that_cannot_be_read_does_not_stop_the_others(tmp_path: Path) -> None:
    make(tmp_path / "good/a")
    (tmp_path / "file").touch()
    found = survey(tmp_path / "missing", tmp_path / "file", tmp_path / "good")
    assert names(found, tmp_path) == ["good/a"]
    assert found.roots_read == [str(tmp_path / "good")]
    assert set(found.unreadable) == {str(tmp_path / "missing"), str(tmp_path / "file")}
    assert "No such file" in found.unreadable[str(tmp_path / "missing")]


@pytest.mark.parametrize(
    "change",
    ["add", "remove", "rename", "grow", "touch a frame", "settings", "overrides"],
)
def test_what_changes_the_signature(tmp_path: Path, change: str) -> None:
    folder = make(tmp_path / "a")
    before = look(folder).signature
    frame = folder / "raw/f0.tif"
    match change:
        case "add":
            (folder / "raw/f9.tif").write_bytes(b"")
        case "remove":
            frame.unlink()
        case "rename":
            frame.rename(frame.with_name("g.tif"))
        case "grow":
            facts = frame.stat()
            frame.write_bytes(b"longer")
            os.utime(frame, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        case "touch a frame":
            os.utime(frame, (1, 1))
        case "settings":
            (folder / "dataset.yaml").write_bytes(YAML + b"output: {dtype: uint16}\n")
    settings = {"reconstruction": {"iterations": 3}} if change == "overrides" else None
    assert look(folder, settings).signature != before


def test_what_does_not_change_the_signature(tmp_path: Path) -> None:
    folder = make(tmp_path / "a")
    before = look(folder).signature
    os.utime(folder / "dataset.yaml", (1, 1))
    (folder / ".DS_Store").touch()
    (folder / "out").mkdir()
    (folder / "out/run.json").touch()
    request = check_request({"dataset": str(folder), "run": str(folder / "asked for")}, "x", {})
    write_plan_item(request)
    for output in ("transforms/1/kernels", "runs/nightly/summary.json", "elsewhere/x/y"):
        (folder / output).parent.mkdir(parents=True)
        (folder / output).touch()
    found = survey(folder, outputs=(str(folder / "elsewhere"),))
    assert found.looks[str(folder)].signature == before
    assert look(make(tmp_path / "b")).signature != before


def test_files_that_only_copies_could_have_are_no_news_and_the_future_is_no_age(tmp_path: Path) -> None:
    folder = make(tmp_path / "a")
    for path in (*folder.glob("raw/*"), folder / "dataset.yaml"):
        os.utime(path, (1000, 1000))
    assert look(folder).newest == 1000
    os.utime(folder / "raw/f0.tif", (time.time() + 1e8,) * 2)
    assert look(folder).newest == 1000
    os.utime(folder / "dataset.yaml", (2000, 2000))
    assert look(folder).newest == 2000


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (b"microscope: {", "not valid YAML"),
        (b"\xff\xfe", "is not a text file in UTF-8"),
        (b"just words", "holds no settings"),
        (YAML + b"volumes: {}\n", "unknown key 'volumes'"),
        (YAML.replace(b"raw/*.tif", b"raw/*.tiff"), "images.light_field: 'raw/*.tiff' matches no file"),
        (YAML.replace(b"raw/*.tif", b"raw/***.tif"), "is no file pattern"),
    ],
)
def test_what_is_broken_at_sight(tmp_path: Path, settings: bytes, said: str) -> None:
    problem = look(make(tmp_path / "a", settings=settings)).problem
    assert problem is not None
    assert said in problem
    assert "\n" not in problem


def test_overrides_may_mend_what_is_broken(tmp_path: Path) -> None:
    folder = make(tmp_path / "a", settings=YAML.replace(b"raw/*.tif", b"raw/*.png"))
    assert look(folder, {"images": {"light_field": "raw/*.tif"}}).problem is None


def test_a_name_that_a_request_cannot_hold_is_broken(tmp_path: Path) -> None:
    assert "must be an absolute path" in str(look(make(tmp_path / "a\nb")).problem)


def test_patterns_match_as_they_do_in_the_pipeline(tmp_path: Path) -> None:
    generator = random.Random(7)
    letters = ["a", "b1", "[x]", "raw"]
    for _ in range(60):
        path = tmp_path.joinpath(
            *generator.choices(letters, k=generator.randint(1, 3)), f"{generator.choice('fgh')}.tif"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    files = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()]
    patterns = ["*", "?", "**", "raw", "b[0-9]", "a*", "[[]x[]]", "."]
    for _ in range(150):
        parts = [*generator.choices(patterns, k=generator.randint(0, 3)), generator.choice(["*.tif", "f.tif", "q*"])]
        text = YAML.replace(b"raw/*.tif", b"'" + "/".join(parts).encode() + b"'")
        problem = find_problem(str(tmp_path), text, files, {})
        assert (problem is None) == bool(store.glob(str(tmp_path), "/".join(parts))), parts


def test_prefixes_are_searched_like_folders(tmp_path: Path, s3_bucket: str) -> None:
    from upath import UPath

    make(tmp_path / "a")
    make(tmp_path / "deep/é 3", settings=b"x: 1")
    make(tmp_path / "runs/r/no")
    (tmp_path / "runs/r/run.json").touch()
    for path in tmp_path.rglob("*"):
        if path.is_file():
            UPath(f"{s3_bucket}/data/{path.relative_to(tmp_path)}").write_bytes(path.read_bytes())
    (UPath(s3_bucket) / "data/a/raw/").fs.pipe(f"{s3_bucket}/data/a/raw/", b"")
    root = f"{s3_bucket}/data"
    found = survey(f"{root}/", f"{s3_bucket}/other", root)
    assert list(found.looks) == [f"{root}/a", f"{root}/deep/é 3"]
    assert list(found.unreadable) == [f"{s3_bucket}/other"]
    first = found.looks[f"{root}/a"]
    assert first.problem is None
    assert abs(first.newest - time.time()) < 100
    assert "missing key 'microscope'" in str(found.looks[f"{root}/deep/é 3"].problem)
    searcher = Searcher({}, time.time())
    assert searcher.look_again([f"{root}/a"]) == {f"{root}/a": first}
    UPath(f"{root}/a/raw/f0.tif").write_bytes(b"other")
    assert searcher.look_again([f"{root}/a"])[f"{root}/a"].signature != first.signature


def test_a_data_set_that_goes_away_between_two_looks_is_left_out(tmp_path: Path) -> None:
    folder = make(tmp_path / "a")
    searcher = Searcher({}, time.time())
    assert list(searcher.survey([str(tmp_path)]).looks) == [str(folder)]
    shutil.rmtree(folder)
    assert searcher.look_again([str(folder)]) == {}


def test_many_data_sets_and_many_frames_take_seconds(tmp_path: Path) -> None:
    make(tmp_path / "large", frames=10_000)
    for index in range(1000):
        make(tmp_path / f"{index // 100}" / f"{index}", frames=1)
    began = time.process_time()
    found = survey(tmp_path)
    assert len(found.looks) == 1001
    # A tenth of it is usual; a call for each file and data set, or all pairs of them, would take minutes.
    assert time.process_time() - began < 60


def test_a_run_that_is_only_asked_for_is_a_run(tmp_path: Path) -> None:
    make(tmp_path / "run/x")
    path = Path(RunPaths(str(tmp_path / "run")).items(Stage.PLAN))
    path.parent.mkdir()
    path.touch()
    assert survey(tmp_path).looks == {}
