"""A trained translator, opened from its run folder: it writes sequences for sequences, and scores files of pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

from ostinato._errors import ConfigError, did_you_mean
from ostinato.data.pairs import Pair, open_sources, typed_pair, why_left_out
from ostinato.data.place import Place
from ostinato.data.units import Side, as_text
from ostinato.models.translator import Pairs, Translator
from ostinato.training.config import TranslatorRun
from ostinato.training.config.translator import PairData
from ostinato.training.metrics.texts import Texts
from ostinato.training.run_folder import RunFolder, load_best
from ostinato.training.supervised.scorable import Choose, one_at_least, some_of
from ostinato.training.supervised.skipped import Skipped
from ostinato.training.translator.building import build_model
from ostinato.training.translator.encoding import Encoder
from ostinato.training.translator.preparing import opened_pairs, reading_of
from ostinato.training.translator.searching import written
from ostinato.training.translator.shape import opened
from ostinato.training.written.hypotheses import Asked, Hypothesis, asked_of, text_of
from ostinato.training.written.lines import FORMATS, check_format, lines_of

SHORT = {"text": "source_column", "label": "target_column"}
"""What commands that are for all kinds of models call the columns."""


@dataclass(frozen=True)
class Translation:
    """What a translator writes for one sequence."""

    text: str
    """The best."""
    best: list[Hypothesis]
    """As many as were asked for, the best first, with scores and where the model looked."""
    place: str = ""
    """Where the sequence stood."""
    source: Sequence[str] = ()
    """The pieces it was read as, in the order in which they are written."""


class TrainedTranslator:
    """A run, opened for use. `model` and `encoder` are there for what this class does not do."""

    formats = FORMATS
    sniffs = True
    searches = True
    """Whether `lines` takes settings of a search."""

    def __init__(self, run: TranslatorRun, model: Translator, encoder: Encoder):
        self.run, self.model, self.encoder = run, model, encoder

    def predict(
        self, sequences: Iterable[Side], *, prefix: Side | None = None, seed: int | None = None, **search: Any
    ) -> Iterator[Translation]:
        """Yield what is written for each text, or tuple of symbols, in order; any number of them in constant memory.

        prefix  what each begins with.
        search  settings of `ostinato.decoding.search.Search` (`beam=10`, `n_best=3`, …) that differ from the run's.
        """
        numbered = (self._typed(sequence, number) for number, sequence in enumerate(sequences, 1))
        yield from self._written(numbered, self._asked(search, prefix, seed))

    def evaluate(self, file: Path | str, **data: Any) -> dict[str, float]:
        """Score a file of pairs; `data` are settings of the data that differ from the run's, `search` of the search.

        Returns figures of what is written, and how many `items` there are. Raises DataError as training does.
        """
        texts, _ = self.judge(str(file), **data)
        return {**texts.figures(), "items": texts.items}

    def judge(
        self,
        file: str,
        told: Callable[[str, list[str], list[Hypothesis]], None] = lambda *_: None,
        *,
        targets: str | None = None,
        search: dict[str, Any] | None = None,
        **data: Any,
    ) -> tuple[Texts, list[str]]:
        """Return the figures of a file and what is to be said of it; `told` gets source, references, hypotheses."""
        pairs, skipped = opened_pairs(self._read(data), file, targets), Skipped("pair")
        texts, asked = (
            Texts(self.encoder.schema.metrics, lowercase=self.encoder.target.lowercase),
            self._asked(search or {}, looks=False),
        )
        for pair, found in self._found(_scorable(file, pairs, pairs.format, skipped), asked):
            references = [self.encoder.target.text(side) for side in pair.targets]
            texts.add(text_of(found), references)
            told(self.encoder.source.text(pair.source), references, found)
        return texts, [f"read {file}: {pairs.format}", *skipped.lines()]

    def sample(self, file: str, choose: Choose) -> Pairs:
        """Return some items of a file as a batch that the model's loss is taken of.

        `choose` gets the lengths of those that can be scored, and returns the numbers of some. Raises DataError as
        `evaluate` does.
        """
        pairs = opened_pairs(self._read({}), file, None)
        whole = _scorable(file, pairs, pairs.format, Skipped("pair"))
        encoded = ((self.encoder.read(pair.source), self.encoder.write(pair.targets[0])) for pair in whole)
        sources, targets = zip(*some_of(encoded, choose, lambda pair: len(pair[0])), strict=True)
        return self.encoder.together(sources, targets)

    def lines(
        self,
        texts: Sequence[str] = (),
        file: str | None = None,
        form: str = "text",
        *,
        say: Callable[[str], None] | None = None,
        search: dict[str, Any] | None = None,
        prefix: str | None = None,
        seed: int | None = None,
        **data: Any,
    ) -> Iterator[str]:
        """Yield what is written as lines, for `texts` or for the sources of a file ("-" is standard input).

        form    "text" (the best of each, a line), "tsv" (number, score and text of all that were asked for) or "jsonl"
                (with the pieces of the source, and which was looked at most for each symbol; null is the end).
        say     told what the file was taken for and what was never learned; None tells nobody.
        search  settings of the search that differ from the run's; `data` those of the data.
        """
        say = say or (lambda line: None)
        check_format(form)
        asked, skipped = self._asked(search or {}, prefix, seed, looks=form == "jsonl"), Skipped("source")
        if file is None:
            pairs: Iterable[Pair] = (self._typed(text, number) for number, text in enumerate(texts, 1))
        else:
            known = {"kind": self.encoder.schema.kind, "learned_from": self.run.data.file}
            pairs = open_sources(file, reading=reading_of(self._read(data)), **known)
            say(f"read {file}: {pairs.format}")
        answers = self._written((self._seen(pair, skipped) for pair in pairs), asked)
        return _with_notes((line for answer in answers for line in self._lines(answer, form)), skipped, say)

    def _lines(self, answer: Translation, form: str) -> Iterator[str]:
        told = {"place": answer.place, "source": list(answer.source)}
        looked = partial(self._place, len(answer.source))
        return lines_of(answer.best, form, self.encoder.target, "alignment", looked, **told)

    def _place(self, count: int, looked: int) -> int | None:
        """Return which of `count` pieces, as they are written, stands where was looked; None for the end."""
        if looked >= count:
            return None
        return count - 1 - looked if self.encoder.schema.reverse else looked

    def _typed(self, side: Side, number: int) -> Pair:
        """Return what somebody asks, read as the sources of the run were."""
        if not isinstance(side, str):
            return Pair(Place("the sequence", number, "item"), side, ())
        return typed_pair(side, number, self.encoder.schema.kind, self.run.data.file)

    def _seen(self, pair: Pair, skipped: Skipped) -> Pair:
        """Return the pair; count one whose source has symbols that were never learned."""
        if not as_text(pair.source).strip():
            skipped.add("without a word, of which nothing is written", pair.place)
        elif self.encoder.unknown(self.encoder.read(pair.source)):
            skipped.add("with symbols that were never learned", pair.place)
        return pair

    def _written(self, pairs: Iterable[Pair], asked: Asked) -> Iterator[Translation]:
        for pair, found in self._found(pairs, asked):
            units = self.encoder.source
            yield Translation(text_of(found), found, str(pair.place), units.pieces(units.encode(pair.source)))

    def _found(self, pairs: Iterable[Pair], asked: Asked) -> Iterator[tuple[Pair, list[Hypothesis]]]:
        return written(self.model, self.encoder, pairs, lambda pair: pair.source, asked)

    def _asked(
        self, search: dict[str, Any], prefix: Side | None = None, seed: int | None = None, *, looks: bool = True
    ) -> Asked:
        return asked_of(self.run.search, search, self.encoder.target, prefix, seed, looks=looks)

    def _read(self, data: dict[str, Any]) -> PairData:
        """Return the settings of the data, with those of a later file in their place."""
        given = {SHORT.get(name, name): value for name, value in data.items()}
        known = [entry.name for entry in fields(PairData)]
        for name in given:
            if name not in known:
                possible = f"They are {', '.join(known)}"
                raise ConfigError(name, "no setting of the data", possible, did_you_mean(name, known))
        return replace(self.run.data, **{"format": "auto", **given})


def open_translator(folder: Path | str) -> TrainedTranslator:
    """Open the best model of a run. Raises RunError for what is missing, damaged or of another kind."""
    parts = RunFolder(Path(folder), TranslatorRun())
    run = parts.read_config()
    encoder = opened(parts)
    model = build_model(run, encoder.source, encoder.target)
    load_best(parts, model)
    return TrainedTranslator(run, model.eval(), encoder)


def _scorable(file: str, pairs: Iterable[Pair], form: str, skipped: Skipped) -> Iterator[Pair]:
    """Yield the pairs that have both sides; count the rest. Raises DataError where none has."""
    whole = (pair for pair in pairs if _is_whole(pair, skipped))
    return one_at_least(whole, file, "pair", lambda: "; ".join(skipped.lines()) or form, "Check its columns")


def _is_whole(pair: Pair, skipped: Skipped) -> bool:
    """Whether a pair has both sides; count it where it has not."""
    if reason := why_left_out(pair):
        skipped.add(reason, pair.place)
    return not reason


def _with_notes(lines: Iterator[str], skipped: Skipped, say: Callable[[str], None]) -> Iterator[str]:
    """Yield the lines, then say what was met on the way."""
    yield from lines
    for line in skipped.lines():
        say(f"note {line.removeprefix('left out ')}")
