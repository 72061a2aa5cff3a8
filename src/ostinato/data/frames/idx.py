"""The idx files of MNIST, plain or gzipped: images read as sequences of rows, or of pixels."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from ostinato._errors import ConfigError, DataError
from ostinato.data.frames.gaps import without_gaps
from ostinato.data.frames.recordings import Frames, Recordings
from ostinato.data.place import Place
from ostinato.data.readers import check_file
from ostinato.data.unpacking import open_unpacked

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_ADVICE = "Fetch the file again; an idx file begins with two zero bytes"


class _Layout(NamedTuple):
    """What an idx file says of itself."""

    dtype: np.dtype
    shape: tuple[int, ...]


def idx_recordings(path: Path, *, pixels: bool = False, downsample: int | None = None) -> Recordings:
    """Read images and, where a file of labels is beside them, their labels.

    An image of H × W is H steps of W numbers, with `pixels` H·W steps of one. `downsample` averages it to that
    many rows and columns first. Bytes become numbers from 0 to 1. The labels of "train-images-idx3-ubyte.gz"
    are looked for as "train-labels-idx1-ubyte" with and without ".gz"; there may be none.
    Raises DataError for damaged files and labels of another number; ConfigError for a size that does not divide.
    """
    layout = _layout(path)
    _check_size(path, layout, downsample)
    labels = _labels_path(path)
    if labels is not None and _layout(labels).shape != layout.shape[:1]:
        raise _unequal(path, layout, labels)
    steps, width = _steps(layout, pixels, downsample)

    def read() -> Iterator[Frames]:
        known = _numbers(labels, _layout(labels)) if labels else repeat(None)
        for number, (image, label) in enumerate(zip(_numbers(path, layout), known, strict=False), 1):
            place = Place(str(path), number, "item")
            values = _scaled(image, downsample).reshape(steps, width)
            yield Frames(place, without_gaps(values, "refuse", place), None if label is None else str(label))

    beside = f"labels from {labels.name}" if labels else "no file of labels beside it"
    words = f"idx: {layout.shape[0]} items of {steps} steps × {width}, {beside}"
    return Recordings(str(path), words, width, "class" if labels else None, None, read)


def _layout(path: Path) -> _Layout:
    check_file(path)
    with open_unpacked(path) as file:
        head = _read(file, 4, path)
        if head[:2] != b"\0\0" or head[2] not in _TYPES or not head[3]:
            raise DataError(str(path), f"not an idx file (it begins with {head.hex()})", "", _ADVICE)
        shape = struct.unpack(f">{head[3]}I", _read(file, 4 * head[3], path))
    if not all(shape) or math.prod(shape[1:]) > 1 << 26:
        raise DataError(str(path), f"an array of {' × '.join(map(str, shape))}", "Possible: items with steps", _ADVICE)
    return _Layout(np.dtype(_TYPES[head[2]]), shape)


def _read(file: BinaryIO, size: int, path: Path) -> bytes:
    block = file.read(size)
    if len(block) != size:
        raise DataError(str(path), "it ends before all of its items", "", "Fetch the file again")
    return block


def _numbers(path: Path, layout: _Layout) -> Iterator[np.ndarray]:
    """Give the items of an array one after the other; one number for each where it has one dimension."""
    size = layout.dtype.itemsize * math.prod(layout.shape[1:])
    with open_unpacked(path) as file:
        _read(file, 4 + 4 * len(layout.shape), path)
        for _ in range(layout.shape[0]):
            yield np.frombuffer(_read(file, size, path), layout.dtype).reshape(layout.shape[1:])


def _scaled(image: np.ndarray, downsample: int | None) -> np.ndarray:
    values = image.astype(np.float32)
    if image.dtype == np.uint8:
        values /= 255
    if downsample is None:
        return values
    rows, columns = values.shape[0] // downsample, values.shape[1] // downsample
    return values.reshape(downsample, rows, downsample, columns, *values.shape[2:]).mean(axis=(1, 3))


def _steps(layout: _Layout, pixels: bool, downsample: int | None) -> tuple[int, int]:
    """Return how many steps an item has, and how many numbers a step."""
    sides = list(layout.shape[1:])
    if downsample is not None:
        sides[:2] = downsample, downsample
    if pixels and len(sides) > 1:
        return sides[0] * sides[1], math.prod(sides[2:])
    return sides[0], math.prod(sides[1:])


def _check_size(path: Path, layout: _Layout, downsample: int | None) -> None:
    if len(layout.shape) < 2:
        raise DataError(
            str(path), "one number an item", "Sequences have steps", "Name the file of images, not of labels"
        )
    if downsample is None:
        return
    sides = layout.shape[1:3]
    possible = [size for size in range(1, min(sides) + 1) if all(side % size == 0 for side in sides)]
    if len(sides) < 2 or downsample not in possible:
        shape = " × ".join(map(str, layout.shape[1:]))
        sizes = f"Possible: {', '.join(map(str, possible))}" if len(sides) == 2 else "Possible for images only"
        raise ConfigError("downsample", f"{downsample} for items of {shape}", sizes, "Name a size that divides both")


def _labels_path(path: Path) -> Path | None:
    if "images" not in path.name:
        return None
    name = re.sub(r"idx\d", "idx1", path.name.replace("images", "labels")).removesuffix(".gz")
    return next((path.with_name(other) for other in (name, name + ".gz") if path.with_name(other).is_file()), None)


def _unequal(path: Path, layout: _Layout, labels: Path) -> DataError:
    found = " × ".join(map(str, _layout(labels).shape))
    got = f"{found} labels for {layout.shape[0]} items of {path}"
    return DataError(str(labels), got, "One label an item", "Put the labels that belong to it beside it")
