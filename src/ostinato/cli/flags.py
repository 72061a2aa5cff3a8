"""Settings as they are typed: an error names `max_length` as Python does, the command line shows --max-length.

A setting is named by where an error is, or between backticks in its other parts: `min_length`, `attention='none'`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from types import ModuleType

from ostinato._errors import ConfigError
from ostinato.training.config import AnyRun

SETTING = re.compile(r"`([a-z_]+)(?:=([^`]*))?`")


def as_typed(error: ConfigError, command: ModuleType) -> ConfigError:
    """Return the error as whoever typed `command` reads it: settings that are flags of it are named as these are."""
    flags = flags_of(command)
    where = flags.get(error.where, error.where)

    def typed(found: re.Match[str]) -> str:
        name, value = found.groups()
        if name not in flags:
            return found[0]
        return flags[name] if value is None else f"{flags[name]} {value.strip(chr(39))}"

    got, possible, advice = (SETTING.sub(typed, part) for part in (error.got, error.possible, error.advice))
    return type(error)(where, got, possible, advice)


def flags_of(command: ModuleType) -> dict[str, str]:
    """Return the flags of a command by the names of their settings, from the run it reads or the class of its name.

    >>> from ostinato.cli import train_translator
    >>> flags_of(train_translator)["max_length"]
    '--max-length'
    """
    own = command.__name__.rpartition(".")[2]
    classes = [kind for kind in vars(command).values() if isinstance(kind, type) and is_dataclass(kind)]
    kinds = [kind for kind in classes if issubclass(kind, AnyRun) or kind.__name__.lower() == own]
    return {name: f"--{name.replace('_', '-')}" for kind in kinds for name in _names(kind)}


def _names(kind: type) -> Iterator[str]:
    """Yield the names of what is typed as a flag, also of the sections inside."""
    for entry in fields(kind):
        section = None if entry.default_factory is MISSING else entry.default_factory()
        if is_dataclass(section):
            yield from _names(type(section))
        elif "Positional" not in str(entry.type):
            yield entry.name
