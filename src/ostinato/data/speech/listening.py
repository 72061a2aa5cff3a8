"""From sounds of any rate and any number of channels to features of one kind; what was changed is said once."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from ostinato.data.speech.features import LogMel
from ostinato.data.speech.resampling import resampled
from ostinato.data.speech.sound import BadSound, Sound


class Listener:
    """Turns sounds into features, and counts those that were resampled or mixed down.

    >>> listener = Listener(LogMel(8000))
    >>> listener.frames(Sound(np.ones(16000, np.float32), 16000, 2), "a.wav").shape
    (98, 40)
    >>> listener.lines()
    ['resampled 1 sound of 16,000 Hz to 8,000 Hz', 'mixed 1 sound of 2 channels into one channel']
    """

    def __init__(self, features: LogMel):
        self.features = features
        self._rates: Counter[int] = Counter()
        self._channels: Counter[int] = Counter()

    def frames(self, sound: Sound, where: str) -> NDArray[np.float32]:
        """Return the features (T, D) of a sound. Raises BadSound for one that is shorter than a window."""
        samples = resampled(sound.samples, sound.rate, self.features.rate)
        check_length(len(samples), self.features, where)
        self.note(sound.rate, sound.channels)
        return self.features.frames(samples)

    def note(self, rate: int, channels: int) -> None:
        """Count a sound of this rate and so many channels."""
        self._rates[rate] += rate != self.features.rate
        self._channels[channels] += channels > 1

    def lines(self) -> list[str]:
        """Return what is to be said of all sounds together."""
        wanted = self.features.rate
        said = [f"resampled {_sounds(n)} of {rate:,} Hz to {wanted:,} Hz" for rate, n in self._rates.items() if n]
        mixed = [f"mixed {_sounds(n)} of {count} channels into one channel" for count, n in self._channels.items() if n]
        return said + mixed


def check_length(count: int, features: LogMel, where: str) -> None:
    """Raise BadSound where so many samples, at the rate of the features, make no frame."""
    if count < features.shortest:
        got = f"{count / features.rate * 1000:.1f} ms of sound"
        possible = f"A frame is made of {features.window_ms:g} ms"
        raise BadSound(where, f"shorter than {features.window_ms:g} ms", got, possible, "Record it again")


def _sounds(count: int) -> str:
    return f"{count:,} sound" + "s" * (count > 1)
