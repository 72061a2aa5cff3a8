"""A trained transcriber, opened from its run folder: it writes what is said in sounds, whole or as they come."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ostinato._errors import ConfigError, did_you_mean
from ostinato.data.place import Place
from ostinato.data.speech import Sound, Speech, Utterance
from ostinato.data.speech.chunks import file_chunks, piped_chunks
from ostinato.data.speech.folders import single_speech
from ostinato.data.speech.sound import audible, checked, mixed
from ostinato.data.splitting import Part, part_named
from ostinato.models.transcriber import Transcriber, Utterances
from ostinato.training.config import TranscriberRun, above_zero
from ostinato.training.config.transcriber import SpeechData, Writing
from ostinato.training.devices import device_of, move
from ostinato.training.run_folder import RunFolder, load_best
from ostinato.training.supervised.ahead import by_length, groups
from ostinato.training.supervised.record import record
from ostinato.training.supervised.scorable import Choose, one_at_least, some_of
from ostinato.training.supervised.skipped import Skipped
from ostinato.training.transcriber.building import build_model
from ostinato.training.transcriber.encoding import Encoder, together
from ostinato.training.transcriber.scoring import AT_ONCE, Tally
from ostinato.training.transcriber.searching import Asked, Hypothesis, asked_of, check_weighed, written
from ostinato.training.transcriber.shape import opened
from ostinato.training.transcriber.source import Ears, heard, open_source, why_unused
from ostinato.training.transcriber.streaming import Dictation

FORMATS = ("text", "csv", "jsonl")
AHEAD = 256


@dataclass(frozen=True)
class Transcript:
    """What a transcriber writes for one utterance."""

    text: str
    """The best."""
    best: list[Hypothesis]
    """As many as were asked for, the best first."""
    seconds: list[float]
    """When each symbol of the best begins."""
    place: str = ""
    """Which sound it was."""


class _Heard(NamedTuple):
    utterance: Utterance
    frames: NDArray[np.float32]
    bad: bool = False
    """Whether nothing can be heard in it, and its frames stand for none."""


class TrainedTranscriber:
    """A run, opened for use. `model` and `encoder` are there for what this class does not do."""

    formats = FORMATS
    sniffs = True
    """Whether `lines` tells what a file was taken for."""
    searches = True
    """Whether `lines` takes settings of a search."""

    def __init__(self, run: TranscriberRun, model: Transcriber, encoder: Encoder):
        self.run, self.model, self.encoder = run, model, encoder

    def predict(
        self, sounds: Iterable[str | Path | Sound | NDArray], *, n_best: int = 1, **search: Any
    ) -> Iterator[Transcript]:
        """Yield what is said in each sound, in order; any number of them in constant memory.

        A sound is a file, a `Sound`, or frames (T, D) of a model of features. `search` are settings that differ from
        the run's (`beam=20`, `language_model="runs/text"`). Raises DataError for a sound that cannot be used.
        """
        ears = self.ears()
        items = (self._heard(ears, self._utterance(k, sound)) for k, sound in enumerate(sounds, 1))
        yield from self._transcripts(items, self._asked(search, n_best))

    def stream(self, rate: int | None = None) -> Dictation:
        """Return a dictation: it is given samples as they come, and returns what is written of them.

        `rate` is that of the samples (default: the rate the model learned at). Raises ConfigError for a model that
        reads backwards too, or that reads features.
        """
        return Dictation(self.model, self.encoder, self.run.data, rate)

    def dictate(self, source: Path | BinaryIO, rate: int | None = None) -> Iterator[str]:
        """Yield the text of a file or a pipe piece by piece, while it is heard.

        A pipe holds WAV, or raw 16-bit samples of `rate` a second. Raises as `stream` does, and BadSound for what is
        no sound; at its end also for silence, and for one that is shorter than a frame.
        """
        above_zero("rate", rate)
        chunks = file_chunks(source) if isinstance(source, Path) else piped_chunks(source, rate)
        stream, where = self.stream(chunks.rate), str(source) if isinstance(source, Path) else "standard input"
        for samples in audible(chunks.pieces, where):
            if text := stream.push(samples):
                yield text
        if text := stream.finish():
            yield text
        stream.check_heard(where)

    def evaluate(self, file: Path | str, **data: Any) -> dict[str, float]:
        """Score a file of speech; `data` are settings of the data and of the search that differ from the run's.

        Of an archive of digits the test part is scored, and so it is of a file with the column that names parts in the
        run. Returns the figures of training, `items`, and `skipped`: those without a text, or that nothing is heard
        in. Raises DataError as training does.
        """
        search = {entry.name: data.pop(entry.name) for entry in fields(Writing) if entry.name in data}
        seen, skipped, _ = self._judged(str(file), lambda *_: None, search, data)
        return {**seen.figures(), "items": seen.items, "skipped": sum(skipped.counts.values())}

    def judge(
        self,
        file: str,
        told: Callable[[str, list[Hypothesis]], None] = lambda *_: None,
        *,
        search: dict[str, Any] | None = None,
        **data: Any,
    ) -> tuple[Tally, list[str]]:
        """Return the figures of a file and what is to be said of it; `told` gets what was said and what is written."""
        tally, _, notes = self._judged(file, told, search, data)
        return tally, notes

    def _judged(
        self, file: str, told: Callable[[str, list[Hypothesis]], None], search: Any, data: dict[str, Any]
    ) -> tuple[Tally, Skipped, list[str]]:
        ears, skipped, asked = self.ears(), Skipped("utterance"), self._asked(search or {})
        tally, source = Tally(self.model, self.encoder, asked), self._source(file, data)
        for group in groups(self._scorable(file, source, ears, skipped), AHEAD):
            found: dict[int, list[Hypothesis]] = {}
            for part in by_length([item.frames for item in group], AT_ONCE):
                texts = [group[k].utterance.text or "" for k in part]
                batch = self._batch([group[k] for k in part])
                found |= dict(zip(part, tally.add(move(batch, device_of(self.model)), texts), strict=True))
            for k, item in enumerate(group):
                told(item.utterance.text or "", found[k])
        read = [f"read {file}: {source.format}"]
        if source.columns and source.parts:
            read.append(f"scored the test part alone, as column '{self.run.data.part}' names it")
        return tally, skipped, [*read, *ears.lines(), *skipped.lines(), *tally.lines()]

    def sample(self, file: str, choose: Choose) -> Utterances:
        """Return some items of a file as a batch that the model's loss is taken of.

        `choose` gets the lengths of those that can be scored, and returns the numbers of some. Raises DataError as
        `evaluate` does.
        """
        items = self._scorable(file, self._source(file, {}), self.ears(), Skipped("utterance"))
        return self._batch(some_of(items, choose, lambda item: len(item.frames)))

    def _batch(self, items: Sequence[_Heard]) -> Utterances:
        texts = [self.encoder.text(item.utterance.text or "") for item in items]
        return together([item.frames for item in items], texts)

    def _scorable(self, file: str, source: Speech, ears: Ears, skipped: Skipped) -> Iterator[_Heard]:
        """Yield the utterances to test that can be heard and have a text. Raises DataError where none has."""

        def why() -> str:
            rows = f"None of its rows is to test, as column '{self.run.data.part}' says"
            return "; ".join(skipped.lines()) or (rows if source.parts else source.format)

        return one_at_least(self._usable(source, ears, skipped), file, "utterance", why, "Check its columns")

    def lines(
        self,
        texts: Sequence[str] = (),
        file: str | None = None,
        form: str = "text",
        *,
        say: Callable[[str], None] | None = None,
        search: dict[str, Any] | None = None,
        n_best: int = 1,
        **data: Any,
    ) -> Iterator[str]:
        """Yield what is written as lines, for sounds named one by one, or for those of a file or folder.

        form    "text" (the best of each, an empty line for a sound of a file that cannot be used), "csv" (sound,
                rank, score and text of all that were asked for) or "jsonl" (with the second each symbol of the best
                begins at); these two leave such sounds out.
        say     told what the file was taken for, what was resampled and what was left out; None tells nobody.
        search  settings of the search that differ from the run's.
        data    settings of the data that differ from the run's; `text` is the column of the sounds, which are read.
        """
        say = say or (lambda line: None)
        if form not in FORMATS:
            raise ConfigError("--format", f"'{form}'", f"Possible: {', '.join(FORMATS)}", did_you_mean(form, FORMATS))
        _refuse_unknown(data, SpeechData, "data")
        ears, skipped, asked = self.ears(), Skipped("utterance"), self._asked(search or {}, n_best)
        if file is None:
            named = (self._utterance(k, Path(name)) for k, name in enumerate(texts, 1))
            items: Iterable[_Heard] = (self._heard(ears, utterance) for utterance in named)
        else:
            named = {"audio" if name == "text" else name: value for name, value in data.items()}
            source = self._source(file, named, texts=False)
            say(f"read {file}: {source.format}")
            items = self._usable(source, ears, skipped, texts=False, all_of_them=form == "text")
        return self._lines(
            self._transcripts(items, asked), form, lambda: [*ears.lines(), *skipped.lines(), *asked.lines()], say
        )

    def ears(self) -> Ears:
        """Return what turns sounds into the frames the model reads."""
        schema = self.encoder.schema
        return Ears(self.run.data, schema.rate, schema.width if schema.rate is None else None)

    def _lines(
        self, answers: Iterator[Transcript], form: str, notes: Callable[[], list[str]], say: Callable[[str], None]
    ) -> Iterator[str]:
        if form == "csv":
            yield record(["sound", "rank", "score", "text"])
        for answer in answers:
            if form == "text":
                yield " ".join(answer.text.split())
            elif form == "csv":
                for rank, found in enumerate(answer.best, 1):
                    yield record([answer.place, rank, f"{found.score:.4f}", found.text])
            else:
                yield self._object(answer)
        for note in notes():
            say(note)

    def _object(self, answer: Transcript) -> str:
        best = [{"text": found.text, "score": round(found.score, 6)} for found in answer.best]
        symbols = self.encoder.units.pieces(answer.best[0].symbols) if answer.best else []
        told = {"sound": answer.place, "text": answer.text, "best": best, "symbols": symbols}
        return json.dumps({**told, "seconds": [round(second, 3) for second in answer.seconds]}, ensure_ascii=False)

    def _transcripts(self, items: Iterable[_Heard], asked: Asked) -> Iterator[Transcript]:
        step = self.run.data.step_ms * self.run.model.stack / 1000
        for item, found in written(self.model, self.encoder, items, lambda item: item.frames, asked):
            found = [] if item.bad else found
            best = found[0] if found else Hypothesis("", 0.0, [], [])
            yield Transcript(best.text, found, [step * time for time in best.times], item.utterance.name)

    def _usable(
        self, source: Speech, ears: Ears, skipped: Skipped, *, texts: bool = True, all_of_them: bool = False
    ) -> Iterator[_Heard]:
        """Yield what can be heard; count the rest, which is yielded as bad where all of them are asked for."""
        for utterance in source:
            if source.parts and texts and self._part(utterance) != "test":
                continue
            if texts and (reason := why_unused(utterance)) is not None:
                skipped.add(reason, utterance.name)
            elif (frames := heard(ears, utterance, skipped)) is not None:
                yield _Heard(utterance, self.encoder.frames(frames))
            elif all_of_them:
                yield _Heard(utterance, np.zeros((1, self.encoder.schema.width), np.float32), bad=True)

    def _part(self, utterance: Utterance) -> Part:
        return part_named(utterance.part, utterance.place, self.run.data.part or "part")

    def _heard(self, ears: Ears, utterance: Utterance) -> _Heard:
        return _Heard(utterance, self.encoder.frames(ears.frames(utterance)))

    def _utterance(self, number: int, sound: str | Path | Sound | NDArray) -> Utterance:
        place = Place("predict", number, "sound")
        if isinstance(sound, (str, Path)):
            return next(iter(single_speech(Path(sound), texts=False)))
        if isinstance(sound, Sound):
            return Utterance(place, str(place), lambda: _given(sound, str(place)), None)
        return Utterance(place, str(place), lambda: np.asarray(sound, np.float32), None)

    def _asked(self, search: dict[str, Any], n_best: int = 1) -> Asked:
        given = dict(search)
        n_best = given.pop("n_best", n_best)
        _refuse_unknown(given, Writing, "search")
        settings = replace(self.run.search, **given)
        if "language_weight" in given:
            check_weighed(settings)
        if "beam" not in given and isinstance(n_best, int) and n_best > settings.beam:
            settings = replace(settings, beam=n_best)
        return asked_of(settings, self.encoder, n_best)

    def _source(self, file: str, data: dict[str, Any], *, texts: bool = True) -> Speech:
        _refuse_unknown(data, SpeechData, "data")
        asked: dict[str, Any] = {"format": None, "audio": None, "text": None, "part": None}
        alike = Path(file).suffix == Path(self.run.data.file).suffix
        own = {name: getattr(self.run.data, name) for name in asked if name != "part"} if alike else {}
        given, seed = {**asked, **own, **data}, self.run.training.seed
        source, part = open_source(self.run.data, file, texts=texts, seed=seed, **given), self.run.data.part
        if not texts or part not in source.columns or "part" in data:
            return source
        return open_source(self.run.data, file, texts=texts, seed=seed, **{**given, "part": part})


def open_transcriber(folder: Path | str) -> TrainedTranscriber:
    """Open the best model of a run. Raises RunError for what is missing, damaged or of another kind."""
    parts = RunFolder(Path(folder), TranscriberRun())
    run = parts.read_config()
    encoder = opened(parts)
    model = build_model(run, encoder.schema.width, encoder.units)
    load_best(parts, model)
    return TrainedTranscriber(run, model.eval(), encoder)


def _given(sound: Sound, where: str) -> Sound:
    """Return a sound that was put together by the caller, in one channel and checked."""
    channels = np.shape(sound.samples)[1:] or (sound.channels,)
    return checked(Sound(mixed(sound.samples, where), sound.rate, channels[0]), where)


def _refuse_unknown(given: dict[str, Any], settings: type, what: str) -> None:
    known = [entry.name for entry in fields(settings)]
    for name in given:
        if name not in known:
            near = did_you_mean(name, known)
            raise ConfigError(name, f"no setting of the {what}", f"They are {', '.join(known)}", near)
