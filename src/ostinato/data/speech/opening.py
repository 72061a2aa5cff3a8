"""Opens speech of any kind: what a file is comes from its name, unless it is told."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Literal, get_args

from ostinato._errors import ConfigError, DataError, did_you_mean
from ostinato.data.frames import Recordings, open_frames
from ostinato.data.rows import Format
from ostinato.data.speech.digits import Digits, digits_speech
from ostinato.data.speech.folders import folder_speech, piped_speech, single_speech
from ostinato.data.speech.manifests import manifest_speech
from ostinato.data.speech.sound import is_sound
from ostinato.data.speech.utterance import Speech, Utterance

SpeechFormat = Literal["csv", "tsv", "jsonl", "parquet", "folder", "sound", "digits", "npz"]
_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_TABLES = get_args(Format)


def open_speech(
    file: str,
    *,
    format: SpeechFormat | None = None,
    encoding: str = "utf-8",
    audio: str | None = None,
    text: str | None = None,
    part: str | None = None,
    digits: Digits | None = None,
    texts: bool = True,
) -> Speech:
    """Open utterances: a manifest, a folder of sounds, one sound, an archive of digits, or features in .npz.

    What is None is found; `Speech.format` says in words as what. `texts` says whether transcripts are needed. Raises
    DataError for what cannot be read, ConfigError for a format that is none and for columns where there are none.
    """
    known = get_args(SpeechFormat)
    if format is not None and format not in known:
        raise ConfigError("format", f"'{format}'", f"Possible: {', '.join(known)}", did_you_mean(format, known))
    if file == "-" and format is None and (piped := piped_speech(sys.stdin.buffer)) is not None:
        return piped
    kind = format or _kind(file)
    if kind in (None, *_TABLES):
        return manifest_speech(
            file,
            format=kind,  # type: ignore[arg-type]
            encoding=encoding,
            audio=audio,
            text=text,
            part=part,
            texts=texts,
        )
    for name, column in (("audio", audio), ("text", text), ("part", part)):
        if column is not None:
            raise ConfigError(f"--{name}", f"'{column}' of {file}", "It has no columns", "Leave it out")
    if kind == "folder":
        return folder_speech(Path(file), encoding=encoding, texts=texts)
    if kind == "sound":
        return single_speech(Path(file), encoding=encoding, texts=texts)
    if kind == "digits":
        return digits_speech(Path(file), digits or Digits())
    return _features(open_frames(file, format="npz"), texts)


def _kind(file: str) -> SpeechFormat | None:
    """Return what the name of a file says of it; None of a table, which its rows tell of."""
    name = file.lower()
    if Path(file).is_dir():
        return "folder"
    if name.endswith(_ARCHIVES):
        return "digits"
    if name.endswith(".npz"):
        return "npz"
    return "sound" if is_sound(name) else None


def _features(frames: Recordings, texts: bool) -> Speech:
    if texts and frames.target != "class":
        possible = "np.savez(file, values=steps, offsets=ends, y=texts)"
        raise DataError(frames.name, f"no texts in it ({frames.format})", possible, "Write what is said as 'y'")

    def read() -> Iterator[Utterance]:
        for item in frames:
            said = item.label if isinstance(item.label, str) else None
            yield Utterance(item.place, str(item.place), partial(lambda values: values, item.values), said)

    return Speech(frames.name, frames.format, read, width=frames.width)
