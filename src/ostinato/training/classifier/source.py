"""Labelled sequences as they stand in files: texts from tables and lines, frames from files of series and images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, get_args

from numpy.typing import NDArray

from ostinato._errors import ConfigError, DataError, did_you_mean
from ostinato.data.frames import FramesFormat, frames_format, open_frames
from ostinato.data.rows import Format, column_of, open_rows
from ostinato.data.rows.row import Row
from ostinato.training.config.classifier import LabelledData


class Raw(NamedTuple):
    """A sequence as it was read."""

    place: Any
    """Where it stands, for errors."""
    inputs: str | NDArray
    """A text, or frames (T, D) float32."""
    answer: Any
    """What its file says of it: text, numbers, a list; None where it says nothing."""
    part: Any = None
    """What its row says of the part it belongs to."""


class Known(NamedTuple):
    """The columns that a run found in its files, looked for in a later file where others are not asked for."""

    text: str | None
    labels: list[str]


class Texts:
    """Texts of a table, whose columns are found once; `labelled` says whether an answer is needed."""

    def __init__(self, data: LabelledData, file: str, *, labelled: bool = True, known: Known | None = None):
        flag, (known_text, known_labels) = "--column" if known else "--text", known or (None, [])
        expected = None if labelled else data.text or known_text or "text"
        self.rows = open_rows(file, format=data.format, encoding=data.encoding, unlabelled=expected)  # type: ignore[arg-type]
        if self.rows.columns in (("text",), ("label", "text")):  # lines have no columns of the run's names
            known_text, known_labels = None, []
        asked = known_labels or None if data.label is None else _names(data.label, self.rows.columns)
        taken = asked or () if labelled else ()
        text = column_of(self.rows, data.text or known_text, "text", taken=taken, flag=flag)
        self.text, self.labels = text.column, asked or []
        found = [f"text '{text.column}' ({text.reason})"]
        if labelled and asked is None:
            label = column_of(self.rows, None, "label", taken=(text.column,))
            self.labels = [label.column]
            found.append(f"label '{label.column}' ({label.reason})")
        for name in self.labels if labelled else ():
            column_of(self.rows, name, "label")
        self.part = None if data.part is None else column_of(self.rows, data.part, "part").column
        self.labelled, self.said = labelled, f"{self.rows.format}; {', '.join(found)}"

    @property
    def first(self) -> list[str]:
        """Return the texts of some rows from the beginning."""
        return [row.text(self.text) for row in self.rows.first if self.text in row.values]

    def __iter__(self) -> Iterator[Raw]:
        for row in self.rows:
            part = None if self.part is None else row.value(self.part)
            yield Raw(row.place, row.text(self.text), self._answer(row), part)

    def _answer(self, row: Row) -> Any:
        if not self.labelled:
            return None
        values = [row.value(name) for name in self.labels]
        return values[0] if len(values) == 1 else values


def _names(asked: str, columns: tuple[str, ...]) -> list[str]:
    """Return the columns that are asked for: the one of that very name, else those between commas."""
    return [asked] if asked in columns else [name.strip() for name in asked.split(",")]


class FramesOf:
    """Frames of a file of series or images; `labelled` says whether an answer is needed."""

    def __init__(self, data: LabelledData, file: str, *, labelled: bool = True, known: Known | None = None):
        for name in ("text", "label", "part"):
            if (column := getattr(data, name)) is not None:
                flag = "--column" if known and name == "text" else f"--{name}"
                raise ConfigError(flag, f"'{column}' of {file}", "Frames have no columns", "Leave it out")
        self.frames = open_frames(
            Path(file),
            format=data.format if data.format in get_args(FramesFormat) else None,  # type: ignore[arg-type]
            encoding=data.encoding,
            missing=data.missing,
            pixels=data.pixels,
            downsample=data.downsample,
        )
        self.said = self.frames.format
        if labelled and self.frames.target is None:
            advice = "In an archive they are 'y', of images a file beside theirs"
            raise DataError(file, f"no labels in it ({self.said})", "Each item needs one", advice)

    def __iter__(self) -> Iterator[Raw]:
        for item in self.frames:
            yield Raw(item.place, item.values, item.label)


def open_source(
    data: LabelledData, file: str, *, labelled: bool = True, known: Known | None = None
) -> Texts | FramesOf:
    """Open a file of labelled sequences; `said` tells what it was taken for. Raises as the readers do.

    `known` are the columns that a run found, where the file is for a model that is trained already.
    """
    formats = (*get_args(Format), *get_args(FramesFormat))
    if data.format is not None and data.format not in formats:
        raise ConfigError(
            "--file-format" if known else "--format",
            f"'{data.format}'",
            f"Possible: {', '.join(formats)}",
            did_you_mean(data.format, formats),
        )
    named = None if file == "-" or file.startswith("hf://") else frames_format(file)
    if data.format in get_args(FramesFormat) or (data.format is None and named is not None):
        return FramesOf(data, file, labelled=labelled, known=known)
    return Texts(data, file, labelled=labelled, known=known)
