"""Folders of sounds, and single sounds: what is said in `a.wav` stands in `a.txt` beside it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from ostinato._errors import DataError
from ostinato.data.lines import text_encoding
from ostinato.data.place import Place
from ostinato.data.speech.sound import is_sound, read_sound
from ostinato.data.speech.utterance import Speech, Utterance

INPUT = "standard input"
BEGINNINGS = (b"RIFF", b"RF64", b"fLaC", b"OggS", b"FORM", b"ID3", b".snd", b"caff")
"""What WAV, FLAC, Ogg, AIFF, MP3 with a title, AU and CAF begin with."""


def folder_speech(folder: Path, *, encoding: str = "utf-8", texts: bool = True) -> Speech:
    """Read all sounds of a folder and of those in it, by their names; each has a text file of its name beside it.

    A sound without that file has no transcript; where none has one and `texts` says that they are needed, DataError.
    """
    sounds = sorted(path for path in folder.rglob("*") if is_sound(path) and path.is_file())
    if not sounds:
        raise DataError(str(folder), "no sounds in it", "A folder holds a.wav, and what is said in it as a.txt")
    texted = sum(path.with_suffix(".txt").is_file() for path in sounds)
    if texts and not texted:
        got = f"{len(sounds):,} sounds, and no text beside any of them"
        raise DataError(str(folder), got, f"What is said in {sounds[0].name} stands in {sounds[0].stem}.txt")
    words = f"a folder of {len(sounds):,} sounds, {texted:,} with a text"
    return Speech(str(folder), words, partial(_read, str(folder), sounds, text_encoding(encoding), texts))


def single_speech(path: Path, *, encoding: str = "utf-8", texts: bool = True) -> Speech:
    """Read one sound, and its text where there is one and `texts` asks for it. Raises as the readers of sounds do."""
    return Speech(str(path), "a sound", partial(_read, str(path), [path], text_encoding(encoding), texts))


def piped_speech(stream: Any) -> Speech | None:
    """Read one sound from standard input; None where it begins as none does, and nothing is taken from it then."""
    peek = getattr(stream, "peek", None)
    if peek is None or not ((head := peek(4)).startswith(BEGINNINGS) or is_mp3(head)):
        return None

    def read() -> Iterator[Utterance]:
        content = stream.read()
        yield Utterance(Place(INPUT, 1, "sound"), INPUT, partial(read_sound, content, INPUT), None)

    return Speech(INPUT, "a sound", read)


def is_mp3(head: bytes) -> bool:
    """Whether bytes begin with the header of a frame of MPEG audio, layer III."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return False
    return head[2] >> 4 not in (0, 15) and head[2] >> 2 & 3 != 3


def _read(name: str, sounds: list[Path], encoding: str, texts: bool) -> Iterator[Utterance]:
    for number, path in enumerate(sounds, 1):
        text = path.with_suffix(".txt")
        said = _said(text, encoding) if texts and text.is_file() else None
        yield Utterance(Place(name, number, "sound"), str(path), partial(read_sound, path), said)


def _said(path: Path, encoding: str) -> str:
    try:
        return " ".join(path.read_text(encoding=encoding).removeprefix("\ufeff").split())
    except UnicodeDecodeError as error:
        raise DataError(str(path), f"byte {error.start} is not {encoding}", "", "Name its --encoding") from None
