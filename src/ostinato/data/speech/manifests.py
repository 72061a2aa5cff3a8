"""Manifests: tables whose rows name a sound, or hold it, and say what is said in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from ostinato._errors import DataError
from ostinato.data.rows import Format, column_of, open_rows
from ostinato.data.rows.names import Choice
from ostinato.data.rows.row import Row, Rows
from ostinato.data.speech.sound import BadSound, Sound, is_sound, read_sound
from ostinato.data.speech.utterance import Speech, Utterance


def manifest_speech(
    file: str,
    *,
    format: Format | None = None,
    encoding: str = "utf-8",
    audio: str | None = None,
    text: str | None = None,
    part: str | None = None,
    texts: bool = True,
) -> Speech:
    """Read a table with a column `audio` of sounds and a column `text` of what is said in them.

    Columns that are None are found by their usual names; that of the sounds also by what stands in it. A path is
    taken from the manifest's folder. A column of JSONL or Parquet may hold bytes, or {"bytes": …, "path": …}.
    `part` is a column that names parts; `texts` says whether transcripts are needed. Raises as the readers of rows do.
    """
    rows = open_rows(file, format=format, encoding=encoding, unlabelled=None if texts else audio or "audio")
    sounds = audio_column(rows, audio)
    found = [f"audio '{sounds.column}' ({sounds.reason})"]
    said = _text_column(rows, text, sounds.column, needed=texts)
    if said is not None:
        found.append(f"text '{said.column}' ({said.reason})")
    of_part = None if part is None else column_of(rows, part, "part").column
    folder = Path() if file == "-" or "://" in file else Path(file).parent

    def read() -> Iterator[Utterance]:
        for row in rows:
            name, hear = _heard(row, sounds.column, folder)
            words = None if said is None else row.text(said.column)
            yield Utterance(row.place, name, hear, words, None if of_part is None else row.value(of_part))

    return Speech(file, f"{rows.format}; {', '.join(found)}", read, part is not None, rows.columns)


def audio_column(rows: Rows, asked: str | None) -> Choice:
    """Return the column of the sounds: by name, else the one whose first values are names of sounds.

    Raises DataError, with the columns there are, for one that is missing and where nothing can be chosen.
    """
    try:
        return column_of(rows, asked, "audio")
    except DataError:
        if asked is not None:
            raise
        for column in rows.columns:
            values = [row.values.get(column) for row in rows.first]
            if values and all(isinstance(value, str) and is_sound(value.strip()) for value in values):
                return Choice(column, "it names sounds")
        raise


def _text_column(rows: Rows, asked: str | None, audio: str, *, needed: bool) -> Choice | None:
    try:
        return column_of(rows, asked, "text", taken=(audio,))
    except DataError:
        if needed or asked is not None:
            raise
        return None


def _heard(row: Row, column: str, folder: Path) -> tuple[str, Callable[[], Sound]]:
    value: Any = row.value(column)
    path, content = (value.get("path"), value.get("bytes")) if isinstance(value, dict) else (value, None)
    if isinstance(value, bytes):
        path, content = None, value
    if content is not None and not isinstance(content, bytes):
        return str(row.place), partial(_no_bytes, str(row.place), column, type(content).__name__)
    if content is not None:
        name = f"{row.place}" + (f": {path}" if path else "")
        return name, partial(read_sound, content, name)
    if not isinstance(path, str) or not path.strip():
        return str(row.place), partial(_none_named, str(row.place), column)
    found = folder / path.strip()
    return str(found), partial(read_sound, found)


def _none_named(place: str, column: str) -> Sound:
    got = f"'{column}' names no sound"
    raise BadSound(place, "without the name of a sound", got, "A row names a file of sound", "Mend the row")


def _no_bytes(place: str, column: str, kind: str) -> Sound:
    got, possible = (
        f"the bytes of '{column}' are of type {kind}",
        "Bytes of a sound stand in Parquet; JSONL names files",
    )
    raise BadSound(place, "whose bytes are none", got, possible, "Mend the row")
