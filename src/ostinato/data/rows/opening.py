"""Opens rows of any kind: what a file is comes from its suffix, else from its first lines, else from the user."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal, get_args

from ostinato._errors import ConfigError, did_you_mean
from ostinato.data.lines import text_encoding
from ostinato.data.rows.delimited import delimited_rows
from ostinato.data.rows.dialect import dialect_of, separates
from ostinato.data.rows.hub import HUB, hub_rows
from ostinato.data.rows.jsonl import jsonl_rows
from ostinato.data.rows.labelled import begins_with_labels, folder_rows, labelled_rows, plain_rows
from ostinato.data.rows.parquet import parquet_rows
from ostinato.data.rows.row import Rows
from ostinato.data.rows.source import Source, first_lines, source_of

Format = Literal["csv", "tsv", "jsonl", "parquet", "labelled", "lines"]
_SUFFIXES: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}


def open_rows(
    source: str | Path | Source,
    *,
    format: Format | None = None,
    encoding: str = "utf-8",
    delimiter: str | None = None,
    header: bool | None = None,
    unlabelled: str | None = None,
) -> Rows:
    """Open the rows of a file, of the one file in a .zip, of a folder with a file for each label, of standard input
    ("-"), of a source that is open already, or of the Hub.

    "hf://owner/name", "hf://owner/name/config" and "hf://owner/name?split=test" name a data set of the Hugging
    Face Hub, which is streamed; "hf:///a/folder" and "hf://./folder" a folder in the form of one.

    What is None is sniffed, and `Rows.format` says in words as what. `format` is one of

        csv, tsv    fields with a `delimiter` between them, with a `header` that names them or without
        jsonl       an object a line
        parquet     a Parquet file
        labelled    a label, a space, tab or "|", and a text a line
        lines       a text a line

    `unlabelled` says that texts without labels are expected, and the column they stand in where there is one: only
    an object, or a header with that column, then makes lines something else than texts.

    >>> from pathlib import Path; from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "reviews.csv")
    ...     _ = path.write_text("text;label\\nwhat a film;good\\n")
    ...     rows = open_rows(path)
    ...     rows.format, next(iter(rows)).values
    ("CSV, separated by ';', with a header of 2 columns", {'text': 'what a film', 'label': 'good'})

    Raises DataError for a file that is missing, empty or damaged, naming the line; ConfigError for an unknown
    format, encoding or delimiter.
    """
    if format is not None and format not in get_args(Format):
        possible = f"Possible: {', '.join(get_args(Format))}"
        raise ConfigError(
            "format", f"'{format}' is none that is known", possible, did_you_mean(format, get_args(Format))
        )
    encoding = text_encoding(encoding)
    if isinstance(source, (str, Path)):
        if str(source).startswith(HUB):
            return hub_rows(str(source))
        if format is None and os.path.isdir(source):
            return folder_rows(Path(source), encoding)
    opened = source_of(source) if isinstance(source, (str, Path)) else source
    kind = (
        format
        or _SUFFIXES.get(opened.suffix)
        or ("csv" if (delimiter, header) != (None, None) else _sniffed(opened, encoding, unlabelled))
    )
    if kind == "parquet":
        return parquet_rows(opened)
    if kind == "jsonl":
        return jsonl_rows(opened, encoding)
    if kind in ("csv", "tsv"):
        delimiter = "\t" if kind == "tsv" and delimiter is None else delimiter
        return delimited_rows(opened, encoding, delimiter, header)
    return labelled_rows(opened, encoding) if kind == "labelled" else plain_rows(opened, encoding)


def _sniffed(source: Source, encoding: str, unlabelled: str | None) -> Format:
    """Tell what a source without a telling suffix is from its first lines."""
    if source.head.startswith(b"PAR1"):
        return "parquet"
    lines = [line for line in first_lines(source, encoding) if line.strip()]
    if lines and lines[0].lstrip().startswith("{"):
        return "jsonl"
    if unlabelled is not None:
        fields = re.split(r"[\t;|,]", lines[0]) if lines else []
        return "csv" if unlabelled in (field.strip().strip('"') for field in fields) else "lines"
    table = separates(lines)
    if begins_with_labels(lines) and not (table and dialect_of(lines, None, None).header):
        return "labelled"
    return "csv" if table else "lines"
