"""Camera frames from files: TIFF, single frames and stacks (multi-page, OME-TIFF, ImageJ), one channel.

A file is inspected by its headers alone; pixels are read one frame at a time.
"""

import contextlib
import logging
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Self

import numpy as np
import numpy.typing as npt
import tifffile

from lfcore.errors import DataError, LfcoreError
from lfcore.io import store

# What tifffile logs about damaged files is raised as an error here.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

Frame = npt.NDArray[Any]
"""One frame as the camera stored it: (y, x), integer or floating point."""


@dataclass(frozen=True)
class ImageFacts:
    """What a file's headers say: the number of frames, their shape (y, x) in pixels and their dtype."""

    frames: int
    shape: tuple[int, int]
    dtype: str


def inspect(path: str) -> ImageFacts:
    """Number, shape and dtype of the frames in a file, without reading pixels.

    Raises ``DataError`` when the file is not a usable image.
    """
    with _explained(path), contextlib.ExitStack() as files:
        tiff, _ = _open(path, files)
        page = _first_page(path, tiff)
        height, width = page.shape
        return ImageFacts(_frame_count(tiff, page), (int(height), int(width)), str(page.dtype))


class FrameReader:
    """Reads frames of one file after the other, as a context manager.

    A file stays open until another one is asked for: opening it walks through all its pages, which for each frame of
    a long stack anew would take longer than everything else.
    """

    def __init__(self) -> None:
        """Nothing is open yet."""
        self._path: str | None = None
        self._files = contextlib.ExitStack()

    def __enter__(self) -> Self:
        """The reader itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close what is open."""
        self.close()

    def close(self) -> None:
        """Close what is open; the reader can go on to be used."""
        self._path = None
        self._files.close()

    def read(self, path: str, index: int = 0) -> Frame:
        """Frame ``index`` of a file, (y, x), in the file's dtype.

        Raises ``DataError`` when the file is not a usable image, is cut short, or has fewer frames.
        """
        try:
            with _explained(path):
                if path != self._path:
                    self.close()
                    self._tiff, self._file = _open(path, self._files)
                    self._path = path
                return _read(path, self._tiff, self._file, index)
        except BaseException:
            self.close()
            raise


def read_frame(path: str, index: int = 0) -> Frame:
    """One frame of a file; see ``FrameReader.read``."""
    with FrameReader() as reader:
        return reader.read(path, index)


def read_mean(paths: list[str]) -> npt.NDArray[np.float64]:
    """Mean over all frames of all files, float64 (y, x).

    Raises ``DataError`` when a file cannot be read or the shapes differ.
    """
    total: npt.NDArray[np.float64] | None = None
    frames = 0
    places = [(path, index) for path in paths for index in range(inspect(path).frames)]
    with FrameReader() as reader:
        for path, index in places:
            frame = reader.read(path, index).astype(np.float64)
            if total is None:
                total = np.zeros_like(frame)
            if frame.shape != total.shape:
                sizes = f"is {_size(frame.shape)}, but {paths[0]} is {_size(total.shape)}"
                raise DataError(f"{path}: {sizes}; use images of one size")
            total += frame
            frames += 1
    if total is None:
        raise DataError("no frames to average; check the pattern")
    return total / frames


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(str(length) for length in shape) + " px"


def _open(path: str, files: contextlib.ExitStack) -> tuple[tifffile.TiffFile, BinaryIO]:
    """Open a TIFF, to be closed with ``files``."""
    file = files.enter_context(store.open_binary(path))
    # _multifile: an OME-TIFF may name further files, but a data set's files are listed by its pattern.
    tiff = files.enter_context(tifffile.TiffFile(file, _multifile=False))
    _require_whole_chain(path, tiff, file)
    return tiff, file


def _read(path: str, tiff: tifffile.TiffFile, file: BinaryIO, index: int) -> Frame:
    first = _first_page(path, tiff)
    count = _frame_count(tiff, first)
    if not 0 <= index < count:
        raise DataError(f"{path}: has {count} frames, so none of number {index}; plan the run again")
    if count > len(tiff.pages):
        return _read_behind_page(path, tiff, first, index, file)
    page = tiff.pages[index]
    if page.shape != first.shape or page.dtype != first.dtype:
        raise DataError(f"{path}: frame {index} differs from frame 0 in shape or dtype; split the file")
    _require_data(path, page, file)
    return page.asarray()


@contextlib.contextmanager
def _explained(path: str) -> Iterator[None]:
    """Whatever goes wrong inside with a file's content becomes a ``DataError`` that names it."""
    try:
        yield
    except (LfcoreError, MemoryError):
        raise
    except OSError as error:
        with store.explained(path):
            raise error
    except Exception as error:  # a damaged file makes the decoders raise errors of almost any class
        problem = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path}: not a readable TIFF image ({problem}); replace or remove the file") from error


def _require_whole_chain(path: str, tiff: tifffile.TiffFile, file: BinaryIO) -> None:
    """Refuse a file whose last page announces a further one: tifffile would count the frames up to there only."""
    layout = tiff.tiff
    file.seek(tiff.pages[-1].offset)
    (tags,) = struct.unpack(layout.tagnoformat, file.read(layout.tagnosize))
    file.seek(tags * layout.tagsize, 1)
    (following,) = struct.unpack(layout.offsetformat, file.read(layout.offsetsize))
    if following:
        raise DataError(f"{path}: is cut short after frame {len(tiff.pages) - 1} of more; copy the file again")


def _first_page(path: str, tiff: tifffile.TiffFile) -> tifffile.TiffPage:
    if not tiff.pages:
        raise DataError(f"{path}: holds no image; replace or remove the file")
    page = tiff.pages[0]
    if not isinstance(page, tifffile.TiffPage):
        raise DataError(f"{path}: its first page has no header; replace or remove the file")
    if page.samplesperpixel > 1:
        raise DataError(f"{path}: is a colour image ({page.samplesperpixel} samples a pixel); save one channel as grey")
    if page.ndim != 2 or page.dtype is None or page.dtype.kind not in "uif":
        raise DataError(f"{path}: holds {page.dtype} of shape {page.shape}; grey images (y, x) are needed")
    return page


def _frame_count(tiff: tifffile.TiffFile, page: tifffile.TiffPage) -> int:
    """Frames in the file: its pages, or more where ImageJ has put them behind its only page."""
    pages = len(tiff.pages)
    if pages == 1 and tiff.is_imagej:
        return max(1, int((tiff.imagej_metadata or {}).get("images", 1)))
    return pages


def _read_behind_page(path: str, tiff: tifffile.TiffFile, page: tifffile.TiffPage, index: int, file: BinaryIO) -> Frame:
    """Frame ``index`` of a large ImageJ stack, whose frames follow each other behind one page."""
    dtype = np.dtype(page.dtype).newbyteorder(tiff.byteorder)
    size = page.shape[0] * page.shape[1] * dtype.itemsize
    file.seek(page.dataoffsets[0] + index * size)
    content = file.read(size)
    if len(content) < size:
        raise DataError(f"{path}: ends in the middle of frame {index}; copy the file again")
    return np.frombuffer(content, dtype).reshape(page.shape).astype(page.dtype)


def _require_data(path: str, page: tifffile.TiffPage | tifffile.TiffFrame, file: BinaryIO) -> None:
    """Refuse a page whose data reach past the file's end; the decoder might fill the gap with zeros."""
    length = file.seek(0, 2)
    segments = zip(page.dataoffsets, page.databytecounts, strict=True)
    if any(offset + count > length for offset, count in segments):
        raise DataError(f"{path}: is cut short, its pixels are not all there; copy the file again")
