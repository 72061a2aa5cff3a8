"""Opens a file of pairs whatever its format, which is told from its name and its first lines and said in words."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from ostinato._errors import ConfigError, DataError, did_you_mean
from ostinato.data.generated import generated, is_generated
from ostinato.data.lines import text_encoding
from ostinato.data.pairs.addition import Addition
from ostinato.data.pairs.cmudict import cmudict_pairs, looks_like_cmudict
from ostinato.data.pairs.pair import Pair, Pairs
from ostinato.data.pairs.parallel import parallel_pairs
from ostinato.data.pairs.sigmorphon import asked_form, looks_like_sigmorphon, sigmorphon_pairs
from ostinato.data.pairs.table import names_sides, table_pairs
from ostinato.data.place import Place
from ostinato.data.rows.dialect import separates
from ostinato.data.rows.hub import HUB
from ostinato.data.rows.opening import open_rows
from ostinato.data.rows.source import Source, first_lines, source_of
from ostinato.data.units import as_text

Format = Literal["auto", "parallel", "csv", "tsv", "jsonl", "parquet", "cmudict", "sigmorphon"]
FORMATS = get_args(Format)
GENERATED = {"addition": Addition}
_TABLES: dict[str, Format] = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_LINES = 200  # how many lines are looked at


@dataclass(frozen=True)
class Reading:
    """How a file of pairs is read."""

    format: Format = "auto"
    """Format of the file (default: by name and content)."""
    encoding: str = "utf-8"
    """Encoding of text files."""
    source_column: str | None = None
    """Column of the sources (default: found by its name, or the first)."""
    target_column: str | None = None
    """Column of the targets (default: found by its name, or the second)."""
    header: bool | None = None
    """Whether the first row of a table names its columns (default: told from it)."""
    stress: bool = True
    """Keep the digits that say how vowels are stressed, of a dictionary of phones."""


def open_pairs(
    file: str | Path, targets: str | Path | None = None, *, reading: Reading | None = None, paired: bool = True
) -> Pairs:
    """Open the pairs of a file, of a file of sources beside one of `targets`, of standard input ("-"), or made up.

    `Reading.format` is one of

        parallel           lines of sources; line n of the file `targets` holds the target of line n
        csv, tsv           a table; jsonl: objects with two keys; parquet
        cmudict            a word and its phones a line; word(2) is another pronunciation of word
        sigmorphon         lemma, form and features between tabs

    and "auto" tells which. "hf://owner/name" is a data set of the Hub, "generated:addition?digits=3" a task that
    is made up; a .zip with one file in it, and a .gz, are read as what they hold. Without `paired`, to predict, a
    file may hold sources only, and lines of text are sources.

    >>> pairs = open_pairs("generated:addition?digits=2&items=3")
    >>> pairs.format
    '3 additions of at most 2 digits, padded with spaces'

    Raises DataError for a file that is missing, empty, or of which the targets are not known; ConfigError for a
    format, an encoding, a column or a knob that is none.
    """
    reading, name = reading or Reading(), str(file)
    if reading.format not in FORMATS:
        possible, near = f"Possible: {', '.join(FORMATS)}", did_you_mean(reading.format, FORMATS)
        raise ConfigError("format", f"'{reading.format}' is none that is known", possible, near)
    if is_generated(name):
        return generated(name, GENERATED).pairs()
    if name.startswith(HUB):
        columns = reading.source_column, reading.target_column
        return table_pairs(open_rows(name), "hub", *columns, paired=paired)
    reading = replace(reading, encoding=text_encoding(reading.encoding))
    source = source_of(file)
    if targets is not None:
        if reading.format not in ("auto", "parallel"):
            possible = "A second file belongs to lines of text, the first file's beside its own"
            raise ConfigError("targets", f"a file of targets beside a file of format {reading.format}", possible)
        if _is_same(name, str(targets)) and (kind := _sniffed(source, reading, paired=True)) != "parallel":
            got, possible = f"'{targets}', which is the file of sources too", f"It is {kind}: it holds both sides"
            raise ConfigError("targets", got, possible, "Leave it out")
        return parallel_pairs(source, str(targets), reading.encoding)
    return _of_one_file(source, reading, paired)


def open_sources(file: str | Path, *, kind: str, learned_from: str = "", reading: Reading | None = None) -> Pairs:
    """Open a file to predict from, in which targets may be missing, as the file of a run was read.

    kind          `Pairs.kind` of the file that was learned from.
    learned_from  its name; of what is made up it says how a question is written.

    A table is known by itself; other lines are words to pronounce or lemmas with features where such were learned
    from. Raises as `open_pairs`.
    """
    reading = reading or Reading()
    if kind == "generated" and not is_generated(str(file)):
        asked = open_pairs(file, reading=replace(reading, format="parallel"), paired=False)
        made_up = generated(learned_from, GENERATED)
        return asked.changed(lambda pair: pair._replace(source=made_up.source(as_text(pair.source))))
    known = kind in ("parallel", "cmudict", "sigmorphon") and Path(file).suffix.lower() not in _TABLES
    format: Format = kind if known and reading.format == "auto" else reading.format  # pyright: ignore[reportAssignmentType]
    return open_pairs(file, reading=replace(reading, format=format), paired=False)


def typed_pair(text: str, number: int, kind: str, file: str = "") -> Pair:
    """Return what somebody typed as a pair without targets, as the file of a run reads it.

    kind  `Pairs.kind` of the file that was learned from: of "sigmorphon" a lemma and its features are expected.
    file  its name; of what is made up it says how a question is written.
    """
    place = Place("the text", number, "item")
    if kind == "sigmorphon":
        return asked_form(text, place)
    if kind == "generated" and is_generated(file):
        return Pair(place, generated(file, GENERATED).source(text), ())
    return Pair(place, text.strip(), ())


def _is_same(source: str, targets: str) -> bool:
    paths = Path(source), Path(targets)
    return source == targets or (all(path.exists() for path in paths) and paths[0].samefile(paths[1]))


def _of_one_file(source: Source, reading: Reading, paired: bool) -> Pairs:
    kind = reading.format if reading.format != "auto" else _sniffed(source, reading, paired)
    if kind == "parallel":
        if paired:
            got, possible = "lines of text, without what they become", "Possible: " + _POSSIBLE
            raise DataError(source.name, got, possible, "Name the file of targets with --targets")
        return parallel_pairs(source, None, reading.encoding)
    if kind == "cmudict":
        return cmudict_pairs(source, reading.encoding, stress=reading.stress)
    if kind == "sigmorphon":
        return sigmorphon_pairs(source, reading.encoding)
    rows = open_rows(source, format=kind, encoding=reading.encoding, header=_header(source, reading, kind))  # pyright: ignore[reportArgumentType]
    return table_pairs(rows, kind, reading.source_column, reading.target_column, paired=paired)  # pyright: ignore[reportArgumentType]


_POSSIBLE = "a second file of targets; two columns of CSV, TSV, JSONL or Parquet; CMUdict; SIGMORPHON"


def _sniffed(source: Source, reading: Reading, paired: bool) -> Format:
    if source.suffix in _TABLES:
        return _TABLES[source.suffix]
    if source.head.startswith(b"PAR1"):
        return "parquet"
    lines = [line for line in first_lines(source, reading.encoding) if line.strip()][:_LINES]
    if lines and lines[0].lstrip().startswith("{"):
        return "jsonl"
    if looks_like_sigmorphon(lines):
        return "sigmorphon"
    if source.suffix == ".dict" or looks_like_cmudict(lines):
        return "cmudict"
    tabs = any("\t" in line for line in lines)
    if source.suffix in (".tsv", ".tab") or (tabs and (paired or separates(lines))):
        return "tsv"
    columns = reading.source_column, reading.target_column
    if not paired:
        named = re.split("[;|,]", lines[0]) if lines else []
        return "csv" if any(field.strip().strip('"') in columns for field in named) else "parallel"
    return "csv" if (*columns, reading.header) != (None, None, None) else "parallel"


def _header(source: Source, reading: Reading, kind: Format) -> bool | None:
    """Say whether a table has a header; None leaves it to the reader. Two words alone name no columns of a TSV."""
    if reading.header is not None or kind != "tsv":
        return reading.header
    lines = (line for line in first_lines(source, reading.encoding) if line.strip())
    fields = tuple(field.strip().strip('"') for field in next(lines, "").split("\t"))
    return names_sides(fields, (reading.source_column, reading.target_column))
