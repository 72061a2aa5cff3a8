"""Another number of samples a second, by soxr: whole, or chunk by chunk with the same samples in the end."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Resampler:
    """Turns samples at one rate into samples at another as they come; the same rate changes nothing.

    >>> resampler = Resampler(8000, 16000)
    >>> chunks = [resampler.push(np.ones(50, np.float32)), resampler.push(np.ones(50, np.float32)), resampler.finish()]
    >>> sum(map(len, chunks))
    200
    """

    def __init__(self, rate: int, wanted: int):
        self._stream = None
        if rate != wanted:
            import soxr

            self._stream = soxr.ResampleStream(rate, wanted, 1, dtype="float32")

    def push(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the samples that are known now."""
        return samples if self._stream is None else self._stream.resample_chunk(samples)

    def finish(self) -> NDArray[np.float32]:
        """Return the samples that are left."""
        nothing = np.zeros(0, np.float32)
        return nothing if self._stream is None else self._stream.resample_chunk(nothing, last=True)


def resampled(samples: NDArray[np.float32], rate: int, wanted: int) -> NDArray[np.float32]:
    """Return all samples at another rate."""
    resampler = Resampler(rate, wanted)
    return np.concatenate([resampler.push(samples), resampler.finish()])
