"""Data that is made up as it is read: `generated:NAME?knob=value&…`, where a file would be named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar, get_type_hints
from urllib.parse import parse_qsl

from ostinato._errors import ConfigError, did_you_mean

GENERATED = "generated:"
_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")

Knobs = TypeVar("Knobs")


def is_generated(file: str) -> bool:
    """Say whether `file` names data that is made up and no file."""
    return file.startswith(GENERATED)


def generated(address: str, kinds: Mapping[str, type[Knobs]]) -> Knobs:
    """Return the knobs that an address sets, as the dataclass `kinds` has for its name; the others have defaults.

    A knob is a field of type int, float, bool or str.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Dice:
    ...     sides: int = 6
    ...     loaded: bool = False
    >>> generated("generated:dice?sides=20&loaded=true", {"dice": Dice})
    Dice(sides=20, loaded=True)

    Raises ConfigError, with the nearest there is, for a name or a knob that is none, and for a value that is not of
    the knob's type.
    """
    name, _, query = address.removeprefix(GENERATED).partition("?")
    if name not in kinds:
        possible = f"Possible: {', '.join(GENERATED + kind for kind in kinds)}"
        raise ConfigError(address, f"nothing called '{name}' is generated", possible, did_you_mean(name, kinds))
    return kinds[name](**_values(address, query, kinds[name]))


def _values(address: str, query: str, knobs: type) -> dict[str, Any]:
    types, names = get_type_hints(knobs), [field.name for field in fields(knobs)]
    values: dict[str, Any] = {}
    for name, text in _assignments(address, query):
        if name not in names:
            raise ConfigError(
                address, f"unknown knob '{name}'", f"Knobs: {', '.join(names)}", did_you_mean(name, names)
            )
        if name in values:
            raise ConfigError(address, f"the knob '{name}' is set twice", "", "Leave one of both out")
        values[name] = _value(f"{address}, {name}", text, types[name])
    return values


def _assignments(address: str, query: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        possible = "After ? stands knob=value, and & between two"
        raise ConfigError(address, f"'{query}' sets no knobs", possible) from None


def _value(where: str, text: str, kind: type) -> Any:
    if kind is bool:
        if text.lower() not in _TRUE + _FALSE:
            raise ConfigError(where, f"'{text}'", "Possible: true, false")
        return text.lower() in _TRUE
    try:
        return kind(text)
    except ValueError:
        possible = "Possible: a whole number" if kind is int else "Possible: a number"
        raise ConfigError(where, f"'{text}'", possible) from None
