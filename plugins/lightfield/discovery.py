"""Data sets below roots: where they are, what identifies their content, and what is wrong with them at sight.

Outputs are no data: runs (``run.json`` or ``plan/plan.jsonl``), transforms and the nightly's own records are passed by.
"""

import hashlib
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, TypeVar

from lfcore.contracts import fingerprint
from lfcore.errors import SettingsError
from lfcore.settings import Settings, parse_settings
from lightfield.folders import Entry, Identity, identify, list_folder, read_file
from lightfield.params import PATH_HINT, PATH_PATTERN

SETTINGS_FILE = "dataset.yaml"
DEEPEST = 8
"""Levels of folders that are searched below a root, and below a data set."""
LISTINGS_AT_ONCE = 16
SIGNATURE_FORMAT = 1
"""Raised when signatures of an earlier version mean something else."""
A_DAY_S = 86400.0
Result = TypeVar("Result")


@dataclass(frozen=True)
class Look:
    """What one look at a data set saw: ``newest`` is the time of its youngest file, s since 1970.

    ``signature`` changes with ``dataset.yaml``, with the name, size or time of any file, and with the overrides;
    ``problem`` is why no run of it can succeed, in one line.
    """

    dataset: str
    signature: str
    newest: float
    problem: str | None


@dataclass
class Survey:
    """The data sets below some roots by their paths, and the folders that could not be read, with the reason."""

    looks: dict[str, Look] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    roots_read: list[str] = field(default_factory=list)


class Searcher:
    """Looks for data sets; ``settings`` overrides each ``dataset.yaml``, ``outputs`` are folders to pass by.

    A folder that links lead to twice is searched once, and circles of links end at the folder they come back to.
    """

    def __init__(self, settings: Mapping[str, Any], now: float, outputs: Sequence[str] = ()) -> None:
        self._settings = settings
        self._outputs = {path.rstrip("/") for path in outputs}
        # A file from the future says nothing about its age; a camera's clock may be wrong by years.
        self._latest = now + A_DAY_S
        self._seen: set[Identity] = set()
        self._survey = Survey()

    def survey(self, roots: Iterable[str]) -> Survey:
        """Search all ``roots``; one that cannot be read does not stop the others."""
        with ThreadPoolExecutor(LISTINGS_AT_ONCE) as pool:
            for root in dict.fromkeys(root.rstrip("/") for root in roots):
                self._search(root, pool)
        self._survey.looks = dict(sorted(self._survey.looks.items()))
        return self._survey

    def look_again(self, datasets: Iterable[str]) -> dict[str, Look]:
        """A further look at known data sets; one that cannot be read any more is left out."""
        with ThreadPoolExecutor(LISTINGS_AT_ONCE) as pool:
            looks = pool.map(self._guarded(lambda dataset: self._look(dataset, list(self._tree(dataset)))), datasets)
            return {look.dataset: look for look in looks if look}

    def _search(self, root: str, pool: ThreadPoolExecutor) -> None:
        """Search level by level, so that each level's folders are listed at once."""
        level = [root]
        for _ in range(DEEPEST + 1):
            level = [folder for folder in level if self._is_new(folder)]
            listings = pool.map(self._guarded(list_folder), level)
            found, following = [], []
            for folder, entries in zip(level, listings, strict=True):
                if entries is None:
                    continue
                if folder == root:
                    self._survey.roots_read.append(root)
                if any(entry.name == SETTINGS_FILE and not entry.is_folder for entry in entries):
                    found.append(folder)
                else:
                    following += self._folders_to_enter(folder, entries)
            for looks in pool.map(self._guarded(self._data_sets), found):
                self._survey.looks.update((look.dataset, look) for look in looks or [])
            level = following

    def _is_new(self, folder: str) -> bool:
        """Whether no other path has led to this folder; the search runs in one thread, only listings in many."""
        try:
            identity = identify(folder)
        except OSError:
            return True  # to be reported when it is listed
        if identity in self._seen or folder in self._survey.looks:
            return False
        if identity:
            self._seen.add(identity)
        return True

    def _guarded(self, work: Callable[[str], Result]) -> Callable[[str], Result | None]:
        """``work`` that notes what it cannot read, in place of raising it."""

        def guarded(folder: str) -> Result | None:
            try:
                return work(folder)
            except Exception as error:  # clients of object stores raise errors of almost any class
                self._survey.unreadable[folder] = " ".join(f"{type(error).__name__}: {error}".split())
                return None

        return guarded

    def _folders_to_enter(self, folder: str, entries: Sequence[Entry]) -> list[str]:
        """The folders below ``folder`` that may hold data; none below a run."""
        if _is_run(folder, entries):
            return []
        folders = (f"{folder}/{entry.name}" for entry in entries if entry.is_folder)
        return [path for path in folders if not self._is_output(path)]

    def _is_output(self, path: str) -> bool:
        above, name = posixpath.split(path)
        return (
            path in self._outputs
            or name == "transforms"
            or (name == "nightly" and (above in self._outputs or posixpath.basename(above) == "runs"))
        )

    def _data_sets(self, folder: str) -> list[Look]:
        """The data set in ``folder``, and those inside it."""
        files = list(self._tree(folder))
        inside = [name for name, _ in files if posixpath.basename(name) == SETTINGS_FILE]
        looks = []
        for place in map(posixpath.dirname, inside):
            below = f"{place}/" if place else ""
            its = [(name.removeprefix(below), entry) for name, entry in files if name.startswith(below)]
            looks.append(self._look(f"{folder}/{place}" if place else folder, its))
        return looks

    def _tree(self, folder: str) -> Iterator[tuple[str, Entry]]:
        """The files of a data set with their names relative to it."""
        return self._files_below(folder, "", list_folder(folder), frozenset({identify(folder)}))

    def _files_below(
        self, folder: str, prefix: str, entries: Sequence[Entry], above: frozenset[Identity | None]
    ) -> Iterator[tuple[str, Entry]]:
        """The files in ``entries`` of ``folder`` and deeper; ``above`` are the folders that have led here."""
        if _is_run(folder, entries):
            return
        for entry in entries:
            path, name = f"{folder}/{entry.name}", f"{prefix}{entry.name}"
            if not entry.is_folder:
                yield name, entry
            elif name.count("/") < DEEPEST and not self._is_output(path) and not self._is_circle(entry, above):
                yield from self._files_below(path, f"{name}/", list_folder(path), above | {entry.identity})

    @staticmethod
    def _is_circle(entry: Entry, above: frozenset[Identity | None]) -> bool:
        return entry.identity is not None and entry.identity in above

    def _look(self, dataset: str, files: Sequence[tuple[str, Entry]]) -> Look:
        text = read_file(posixpath.join(dataset, SETTINGS_FILE))
        digest = hashlib.sha256()
        for name, entry in sorted(files):
            # A touched dataset.yaml is no other data set; its text counts.
            if name != SETTINGS_FILE:
                digest.update(f"{name}\0{entry.size}\0{entry.stamp}\n".encode(errors="surrogatepass"))
        content = [SIGNATURE_FORMAT, dataset, hashlib.sha256(text).hexdigest(), digest.hexdigest(), self._settings]
        newest = max((entry.modified for _, entry in files if entry.modified <= self._latest), default=0.0)
        problem = find_problem(dataset, text, [name for name, _ in files], self._settings)
        return Look(dataset, fingerprint(content), newest, problem)


def find_problem(dataset: str, text: bytes, names: Sequence[str], overrides: Mapping[str, Any]) -> str | None:
    """Why no run of a data set can succeed, as far as its settings and the names of its files show; else nothing."""
    path = posixpath.join(dataset, SETTINGS_FILE)
    if not re.fullmatch(PATH_PATTERN, dataset):
        return f"{dataset!r}: must be {PATH_HINT}; rename it"
    try:
        settings = parse_settings(text.decode(), path, overrides)
        return _unmatched(dataset, settings, names)
    except UnicodeDecodeError:
        return f"{path}: is not a text file in UTF-8; 'lfcore init' writes a commented template"
    except SettingsError as error:
        return str(error)


def _unmatched(dataset: str, settings: Settings, names: Sequence[str]) -> str | None:
    """The first pattern of ``images`` that matches none of ``names``, in a sentence."""
    for role in ("light_field", "radiometry", "dark"):
        pattern = getattr(settings.images, role)
        if pattern is not None and not any(map(_matcher(pattern), names)):
            return f"images.{role}: '{pattern}' matches no file below {dataset}; check the pattern and the folder"
    return None


def _matcher(pattern: str) -> Callable[[str], object]:
    """A test whether a relative name matches; raises ``SettingsError`` for a pattern that is none."""
    from fsspec.utils import glob_translate  # takes a third of a second, and only tasks need it

    try:
        return re.compile(glob_translate(PurePosixPath(pattern).as_posix())).match
    except (ValueError, re.error) as error:
        raise SettingsError(f"'{pattern}': is no file pattern ({error}); use *, ?, [...] and ** as a part") from error


def _is_run(folder: str, entries: Sequence[Entry]) -> bool:
    """Whether a folder is a run: planned, or asked for."""
    names = {entry.name: entry.is_folder for entry in entries}
    if names.get("run.json") is False:
        return True
    return bool(names.get("plan")) and any(entry.name == "plan.jsonl" for entry in list_folder(f"{folder}/plan"))
