"""A trained captioner, opened from its run folder: it says what it sees, answers questions, and scores files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ostinato._errors import ConfigError, DataError, did_you_mean
from ostinato.data.images import Captioned, CaptionedSet, read_image, vector_of_text
from ostinato.data.place import Place
from ostinato.models.captioner import Views
from ostinato.training.captioner.building import build_model
from ostinato.training.captioner.encoding import Encoder
from ostinato.training.captioner.preparing import opened_set
from ostinato.training.captioner.scoring import AT_ONCE
from ostinato.training.captioner.searching import Sought, written
from ostinato.training.captioner.shape import opened
from ostinato.training.config import CaptionerRun
from ostinato.training.config.captioner import CaptionedData
from ostinato.training.devices import device_of, move
from ostinato.training.metrics.texts import Texts
from ostinato.training.run_folder import RunFolder, load_best
from ostinato.training.supervised.scorable import Choose, one_at_least, some_of
from ostinato.training.supervised.skipped import Skipped
from ostinato.training.written.hypotheses import Asked, Hypothesis, asked_of, text_of
from ostinato.training.written.lines import FORMATS, check_format, lines_of


@dataclass(frozen=True)
class Caption:
    """What a captioner writes of one item."""

    text: str
    """The best."""
    best: list[Hypothesis]
    """As many as were asked for, the best first, with scores and where the model looked."""
    place: str = ""
    """Where the item stood."""
    name: str = ""
    """What it is called: the file of an image, a colour."""


class TrainedCaptioner:
    """A run, opened for use. `model` and `encoder` are there for what this class does not do."""

    formats = FORMATS
    sniffs = True
    searches = True
    """Whether `lines` takes settings of a search."""

    def __init__(self, run: CaptionerRun, model: Any, encoder: Encoder):
        self.run, self.model, self.encoder = run, model, encoder

    @property
    def answers(self) -> bool:
        """Whether it answers questions."""
        return self.encoder.question is not None

    @property
    def _width(self) -> int | None:
        """How many numbers a vector has; None where none is seen."""
        return self.encoder.schema.shape[0] if self.encoder.schema.kind == "vector" else None

    def predict(
        self,
        seen: Iterable[str | Path | bytes | NDArray | Sequence],
        questions: str | Iterable[str] | None = None,
        *,
        prefix: str | None = None,
        seed: int | None = None,
        **search: Any,
    ) -> Iterator[Caption]:
        """Yield what is written of each, in order; any number of them in constant memory.

        seen       files of images, their bytes or pixels (S, S, 3) from 0 to 255; regions (R, E); vectors (D,), numbers
                   or text, "#ff8000".
        questions  one for all, or one for each.
        prefix     what each answer begins with.
        search     settings of `ostinato.decoding.search.Search` (`beam=10`, `n_best=3`, …) that differ from the run's.
        """
        if questions is not None and not self.answers:
            raise ConfigError("questions", "this run answers no questions", "It was trained without", "Leave them out")
        items = (self._typed(*item) for item in enumerate(_with_questions(seen, questions), 1))
        yield from self._written(items, self._asked(search, prefix, seed))

    def evaluate(self, file: Path | str, **data: Any) -> dict[str, float]:
        """Score a file with captions; `data` are settings of the data, and `search` of the search, that differ.

        Returns the figures of training, and how many `items` there are. Raises DataError as training does.
        """
        texts, nats, _ = self.judge(str(file), **data)
        return {**texts.figures(), "nats": nats, "items": texts.items}

    def judge(
        self,
        file: str,
        told: Callable[[str, str | None, list[str], list[Hypothesis]], None] = lambda *_: None,
        *,
        search: dict[str, Any] | None = None,
        **data: Any,
    ) -> tuple[Texts, float, list[str]]:
        """Return the figures of a file, the mean nats of a symbol, and what is to be said of it.

        `told` gets the name of each item, its question, its references and what was written.
        """
        texts, asked, skipped = (
            Texts(self.encoder.schema.metrics, lowercase=self.encoder.target.lowercase),
            self._asked(search or {}, looks=False),
            Skipped("item"),
        )
        source = opened_set(self._read(data), file, width=self._width, skip=skipped)
        nats = _Nats(self.model, self.encoder)
        kept = (nats.add(item) for item in self._scorable(file, source, skipped))
        for item, found in self._found(kept, asked):
            references = [self.encoder.target.text(caption) for caption in item.captions]
            texts.add(text_of(found), references)
            told(item.name, item.question, references, found)
        return texts, nats.mean(), [f"read {file}: {source.format}", *skipped.lines()]

    def sample(self, file: str, choose: Choose) -> Views:
        """Return some items of a file as a batch that the model's loss is taken of.

        `choose` gets the lengths of those that can be scored, and returns the numbers of some. Raises DataError as
        `evaluate` does.
        """
        skipped = Skipped("item")
        source = opened_set(self._read({}), file, width=self._width, skip=skipped)
        items = self._scorable(file, source, skipped)
        return _batch(self.encoder, some_of(items, choose, lambda item: len(self.encoder.write(item.captions[0])) + 1))

    def _scorable(self, file: str, source: CaptionedSet, skipped: Skipped) -> Iterator[Captioned]:
        """Yield the items that have all that is scored; count the rest. Raises DataError where none has."""

        def why() -> str:
            return "; ".join(skipped.lines()) or source.format

        whole = (self.encoder.check(item) for item in source if _is_whole(item, skipped, self.answers))
        return one_at_least(whole, file, "item", why, "Check its columns")

    def lines(
        self,
        texts: Sequence[str] = (),
        file: str | None = None,
        form: str = "text",
        *,
        question: str | None = None,
        say: Callable[[str], None] | None = None,
        search: dict[str, Any] | None = None,
        prefix: str | None = None,
        seed: int | None = None,
        **data: Any,
    ) -> Iterator[str]:
        """Yield what is written as lines, for `texts` (files of images, or vectors) or a file ("-" is standard input).

        form      "text" (the best of each, a line), "tsv" (number, score and text of all that were asked for) or
                  "jsonl" (with the region that was looked at most for each symbol).
        question  what is asked of each that has none of its own.
        say       told what the file was taken for and what was left out; None tells nobody.
        search    settings of the search that differ from the run's; `data` those of the data.
        """
        say = say or (lambda line: None)
        check_format(form)
        asked, skipped = self._asked(search or {}, prefix, seed, looks=form == "jsonl"), Skipped("item")
        if file is None:
            items: Iterable[Captioned] = (self._typed(k, (text, question)) for k, text in enumerate(texts, 1))
        else:
            known = {"kind": self.encoder.schema.kind, "width": self._width}
            source = opened_set(self._unsaid(data, question), file, captioned=False, **known, skip=skipped)
            say(f"read {file}: {source.format}")
            items = (item if item.question else item._replace(question=question) for item in source)
        checked = (self.encoder.check(item) for item in items)
        return _with_notes(
            (line for answer in self._written(checked, asked) for line in self._lines(answer, form)), skipped, say
        )

    def _lines(self, answer: Caption, form: str) -> Iterator[str]:
        return lines_of(answer.best, form, self.encoder.target, "regions", place=answer.place, name=answer.name)

    def _typed(self, number: int, item: tuple[Any, str | None]) -> Captioned:
        """Return what somebody asks, read as what was learned from."""
        seen, question = item
        place, data = Place("the item", number, "number"), self.run.data
        name = seen if isinstance(seen, str) else str(seen) if isinstance(seen, Path) else str(place)
        if isinstance(seen, (np.ndarray, list, tuple)):
            context = _pixels(seen, place) if self.encoder.schema.kind == "image" else _numbers(seen, place)
        elif self.encoder.schema.kind == "image":
            path = Path(seen) if isinstance(seen, str) else seen
            context = read_image(path, data.image_size, data.fit, where=str(place) if isinstance(seen, bytes) else "")
        elif self.encoder.schema.kind == "vector":
            context = vector_of_text(str(seen), place, self._width)
        else:
            raise DataError(str(place), f"'{name:.60}'", "Regions stand in .npz", "Use --file features.npz")
        return self.encoder.check(Captioned(place, name, context, question, ()))

    def _written(self, items: Iterable[Captioned], asked: Asked) -> Iterator[Caption]:
        for item, found in self._found(items, asked):
            yield Caption(text_of(found), found, str(item.place), item.name)

    def _found(self, items: Iterable[Captioned], asked: Asked) -> Iterator[tuple[Captioned, list[Hypothesis]]]:
        sought = ((item, Sought(item.context, self.encoder.ask(item.question))) for item in items)
        return written(self.model, self.encoder, sought, asked)

    def _asked(
        self, search: dict[str, Any], prefix: str | None = None, seed: int | None = None, *, looks: bool = True
    ) -> Asked:
        return asked_of(self.run.search, search, self.encoder.target, prefix, seed, looks=looks)

    def _read(self, data: dict[str, Any]) -> CaptionedData:
        """Return the settings of the data, with those of a later file in their place."""
        seen = "vector" if self.encoder.schema.kind == "vector" else "image_column"
        given = {{"text": seen, "label": "caption_column"}.get(name, name): value for name, value in data.items()}
        known = [entry.name for entry in fields(CaptionedData)]
        for name in given:
            if name not in known:
                possible = f"They are {', '.join(known)}"
                raise ConfigError(name, "no setting of the data", possible, did_you_mean(name, known))
        return replace(self.run.data, **{"questions": "yes" if self.answers else "no", **given})

    def _unsaid(self, data: dict[str, Any], question: str | None) -> CaptionedData:
        """Return the settings of a file to caption: questions need no column where one is asked of all."""
        read = self._read(data)
        return read if question is None or read.question_column else replace(read, questions="auto")


def open_captioner(folder: Path | str) -> TrainedCaptioner:
    """Open the best model of a run. Raises RunError for what is missing, damaged or of another kind."""
    parts = RunFolder(Path(folder), CaptionerRun())
    run = parts.read_config()
    encoder = opened(parts)
    model = build_model(run, encoder)
    load_best(parts, model)
    return TrainedCaptioner(run, model.eval(), encoder)


class _Nats:
    """Sums the nats of first references, a group of items at a time."""

    def __init__(self, model: Any, encoder: Encoder):
        self.model, self.encoder, self._sum, self._count = model, encoder, 0.0, 0
        self._waiting: list[Captioned] = []

    def add(self, item: Captioned) -> Captioned:
        """Add an item, and return it."""
        self._waiting.append(item)
        if len(self._waiting) == AT_ONCE:
            self._score()
        return item

    def mean(self) -> float:
        """Return the nats of a symbol over all items."""
        if self._waiting:
            self._score()
        return self._sum / max(1, self._count)

    @torch.no_grad()
    def _score(self) -> None:
        items, self._waiting = self._waiting, []
        batch = move(_batch(self.encoder, items), device_of(self.model))
        self._sum += float(self.model.losses(batch).sum())
        self._count += self.model.count(batch)


def _batch(encoder: Encoder, items: Sequence[Captioned]) -> Views:
    """Return items side by side, each with its first caption."""
    asked = [encoder.ask(item.question) for item in items]
    return encoder.together(
        [item.context for item in items], asked, [encoder.write(item.captions[0]) for item in items]
    )


def _with_questions(seen: Iterable[Any], questions: str | Iterable[str] | None) -> Iterator[tuple[Any, str | None]]:
    if isinstance(seen, (str, bytes, Path)):
        shown = "bytes" if isinstance(seen, bytes) else f"'{seen}'"
        raise ConfigError("seen", f"{shown}, one alone", "Many are answered", "Put it into a list: [seen]")
    if questions is None or isinstance(questions, str):
        yield from ((one, questions) for one in seen)
        return
    missing: Any = object()
    for number, (one, question) in enumerate(zip_longest(seen, questions, fillvalue=missing), 1):
        if one is missing or question is missing:
            few, many = ("items", "questions") if one is missing else ("questions", "items")
            got = f"{number - 1} {few} for more {many}"
            raise ConfigError("questions", got, "One for all, or one for each", "Ask as many as are seen")
        yield one, question


def _pixels(seen: Any, place: Place) -> NDArray[np.uint8]:
    """Return pixels as bytes. Raises DataError for numbers that are none from 0 to 255."""
    values = _array(seen, place)
    if values.dtype.kind not in "iu" or (values.size and not 0 <= values.min() <= values.max() <= 255):
        ends = f" from {values.min():.6g} to {values.max():.6g}" if values.size and values.dtype.kind in "fiu" else ""
        got = f"pixels of {values.dtype}{ends}"
        advice = "Bring them there: (255 * pixels).round().astype(np.uint8)"
        raise DataError(str(place), got, "Pixels are whole numbers from 0 to 255", advice)
    return values.astype(np.uint8)


def _numbers(seen: Any, place: Place) -> NDArray[np.float32]:
    """Return numbers as they are learned from. Raises DataError for what is none."""
    values = _array(seen, place)
    if values.dtype.kind not in "fiub":
        raise DataError(str(place), f"values of {values.dtype}", "Possible: numbers", "Convert them")
    with np.errstate(over="ignore"):  # which the check of what is finite finds
        return values.astype(np.float32)


def _array(seen: Any, place: Place) -> NDArray:
    try:
        return np.asarray(seen)
    except ValueError:
        raise DataError(str(place), "rows of several lengths", "Rows are of one length", "Make them so") from None


def _is_whole(item: Captioned, skipped: Skipped, asks: bool) -> bool:
    """Whether an item has a caption, and a question where these are answered; count it where it has not."""
    reason = "without a caption" if not item.captions else "without a question" if asks and not item.question else ""
    if reason:
        skipped.add(reason, item.place)
    return not reason


def _with_notes(lines: Iterator[str], skipped: Skipped, say: Callable[[str], None]) -> Iterator[str]:
    """Yield the lines, then say what was met on the way."""
    yield from lines
    for line in skipped.lines():
        say(f"note {line}")
