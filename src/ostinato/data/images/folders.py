"""Folders of images: a text beside each, or one file in the folder that names them all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ostinato._errors import DataError
from ostinato.data.images.captioned import Captioned, CaptionedSet, Skip
from ostinato.data.images.pixels import read_image
from ostinato.data.images.tables import SUFFIXES, Columns, Images, is_image_name, open_table, read_table
from ostinato.data.place import Place
from ostinato.data.rows import Format, open_rows

TABLES = ("captions", "metadata", "results")
_TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet", ".txt", ".token")
_BESIDE = "A folder holds images, each with a .txt beside it, or a captions.csv that names them"


def read_folder(
    folder: Path, columns: Columns, images: Images, encoding: str, *, captioned: bool = True,
    asks: bool | None = None, skip: Skip | None = None,
) -> CaptionedSet:  # fmt: skip
    """Read the images of a folder, and of those in it, with their captions.

    A file captions.csv (.tsv, .jsonl, .parquet, .txt; also metadata.…) is read as a table whose images lie in the
    folder, or in its subfolder `images`. Without one each image has a .txt of its name beside it, a caption a line.
    A text that is blank holds no captions. Raises DataError where there is no image, and for one without a text unless
    `captioned` is False; `skip` counts both what cannot be read and what has no text instead.
    """
    table = _table(folder) if captioned else None
    if table is not None:
        inside = folder / "images"
        where = replace(images, folder=inside if inside.is_dir() else folder)
        rows = open_table(table, encoding, format=_form(table))
        return read_table(rows, columns, where, asks=asks, skip=skip)
    files = sorted(path for path in folder.rglob("*") if is_image_name(path.name) and not _hidden(path, folder))
    if not files:
        raise DataError(str(folder), "no images in it", f"Possible: {', '.join(SUFFIXES)}", _BESIDE)
    if asks:
        raise DataError(str(folder), "images without questions", "A table has a column of questions", _BESIDE)
    texts = "a text beside each" if captioned else "without texts"
    words = f"a folder of {len(files):,} images, {texts}"
    return CaptionedSet(
        str(folder), words, "image", False, lambda: _items(folder, files, images, encoding, captioned, skip)
    )


def _items(
    folder: Path, files: list[Path], images: Images, encoding: str, captioned: bool, skip: Skip | None
) -> Iterator[Captioned]:
    for number, path in enumerate(files, 1):
        place = Place(str(folder), number, "image")
        try:
            captions = _captions(path, encoding) if captioned else ()
            context = read_image(path, images.size, images.fit)
        except DataError as error:
            if skip is None:
                raise
            skip("that cannot be read as an image with a text", f"{error.where}: {error.got}")
            continue
        yield Captioned(place, str(path.relative_to(folder)), context, None, captions)


def _captions(path: Path, encoding: str) -> tuple[str, ...]:
    beside = path.with_suffix(".txt")
    if not beside.is_file():
        raise DataError(str(path), f"no '{beside.name}' beside it", _BESIDE, "Write its caption there, or remove it")
    with beside.open("rb") as file:
        if not any(line.strip() for line in file):
            return ()
    return tuple(row.text("text") for row in open_rows(beside, format="lines", encoding=encoding))


def _table(folder: Path) -> Path | None:
    names = (folder / f"{name}{suffix}" for name in TABLES for suffix in _TABLE_SUFFIXES)
    return next((path for path in names if path.is_file()), None)


def _form(table: Path) -> Format | None:
    return "csv" if table.suffix.lower() in (".txt", ".token") else None


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)
