"""Spoken digits: recordings of an archive one by one, or put together to strings of several digits.

The Free Spoken Digit Dataset (Jackson, 2016) is an archive of `{digit}_{speaker}_{number}.wav`; its official test part
are the recordings 0 to 4 of each digit and speaker. Strings of a part are made of its own recordings only, each of one
speaker, with a short silence between digits.
"""

from __future__ import annotations

import re
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ostinato._errors import ConfigError, DataError, did_you_mean
from ostinato.data.place import Place
from ostinato.data.readers import check_file
from ostinato.data.speech.sound import BadSound, Sound, read_sound
from ostinato.data.speech.utterance import Speech, Utterance
from ostinato.data.splitting import PARTS, Dealer, Part

OFFICIAL = 5
"""Recordings of each digit and speaker that the official test part has, the first ones."""
HISS = 1e-4
"""Deviation of the noise that a silence is made of."""
_NAME = re.compile(r"(?:.*/)?(\d)_([^_/]+)_(\d+)\.wav")
_POSSIBLE = "An archive of digits holds 7_name_0.wav: digit, speaker and number"


@dataclass(frozen=True)
class Digits:
    """What is made of an archive of spoken digits."""

    strings: int = 0
    """Strings of digits to learn from; 0 reads each recording by itself."""
    judged: int = 500
    """Strings to validate with, and as many to test."""
    shortest: int = 3
    """Fewest digits of a string."""
    longest: int = 7
    """Most digits of a string."""
    silence: float = 0.1
    """Longest silence between two digits, in seconds."""
    speaker: str | None = None
    """Who is kept to test; None keeps the official part, the recordings 0 to 4."""
    validation: float = 0.1
    """Share of the other recordings kept to validate."""
    seed: int = 0
    """Of all that is drawn."""

    def __post_init__(self):
        if self.strings < 0:
            raise ConfigError("--strings", f"{self.strings} was given", "There are 0 or more to learn from")
        if self.judged < 1:
            raise ConfigError("--test-strings", f"{self.judged} was given", "There is 1 or more to judge by")
        for flag, count in (("--shortest-string", self.shortest), ("--longest-string", self.longest)):
            if not 1 <= count <= 1000:
                raise ConfigError(flag, f"{count} was given", "A string has 1 to 1,000 digits")
        if self.shortest > self.longest:
            got = f"strings of {self.shortest} to {self.longest} digits"
            raise ConfigError("--shortest-string, --longest-string", got, "The shortest is no longer than the longest")
        if not 0 <= self.silence <= 10:
            raise ConfigError("--silence", f"{self.silence:g} was given", "It is from 0 to 10 seconds")


class Recording(NamedTuple):
    """A digit, said by somebody."""

    name: str
    digit: str
    speaker: str
    number: int
    sound: Sound | BadSound


def digits_speech(path: Path, digits: Digits) -> Speech:
    """Read the recordings of an archive (.tar, .tar.gz) without unpacking it, or strings of them.

    Each utterance says its part. Raises DataError for what is no archive of digits and for a speaker it has not.
    """
    check_file(path)
    recordings = _recordings(path)
    speakers = sorted({recording.speaker for recording in recordings})
    if digits.speaker is not None and digits.speaker not in speakers:
        got, near = f"no speaker '{digits.speaker}'", did_you_mean(digits.speaker, speakers)
        raise DataError(str(path), got, f"Speakers: {', '.join(speakers)}", near)
    bad = [recording.sound for recording in recordings if isinstance(recording.sound, BadSound)]
    if digits.strings and bad:
        recordings = [recording for recording in recordings if isinstance(recording.sound, Sound)]
        if not recordings:
            raise DataError(str(path), "none of its recordings can be used", f"The first: {bad[0]}", "Fetch it again")
    dealt = _dealt(recordings, digits)
    who = f"speaker {digits.speaker}" if digits.speaker is not None else f"recordings 0 to {OFFICIAL - 1}"
    words = f"an archive of {len(recordings):,} spoken digits by {len(speakers)} speakers, {who} to test"
    if digits.strings:
        words += f"; strings of {digits.shortest} to {digits.longest} digits"
        words += f", {len(bad):,} more cannot be used (the first: {bad[0]})" if bad else ""
    read = _strings if digits.strings else _one_by_one
    return Speech(str(path), words, partial(read, str(path), dealt, digits), parts=True)


def _recordings(path: Path) -> list[Recording]:
    try:
        with tarfile.open(path, "r|*") as archive:
            found = [_recording(archive, member, path) for member in archive if _NAME.fullmatch(member.name)]
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise DataError(str(path), f"not an archive, or a damaged one ({error})", _POSSIBLE, "Fetch it again") from None
    if not found:
        raise DataError(str(path), "no spoken digit in it", _POSSIBLE, "Name another archive, or write a manifest")
    return sorted(found, key=lambda r: (r.digit, r.speaker, r.number))


def _recording(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> Recording:
    match = _NAME.fullmatch(member.name)
    file = archive.extractfile(member)
    assert match is not None
    where = f"{path}: {member.name}"
    try:
        sound: Sound | BadSound = read_sound(b"" if file is None else file.read(), where)
    except BadSound as error:
        sound = error
    return Recording(where, match[1], match[2], int(match[3]), sound)


def _dealt(recordings: list[Recording], digits: Digits) -> dict[Part, list[Recording]]:
    dealer = Dealer(valid=digits.validation, seed=digits.seed)
    parts: dict[Part, list[Recording]] = {part: [] for part in PARTS}
    for recording in recordings:
        official = digits.speaker is None and recording.number < OFFICIAL
        if official or recording.speaker == digits.speaker:
            parts["test"].append(recording)
        else:
            parts[dealer.part(f"{recording.digit} {recording.speaker}")].append(recording)
    return parts


def _one_by_one(name: str, parts: dict[Part, list[Recording]], digits: Digits) -> Iterator[Utterance]:
    recordings = [(part, recording) for part in PARTS for recording in parts[part]]
    for number, (part, recording) in enumerate(recordings, 1):
        place = Place(name, number, "recording")
        yield Utterance(place, recording.name, partial(_heard, recording), recording.digit, part)


def _heard(recording: Recording) -> Sound:
    if isinstance(recording.sound, BadSound):
        raise recording.sound
    return recording.sound


def _strings(name: str, parts: dict[Part, list[Recording]], digits: Digits) -> Iterator[Utterance]:
    number = 0
    for which, part in enumerate(PARTS):
        speakers = sorted({recording.speaker for recording in parts[part]})
        of = {speaker: [r for r in parts[part] if r.speaker == speaker] for speaker in speakers}
        generator = np.random.default_rng((digits.seed, which))
        for _ in range((digits.strings if part == "train" else digits.judged) if speakers else 0):
            number += 1
            own = of[speakers[generator.integers(len(speakers))]]
            count = int(generator.integers(digits.shortest, digits.longest + 1))
            chosen = [own[k] for k in generator.integers(len(own), size=count)]
            gaps = generator.uniform(0, digits.silence, count - 1)
            hear = partial(_joined, chosen, gaps, (digits.seed, which, number))
            place = Place(name, number, "string")
            yield Utterance(place, str(place), hear, "".join(recording.digit for recording in chosen), part)


def _joined(recordings: list[Recording], gaps: NDArray[np.float64], seed: tuple[int, ...]) -> Sound:
    """Return recordings one after the other, with silences of `gaps` seconds between them."""
    generator = np.random.default_rng(seed)
    sounds = [_heard(recording) for recording in recordings]
    rate, pieces = sounds[0].rate, [sounds[0].samples]
    for sound, gap in zip(sounds[1:], gaps, strict=True):
        if sound.rate != rate:
            got = f"{sound.rate:,} Hz in one recording, {rate:,} in another"
            raise BadSound(recordings[0].name, "of several rates", got, "Strings are of one rate", "Resample them")
        hiss = generator.standard_normal(round(gap * rate), np.float32)
        pieces += [np.float32(HISS) * hiss, sound.samples]
    return Sound(np.concatenate(pieces), rate)
