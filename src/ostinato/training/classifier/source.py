"""Labelled sequences as they stand in files: texts from tables and lines, frames from files of series and images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
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


class Texts:
    """Texts of a table, whose columns are found once; `labelled` says whether an answer is needed."""

    def __init__(self, data: LabelledData, file: str, *, labelled: bool = True):
        expected = None if labelled else data.text or "text"
        self.rows = open_rows(file, format=data.format, encoding=data.encoding, unlabelled=expected)  # type: ignore[arg-type]
        if not labelled and self.rows.columns == ("text",):
            data = replace(data, text=None)  # lines have no column of the run's name
        asked = None if data.label is None else [name.strip() for name in data.label.split(",")]
        text = column_of(self.rows, data.text, "text", taken=asked or () if labelled else ())
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

    def __iter__(self) -> Iterator[Raw]:
        for row in self.rows:
            part = None if self.part is None else row.value(self.part)
            yield Raw(row.place, row.text(self.text), self._answer(row), part)

    def _answer(self, row: Row) -> Any:
        if not self.labelled:
            return None
        values = [row.value(name) for name in self.labels]
        return values[0] if len(values) == 1 else values


class FramesOf:
    """Frames of a file of series or images; `labelled` says whether an answer is needed."""

    def __init__(self, data: LabelledData, file: str, *, labelled: bool = True):
        for name in ("text", "label", "part"):
            if (column := getattr(data, name)) is not None:
                raise ConfigError(f"--{name}", f"'{column}' of {file}", "Frames have no columns", "Leave it out")
        self.frames = open_frames(
            Path(file),
            format=data.format if data.format in get_args(FramesFormat) else None,  # type: ignore[arg-type]
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


def open_source(data: LabelledData, file: str, *, labelled: bool = True) -> Texts | FramesOf:
    """Open a file of labelled sequences; `said` tells what it was taken for. Raises as the readers do."""
    known = (*get_args(Format), *get_args(FramesFormat))
    if data.format is not None and data.format not in known:
        raise ConfigError(
            "--format", f"'{data.format}'", f"Possible: {', '.join(known)}", did_you_mean(data.format, known)
        )
    named = None if file == "-" or file.startswith("hf://") else frames_format(file)
    if data.format in get_args(FramesFormat) or (data.format is None and named is not None):
        return FramesOf(data, file, labelled=labelled)
    return Texts(data, file, labelled=labelled)
