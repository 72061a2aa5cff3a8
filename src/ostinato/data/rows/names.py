"""Which column is which: by the name asked for, by a usual name, or because there is no other choice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from ostinato._errors import DataError
from ostinato.data.rows.row import Rows, no_column

Purpose = Literal["text", "label", "part", "time", "item", "audio", "source", "target", "image", "question", "caption"]

NAMES: dict[str, tuple[str, ...]] = {  # the usual names, the surest first
    "text": (
        "text",
        "sentence",
        "review",
        "content",
        "body",
        "comment",
        "message",
        "tweet",
        "document",
        "utterance",
        "transcript",
        "transcription",
        "question",
        "headline",
        "description",
        "title",
        "name",
        "word",
    ),
    "label": (
        "label",
        "labels",
        "class",
        "target",
        "sentiment",
        "category",
        "polarity",
        "rating",
        "score",
        "stars",
        "topic",
        "intent",
        "language",
        "tag",
        "y",
    ),
    "part": ("split", "part", "subset", "set"),
    "time": ("date", "time", "timestamp", "datetime", "ds", "year", "month"),
    "item": ("item", "item_id", "series", "unique_id", "id"),
    "audio": (
        "audio",
        "audio_path",
        "audio_filepath",
        "sound",
        "wav",
        "path",
        "file",
        "file_name",
        "filename",
        "filepath",
    ),
    "source": ("source", "src", "input", "inputs", "lemma", "grapheme", "graphemes"),
    "target": ("target", "tgt", "targets", "references", "output", "translation", "form", "phonemes"),
    "image": (
        "image",
        "image_path",
        "image_name",
        "file_name",
        "filename",
        "img",
        "picture",
        "photo",
        "path",
        "file",
    ),
    "question": ("question", "questions"),
    "caption": (
        "caption",
        "captions",
        "comment",
        "answer",
        "answers",
        "description",
        "text",
        "sentence",
        "sentences",
        "title",
        "name",
        "label",
    ),
}
_IN_HEADERS: tuple[Purpose, ...] = ("text", "label", "part", "time", "item", "audio", "image")
"""What names a header by one word alone; "source" and "form" are words of dictionaries too."""


class Choice(NamedTuple):
    """A column and why it was taken."""

    column: str
    reason: str
    """In words, to be printed: "by its name", "asked for"."""


def column_of(
    rows: Rows, asked: str | None, purpose: Purpose, *, taken: Sequence[str] = (), flag: str | None = None
) -> Choice:
    """Return which column of `rows` holds the text, the label and so on, with the reason.

    `asked` is the user's word, None to choose: a usual name, else the one of two columns that is left or fits
    better. `taken` are columns chosen for something else; `flag` is how the user names a column, "--text".
    Raises DataError, with the columns there are, for one that is missing and where nothing can be chosen.
    """
    flag = flag or f"--{purpose}"
    if asked is not None:
        if asked not in rows.columns:
            raise no_column(rows.name, asked, list(rows.columns), f"Name it with {flag}")
        return Choice(asked, "asked for")
    free = [column for column in rows.columns if column not in taken]
    lowered = {column.strip().lower(): column for column in reversed(free)}
    for name in NAMES[purpose]:
        if name in lowered:
            return Choice(lowered[name], "by its name")
    if purpose in ("text", "label") and len(rows.columns) <= 2 and (chosen := _of_two(rows, free, purpose)):
        return chosen
    names = ", ".join(repr(column) for column in rows.columns)
    if not free or names == repr(free[0]):
        advice = f"A {purpose} needs a column of its own, or a file for each label in a folder"
        raise DataError(rows.name, f"no column for the {purpose}", f"Columns: {names}", advice)
    raise DataError(rows.name, f"no column is known to be the {purpose}", f"Columns: {names}", f"Name one with {flag}")


def is_a_usual_name(field: str, purposes: Sequence[Purpose] = _IN_HEADERS) -> bool:
    """Say whether `field` is what a column for one of these purposes is usually called."""
    return any(field.strip().lower() in NAMES[purpose] for purpose in purposes)


def _of_two(rows: Rows, free: list[str], purpose: Purpose) -> Choice | None:
    """Choose among at most two columns; None for a label where there is but one, or none left."""
    if len(rows.columns) == 1:
        return Choice(free[0], "the only column") if free and purpose == "text" else None
    if len(free) == 1:
        return Choice(free[0], "the other of two columns")
    if not free:
        return None
    variety = {column: _variety(rows, column) for column in free}
    if purpose == "text":
        return Choice(
            max(free, key=lambda column: variety[column]), "the one of two columns with more different values"
        )
    return Choice(min(free, key=lambda column: variety[column]), "the one of two columns with fewer different values")


def _variety(rows: Rows, column: str) -> tuple[int, int]:
    values = [str(row.values.get(column)) for row in rows.first]
    return len(set(values)), sum(map(len, values))
