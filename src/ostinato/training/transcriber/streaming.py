"""Dictation: samples as they come into text as it is known, with no more memory than a moment needs."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ostinato._errors import ConfigError
from ostinato.data.speech.listening import check_length
from ostinato.data.speech.resampling import Resampler
from ostinato.data.speech.sound import check_rate, check_samples, mixed
from ostinato.models.transcriber import FrameStream, Transcriber
from ostinato.training.config.transcriber import SpeechData
from ostinato.training.devices import device_of
from ostinato.training.transcriber.encoding import Encoder
from ostinato.training.transcriber.source import features_of


class Dictation:
    """Takes samples in pieces of any size and returns the text that they add: in the end that of the whole sound.

    The text is that of the best symbol at each step. All that `push` and `finish` return, joined, is the whole of it.
    """

    def __init__(self, model: Transcriber, encoder: Encoder, data: SpeechData, rate: int | None = None):
        if encoder.schema.rate is None:
            raise ConfigError("stream", "a model of features", "Sounds are streamed", "Train one on sounds")
        if encoder.schema.centre:
            got, advice = "a model of centred utterances", "Train one without --centre"
            raise ConfigError("stream", got, "The mean of an utterance is known at its end", advice)
        self._encoder, self._model = encoder, model
        if rate is not None:
            check_rate(rate, "the stream")
        self._resampler = Resampler(rate or encoder.schema.rate, encoder.schema.rate)
        self._settings = features_of(data, encoder.schema.rate)
        self._features = self._settings.stream()
        self._writer, self._decoder = FrameStream(model), encoder.units.decoder()
        self._begun, self._ended, self._space, self._count = False, False, "", 0

    def push(self, samples: NDArray) -> str:
        """Return the text that samples add, often none: (n,) or (n, channels), from -1 to 1 or whole numbers.

        Raises BadSound for NaN and infinity, and for arrays of another shape, ConfigError once it is finished.
        """
        self._check_open()
        samples = mixed(samples, "the stream")
        check_samples(samples, "the stream")
        return self._heard(self._resampler.push(samples))

    def finish(self) -> str:
        """Return the text that is left; nothing can be pushed after it. Raises ConfigError the second time."""
        self._check_open()
        self._ended = True
        added = self._heard(self._resampler.finish())
        return added + self._told(self._decoded(self._writer.finish()) + self._decoder.flush())

    def check_heard(self, where: str) -> None:
        """Raise BadSound, which names `where`, if all that was heard until now is shorter than a frame."""
        check_length(self._count, self._settings, where)

    def _check_open(self) -> None:
        if self._ended:
            raise ConfigError("stream", "it is finished", "A dictation hears one sound", "Begin another one")

    def _heard(self, samples: NDArray[np.float32]) -> str:
        self._count += len(samples)
        frames = self._encoder.frames(self._features.push(samples))
        symbols = self._writer.push(torch.from_numpy(frames).to(device_of(self._model)))
        return self._told(self._decoded(symbols))

    def _decoded(self, symbols: list[int]) -> str:
        return "".join(map(self._decoder.push, symbols))

    def _told(self, text: str) -> str:
        """Return the text without space at the beginning of all, nor at an end after which nothing may follow."""
        text = self._space + text
        told = text.rstrip()
        self._space = text[len(told) :]
        if not self._begun:
            told = told.lstrip()
        self._begun = self._begun or bool(told)
        return told
