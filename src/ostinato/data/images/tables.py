"""Tables of images or vectors with captions, and what is asked of them: CSV, TSV, JSONL, Parquet, lines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ostinato._errors import DataError
from ostinato.data.images.captioned import Captioned, CaptionedSet, ContextKind, Skip
from ostinato.data.images.pixels import Fit, read_image
from ostinato.data.images.vectors import is_of_bare_colours, is_of_colours, vector_of_row, vector_of_text
from ostinato.data.place import Place
from ostinato.data.rows import Format, Row, Rows, column_of, open_rows
from ostinato.data.rows.names import NAMES
from ostinato.data.rows.row import no_column

SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
"""What names of images end with."""
_NUMBERED = re.compile(r"#\d+$")  # Flickr: "1000092795.jpg#0" is the first caption of that image
_UNREADABLE = "that cannot be read as an image"


@dataclass(frozen=True)
class Columns:
    """Which columns of a table hold what; what is None is found by its name."""

    image: str | None = None
    """Column of the images."""
    vector: tuple[str, ...] = ()
    """Columns of numbers, or one of colours, that are read instead of images."""
    caption: str | None = None
    """Column of what is said."""
    question: str | None = None
    """Column of what is asked."""
    width: int | None = None
    """Numbers of a vector, where that is known: of 3, six digits are a colour without their '#'."""


@dataclass(frozen=True)
class Images:
    """How images are read."""

    size: int = 48
    """Pixels along a side."""
    fit: Fit = "pad"
    """How an image that is not square becomes so."""
    folder: Path | None = None
    """Where names of files begin (default: beside the table)."""


@dataclass(frozen=True)
class _Found:
    """The columns of a table, and what its items are."""

    seen: tuple[str, ...]
    kind: ContextKind
    caption: str | None
    question: str | None
    is_line: bool = False
    bare: bool = False
    """Whether colours stand without their '#'."""

    def words(self) -> str:
        names = ", ".join(f"'{name}'" for name in self.seen)
        said = [f"{'images' if self.kind == 'image' else 'vectors'} in {names}"]
        said += [f"captions in '{self.caption}'"] if self.caption else []
        said += [f"questions in '{self.question}'"] if self.question else []
        return ", ".join(said)


def open_table(
    source: str | Path, encoding: str, *, format: Format | None = None, unlabelled: str | None = None
) -> Rows:
    """Open the rows of a table; a first row that names an image is none of names of columns."""
    rows = open_rows(source, format=format, encoding=encoding, unlabelled=unlabelled)
    if str(source) != "-" and any(is_image_name(name) for name in rows.columns):
        return open_rows(source, format=format, encoding=encoding, unlabelled=unlabelled, header=False)
    return rows


def is_image_name(name: str) -> bool:
    """Say whether `name` is that of an image, by its suffix."""
    return _NUMBERED.sub("", name.strip().lower()).endswith(SUFFIXES)


def read_table(
    rows: Rows, columns: Columns, images: Images, *, captioned: bool = True, kind: ContextKind = "image",
    asks: bool | None = None, skip: Skip | None = None,
) -> CaptionedSet:  # fmt: skip
    """Read the items of a table: its rows, those of one image and question gathered with all their captions.

    For that the names and captions of a table are held in memory, its images are not; where `captioned` is False,
    captions are left alone and rows come one by one in constant memory. `asks` says whether questions are read (None:
    where a column is called so). `skip` counts images that cannot be read; without it they are errors.
    Raises DataError for columns that are missing.
    """
    found = _find(rows, columns, captioned, kind, asks)
    words = f"{rows.format}; {found.words()}"

    def read() -> Iterator[Captioned]:
        items = _gathered(rows, found) if captioned else iter(rows)
        return _opened(items, found, images, columns.width, skip)

    return CaptionedSet(rows.name, words, found.kind, found.question is not None, read)


def _find(rows: Rows, columns: Columns, captioned: bool, kind: ContextKind, asks: bool | None) -> _Found:
    unnamed = replace(columns, width=None) == Columns()
    if unnamed and rows.columns == ("column 1", "column 2"):  # no header: the image, then its caption
        columns = Columns(image="column 1", caption="column 2")
    if rows.columns == ("text",) and not captioned:
        return _Found(("text",), "vector" if kind == "vector" else "image", None, None, is_line=True)
    seen, kind = _seen(rows, columns)
    question = None
    if columns.question is not None or asks or (asks is None and _has_questions(rows, seen)):
        question = column_of(rows, columns.question, "question", taken=seen, flag="--question-column").column
    taken = (*seen, question) if question else seen
    caption = column_of(rows, columns.caption, "caption", taken=taken, flag="--caption-column") if captioned else None
    bare = kind == "vector" and (columns.width == 3 or (columns.width is None and is_of_bare_colours(rows, seen[0])))
    return _Found(seen, kind, caption and caption.column, question, bare=bare)


def _has_questions(rows: Rows, seen: Sequence[str]) -> bool:
    return any(name.strip().lower() in ("question", "questions") for name in rows.columns if name not in seen)


def _seen(rows: Rows, columns: Columns) -> tuple[tuple[str, ...], ContextKind]:
    """Return the columns of what is seen: those of numbers that are named, images, or one of colours."""
    if columns.vector:
        for name in columns.vector:
            if name not in rows.columns:
                raise no_column(rows.name, name, list(rows.columns), "Name them with --vector")
        return columns.vector, "vector"
    if columns.image is None and not any(name.strip().lower() in NAMES["image"] for name in rows.columns):
        colours = [name for name in rows.columns if is_of_colours(rows, name)]
        if colours:
            return (colours[0],), "vector"
    return (column_of(rows, columns.image, "image", flag="--image-column").column,), "image"


def _gathered(rows: Rows, found: _Found) -> Iterator[Row]:
    """Yield one row for all that see and ask the same, in the order of the first, its captions side by side.

    Rows that hold the bytes of an image are items by themselves, and come at once: they are too large to keep.
    """
    assert found.caption is not None
    gathered: dict[Any, tuple[Row, list[str]]] = {}
    for row in rows:
        captions, values = captions_of(row, found.caption), [row.value(name) for name in found.seen]
        if found.kind == "image" and not isinstance(values[0], str):
            yield Row(row.place, row.values | {found.caption: captions})
            continue
        if found.kind == "image":
            values = [_NUMBERED.sub("", values[0].strip())]
        asked = {found.question: row.text(found.question).strip()} if found.question else {}
        first = Row(row.place, dict(zip(found.seen, values, strict=True)) | asked)
        key = (*map(str, values), *asked.values())
        gathered.setdefault(key, (first, []))[1].extend(captions)
    for row, captions in gathered.values():
        yield Row(row.place, row.values | {found.caption: captions})


def captions_of(row: Row, column: str) -> list[str]:
    """Return what a row says: its text, or the texts of its list; blank ones are none.

    Raises DataError for what is neither.
    """
    value = row.value(column)
    if isinstance(value, (list, tuple)):
        if any(not isinstance(entry, str) for entry in value):
            got = f"'{column}' holds {value!r:.60}"
            raise DataError(str(row.place), got, "A list of captions holds texts", "Correct the row")
        return [text.strip() for text in value if text.strip()]
    text = row.text(column).strip()
    return [text] if text else []


def _opened(
    items: Iterator[Row], found: _Found, images: Images, width: int | None, skip: Skip | None
) -> Iterator[Captioned]:
    for row in items:
        asked = row.text(found.question).strip() if found.question else None
        captions = tuple(row.values[found.caption]) if found.caption else ()
        try:
            name, context = _context(row, found, images, width)
        except DataError as error:
            if skip is None or found.kind != "image":
                raise
            skip(_UNREADABLE, f"{row.place}: {error.where}: {error.got}")
            continue
        yield Captioned(row.place, name, context, asked, captions)


def _context(row: Row, found: _Found, images: Images, width: int | None) -> tuple[str, NDArray]:
    if found.kind == "image":
        return _image(row, row.value(found.seen[0]), found.seen[0], images)
    if found.is_line:
        text = row.text(found.seen[0])
        return text, vector_of_text(text, row.place, width)
    name = " ".join(str(row.value(column)) for column in found.seen)
    return name, vector_of_row(row, found.seen, bare=found.bare)


def _image(row: Row, value: Any, column: str, images: Images) -> tuple[str, NDArray]:
    """Return the name of an image and its pixels, from the file that is named or from the bytes that stand there."""
    if isinstance(value, dict) and set(value) & {"bytes", "path"}:  # as the data sets of the Hub hold images
        value, name = value.get("bytes") or value.get("path"), value.get("path")
    else:
        name = None
    if isinstance(value, bytes):
        place = str(row.place)
        return str(name or place), read_image(value, images.size, images.fit, where=place)
    if not isinstance(value, str) or not value.strip():
        got = f"no image in column '{column}'" if not value else f"'{column}' holds {value!r:.60}"
        raise DataError(str(row.place), got, "A row names the file of an image", "Correct or remove the row")
    return value.strip(), read_image(
        image_path(value.strip(), images.folder or Path(), row.place), images.size, images.fit
    )


def image_path(name: str, folder: Path, place: Place | str) -> Path:
    """Return the file that a table calls `name`. Raises DataError for an address, which is not fetched."""
    if "://" in name:
        raise DataError(str(place), f"'{name:.60}'", "Images are read from files", "Fetch them first")
    path = folder / name
    return path if path.exists() else folder / _NUMBERED.sub("", name)
