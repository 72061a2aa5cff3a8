"""A sound: samples and how many there are a second, read from WAV, FLAC and what else libsndfile knows.

`soundfile` reads them: it wraps libsndfile, which knows the formats in all their variants.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ostinato._errors import DataError
from ostinato.data.speech.waves import with_length

SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".caf", ".w64")
"""Names that sounds end with."""
BLOCK = 1 << 16
"""Samples read at once: what a header says of their number may be wrong."""
LEAST_RATE, MOST_RATE = 1000, 1_000_000
LOUDEST = 1e6
MOST_CHANNELS = 32


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
    where = where or (str(source) if isinstance(source, Path) else "a sound")
    if isinstance(source, Path):
        check_there(source, where)
    with opened(source, where) as file:
        pieces, channels, rate = list(mono(file, BLOCK, where)), file.channels, file.samplerate
    samples = np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
    return checked(Sound(samples, int(rate), channels), where)


def opened(source: Path | bytes, where: str) -> Any:
    """Open a file of sound, or its bytes, for a `with` statement. Raises BadSound for what is none.

    A WAV whose writer was stopped before it said how many samples there are has all that stand in it.
    """
    import soundfile  # 60 ms, which other data does without

    try:
        file = soundfile.SoundFile(_Held(source) if isinstance(source, bytes) else source)
        if not file.frames and file.format in ("WAV", "WAVEX"):
            file.close()
            file = soundfile.SoundFile(_Held(with_length(source if isinstance(source, bytes) else source.read_bytes())))
        return file
    except (soundfile.SoundFileError, OSError, TypeError) as error:
        raise _unreadable(where, error) from None


def mono(file: Any, size: int, where: str) -> Iterator[NDArray[np.float32]]:
    """Yield the mean of all channels, so many samples at a time, to where the file ends, whatever its header says."""
    import soundfile

    while True:
        try:
            block = file.read(size, dtype="float32", always_2d=True)
        except (soundfile.SoundFileError, OSError, TypeError) as error:
            raise _unreadable(where, error) from None
        if not len(block):
            return
        check_samples(block, where)
        yield block.mean(axis=1)


def checked(sound: Sound, where: str) -> Sound:
    """Return the sound. Raises BadSound for one without a sample, of an impossible rate, and for silence.

    Also for samples that are no number, or far beyond full scale.
    """
    check_rate(sound.rate, where)
    check_samples(sound.samples, where)
    for _ in audible([sound.samples], where):
        pass
    return sound


def audible(pieces: Iterable[NDArray[np.float32]], where: str) -> Iterator[NDArray[np.float32]]:
    """Yield the pieces of a sound. Raises BadSound at its end where there was no sample, and for silence."""
    count, first, varied = 0, np.float32(0), False
    for samples in pieces:
        if not count and len(samples):
            first = samples[0]
        count += len(samples)
        varied = varied or bool((samples != first).any())
        yield samples
    if not count:
        got = "it holds no sample"
        raise BadSound(where, "whose sound has no sample", got, "A sound has some", "Record it again")
    if not varied:
        got = f"silence: all of its {count:,} samples are {first:g}"
        raise BadSound(where, "whose sound is silent", got, "Something is heard in a recording", "Record it again")


def check_rate(rate: int, where: str) -> None:
    """Raise BadSound for a rate at which no sound is recorded."""
    if not LEAST_RATE <= rate <= MOST_RATE:
        got, possible = f"{rate:,} samples a second", f"From {LEAST_RATE:,} to {MOST_RATE:,} of them are read"
        raise BadSound(where, "of an impossible rate", got, possible, "Convert it again")


def check_samples(samples: NDArray[np.float32], where: str) -> None:
    """Raise BadSound for samples (n, …) that are no number, or far beyond full scale, which is 1."""
    good = np.abs(samples) <= LOUDEST  # NaN is not
    if not good.all():
        wrong = samples[~good]
        reason, advice = "whose sound has samples that are no number or far too large", "Convert it again"
        got = f"{len(wrong):,} of its samples are no finite number or beyond {LOUDEST:g}, the first {wrong.flat[0]:g}"
        raise BadSound(where, reason, got, "Full scale is 1", advice)


def mixed(values: Any, where: str) -> NDArray[np.float32]:
    """Return samples (n,) from -1 to 1 of an array (n,), or (n, channels), whose mean is taken.

    Whole numbers are divided by the full scale of their type. Raises BadSound for an array of another shape or type.
    """
    values = np.asarray(values)
    if values.dtype.kind not in "iuf" or values.ndim not in (1, 2) or values.shape[1:] > (MOST_CHANNELS,):
        got = f"an array {values.shape} of {values.dtype}"
        possible = f"Samples are numbers (n,), or (n, channels) of {MOST_CHANNELS} channels at most"
        raise BadSound(where, "whose samples are of no possible shape or type", got, possible, "Turn it round")
    if values.dtype.kind in "iu":
        full = 2.0 ** (8 * values.dtype.itemsize - 1)
        values = (values - full * (values.dtype.kind == "u")) / full
    return np.asarray(values if values.ndim == 1 else values.mean(axis=1), np.float32)


def check_there(path: Path, where: str) -> None:
    """Raise BadSound for a path where no file is, or an empty one."""
    if not path.exists():
        raise BadSound(where, "whose sound is missing", "there is no such file", "", "Check the path, letter by letter")
    if path.is_dir():
        raise BadSound(where, "whose sound is a folder", "a folder, where a sound is needed", "", "Name a file in it")
    if not path.stat().st_size:
        raise BadSound(where, "whose sound is an empty file", "the file is empty", "", "Fetch it again")


class _Held(BytesIO):
    """Bytes in which a reader of damaged files cannot seek to before the beginning."""

    def seek(self, offset: int, whence: int = 0) -> int:
        base = (0, self.tell(), len(self.getbuffer()))[whence]
        return super().seek(max(0, base + offset))


def _unreadable(where: str, error: Exception) -> BadSound:
    said = str(error).rpartition(": ")[2].strip().rstrip(".") or type(error).__name__
    possible = f"Sounds are {', '.join(SUFFIXES[:5])} and what else libsndfile reads"
    got = f"it cannot be read as a sound ({said})"
    return BadSound(where, "whose sound cannot be read", got, possible, "Fetch or convert it again")
