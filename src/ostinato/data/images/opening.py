"""Opens what is captioned, whatever it is: a table, a folder, features, a generated world, standard input."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ostinato._errors import ConfigError, DataError
from ostinato.data.generated import GENERATED, generated
from ostinato.data.images.captioned import Captioned, CaptionedSet, ContextKind, Skip
from ostinato.data.images.features import read_features
from ostinato.data.images.folders import read_folder
from ostinato.data.images.pixels import check_fit
from ostinato.data.images.tables import Columns, Images, is_image_name, open_table, read_table
from ostinato.data.place import Place
from ostinato.data.readers import check_file
from ostinato.data.shapes import Shapes

_TABLES = "A table names images (CSV, TSV, JSONL, Parquet), a folder holds them"


def open_captioned(
    source: str | Path,
    *,
    columns: Columns | None = None,
    images: Images | None = None,
    encoding: str = "utf-8",
    captioned: bool = True,
    kind: ContextKind = "image",
    asks: bool | None = None,
    skip: Skip | None = None,
) -> CaptionedSet:
    """Open images, regions or vectors with what is said of them.

    source     a table (CSV, TSV, JSONL, Parquet, hf://…) with a column of images or of vectors; a folder of images;
               features in .npz; "generated:shapes?items=1000"; "-" for standard input, a table or a name a line.
    columns    which columns of a table, or arrays of .npz, hold what; found by their names where it says nothing.
    images     size and folder of images; the folder is that of the table where it is not said.
    captioned  whether captions are needed; without them items come one by one, in constant memory.
    kind       what lines of text are that have no columns: names of images, or vectors.
    asks       whether something is asked of each item; None to see from the names of the columns.
    skip       counts images that cannot be read; without it they are errors.

    Raises DataError for what is missing or damaged, ConfigError for a setting that cannot be.
    """
    columns, images = columns or Columns(), images or Images()
    check_fit(images.size, images.fit)
    text = str(source)
    if text.startswith(GENERATED):
        return _world(text, images, captioned, asks)
    path = Path(text)
    if text.startswith("hf://") or text == "-":
        return _rows(text, columns, images, Path(), encoding, captioned, kind, asks, skip)
    if path.is_dir():
        return read_folder(path, columns, images, encoding, captioned=captioned, asks=asks, skip=skip)
    check_file(path)
    if path.suffix.lower() == ".npz":
        named = {"column": columns.caption, "question": columns.question}
        return read_features(path, captioned=captioned, **named, asks=asks)
    if is_image_name(path.name):
        raise ConfigError(text, "one image, where many are needed", _TABLES, "To answer it, name it as an argument")
    return _rows(text, columns, images, path.parent, encoding, captioned, kind, asks, skip)


def _rows(
    source: str, columns: Columns, images: Images, beside: Path, encoding: str, captioned: bool, kind: ContextKind,
    asks: bool | None, skip: Skip | None,
) -> CaptionedSet:  # fmt: skip
    unlabelled = None if captioned else (columns.image or (columns.vector[0] if columns.vector else "image"))
    rows = open_table(source, encoding, unlabelled=unlabelled)
    images = replace(images, folder=beside if images.folder is None else images.folder)
    return read_table(rows, columns, images, captioned=captioned, kind=kind, asks=asks, skip=skip)


def _world(source: str, images: Images, captioned: bool, asks: bool | None) -> CaptionedSet:
    """Open a generated world, drawn in the size that is asked for."""
    shapes = generated(source, {"shapes": Shapes})
    shapes.images(images.size)  # which says what cannot be
    if asks and not shapes.questions:
        raise DataError(source, "images without questions", "Possible: questions=true", "Ask for them")
    asks = shapes.questions and asks is not False
    said = "a question and its answer each" if asks else "a caption each"
    words = f"{shapes.items:,} generated images of figures, {said}"

    def read() -> Iterator[Captioned]:
        for number, shown in enumerate(shapes.images(images.size), 1):
            place, told = Place(source, number, "item"), shown.text if asks else shown.caption
            yield Captioned(place, str(place), shown.image, shown.question if asks else None, (told,) * captioned)

    return CaptionedSet(source, words, "image", asks, read)
