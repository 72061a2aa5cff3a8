"""NumPy archives without pickle: an array of sequences, or all steps one after the other with offsets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import repeat
from pathlib import Path
from typing import Literal

import numpy as np

from ostinato._errors import DataError
from ostinato.data.frames.archive import CONVERT, Array, arrays_of
from ostinato.data.frames.gaps import Missing, without_gaps
from ostinato.data.frames.recordings import Frames, Labels, Recordings
from ostinato.data.place import Place
from ostinato.data.readers import check_file

_VALUES = ("x", "X", "values", "data", "inputs")
_LABELS = ("y", "Y", "labels", "label", "targets", "target")
_OFFSETS = "offsets"


def npz_recordings(path: Path, missing: Missing, by: Labels = "item") -> Recordings:
    """Read `x` (N, T) or (N, T, D), or `values` (steps,) or (steps, D) with `offsets` (N + 1,); with `y` (N,).

    Whole numbers (also 0.0, 1.0, …) and strings in `y` are classes, other numbers (N,) or (N, K) are numbers.
    By step, `y` (N, T), or (steps,) beside `offsets`, holds a class for each.
    Raises DataError for arrays of objects, which are pickles and never loaded, for shapes that do not fit, and for
    damaged archives.
    """
    check_file(path)
    arrays = arrays_of(path)
    values = next((arrays[name] for name in _VALUES if name in arrays), None)
    labels = None if by == "none" else next((arrays[name] for name in _LABELS if name in arrays), None)
    if values is None:
        raise _no_values(path, arrays)
    for array in (values, labels, arrays.get(_OFFSETS)):
        _refuse_objects(array)
    counts = _counts(values, arrays.get(_OFFSETS))
    width = _width(values, flat=_OFFSETS in arrays)
    if by == "step":
        shape = values.shape[: 1 if _OFFSETS in arrays else 2]
        return _by_step(path, values, labels, shape, counts, missing)
    _check_labels(labels, len(counts))
    target = _target(labels, len(counts))

    def read() -> Iterator[Frames]:
        known = repeat(None) if labels is None else labels.rows(repeat(1, len(counts)))
        for number, (steps, label) in enumerate(zip(values.rows(counts), known, strict=False), 1):
            place = Place(str(path), number, "item")
            frames = without_gaps(steps.reshape(-1, width), missing, place)
            yield Frames(place, frames, None if label is None else _label(label[0], target, place))

    return Recordings(str(path), _words(values, labels, len(counts), width), width, target, None, read)


def _by_step(
    path: Path, values: Array, labels: Array | None, shape: tuple[int, ...], counts: Sequence[int], missing: Missing
) -> Recordings:
    """Read sequences with a class for each step; `shape` is that of the labels."""
    if labels is None or labels.shape != shape or labels.dtype.kind not in "fiubUS":
        got = "no labels" if labels is None else f"{labels.dtype} of shape {labels.shape} in '{labels.name}'"
        possible = f"A label a step: 'y' of shape {shape}, whole numbers or strings"
        raise DataError(str(path), got, possible, "Correct how it was written")
    width = values.shape[-1] if len(values.shape) > len(shape) else 1

    def read() -> Iterator[Frames]:
        for number, (steps, known) in enumerate(zip(values.rows(counts), labels.rows(counts), strict=True), 1):
            place = Place(str(path), number, "item")
            frames = without_gaps(steps.reshape(-1, width), missing, place)
            yield Frames(place, frames, None, tuple(_class(label, place) for label in known.reshape(-1)))

    return Recordings(str(path), f"{_words(values, labels, len(counts), width)} a step", width, "class", None, read)


def _class(label: np.generic, place: Place) -> str:
    if label.dtype.kind == "f" and not float(label).is_integer():
        raise DataError(
            str(place), f"the label {label}", "A step has a class: a whole number or a string", "Correct it"
        )
    return str(_label(label, "class", place))


def _words(values: Array, labels: Array | None, count: int, width: int) -> str:
    channels = f"{width} channel" + "s" * (width != 1)
    named = f"labels in '{labels.name}'" if labels else "no labels"
    return f"NPZ: {count} items in '{values.name}', {channels}, {named}"


def _no_values(path: Path, arrays: dict[str, Array]) -> DataError:
    held = ", ".join(f"'{name}'" for name in arrays) or "none"
    return DataError(str(path), "no array of values in it", f"Arrays: {held}", "Name it 'x', and the labels 'y'")


def _refuse_objects(array: Array | None) -> None:
    if array is not None and array.dtype.hasobject:
        raise DataError(_where(array), "it holds objects", "Objects are pickled, and a pickle can run code", CONVERT)


def _where(array: Array) -> str:
    return f"{array.path}, array '{array.name}'"


def _counts(values: Array, offsets: Array | None) -> Sequence[int]:
    """Return how many rows of `values` each item has."""
    if not values.shape or values.shape[0] == 0:
        raise DataError(_where(values), f"an array of shape {values.shape}", "Possible: items with steps", "Fill it")
    if offsets is None:
        return [1] * values.shape[0]
    possible = "Offsets are whole numbers from 0 to the number of steps: item i has the steps from [i] to [i + 1]"
    if len(offsets.shape) != 1 or offsets.shape[0] < 2 or offsets.dtype.kind not in "iu":
        raise DataError(_where(offsets), f"{offsets.dtype} of shape {offsets.shape}", possible, CONVERT)
    edges = offsets.whole().astype(np.int64)
    if edges[0] != 0 or edges[-1] != values.shape[0] or (np.diff(edges) < 0).any():
        got = f"from {edges[0]} to {edges[-1]}, for {values.shape[0]} steps"
        got += ", and not in order" if (np.diff(edges) < 0).any() else ""
        raise DataError(_where(offsets), got, possible, CONVERT)
    return np.diff(edges).tolist()


def _width(values: Array, *, flat: bool) -> int:
    if values.dtype.kind not in "fiub":
        raise DataError(_where(values), f"{values.dtype}", "Possible: real or whole numbers", "Convert it to float32")
    dimensions = len(values.shape) - (not flat)
    if dimensions == 1:
        return 1
    if dimensions == 2 and values.shape[-1] > 0:
        return values.shape[-1]
    possible = "(steps,) or (steps, D) beside 'offsets'" if flat else "(N, T) or (N, T, D)"
    raise DataError(_where(values), f"an array of shape {values.shape}", f"Possible: {possible}", "Reshape it")


def _check_labels(labels: Array | None, count: int) -> None:
    if labels is None:
        return
    if labels.dtype.kind not in "fiubUS":
        raise DataError(_where(labels), f"{labels.dtype}", "Possible: numbers or strings", "Convert it")
    if labels.shape[:1] != (count,):
        got = f"an array of shape {labels.shape}, for {count} items"
        raise DataError(_where(labels), got, "One label an item", "Correct how it was written")
    if len(labels.shape) > 2 or (len(labels.shape) == 2 and labels.dtype.kind != "f"):
        possible = "Possible: (N,), or (N, K) real numbers"
        raise DataError(_where(labels), f"{labels.dtype} of shape {labels.shape}", possible, "Reshape it")


def _target(labels: Array | None, count: int) -> Literal["class", "number"] | None:
    if labels is None or labels.dtype.kind != "f":
        return None if labels is None else "class"
    if len(labels.shape) > 1:
        return "number"
    return "class" if all(part[0].is_integer() for part in labels.rows(repeat(1, count))) else "number"


def _label(label: np.generic | np.ndarray, target: str | None, place: Place) -> str | np.ndarray:
    if target == "class" and label.dtype.kind == "f":
        return str(int(label))
    if label.dtype.kind == "f":
        numbers = np.atleast_1d(label).astype(np.float32)
        if not np.isfinite(numbers).all():
            raise DataError(str(place), f"the target {label}", "Possible: finite numbers", "Correct or remove the item")
        return numbers
    value = label.item()
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
