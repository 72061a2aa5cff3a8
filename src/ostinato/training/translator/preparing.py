"""Files of pairs into a run: passes that count and that learn the symbols of each side, then one that writes items."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import fields, replace
from pathlib import Path

from ostinato._errors import DataError
from ostinato.data.pairs import Pair, Pairs, Reading, open_pairs, targets_beside, why_left_out
from ostinato.data.repeats import Repeats
from ostinato.data.splitting import BY_CONTENT, PARTS, Part, TextDealer, check_parts, parts_asked
from ostinato.data.store import Store, Writer
from ostinato.data.units import Side, Units, as_text
from ostinato.training.config import TranslatorRun, above_zero
from ostinato.training.config.translator import PairData
from ostinato.training.progress import Display
from ostinato.training.run_folder import RunFolder, write_text
from ostinato.training.supervised.schema import write_schema
from ostinato.training.supervised.skipped import Skipped
from ostinato.training.translator.encoding import COLUMNS, Encoder, TranslatorSchema
from ostinato.training.written.unknown import unknown_lines

METRICS = {"symbols": ("per", "exact"), "char": ("exact", "cer", "characters"), "byte": ("exact", "cer", "characters")}
"""Figures of what is written, by the kind of its symbols; of texts those of translation."""
OF_TEXTS = ("bleu", "chrf", "exact")


class PairsOf:
    """The files of a run, read as often as is needed, each pair with its part."""

    def __init__(self, data: PairData, seed: int):
        self.data, self.seed = data, seed
        self.shares, files = parts_asked(data.validation, data.test)
        self.asked = {"train", *files, *(part for part, share in self.shares.items() if share)}
        self.sources: dict[Part | None, Pairs] = {None: opened_pairs(data, data.file, data.targets)}
        for part, file in files.items():
            self.sources[part] = opened_pairs(data, file, _targets(data, file))

    def items(self, skipped: Skipped) -> Iterator[tuple[Part, Pair]]:
        """Yield each pair that has both sides with its part; count the others."""
        dealer = TextDealer(**self.shares, seed=self.seed)
        for fixed, source in self.sources.items():
            for pair in source:
                if reason := why_left_out(pair):
                    skipped.add(reason, pair.place)
                else:
                    yield fixed or dealer.part(as_text(pair.source)), pair

    def learned(self, side: Callable[[Pair], Side], kind: str, size: int | None) -> Units:
        """Return the symbols of one side of the pairs that are learned from."""
        sides = (side(pair) for part, pair in self.items(Skipped("pair")) if part == "train")
        data = self.data
        return Units.learn(kind, sides, size, least=data.least, lowercase=data.lowercase, composed=True)


def _targets(data: PairData, file: str) -> str | None:
    """Return the targets of a second file of parallel ones: in one folder their names alone are compared."""
    if data.targets is None:
        return None
    paths = [Path(name) for name in (data.file, data.targets, file)]
    if paths[0].parent == paths[1].parent:
        return str(paths[2].with_name(targets_beside(*(path.name for path in paths))))
    return targets_beside(data.file, data.targets, file)


def opened_pairs(data: PairData, file: str, targets: str | None = None) -> Pairs:
    """Open a file of pairs as the settings say."""
    return open_pairs(file, targets, reading=reading_of(data))


def reading_of(data: PairData) -> Reading:
    """Return how the files of a run are read."""
    return Reading(**{entry.name: getattr(data, entry.name) for entry in fields(Reading) if hasattr(data, entry.name)})


def check(data: PairData) -> None:
    """Refuse settings that cannot be. Raises ConfigError."""
    for name in ("longest", "least"):
        above_zero(name, getattr(data, name))
    parts_asked(data.validation, data.test)


def prepare(run: TranslatorRun, folder: RunFolder, display: Display) -> None:
    """Write symbols, schema and items into the run's folder. Raises DataError for what cannot be learned from."""
    data, pairs = run.data, PairsOf(run.data, run.training.seed)
    for source in pairs.sources.values():
        display.say(f"read    {source.name}: {source.format}")
    counts, repeats, skipped = dict.fromkeys(PARTS, 0), Repeats(), Skipped("pair")
    for part, pair in pairs.items(skipped):
        counts[part] += 1
        repeats.add(part, as_text(pair.source).encode("utf-8", "replace"), pair.place)
    why = "; ".join(skipped.lines())
    asked: dict[Part, int] = {part: n for part, n in counts.items() if part in pairs.asked}
    check_parts(asked, data.file, why.capitalize(), dealt=BY_CONTENT)
    main = pairs.sources[None]
    kinds = [
        own if asked == "auto" else asked
        for asked, own in zip((data.source_tokens, data.target_tokens), main.units, strict=True)
    ]
    source = pairs.learned(lambda pair: pair.source, kinds[0], data.source_vocabulary)
    target = pairs.learned(lambda pair: pair.targets[0], kinds[1], data.target_vocabulary)
    metrics = list(METRICS.get(target.kind, OF_TEXTS))
    schema = TranslatorSchema(main.kind, data.reverse, run.model.copy, metrics)
    write_text(folder.source_tokenizer, source.to_json())
    write_text(folder.tokenizer, target.to_json())
    ratio = _write_items(folder, pairs, Encoder(schema, source, target), data, skipped)
    write_schema(folder.schema, replace(schema, ratio=ratio))
    for line in (*skipped.lines(), *_unknown(folder, source, target, data), *map(str, repeats.overlaps())):
        display.say(f"note    {line}")


def _write_items(folder: RunFolder, pairs: PairsOf, encoder: Encoder, data: PairData, skipped: Skipped) -> float:
    """Write the pairs of each part; too long ones are left out of learning alone. Return the ratio of the schema."""
    ratio = 0.0
    with ExitStack() as stack:
        writers = {part: stack.enter_context(Writer(folder.items / part, COLUMNS)) for part in PARTS}
        for part, pair in pairs.items(Skipped("pair")):
            columns = encoder.columns(pair)
            longest = max(len(columns["source"]) - 1, len(columns["target"]))
            if part == "train" and longest > data.longest:
                skipped.add(f"of more than {data.longest:,} symbols (--longest)", pair.place)
                continue
            writers[part].add(**columns)
            if part == "train":
                ratio = max(ratio, len(columns["target"]) / len(columns["source"]))
        if not writers["train"].count:
            raise DataError(data.file, f"every pair has more than {data.longest:,} symbols", "", "Raise --longest")
    return ratio


def _unknown(folder: RunFolder, source: Units, target: Units, data: PairData) -> list[str]:
    """Say where many symbols of what is learned from are unknown."""
    train, least = Store(folder.items / "train"), data.least
    return [
        *unknown_lines("sources", train.all("source"), source, least=least, source_vocabulary=data.source_vocabulary),
        *unknown_lines("targets", train.all("target"), target, least=least, target_vocabulary=data.target_vocabulary),
    ]
