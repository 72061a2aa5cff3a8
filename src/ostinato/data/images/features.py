"""Features in NumPy archives, without pickle: a vector or a matrix of regions an item, computed elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from pathlib import Path

import numpy as np

from ostinato._errors import DataError, did_you_mean
from ostinato.data.frames.archive import Array, arrays_of
from ostinato.data.images.captioned import Captioned, CaptionedSet
from ostinato.data.place import Place
from ostinato.data.readers import check_file

FEATURES = ("features", "x", "X", "values", "data", "vectors", "regions")
CAPTIONS = ("captions", "caption", "texts", "text", "answers", "answer", "y")
QUESTIONS = ("questions", "question")
_TEXTS = "Texts are strings: np.array(captions, dtype=str), with '' behind the last of several captions"


def read_features(
    path: Path, *, captioned: bool = True, column: str | None = None, question: str | None = None,
    asks: bool | None = None,
) -> CaptionedSet:  # fmt: skip
    """Read `features` (N, D) or (N, R, D) with `captions` (N,) or (N, K), and `questions` (N,) where there are some.

    `column` and `question` name the arrays of captions and questions where they are called otherwise; empty captions
    are none. `asks` says whether questions are read (None: where there are some). Raises DataError for arrays of
    objects, which are pickles and never loaded, for shapes that do not fit, and for damaged archives.
    """
    check_file(path)
    arrays = arrays_of(path)
    features = _named(path, arrays, None, FEATURES, "features")
    assert features is not None
    _check(features, "fiub", (2, 3), "(N, D) or (N, R, D) of numbers")
    captions = _named(path, arrays, column, CAPTIONS, "captions") if captioned else None
    questions = None
    if question is not None or asks is not False:
        questions = _named(path, arrays, question, QUESTIONS, "questions" if asks else None)
    for texts, shapes in ((captions, (1, 2)), (questions, (1,))):
        if texts is not None:
            _check(texts, "US", shapes, _TEXTS)
            _check_count(texts, features)
    kind = "vector" if len(features.shape) == 2 else "regions"
    return CaptionedSet(str(path), _words(features, captions, questions), kind, questions is not None,
                        lambda: _items(path, features, captions, questions))  # fmt: skip


def _items(path: Path, features: Array, captions: Array | None, questions: Array | None) -> Iterator[Captioned]:
    count = features.shape[0]

    def rows(array: Array | None) -> Iterator[np.ndarray | None]:
        return repeat(None, count) if array is None else array.rows(repeat(1, count))

    for k, (seen, said, asked) in enumerate(zip(rows(features), rows(captions), rows(questions), strict=True), 1):
        place = Place(str(path), k, "item")
        assert seen is not None
        with np.errstate(over="ignore"):
            context = seen[0].astype(np.float32)
        if not np.isfinite(context).all():
            raise DataError(
                str(place), "a number that is not finite", "A model reads finite numbers", "Correct or remove the item"
            )
        told = () if said is None else tuple(text for text in _texts(said) if text.strip())
        yield Captioned(place, f"item {k}", context, None if asked is None else _texts(asked)[0], told)


def _texts(row: np.ndarray) -> list[str]:
    values = row.reshape(-1).tolist()
    return [v.decode("utf-8", "backslashreplace") if isinstance(v, bytes) else v for v in values]


def _named(
    path: Path, arrays: dict[str, Array], asked: str | None, usual: tuple[str, ...], needed: str | None
) -> Array | None:
    """Return the array that is asked for or has a usual name; None where it may be missing."""
    if asked is not None and asked not in arrays:
        held = ", ".join(f"'{name}'" for name in arrays) or "none"
        raise DataError(str(path), f"no array '{asked}'", f"Arrays: {held}", did_you_mean(asked, arrays))
    name = asked or next((name for name in usual if name in arrays), None)
    if name is None and needed is not None:
        held = ", ".join(f"'{name}'" for name in arrays) or "none"
        raise DataError(str(path), f"no array of {needed} in it", f"Arrays: {held}", f"Name it '{needed}'")
    return None if name is None else arrays[name]


def _check(array: Array, kinds: str, dimensions: tuple[int, ...], possible: str) -> None:
    where = f"{array.path}, array '{array.name}'"
    if array.dtype.hasobject:
        raise DataError(where, "it holds objects", "Objects are pickled, and a pickle can run code", _TEXTS)
    if array.dtype.kind not in kinds or len(array.shape) not in dimensions or 0 in array.shape:
        got = f"{array.dtype} of shape {array.shape}"
        raise DataError(where, got, f"Possible: {possible}", "Convert or reshape it")


def _check_count(texts: Array, features: Array) -> None:
    if texts.shape[0] != features.shape[0]:
        got = f"{texts.shape[0]} items, where '{features.name}' has {features.shape[0]}"
        raise DataError(f"{texts.path}, array '{texts.name}'", got, "One entry an item", "Correct how it was written")


def _words(features: Array, captions: Array | None, questions: Array | None) -> str:
    count, *shape = features.shape
    shown = f"{shape[0]} numbers" if len(shape) == 1 else f"{shape[0]} regions of {shape[1]} numbers"
    named = [f"{what} in '{array.name}'" for what, array in (("captions", captions), ("questions", questions)) if array]
    return f"NPZ: {count:,} items of {shown} in '{features.name}'" + "".join(f", {words}" for words in named)
