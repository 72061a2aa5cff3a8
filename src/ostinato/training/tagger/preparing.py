"""Files of tagged sequences into a run: one pass learns words, tags and scaling, a second writes the items."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from ostinato._errors import ConfigError, DataError
from ostinato.data.place import Place
from ostinato.data.repeats import Repeats
from ostinato.data.sentences import Lexicon, Scheme, SchemeSniffer
from ostinato.data.sentences.schemes import tags_of
from ostinato.data.splitting import PARTS, Dealer, Part, check_parts, parts_asked
from ostinato.data.store import Writer
from ostinato.training.config import TaggerRun, above_zero
from ostinato.training.config.tagger import TaggedData
from ostinato.training.progress import Display
from ostinato.training.run_folder import RunFolder, write_text
from ostinato.training.supervised.scaling import Scaling
from ostinato.training.supervised.schema import write_schema
from ostinato.training.supervised.skipped import Skipped
from ostinato.training.tagger.encoding import Encoder, TaggerSchema, columns
from ostinato.training.tagger.source import (
    FileOfRecordings,
    Item,
    Source,
    columns_of_frames,
    is_of_recordings,
    open_source,
    reads_words,
)

MOST_TAGS = 10_000
"""Tags above which a column is none of tags."""
SHOWN = 50
"""Sentences kept as text, to be shown with their tags."""


@dataclass
class Found:
    """What the first pass finds."""

    counts: dict[Part, int] = field(default_factory=lambda: dict.fromkeys(PARTS, 0))
    tags: Counter[str] = field(default_factory=Counter)
    sniffer: SchemeSniffer = field(default_factory=SchemeSniffer)
    scaling: Scaling | None = None


class Reading:
    """The files of a run, read as often as is needed, each item with its part."""

    def __init__(self, data: TaggedData, seed: int):
        self.data, self.seed = data, seed
        self.shares, self.files = parts_asked(data.validation, data.test)
        self.sources: dict[Part | None, Source] = {None: open_source(data, data.file)}
        self.sources |= {part: open_source(data, file) for part, file in self.files.items()}
        self.asked = {"train", *self.files, *(part for part, share in self.shares.items() if share)}
        self.empty = self.torn = 0

    def items(self) -> Iterator[tuple[Part, Item]]:
        """Yield each item that has a step with its part; count the others, and windows torn from those before them."""
        dealer, self.empty, self.torn = Dealer(**self.shares, seed=self.seed), 0, 0
        for fixed, source in self.sources.items():
            before: Part | None = None
            for item in source:
                if not len(item.steps):
                    self.empty += 1
                    continue
                stays = item.goes_on and isinstance(source, FileOfRecordings)
                part = fixed or (before if stays and before else dealer.part())
                self.torn += item.goes_on and part != before
                yield part, item
                before = part

    def lines(self) -> list[str]:
        """Return what the last reading is to be told of."""
        said = [f"{self.empty:,} blocks without a word are left out"] if self.empty else []
        if self.torn:
            said.append(
                f"{self.torn:,} windows stand in another part than the one before them in their sequence: what judges "
                "is beside what is learned from; --validation and --test take files of their own"
            )
        return said


def prepare(run: TaggerRun, folder: RunFolder, display: Display) -> None:
    """Write vocabulary, schema and items into the run's folder. Raises DataError for what cannot be learned from."""
    reading = Reading(run.data, run.training.seed)
    for part, source in reading.sources.items():
        file = run.data.file if part is None else reading.files[part]
        display.say(f"read    {file}: {source.said}")
    found, repeats = Found(), Repeats()
    lexicon = _first_pass(run.data, reading, found, repeats)
    check_parts({part: n for part, n in found.counts.items() if part in reading.asked}, run.data.file)
    schema = _schema(run.data, found)
    if lexicon is not None:
        write_text(folder.tokenizer, lexicon.to_json())
        display.say(f"tags    {found.sniffer.said() if run.data.scheme == 'auto' else f'read as {schema.scheme}'}")
    encoder = Encoder(schema, run.data, lexicon)
    unseen = _write_items(folder, reading, encoder)
    write_schema(folder.schema, replace(schema, others=encoder.names[len(schema.tags) :]))
    for line in (*reading.lines(), *unseen.lines(), *map(str, repeats.overlaps())):
        display.say(f"note    {line}")


def _first_pass(data: TaggedData, reading: Reading, found: Found, repeats: Repeats) -> Lexicon | None:
    def learned() -> Iterator[list[str]]:
        for part, item in reading.items():
            found.counts[part] += 1
            if isinstance(item.steps, np.ndarray):
                repeats.add(part, item.steps.tobytes(), item.place)
            else:
                repeats.add(part, "\t".join(item.steps), item.place)
            if part == "train":
                _learn(data, item, found)
                yield list(item.steps)

    if reads_words(data):
        return Lexicon.learned(learned(), least=data.least, lowercase=data.lowercase, longest=data.longest_word)
    for _ in learned():
        pass
    return None


def _learn(data: TaggedData, item: Item, found: Found) -> None:
    assert item.tags is not None
    found.tags.update(item.tags)
    if len(found.tags) > MOST_TAGS:
        got = f"more than {MOST_TAGS:,} different tags"
        raise DataError(data.file, got, "A tag occurs many times", "Name their column with --tag-column")
    if isinstance(item.steps, np.ndarray):
        found.scaling = found.scaling or Scaling(item.steps.shape[1])
        found.scaling.add(item.steps)
    else:
        found.sniffer.see(item.tags)


def _schema(data: TaggedData, found: Found) -> TaggerSchema:
    scheme: Scheme = found.sniffer.scheme() if data.scheme == "auto" else data.scheme
    tags = tags_of(scheme, found.tags)
    if len(tags) < 2:
        possible = f"Steps to learn from: {found.tags.total():,}, all of them '{tags[0]}'"
        raise DataError(data.file, "one tag only", possible, "Check --tag-column, and how the parts are split")
    if found.scaling is None:
        return TaggerSchema("words", scheme, tags)
    schema = TaggerSchema("frames", scheme, tags, width=len(found.scaling.mean))
    if not data.standardise:
        return schema
    return replace(schema, mean=found.scaling.mean.tolist(), deviation=found.scaling.deviation.tolist())


def _write_items(folder: RunFolder, reading: Reading, encoder: Encoder) -> Unseen:
    """Write the items of each part, and the words of those that will be shown."""
    unseen, shown, learned = Unseen(), {part: [] for part in PARTS}, len(encoder.schema.tags)
    kinds = columns(encoder.schema)
    with (
        Writer(folder.items / "train", kinds) as train,
        Writer(folder.items / "valid", kinds) as valid,
        Writer(folder.items / "test", kinds) as test,
    ):
        writers = {"train": train, "valid": valid, "test": test}
        for part, item in reading.items():
            tags = encoder.tags(item)
            writers[part].add(**encoder.inputs(item), tags=tags)
            unseen.see(tags, learned, encoder.names, item.place)
            if part != "train" and len(shown[part]) < SHOWN and not isinstance(item.steps, np.ndarray):
                shown[part].append([str(item.place), list(item.steps)])
    write_text(folder.items / "shown.json", json.dumps(shown, ensure_ascii=False))
    return unseen


class Unseen(Skipped):
    """Counts tags that were not learned from."""

    def __init__(self):
        super().__init__("tag")

    def see(self, tags: np.ndarray, learned: int, names: list[str], place: Place) -> None:
        """Take the numbers of the tags of an item."""
        for number in tags[tags >= learned].tolist():
            self.add(names[number], place)

    def lines(self) -> list[str]:
        """Return a line for each tag."""
        return [
            f"{count:,} of '{name}', which is not among the tags learned from, {'count' if count > 1 else 'counts'} "
            f"as wrong (the first: {self._first[name]})"
            for name, count in self.counts.items()
        ]


def check(data: TaggedData) -> None:
    """Refuse settings of the data that cannot be."""
    if not data.file:
        raise ConfigError("file", "no file was given", "", "Give a file to learn from")
    if "-" in (data.file, data.validation, data.test):
        raise ConfigError("file", "standard input was given", "Files are read twice", "Write it to a file first")
    for name in ("least", "longest_word", "window"):
        above_zero(name, getattr(data, name))
    if data.frames is not None and not columns_of_frames(data):
        raise ConfigError("--frames", f"'{data.frames}' names no column", "Columns are joined by commas")
    if not reads_words(data) and data.scheme not in ("auto", "plain"):
        raise ConfigError("--scheme", f"{data.scheme} of frames", "Frames have plain tags", "Leave it out")
    for name in ("frames", "group", "word_column", "tag_column"):
        if is_of_recordings(data, data.file) and getattr(data, name) is not None:
            flag = f"--{name.replace('_', '-')}"
            raise ConfigError(flag, f"it was given for {data.file}", "Its steps are no rows of a table", "Leave it out")
    if data.frames is None and data.group is not None:
        raise ConfigError("--group", "it was given without --frames", "It is of rows of numbers", "Leave it out")
