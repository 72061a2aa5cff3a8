"""Lines of text: with a label first, one text a line, or a folder with a file of lines for each label."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from ostinato._errors import DataError
from ostinato.data.place import Place
from ostinato.data.rows.row import Row, Rows, beginning
from ostinato.data.rows.source import File, Source, first_lines, lines_of

_COLUMNS = ("label", "text")
_SEPARATORS = {"\t": "a tab", "|": "'|'", " ": "a space"}
_LONGEST_LABEL = 40  # characters


def labelled_rows(source: Source, encoding: str) -> Rows:
    """Read "label sentence" lines: a tab or "|" between them where every line has one, else the first space.

    Blank lines are no rows; a label alone has the text "". Raises DataError for a line without the tab or "|".
    """
    lines = first_lines(source, encoding)
    separator = _separator(lines)

    def rows(numbered: Iterable[tuple[int, str]]) -> Iterator[Row]:
        for number, line in numbered:
            if line.strip():
                yield _row(Place(source.name, number), line, separator)

    words = f"lines of a label, {_SEPARATORS[separator]} and a text"
    first = beginning(rows(enumerate(lines, 1)))
    return Rows(source.name, words, _COLUMNS, lambda: rows(lines_of(source, encoding)), first)


def plain_rows(source: Source, encoding: str) -> Rows:
    """Read one text a line; blank lines are none."""

    def rows(numbered: Iterable[tuple[int, str]]) -> Iterator[Row]:
        for number, line in numbered:
            if text := line.strip():
                yield Row(Place(source.name, number), {"text": text})

    first = beginning(rows(enumerate(first_lines(source, encoding), 1)))
    return Rows(source.name, "lines of text", ("text",), lambda: rows(lines_of(source, encoding)), first)


def folder_rows(folder: Path, encoding: str) -> Rows:
    """Read a folder with one file of lines for each label: the file's name without its suffix is the label."""
    files = [File(path) for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith(".")]
    labels = [file.path.stem for file in files]
    _check_labels(folder, labels)

    def rows() -> Iterator[Row]:
        for file, label in zip(files, labels, strict=True):
            for number, line in lines_of(file, encoding):
                if text := line.strip():
                    yield Row(Place(file.name, number), {"label": label, "text": text})

    words = f"a folder of {len(files)} files, one a label"
    return Rows(str(folder), words, _COLUMNS, rows, beginning(rows()))


def begins_with_labels(lines: list[str]) -> bool:
    """Say whether the first words of `lines` look like labels: few of them, or whole numbers, each before a text."""
    pairs = [line.split(None, 1) for line in lines if line.strip()]
    if not pairs or any(len(pair) < 2 for pair in pairs):
        return False
    words = {pair[0] for pair in pairs}
    if all(word.lstrip("+-").isdecimal() for word in words):
        return len(words) < len(pairs) or len(pairs) < 3
    return len(pairs) >= 8 and 1 < len(words) <= len(pairs) / 4


def _separator(lines: list[str]) -> str:
    filled = [line for line in lines if line.strip()]
    for separator in "\t|":
        if filled and all(0 < line.find(separator) <= _LONGEST_LABEL for line in filled):
            return separator
    return " "


def _row(place: Place, line: str, separator: str) -> Row:
    label, found, text = line.partition(separator) if separator != " " else _first_word(line)
    if separator != " " and not found:
        got, possible = f"no {_SEPARATORS[separator]} in the line", "The lines before it have one after the label"
        raise DataError(str(place), got.replace("no a ", "no "), possible, "Add it, or remove the line")
    return Row(place, {"label": label.strip(), "text": text.strip()})


def _first_word(line: str) -> tuple[str, str, str]:
    label, *text = line.split(None, 1)
    return label, " ", "".join(text)


def _check_labels(folder: Path, labels: list[str]) -> None:
    possible = "A folder holds a file of lines for each label, such as positive.txt and negative.txt"
    if not labels:
        raise DataError(str(folder), "no files in it", possible, "Name a file, or fill the folder")
    for label in labels:
        if labels.count(label) > 1:
            raise DataError(str(folder), f"two files for the label '{label}'", possible, "Join them into one file")
