"""A trained classifier, opened from its run folder: it answers texts and frames, and scores files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato._errors import ConfigError, did_you_mean
from ostinato.data.frames import FramesFormat
from ostinato.data.vocabulary import Vocabulary
from ostinato.models.classifier import Classifier, Examples
from ostinato.training.classifier.building import build_model
from ostinato.training.classifier.encoding import (
    ClassifierSchema,
    Encoder,
    UnseenLabel,
    as_targets,
    padded,
    why_unused,
)
from ostinato.training.classifier.scoring import Tally, chosen
from ostinato.training.classifier.shape import opened
from ostinato.training.classifier.source import FramesOf, Known, Raw, Texts, open_source
from ostinato.training.config import ClassifierRun
from ostinato.training.devices import device_of
from ostinato.training.run_folder import RunFolder, load_best
from ostinato.training.supervised.ahead import by_length, groups
from ostinato.training.supervised.record import record
from ostinato.training.supervised.scorable import Choose, one_at_least, some_of
from ostinato.training.supervised.skipped import Skipped

AT_ONCE = 512
"""Sequences that are read ahead and sorted by length; they are answered in their own order."""
TOGETHER = 64
"""Sequences that are answered in one batch."""
FORMATS = ("csv", "jsonl")


@dataclass(frozen=True)
class Answer:
    """What a classifier answers to one sequence."""

    answer: Any
    """A label, a list of labels, or a list of numbers."""
    scores: dict[str, float]
    """Probability of each label; empty of numbers."""
    place: str = ""
    """Where the sequence stood."""


class TrainedClassifier:
    """A run, opened for use. `model`, `schema` and `vocabulary` are there for what this class does not do."""

    formats = FORMATS
    sniffs = True
    """Whether `lines` tells what a file was taken for."""

    def __init__(self, run: ClassifierRun, model: Classifier, schema: ClassifierSchema, vocabulary: Vocabulary | None):
        self.run, self.model, self.schema, self.vocabulary = run, model, schema, vocabulary

    def predict(self, sequences: Iterable[str | NDArray]) -> Iterator[Answer]:
        """Yield an answer for each text, or frames (T, D), in their order; any number of them in constant memory.

        Raises DataError for what the model does not read.
        """
        numbered = (Raw(f"sequence {k}", s, None) for k, s in enumerate(sequences, 1))
        yield from self._answers(numbered, self._encoder({}))

    def evaluate(self, file: Path | str, **data: Any) -> dict[str, float]:
        """Score a labelled file; `data` are settings of the data (`text="review"`, …) that differ from the run's.

        Returns the figures of training, `items`, and `skipped`: items without an answer, or whose label the run does
        not know. Raises DataError as training does.
        """
        return self.judge(file, **data)[0]

    def judge(self, file: Path | str, **data: Any) -> tuple[dict[str, float], Any, list[str]]:
        """Return the figures of a labelled file, the counts they come from, and what is to be said of it.

        Items are left out and cut as in training.
        """
        encoder, tally, skipped = self._encoder(data), Tally(self.model, self.schema), Skipped("item")
        source = self._source(str(file), data)
        for kept in groups(_scorable(str(file), source, encoder, skipped), AT_ONCE):
            for part in by_length([inputs for inputs, _ in kept], TOGETHER):
                tally.add([kept[k][0] for k in part], np.stack([kept[k][1] for k in part]))
        figures = tally.figures() | {"items": tally.items, "skipped": sum(skipped.counts.values())}
        return figures, tally.counts, [f"read {file}: {source.said}", *skipped.lines(), *encoder.cut_lines()]

    def sample(self, file: str, choose: Choose) -> Examples:
        """Return some items of a file as a batch that the model's loss is taken of.

        `choose` gets the lengths of those that can be scored, and returns the numbers of some. Raises DataError as
        `evaluate` does.
        """
        items = _scorable(file, self._source(file, {}), self._encoder({}), Skipped("item"))
        inputs, targets = zip(*some_of(items, choose, lambda item: len(item[0])), strict=True)
        return Examples(*padded([*inputs]), as_targets(np.stack(targets)))

    def lines(
        self,
        texts: Sequence[str] = (),
        file: str | None = None,
        form: str = "csv",
        *,
        say: Callable[[str], None] | None = None,
        **data: Any,
    ) -> Iterator[str]:
        """Yield predictions as lines of a CSV table or of JSONL, for `texts` or for the sequences of a file.

        say     told what the file was taken for and, at the end, how many sequences were cut; None tells nobody
        data    settings of the data that differ from the run's
        """
        say = say or (lambda line: None)
        encoder = self._encoder(data)
        if form not in FORMATS:
            raise ConfigError("--format", f"'{form}'", f"Possible: {', '.join(FORMATS)}", did_you_mean(form, FORMATS))
        if file is None:
            raws: Iterable[Raw] = (Raw(f"argument {k}", text, None) for k, text in enumerate(texts, 1))
        else:
            raws = self._source(file, data, labelled=False)
            say(f"read {file}: {raws.said}")
            if "format" not in data and isinstance(raws, Texts) and self._begin_with_labels(raws.first):
                say("note each text begins with a label of the run: --file-format labelled does not read it")
        answers = self._answers(raws, encoder)
        lines = self._as_csv(answers) if form == "csv" else self._as_jsonl(answers)
        return _with_cuts(lines, encoder, say)

    def _begin_with_labels(self, texts: list[str]) -> bool:
        words = {text.split(None, 1)[0] if text.strip() else "" for text in texts}
        return bool(words) and words <= set(self.schema.labels)

    def _as_jsonl(self, answers: Iterable[Answer]) -> Iterator[str]:
        for answer in answers:
            scores = {name: round(score, 6) for name, score in answer.scores.items()}
            yield json.dumps({"place": answer.place, "answer": answer.answer, "scores": scores}, ensure_ascii=False)

    def _as_csv(self, answers: Iterable[Answer]) -> Iterator[str]:
        numbers = self.schema.answer == "numbers"
        names = self.schema.labels
        yield record(["place", *names] if numbers else ["place", "label", *(f"score {name}" for name in names)])
        for answer in answers:
            if numbers:
                yield record([answer.place, *(f"{number:.6g}" for number in answer.answer)])
            else:
                label = self.run.data.between.join(answer.answer) if isinstance(answer.answer, list) else answer.answer
                yield record([answer.place, label, *(f"{answer.scores[name]:.6f}" for name in names)])

    def _answers(self, raws: Iterable[Raw], encoder: Encoder) -> Iterator[Answer]:
        encoded = ((raw.place, encoder.inputs(raw)) for raw in raws)
        for group in groups(encoded, AT_ONCE):
            found: dict[int, Answer] = {}
            for part in by_length([inputs for _, inputs in group], TOGETHER):
                scores = self.scores([group[k][1] for k in part])
                rows = zip(part, chosen(self.schema, scores), self._probabilities(scores), strict=True)
                found |= {k: self._answer(answer, row, str(group[k][0])) for k, answer, row in rows}
            yield from (found[k] for k in range(len(group)))

    @torch.no_grad()
    def scores(self, inputs: list[NDArray]) -> Tensor:
        """Return the scores (B, O) of encoded sequences."""
        values, lengths = padded(inputs)
        device = device_of(self.model)
        return self.model(values.to(device), lengths.to(device))[0].float()

    def _probabilities(self, scores: Tensor) -> NDArray:
        return (scores.softmax(-1) if self.schema.answer == "label" else scores.sigmoid()).numpy(force=True)

    def _answer(self, answer: Any, scores: NDArray, place: str) -> Answer:
        names = self.schema.labels
        if self.schema.answer == "numbers":
            return Answer(answer.tolist(), {}, place)
        told = dict(zip(names, scores.tolist(), strict=True))
        if self.schema.answer == "label":
            return Answer(names[int(answer)], told, place)
        return Answer([name for name, yes in zip(names, answer, strict=True) if yes], told, place)

    def _encoder(self, data: dict[str, Any]) -> Encoder:
        return Encoder(self.schema, replace(self.run.data, **data), self.vocabulary)

    def _source(self, file: str, data: dict[str, Any], *, labelled: bool = True) -> Texts | FramesOf:
        """Open a file with the columns that the run found, where `data` names none.

        The format that the run was given is kept where labels are read, or frames, from a file that is named alike;
        any other file is sniffed anew: texts to be answered have no labels before them.
        """
        own = self.run.data.format
        alike = _suffix(file) == _suffix(self.run.data.file) and (labelled or own in get_args(FramesFormat))
        given = {"text": None, "label": None, "format": own if alike else None, "part": None} | data
        known = Known(self.schema.text, self.schema.columns)
        return open_source(replace(self.run.data, **given), file, labelled=labelled, known=known)


def open_classifier(folder: Path | str) -> TrainedClassifier:
    """Open the best model of a run. Raises RunError for what is missing, damaged or of another kind."""
    parts = RunFolder(Path(folder), ClassifierRun())
    run = parts.read_config()
    schema, vocabulary = opened(parts)
    model = build_model(run, schema, vocabulary)
    load_best(parts, model)
    return TrainedClassifier(run, model.eval(), schema, vocabulary)


def _scorable(
    file: str, source: Iterable[Raw], encoder: Encoder, skipped: Skipped
) -> Iterator[tuple[NDArray, NDArray]]:
    """Yield inputs and answer of the items that have both; count the rest. Raises DataError where none has."""

    def encoded() -> Iterator[tuple[NDArray, NDArray]]:
        for raw in source:
            if (reason := why_unused(raw, encoder.data)) is not None:
                skipped.add(reason, raw.place)
                continue
            try:
                yield encoder.inputs(raw), encoder.target(raw)
            except UnseenLabel as label:
                skipped.add(f"with the label '{label}', which the run does not know", raw.place)

    advice = "Check its columns, and its labels"
    return one_at_least(encoded(), file, "item", lambda: "; ".join(skipped.lines()), advice)


def _suffix(file: str) -> str:
    return Path(file.lower().removesuffix(".gz")).suffix


def _with_cuts(lines: Iterator[str], encoder: Encoder, say: Callable[[str], None]) -> Iterator[str]:
    """Yield the lines, then say how many sequences were cut."""
    yield from lines
    for line in encoder.cut_lines():
        say(line)
