"""A data set: its settings and its files, checked against each other before anything is computed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

from lfcore.contracts import join
from lfcore.errors import DataError
from lfcore.io import sources, store
from lfcore.settings import Settings, parse_settings

SETTINGS_FILE = "dataset.yaml"
FILES_AT_ONCE = 8
Role = Literal["light_field", "radiometry", "dark"]


@dataclass(frozen=True)
class InputFile:
    """One file of a data set; ``image`` is None, and ``problem`` says why, when it cannot be read."""

    role: Role
    path: str
    size: int
    checksum: str
    image: sources.ImageFacts | None
    problem: str | None


@dataclass(frozen=True)
class DataSet:
    """Settings and files of a data set that belong together; ``frame_shape`` is (y, x) in pixels."""

    path: str
    settings: Settings
    files: tuple[InputFile, ...]
    frame_shape: tuple[int, int]

    def of(self, role: Role) -> tuple[InputFile, ...]:
        """The files of one role, in natural order."""
        return tuple(file for file in self.files if file.role == role)

    def frames(self) -> list[tuple[InputFile, int]]:
        """Every light field frame as (file, index in it); a file that cannot be read counts as one."""
        counts = ((file, file.image.frames if file.image else 1) for file in self.of("light_field"))
        return [(file, index) for file, count in counts for index in range(count)]


def read_settings(dataset: str, overrides: Mapping[str, Any] | None = None) -> Settings:
    """The settings in a data set's ``dataset.yaml``, with ``overrides`` laid over them.

    Raises ``DataError`` when the file is not there, ``SettingsError`` for what is wrong in it.
    """
    path = join(dataset, SETTINGS_FILE)
    content = store.read_many([path])
    if not content:
        raise DataError(f"{dataset}: holds no {SETTINGS_FILE}; 'lfcore init {dataset}' writes a commented one")
    try:
        text = content[path].decode()
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not a text file in UTF-8; 'lfcore init' writes a commented template") from error
    return parse_settings(text, path, overrides)


def examine(dataset: str, overrides: Mapping[str, Any] | None = None) -> DataSet:
    """Find the files that the settings name and read their headers.

    Light field files that cannot be read are kept, to be set aside later, as long as one can be read. Raises
    ``DataError`` when a pattern matches nothing, sizes differ, or white or dark frames cannot be read.
    """
    settings = read_settings(dataset, overrides)
    files = tuple(file for role in ("light_field", "radiometry", "dark") for file in _files(dataset, settings, role))
    return DataSet(dataset, settings, files, _common_shape(files))


def _files(dataset: str, settings: Settings, role: Role) -> list[InputFile]:
    pattern = getattr(settings.images, role)
    if pattern is None:
        return []
    paths = store.glob(dataset, pattern)
    if not paths:
        raise DataError(f"images.{role}: '{pattern}' matches no file below {dataset}; check the pattern and the folder")
    with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
        files = list(pool.map(lambda path: _input_file(role, path), paths))
    bad = [file for file in files if file.problem]
    if bad and (role != "light_field" or len(bad) == len(files)):
        raise DataError(bad[0].problem)
    return files


def _input_file(role: Role, path: str) -> InputFile:
    facts = store.facts(path)
    try:
        image = sources.inspect(path)
    except DataError as error:
        return InputFile(role, path, facts.size, facts.checksum, None, str(error))
    return InputFile(role, path, facts.size, facts.checksum, image, None)


def _common_shape(files: Sequence[InputFile]) -> tuple[int, int]:
    """The one shape that all readable images have: light field, white and dark."""
    shapes = {file.path: file.image.shape for file in files if file.image}
    frames = [file.image.shape for file in files if file.image and file.role == "light_field"]
    common = Counter(frames).most_common(1)[0][0]
    usual = next(path for path, shape in shapes.items() if shape == common)
    for path, shape in shapes.items():
        if shape != common:
            sizes = f"is {shape[0]} x {shape[1]} px (y, x), but {usual} is {common[0]} x {common[1]} px"
            remedy = _binned(path, shape, usual, common) or "all images of a data set must be of one size"
            raise DataError(f"{path}: {sizes}; {remedy}")
    return common


def _binned(path: str, shape: tuple[int, int], other_path: str, other: tuple[int, int]) -> str:
    """What to say when one image is a whole number of times smaller than the other; empty when none is."""
    for small, large, culprit in ((shape, other, path), (other, shape, other_path)):
        factor = round(large[0] / small[0])
        # A camera drops the rows and columns that a division leaves over.
        if factor > 1 and all(length // factor == binned for length, binned in zip(large, small, strict=True)):
            return f"{culprit} looks binned by {factor}; take all images with the same binning"
    return ""
