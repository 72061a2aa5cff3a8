"""Piano rolls: JSON of pieces of frames of MIDI notes, read as 88 bits a step, one for each key of a piano."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato._errors import DataError
from ostinato.data.series.series import Series, SeriesFile

LOWEST, KEYS = 21, 88
SILENCE = -1
PARTS = {"train": "train", "valid": "valid", "validation": "valid", "test": "test"}
NAMES = tuple(f"note {LOWEST + key}" for key in range(KEYS))


def roll_series(path: Path) -> SeriesFile:
    """Return the pieces of a file: a list of them, or {"train": …, "valid": …, "test": …}.

    A frame lists the notes that sound; none, or -1, is silence. Raises DataError for what is no such file, and on
    reading for a note that no piano has, naming piece and frame.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(
            str(path), f"no JSON ({error})", "Piano rolls are JSON; items of lines are .jsonl", ""
        ) from None
    parts = {None: document} if isinstance(document, list) else document
    if not isinstance(parts, dict) or not all(isinstance(pieces, list) for pieces in parts.values()):
        raise DataError(str(path), "no lists of pieces", "A list of pieces, or train, valid and test of them", "")
    for part in parts:
        if part is not None and part not in PARTS:
            raise DataError(str(path), f"a part '{part}'", f"Parts are {', '.join(PARTS)}", "")
    counts = ", ".join(f"{len(pieces)}{f' {part}' if part else ''}" for part, pieces in parts.items())

    def read() -> Iterator[Series]:
        for part, pieces in parts.items():
            for k, piece in enumerate(pieces):
                name = f"{part} {k + 1}" if part else f"{k + 1}"
                place = f"{path}, piece {name}"
                bits = _bits(piece, place)
                yield Series(name, bits, np.zeros((len(bits), 0)), None, place, PARTS[part] if part else None)

    return SeriesFile(NAMES, (), f"piano rolls of 88 keys, pieces: {counts}", read)


def is_roll_file(path: Path) -> bool:
    """Say whether a .json file holds piano rolls, and not an object a line."""
    with open(path, "rb") as file:
        head = b"".join(file.read(400).split())
    return head.startswith((b"[[", b'{"train":[', b'{"valid":[', b'{"validation":[', b'{"test":['))


def _bits(piece: Any, place: str) -> NDArray[np.float64]:
    if not isinstance(piece, list):
        raise DataError(place, f"{str(piece)[:40]}", "A piece is a list of frames, a frame a list of notes", "")
    bits = np.zeros((len(piece), KEYS))
    for step, notes in enumerate(piece):
        for note in notes if isinstance(notes, list) else [notes]:
            if note == SILENCE:
                continue
            if isinstance(note, float) and note.is_integer():
                note = int(note)
            if not isinstance(note, int) or not 0 <= note - LOWEST < KEYS:
                highest = LOWEST + KEYS - 1
                got = f"the note {str(note)[:40]}"
                raise DataError(f"{place}, frame {step + 1}", got, f"Notes are MIDI numbers, {LOWEST} to {highest}", "")
            bits[step, note - LOWEST] = 1
    return bits
