"""A trained tagger, opened from its run folder: it tags words and frames, and scores files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ostinato._errors import ConfigError, did_you_mean
from ostinato.data.place import Place
from ostinato.data.sentences import Lexicon, Sentence
from ostinato.data.sentences.plain import Plain
from ostinato.models.tagged import Tagged
from ostinato.training.config import TaggerRun
from ostinato.training.config.tagger import TaggedData
from ostinato.training.devices import device_of, move
from ostinato.training.metrics.spans import Passage
from ostinato.training.run_folder import RunFolder, load_best
from ostinato.training.supervised.ahead import by_length, groups
from ostinato.training.supervised.scorable import Choose, one_at_least, some_of
from ostinato.training.tagger.encoding import Encoder, TaggerSchema, known, together
from ostinato.training.tagger.preparing import SHOWN, Unseen
from ostinato.training.tagger.report import passage
from ostinato.training.tagger.scoring import Tally
from ostinato.training.tagger.shape import build_model, opened
from ostinato.training.tagger.source import FileOfFrames, FileOfRecordings, Item, open_source

AT_ONCE = 512
"""Sequences that are read ahead and sorted by length; they are answered in their own order."""
TOGETHER = 64
SHORT = {"text": "word_column", "label": "tag_column"}
"""What commands that are for all kinds of models call the columns."""


@dataclass(frozen=True)
class TagsOf:
    """What a tagger says of one sequence."""

    tags: list[str]
    confidence: list[float]
    """Its probability of each tag."""
    place: str = ""
    """Where the sequence stood."""


class TrainedTagger:
    """A run, opened for use. `model`, `schema` and `lexicon` are there for what this class does not do."""

    def __init__(self, run: TaggerRun, model: Any, schema: TaggerSchema, lexicon: Lexicon | None):
        self.run, self.model, self.schema, self.lexicon = run, model, schema, lexicon
        self.formats = ("conll", "jsonl") if schema.inputs == "words" else ("csv", "jsonl")

    def predict(self, sequences: Iterable[str | Sequence[str] | NDArray]) -> Iterator[TagsOf]:
        """Yield the tags of each sequence in order, any number of them in constant memory.

        A sequence is a list of words, or a text with spaces between them; of a model of frames it is (T, D). Raises
        DataError for what the model does not read.
        """
        items = (self._item(k, sequence) for k, sequence in enumerate(sequences, 1))
        yield from (answer for _, answer in self._answers(items, self._encoder({})))

    def evaluate(self, file: Path | str, **data: Any) -> dict[str, float]:
        """Score a file with tags; `data` are settings of the data (`tag_column="3"`, …) that differ from the run's.

        Returns the figures of training, and how many `items` there are. Raises DataError as training does.
        """
        seen = self.judge(str(file), **data)[0]
        return {**seen.figures(), "items": seen.items}

    def judge(self, file: str, **data: Any) -> tuple[Tally, list[str], list[Passage]]:
        """Return the counts of a file with tags, what is to be said of it, and its first sentences to show."""
        encoder, seen, unseen = self._encoder(data), Tally(self.model, self.schema), Unseen()
        passages: list[Passage] = []
        for group in groups(_scorable(file, encoder), AT_ONCE):
            inputs, tags = [encoder.inputs(item) for item in group], [encoder.tags(item) for item in group]
            found: dict[int, Any] = {}
            for part in by_length([item.steps for item in group], TOGETHER):
                batch = together([inputs[k] for k in part], [tags[k] for k in part])
                rows = seen.add(move(batch, device_of(self.model)), [tags[k] for k in part], encoder.names)
                found |= dict(zip(part, rows, strict=True))
            for k, item in enumerate(group):
                unseen.see(tags[k], len(self.schema.tags), encoder.names, item.place)
                if len(passages) < SHOWN and self.lexicon is not None:
                    truth, said = ([encoder.names[n] for n in numbers] for numbers in (tags[k], found[k][0]))
                    passages.append(passage(str(item.place), [*map(str, item.steps)], truth, said, found[k][1]))
        return seen, unseen.lines(), passages

    def sample(self, file: str, choose: Choose) -> Tagged:
        """Return some items of a file as a batch that the model's loss is taken of.

        `choose` gets the lengths of those that can be scored, and returns the numbers of some. Raises DataError as
        `evaluate` does.
        """
        encoder = self._encoder({})
        items = some_of(_scorable(file, encoder), choose, lambda item: len(item.steps))
        batch = together([encoder.inputs(item) for item in items], [encoder.tags(item) for item in items])
        return known(batch, len(self.schema.tags))

    def lines(self, texts: Sequence[str] = (), file: str | None = None, form: str = "", **data: Any) -> Iterator[str]:
        """Yield predictions line by line, for `texts` or for the sequences of a file ("-" is standard input).

        form    of words "conll" (the default): the lines of the file with these tags in place of theirs, or a word and
                its tag a line; of frames "csv": the rows with their tags. "jsonl" is an object a sequence.
        data    settings of the data that differ from the run's.
        """
        form = form or self.formats[0]
        if form not in self.formats:
            near = did_you_mean(form, self.formats)
            raise ConfigError("--format", f"'{form}'", f"Possible: {', '.join(self.formats)}", near)
        encoder = self._encoder(data)
        if file is None:
            plain = Plain()
            items: Iterable[Item] = (self._item(k, text, "argument") for k, text in enumerate(texts, 1))
            written: Any = lambda item, tags, _: (*plain.write(item.origin, tags), "")  # noqa: E731 (as a source's)
        else:
            items = open_source(self._untagged(encoder.data), file, tagged=False)
            written = items.write
        return self._lines(self._answers(items, encoder), form, written, items)

    def _lines(
        self, answers: Iterator[tuple[Item, TagsOf]], form: str, written: Any, items: Iterable[Item]
    ) -> Iterator[str]:
        if form == "csv" and isinstance(items, FileOfFrames | FileOfRecordings):
            yield items.heading()
        for item, answer in answers:
            if form != "jsonl":
                yield from written(item, answer.tags, answer.confidence)
            elif len(item.steps):
                yield _object(item, answer)

    def _answers(self, items: Iterable[Item], encoder: Encoder) -> Iterator[tuple[Item, TagsOf]]:
        for group in groups(((item, encoder.inputs(item)) for item in items), AT_ONCE):
            found: dict[int, TagsOf] = {}
            for part in by_length([item.steps for item, _ in group], TOGETHER):
                tags, confidence = self._tag([group[k][1] for k in part])
                for row, k in enumerate(part):
                    item, _ = group[k]
                    names = [self.schema.tags[n] for n in tags[: len(item.steps), row]]
                    found[k] = TagsOf(names, confidence[: len(item.steps), row].tolist(), str(item.place))
            yield from ((item, found[k]) for k, (item, _) in enumerate(group))

    @torch.no_grad()
    def _tag(self, inputs: list[dict[str, NDArray]]) -> tuple[NDArray, NDArray]:
        found = self.model.tag(move(together(inputs), device_of(self.model)))
        return found.tags.numpy(force=True), found.confidence.numpy(force=True)

    def _item(self, number: int, sequence: Any, unit: str = "sequence") -> Item:
        place = Place("predict", number, unit)
        if isinstance(sequence, np.ndarray):
            return Item(place, sequence, None)
        words = sequence.split() if isinstance(sequence, str) else [str(word) for word in sequence]
        return Item(place, words, None, Sentence(place, words, None))

    def _encoder(self, data: dict[str, Any]) -> Encoder:
        given = {SHORT.get(name, name): value for name, value in data.items()}
        names = [entry.name for entry in fields(TaggedData)]
        for name in given:
            if name not in names:
                raise ConfigError(
                    name, "no setting of the data", f"They are {', '.join(names)}", did_you_mean(name, names)
                )
        return Encoder(self.schema, replace(self.run.data, **given), self.lexicon)

    def _untagged(self, data: TaggedData) -> TaggedData:
        """Return the settings of a file to be tagged, whose format may be another than that learned from."""
        return replace(data, format="auto") if data.format == self.run.data.format else data


def open_tagger(folder: Path | str) -> TrainedTagger:
    """Open the best model of a run. Raises RunError for what is missing, damaged or of another kind."""
    parts = RunFolder(Path(folder), TaggerRun())
    run = parts.read_config()
    schema, lexicon = opened(parts)
    model = build_model(run, schema, lexicon)
    load_best(parts, model)
    return TrainedTagger(run, model.eval(), schema, lexicon)


def _scorable(file: str, encoder: Encoder) -> Iterator[Item]:
    """Yield the sequences of a file that have a step. Raises DataError where none has."""
    source = open_source(encoder.data, file)
    full = (item for item in source if len(item.steps))
    return one_at_least(full, file, "sequence", lambda: source.said, "Check its columns")


def _object(item: Item, answer: TagsOf) -> str:
    words = {} if isinstance(item.steps, np.ndarray) else {"words": list(item.steps)}
    confidence = [round(share, 6) for share in answer.confidence]
    told = {"place": answer.place, **words, "tags": answer.tags, "confidence": confidence}
    return json.dumps(told, ensure_ascii=False)
