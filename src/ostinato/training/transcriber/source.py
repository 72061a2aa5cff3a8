"""Utterances of a run: which files they stand in, which part each belongs to, and what is heard in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato._errors import ConfigError, DataError
from ostinato.data.speech import BadSound, Digits, Listener, LogMel, Sound, Speech, Utterance, open_speech
from ostinato.data.splitting import Dealer, Part, part_named, parts_asked
from ostinato.training.config.transcriber import SpeechData
from ostinato.training.supervised.skipped import Skipped


class Reading:
    """The files of a run, each utterance with its part."""

    def __init__(self, data: SpeechData, seed: int):
        self.data, self.seed = data, seed
        shared = data.part is None
        self.shares, self.files = parts_asked(data.validation, data.test) if shared else ({}, {})
        self.sources: dict[Part | None, Speech] = {None: open_source(data, data.file, seed=seed)}
        if self.sources[None].parts and shared:
            self._refuse_parts()
        elif data.speaker is not None:
            got, possible = f"'{data.speaker}' of {data.file}", "Speakers are told apart in an archive of digits"
            raise ConfigError("--speaker", got, possible, "Leave it out, and name parts by a column (--part)")
        self.sources |= {part: open_source(data, file, seed=seed) for part, file in self.files.items()}
        self.asked: set[Part] = {"train", *self.files}
        self.asked |= {part for part in ("valid", "test") if self.shares.get(part)}  # type: ignore[misc]

    def utterances(self) -> Iterator[tuple[Part, Utterance]]:
        """Yield each utterance with its part."""
        dealer = Dealer(self.shares.get("valid", 0.0), self.shares.get("test", 0.0), seed=self.seed)
        for fixed, source in self.sources.items():
            for utterance in source:
                if fixed is not None:
                    yield fixed, utterance
                elif source.parts:
                    yield part_named(utterance.part, utterance.place, self.data.part or "part"), utterance
                else:
                    yield dealer.part(), utterance

    def _refuse_parts(self) -> None:
        """Refuse to split an archive otherwise than it is split itself."""
        if self.files or self.data.test is not None:
            flag = "--test" if self.data.test is not None else "--validation"
            got = f"it was given for {self.data.file}"
            raise ConfigError(flag, got, "An archive of digits has a test part of its own", "Leave it out")


def first_rate(reading: Reading) -> int | None:
    """Return the rate of the run, or else that of the first sound to learn from; None where there is no such sound."""
    data = reading.data
    if data.rate is not None or reading.sources[None].width is not None:
        return data.rate
    for part, utterance in reading.utterances():
        if part != "train" or why_unused(utterance) is not None:
            continue
        try:
            sound = utterance.hear()
        except BadSound:
            continue
        if isinstance(sound, Sound) and data.window_ms <= 1000 * sound.seconds <= 1000 * data.longest:
            return sound.rate
    return None


class Ears:
    """Turns what is heard into frames, the same while training, testing and in use; sounds of any rate.

    rate   samples a second; None takes those of the first sound that is heard.
    width  numbers a frame has where features are read in place of sounds; None of sounds.
    """

    def __init__(self, data: SpeechData, rate: int | None, width: int | None):
        self.data, self.rate, self.width = data, rate or data.rate, width
        self._listener: Listener | None = None

    @property
    def features(self) -> LogMel:
        """Return which features are computed. Raises ConfigError for those that cannot be."""
        return features_of(self.data, self.rate or 16000)

    @property
    def listener(self) -> Listener:
        """Return what hears, made once the rate is known."""
        if self._listener is None:
            self._listener = Listener(self.features)
        return self._listener

    def frames(self, utterance: Utterance) -> NDArray[np.float32]:
        """Return the features (T, D) of an utterance.

        Raises BadSound for a sound that cannot be used, DataError for features of another width, or of another kind
        than those before.
        """
        heard = utterance.hear()
        if isinstance(heard, np.ndarray):
            _check_frames(heard, utterance.name)
            if heard.shape[1] != self.width:
                wanted = f"features of {self.width}" if self.width else "sounds"
                raise DataError(utterance.name, f"features of {heard.shape[1]} numbers", f"This model reads {wanted}")
            return heard
        if self.width is not None:
            raise DataError(utterance.name, "a sound", f"This model reads features of {self.width} numbers", "")
        self.rate = self.rate or heard.rate
        return self.listener.frames(heard, utterance.name)

    def lines(self) -> list[str]:
        """Return what is to be said of what was heard."""
        return [] if self._listener is None else self._listener.lines()


def _check_frames(frames: NDArray, where: str) -> None:
    """Raise DataError for what is no table of frames, BadSound for one without a frame or with NaN or infinity."""
    possible = "Frames are numbers (T, D); a sound is Sound(samples, rate), from ostinato.data.speech"
    if frames.ndim != 2:
        raise DataError(where, f"an array {frames.shape}", possible, "Give a Sound, or frames")
    if not len(frames):
        raise BadSound(where, "without a frame", "there is no frame", possible, "Leave it out")
    if not np.isfinite(frames).all():
        reason = "with features that are no finite number"
        raise BadSound(where, reason, "NaN or infinity among its features", possible, "Compute them again")


def open_source(data: SpeechData, file: str, *, texts: bool = True, seed: int = 0, **asked: Any) -> Speech:
    """Open a file of utterances; `asked` are columns and the format, where they differ from those of `data`."""
    columns = {name: getattr(data, name) for name in ("audio", "text", "part", "format", "encoding")} | asked
    return open_speech(file, digits=digits_of(data, seed), texts=texts, **columns)


def digits_of(data: SpeechData, seed: int) -> Digits:
    """Return what is made of an archive of digits. Raises ConfigError for what cannot be."""
    try:
        share = float(data.validation)
    except ValueError:
        share = 0.0
    return Digits(
        data.strings, data.test_strings, data.shortest_string, data.longest_string, data.silence, data.speaker, share,
        seed,
    )  # fmt: skip


def features_of(data: SpeechData, rate: int) -> LogMel:
    """Return which features are computed of sounds of a rate. Raises ConfigError for those that cannot be."""
    return LogMel(rate, data.bands, data.window_ms, data.step_ms)


def heard(ears: Ears, utterance: Utterance, skipped: Skipped) -> NDArray[np.float32] | None:
    """Return the frames of an utterance; None, counted with its reason, of one that nothing can be heard in."""
    try:
        return ears.frames(utterance)
    except BadSound as error:
        skipped.add(error.reason, error.where)
        return None


def why_unused(utterance: Utterance) -> str | None:
    """Return why an utterance is neither learned from nor scored, before it is heard; None where it is."""
    return None if utterance.text is not None and utterance.text.strip() else "without a text"
