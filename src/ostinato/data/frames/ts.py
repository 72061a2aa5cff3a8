"""The text format of sktime and aeon, `.ts`: a header of "@" lines, then one sequence a line.

    @univariate false
    @classLabel true walking running
    @data
    0.1,0.2,0.3:5,6,7:walking

Channels are separated by ":", steps by ","; "?" is a gap. Both libraries read a file whole; this reads line by line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Literal

import numpy as np

from ostinato._errors import DataError, did_you_mean
from ostinato.data.frames.gaps import Missing, without_gaps
from ostinato.data.frames.recordings import Frames, Recordings
from ostinato.data.place import Place
from ostinato.data.rows.source import Source, lines_of

_KEYS = (
    "problemname",
    "timestamps",
    "missing",
    "univariate",
    "dimension",
    "dimensions",
    "equallength",
    "serieslength",
    "classlabel",
    "targetlabel",
)


@dataclass(frozen=True)
class _Header:
    """What stands above the data."""

    target: Literal["class", "number"] | None = None
    classes: tuple[str, ...] | None = None
    channels: int | None = None
    length: int | None = None
    begin: int = 0
    flags: dict[str, str] = field(default_factory=dict)


def ts_recordings(source: Source, encoding: str, missing: Missing) -> Recordings:
    """Read a `.ts` file, univariate or not, ragged or not, with classes, numbers or nothing to tell.

    Raises DataError, with the line, for a header that cannot be, time stamps, and an item that the header
    does not describe: its channels, its length, its class, text among its numbers.
    """
    header = _read_header(source, encoding)
    first = next(_items(source, encoding, header, "zero"), None)
    if first is None:
        raise DataError(source.name, "no item after '@data'", "One sequence a line follows it", "Check how it was made")
    width = first.values.shape[1]

    def read() -> Iterator[Frames]:
        return _items(source, encoding, header, missing, width)

    return Recordings(source.name, _words(header, width), width, header.target, header.classes, read)


def _words(header: _Header, width: int) -> str:
    channels = f"{width} channel" + "s" * (width != 1)
    length = f"{header.length} steps" if header.length else "of any length"
    target = {None: "no labels", "number": "a number each", "class": "labels"}[header.target]
    labels = f"{len(header.classes)} classes" if header.classes else target
    return f"sktime .ts: {channels}, {length}, {labels}"


def _read_header(source: Source, encoding: str) -> _Header:
    found: dict[str, tuple[Place, str]] = {}
    for number, line in lines_of(source, encoding):
        line, place = line.strip(), Place(source.name, number)
        if line.lower() == "@data":
            return _header(found, number)
        if line and not line.startswith(("#", "@")):
            raise _unexpected(place, line)
        if line.startswith("@"):
            key, _, value = line[1:].partition(" ")
            if key.lower() not in _KEYS:
                raise DataError(str(place), f"'@{key}' is no line of a header", _known(), did_you_mean(key, _KEYS))
            found[key.lower()] = (place, value.strip())
    raise DataError(source.name, "no '@data' in it", "A .ts file has '@data' above its items", "Check how it was made")


def _known() -> str:
    return "Possible: " + ", ".join(f"@{key}" for key in _KEYS) + ", @data"


def _unexpected(place: Place, line: str) -> DataError:
    shown = line if len(line) <= 60 else line[:60] + "…"
    return DataError(
        str(place), f"{shown!r} before '@data'", "Above it lines begin with '@' or '#'", "Correct the line"
    )


def _header(found: dict[str, tuple[Place, str]], begin: int) -> _Header:
    if _says_yes(found, "timestamps"):
        possible = "Sequences without time stamps, one number a step"
        raise DataError(
            str(found["timestamps"][0]), "time stamps", possible, "Write the values alone: @timeStamps false"
        )
    classes = found["classlabel"][1].split()[1:] if _says_yes(found, "classlabel") else None
    target = "class" if classes is not None else "number" if _says_yes(found, "targetlabel") else None
    channels = 1 if _says_yes(found, "univariate") else _whole(found, "dimensions") or _whole(found, "dimension")
    length = _whole(found, "serieslength") if _says_yes(found, "equallength") else None
    return _Header(target, tuple(classes) if classes else None, channels, length, begin)


def _says_yes(found: dict[str, tuple[Place, str]], key: str) -> bool:
    place, value = found.get(key, (None, "false"))
    answer = value.split()[0].lower() if value else ""
    if answer not in ("true", "false"):
        raise DataError(str(place), f"'@{key} {value}'", "Possible: true or false", "Correct the line")
    return answer == "true"


def _whole(found: dict[str, tuple[Place, str]], key: str) -> int | None:
    if key not in found:
        return None
    place, value = found[key]
    if not (value.isascii() and value.isdecimal() and 0 < len(value) < 10 and int(value) > 0):
        raise DataError(str(place), f"'@{key} {value}'", "Possible: a whole number from 1", "Correct the line")
    return int(value)


def _items(
    source: Source, encoding: str, header: _Header, missing: Missing, width: int | None = None
) -> Iterator[Frames]:
    for number, line in lines_of(source, encoding):
        line = line.strip()
        if number > header.begin and line and not line.startswith("#"):
            frames = _item(Place(source.name, number), line, header, missing)
            _check_width(frames, header.channels or width)
            yield frames


def _item(place: Place, line: str, header: _Header, missing: Missing) -> Frames:
    *channels, last = line.split(":")
    label = last.strip() if header.target else None
    if not header.target:
        channels.append(last)
    if not channels:
        raise DataError(str(place), "an item without a label", "It ends with ':' and its label", "Add it")
    if channels[0].lstrip().startswith("("):
        raise DataError(str(place), "time stamps", "One number a step", "Write the values alone, without brackets")
    series = [_series(place, number, text) for number, text in enumerate(channels, 1)]
    _check_lengths(place, [len(steps) for steps in series], header)
    values = without_gaps(np.stack(series, axis=1), missing, place)
    return Frames(place, values, None if label is None else _label(place, label, header))


def _series(place: Place, channel: int, text: str) -> np.ndarray:
    fields = [field.strip() for field in text.split(",")]
    numbers = ["nan" if field in ("?", "") else field for field in fields]
    try:
        return np.array(numbers, dtype=np.float32)
    except (ValueError, OverflowError):
        pass
    step = len(list(takewhile(_is_number, numbers)))
    got = f"{fields[step][:40]!r} at step {step + 1} of channel {channel}, where a number is needed"
    raise DataError(str(place), got, "Possible: 12, -0.5, 1e-3, and ? for a gap", "Correct it, or remove the item")


def _is_number(text: str) -> bool:
    try:
        np.array([text], dtype=np.float32)
    except (ValueError, OverflowError):
        return False
    return True


def _check_lengths(place: Place, lengths: list[int], header: _Header) -> None:
    if len(set(lengths)) > 1:
        other = next(number for number, length in enumerate(lengths, 1) if length != lengths[0])
        got = f"{lengths[0]} steps in channel 1 and {lengths[other - 1]} in channel {other}"
        raise DataError(str(place), got, "All channels of an item are equally long", "Correct or remove the item")
    if header.length is not None and lengths[0] != header.length:
        got = f"{lengths[0]} steps, where the header says {header.length}"
        raise DataError(str(place), got, "", "Correct the item, or write @equalLength false")


def _check_width(frames: Frames, width: int | None) -> None:
    found = frames.values.shape[1]
    if width is not None and found != width:
        got = f"{found} channel" + "s" * (found != 1) + f", where there are {width} elsewhere"
        raise DataError(str(frames.place), got, "':' separates channels, and the label", "Correct or remove the item")


def _label(place: Place, label: str, header: _Header) -> str | np.ndarray:
    if header.target == "number":
        if not _is_number(label) or not np.isfinite(np.float32(label)):
            got = f"{label!r} as the target, where a number is needed"
            raise DataError(str(place), got, "@targetLabel stands for a number", "Correct it, or remove the item")
        return np.array([label], dtype=np.float32)
    if not label:
        raise DataError(str(place), "an empty label", "It stands after the last ':'", "Add it, or remove the item")
    if header.classes and label not in header.classes:
        possible = f"The header declares: {', '.join(header.classes[:20])}"
        advice = did_you_mean(label, header.classes) or "Add it to @classLabel, or correct the item"
        raise DataError(str(place), f"the label '{label}'", possible, advice)
    return label
