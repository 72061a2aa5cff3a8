"""Data sets of the Hugging Face Hub, streamed by its own library `datasets`, which knows all their forms."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from ostinato._errors import ConfigError, DataError, did_you_mean
from ostinato.data.place import Place
from ostinato.data.rows.row import Row, Rows, beginning, distinct

HUB = "hf://"
_FORM = "Possible: hf://owner/name, hf://owner/name/config, hf://owner/name?split=test, hf://./folder"
_REMOTE = re.compile(r"([\w-][\w.-]*/[\w.-]+)(?:/([^/]+))?")
_ASKED = ("split", "config", "revision")


class _Name(NamedTuple):
    """What an address names."""

    path: str
    config: str | None
    split: str | None
    revision: str | None


def hub_rows(address: str) -> Rows:
    """Read a split of a data set, "train" where none is named; labels that are numbers with names get their names.

    Raises ConfigError for an address that names nothing, DataError where the data set, its configuration or its
    split is not there or cannot be fetched, and where `datasets` is not installed.
    """
    name = _parsed(address)
    stream, said = _chosen(address, name, _loaded(address, name))
    decoded = _label_names(stream)

    def rows() -> Iterator[Row]:
        for number, values in enumerate(_guarded(address, stream), 1):
            yield Row(Place(address, number, "row"), {key: decoded(key, value) for key, value in values.items()})

    first = beginning(rows())
    columns = distinct(stream.column_names or [key for row in first[:1] for key in row.values])
    if not columns:
        next(rows(), None)  # says what is wrong, where something is
        raise DataError(address, "no row in it", "A data set has rows", "Name another split")
    words = f"a data set of {len(columns)} column" + "s" * (len(columns) != 1) + f", {said}"
    return Rows(address, words, columns, rows, first)


def _parsed(address: str) -> _Name:
    path, _, query = address.removeprefix(HUB).partition("?")
    asked = dict(parse_qsl(query, keep_blank_values=True))
    for key in asked:
        if key not in _ASKED:
            raise ConfigError(address, f"unknown '{key}'", f"Possible: {', '.join(_ASKED)}", did_you_mean(key, _ASKED))
    path, config = path.rstrip("/"), asked.get("config")
    found = _REMOTE.fullmatch(path)
    if found:
        path, config = found[1], found[2] or config
    elif not path.startswith(("/", ".")):
        raise ConfigError(address, "it names no data set", _FORM)
    return _Name(path, config, asked.get("split"), asked.get("revision"))


def _loaded(address: str, name: _Name) -> dict[str, Any]:
    """Return the splits of a data set, none of them read."""
    try:
        import datasets
    except ImportError:
        got = "data sets of the Hub need the package 'datasets'"
        raise DataError(address, got, "Files need nothing more", "Try: pip install 'ostinato[hub]'") from None
    return _attempt(
        address, lambda: datasets.load_dataset(name.path, name.config, revision=name.revision, streaming=True)
    )


def _chosen(address: str, name: _Name, splits: dict[str, Any]) -> tuple[Any, str]:
    """Return the split that is asked for, or "train", or the only one; and what to say about it."""
    names = list(splits)
    listed = f"Splits: {', '.join(names)}"
    split = name.split or ("train" if "train" in names else names[0] if len(names) == 1 else None)
    if split is None:
        raise DataError(address, "which split is not said", listed, "Name one with ?split=…")
    if split not in names:
        raise DataError(address, f"no split '{split}'", listed, did_you_mean(split, names) or "Name one with ?split=…")
    return splits[split], f"split '{split}' of {', '.join(names)}"


def _guarded(address: str, stream: Any) -> Iterator[dict[str, Any]]:
    """Iterate over `stream`, anything that goes wrong in fetching or decoding said as DataError."""
    rows = iter(stream)
    while (values := _attempt(address, lambda: next(rows, None))) is not None:
        yield values


def _attempt(address: str, call: Callable[[], Any]) -> Any:
    import pyarrow as pa
    from datasets.exceptions import DatasetsError
    from huggingface_hub.errors import HfHubHTTPError

    # The error of its library for HTTP, which has changed twice.
    unreachable: type[BaseException] = HfHubHTTPError.__bases__[0]
    try:
        return call()
    except (DatasetsError, unreachable, OSError, ValueError, pa.ArrowException) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        advice = "Check the name and the connection; a private data set needs `hf auth login`"
        raise DataError(address, f"it cannot be read ({reason})", _FORM, advice) from None


def _label_names(stream: Any) -> Callable[[str, Any], Any]:
    """Return what gives a class its name where the data set has names for its numbers; -1, no label, as None."""
    names = {
        column: feature.names for column, feature in (stream.features or {}).items() if hasattr(feature, "int2str")
    }

    def decoded(column: str, value: Any) -> Any:
        if column not in names or not isinstance(value, int):
            return value
        return names[column][value] if 0 <= value < len(names[column]) else None

    return decoded
