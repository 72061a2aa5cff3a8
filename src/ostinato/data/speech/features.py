"""Log-mel features: how much energy a sound has in each of some bands, by default a hundred times a second.

Computed by `kaldi-native-fbank`, the features of Kaldi without Kaldi: windows of 25 ms every 10 ms, without dither, so
that the same sound always gives the same numbers, and those that do not fit before its end left out. That makes frames
of a stream, chunk by chunk, equal to frames of the whole.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato._errors import ConfigError
from ostinato.data.speech.sound import LEAST_RATE, MOST_RATE

FULL_SCALE = 32768.0
"""Kaldi reads samples as 16-bit numbers."""
NOTHING = -15.9
"""Below it lies the log energy of nothing at all, which Kaldi takes for 2^-23."""


@dataclass(frozen=True)
class LogMel:
    """Features of sounds of one rate.

    >>> LogMel(8000).frames(np.ones(8000, np.float32)).shape
    (98, 40)

    Raises ConfigError for settings that cannot be.
    """

    rate: int
    """Samples a second."""
    bands: int = 40
    """Mel bands, D."""
    window_ms: float = 25.0
    """How long a window is, in milliseconds."""
    step_ms: float = 10.0
    """How far apart windows begin, in milliseconds."""

    def __post_init__(self):
        if not LEAST_RATE <= self.rate <= MOST_RATE:
            got, possible = f"{self.rate:,} samples a second", f"From {LEAST_RATE:,} to {MOST_RATE:,} are possible"
            raise ConfigError("--rate", got, possible, "Speech has 8,000 to 48,000")
        if not 1 <= self.bands <= 512:
            raise ConfigError("--bands", f"{self.bands} was given", "There are 1 to 512 bands")
        if not 0 < self.step_ms <= self.window_ms <= 1000:
            got = f"windows of {self.window_ms:g} ms every {self.step_ms:g} ms"
            raise ConfigError("--window-ms", got, "A step is no longer than a window, a window no longer than 1,000 ms")
        if self._samples(self.step_ms) < 1 or self._samples(self.window_ms) < 2:
            raise ConfigError("--step-ms", f"{self.step_ms:g} ms at {self.rate} Hz", "A step has one sample at least")

    @property
    def shortest(self) -> int:
        """Return how many samples the first window needs."""
        return self._samples(self.window_ms)

    def frames(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the features (T, D) of samples (n,) from -1 to 1."""
        stream = self.stream()
        return stream.push(samples)

    def empty_bands(self) -> list[int]:
        """Return the bands, from 0, that hold no frequency of a window: they are the same whatever is heard."""
        click = np.zeros(self.shortest, np.float32)  # which has all frequencies
        click[self.shortest // 2] = 1
        return np.flatnonzero(self.frames(click)[0] < NOTHING).tolist()

    def check_bands(self) -> None:
        """Raise ConfigError where a band is empty."""
        empty = self.empty_bands()
        if empty:
            got = f"{self.bands} were given, and {len(empty)} of them hold no frequency of a window"
            got += f" of {self.window_ms:g} ms at {self.rate:,} Hz, the first number {empty[0] + 1}"
            fewer = (bands for bands in range(self.bands - 1, 0, -1) if not replace(self, bands=bands).empty_bands())
            most = next(fewer, 0)
            advice = f"Use --bands {most}, or a longer --window-ms" if most else "Use a longer --window-ms"
            raise ConfigError("--bands", got, "Frequencies lie closer together in a longer window", advice)

    def stream(self) -> LogMelStream:
        """Return features that are computed as samples come."""
        return LogMelStream(self)

    def _samples(self, milliseconds: float) -> int:
        return int(self.rate * 0.001 * milliseconds)


class LogMelStream:
    """Takes samples chunk by chunk and gives the frames that they complete; keeps no more than a window."""

    def __init__(self, settings: LogMel):
        self._settings, self._fbank, self._given = settings, _fbank(settings), 0

    def push(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the frames (t, D) that these samples complete, often none."""
        scaled = np.asarray(samples, np.float32) * np.float32(FULL_SCALE)
        if scaled.size:
            self._fbank.accept_waveform(self._settings.rate, scaled)
        ready: int = self._fbank.num_frames_ready
        new = [np.array(self._fbank.get_frame(k)) for k in range(self._given, ready)]
        self._fbank.pop(ready - self._given)
        self._given = ready
        return np.stack(new) if new else np.zeros((0, self._settings.bands), np.float32)


def _fbank(settings: LogMel) -> Any:
    import kaldi_native_fbank

    options: Any = kaldi_native_fbank.FbankOptions()
    options.frame_opts.samp_freq = settings.rate
    options.frame_opts.dither = 0.0
    options.frame_opts.snip_edges = True
    options.frame_opts.frame_length_ms = settings.window_ms
    options.frame_opts.frame_shift_ms = settings.step_ms
    options.mel_opts.num_bins = settings.bands
    return kaldi_native_fbank.OnlineFbank(options)
