"""A sound: samples and how many there are a second, read from WAV, FLAC and what else libsndfile knows.

`soundfile` reads them: it wraps libsndfile, which knows the formats in all their variants.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ostinato._errors import DataError

SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".caf", ".w64")
"""Names that sounds end with."""


class BadSound(DataError):
    """A sound that nothing can be heard in; `reason` says why, as items are counted: "whose sound is silent"."""

    def __init__(self, where: str, reason: str, got: str, possible: str = "", advice: str = ""):
        self.reason = reason
        super().__init__(where, got, possible, advice)

    def __reduce__(self):
        return (type(self), (self.where, self.reason, self.got, self.possible, self.advice))


class Sound(NamedTuple):
    """What a microphone heard, in one channel."""

    samples: NDArray[np.float32]
    """(n,), from -1 to 1."""
    rate: int
    """Samples a second."""
    channels: int = 1
    """How many there were before they were mixed into one."""

    @property
    def seconds(self) -> float:
        """Return how long it is."""
        return len(self.samples) / self.rate


def is_sound(name: str | Path) -> bool:
    """Whether a file is a sound, by its name."""
    return str(name).lower().endswith(SUFFIXES)


def read_sound(source: Path | bytes, where: str = "") -> Sound:
    """Read a file of sound, or its bytes; several channels are mixed into one, their mean.

    Raises BadSound, which `where` names (by default the file), for a file that is missing, empty or no sound, and
    as `checked` does.
    """
    import soundfile  # 60 ms, which other data does without

    where = where or (str(source) if isinstance(source, Path) else "a sound")
    opened = BytesIO(source) if isinstance(source, bytes) else source
    if isinstance(source, Path):
        _check_there(source, where)
    try:
        values, rate = soundfile.read(opened, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError, TypeError) as error:
        got = f"it cannot be read as a sound ({_said(error)})"
        possible = f"Sounds are {', '.join(SUFFIXES[:5])} and what else libsndfile reads"
        raise BadSound(where, "whose sound cannot be read", got, possible, "Fetch or convert it again") from None
    return checked(Sound(values.mean(axis=1), int(rate), values.shape[1]), where)


def checked(sound: Sound, where: str) -> Sound:
    """Return the sound. Raises BadSound for one without a sample, with numbers that are none, and for silence."""
    if not len(sound.samples):
        raise BadSound(where, "whose sound has no sample", "it holds no sample", "A sound has some", "Record it again")
    finite = np.isfinite(sound.samples)
    if not finite.all():
        at = int(np.argmin(finite))
        got = f"sample {at + 1:,} is {sound.samples[at]:g}, and {int((~finite).sum()) - 1:,} more are no finite number"
        raise BadSound(where, "whose sound has samples that are no finite number", got, "", "Convert it again")
    if (sound.samples == sound.samples[0]).all():
        got = f"silence: all of its {len(sound.samples):,} samples are {sound.samples[0]:g}"
        raise BadSound(where, "whose sound is silent", got, "Something is heard in a recording", "Record it again")
    return sound


def _check_there(path: Path, where: str) -> None:
    if not path.exists():
        raise BadSound(where, "whose sound is missing", "there is no such file", "", "Check the path, letter by letter")
    if path.is_dir():
        raise BadSound(where, "whose sound is a folder", "a folder, where a sound is needed", "", "Name a file in it")
    if not path.stat().st_size:
        raise BadSound(where, "whose sound is an empty file", "the file is empty", "", "Fetch it again")


def _said(error: Exception) -> str:
    return str(error).rpartition(": ")[2].strip().rstrip(".") or type(error).__name__
