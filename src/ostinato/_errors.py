"""Every error a user can meet. Each says where, what was got, what is possible and what to do.

OstinatoError
├── EquationError   the text of a cell cannot be read (also a ValueError)
├── EngineError     an engine asked for by name cannot run this (also a RuntimeError)
├── ConfigError     a setting, a flag or a size is wrong (also a ValueError)
├── DataError       a file, its encoding or its symbols
└── RunError        a run folder is missing, taken, damaged or of another kind
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class OstinatoError(Exception):
    """The root of the tree; `except OstinatoError` catches whatever Ostinato says to a user."""

    def __init__(self, where: str, got: str, possible: str = "", advice: str = ""):
        self.where, self.got, self.possible, self.advice = where, got, possible, advice
        tail = " ".join(_sentence(part) for part in (got, possible, advice) if part)
        super().__init__(f"{where}: {tail}")

    def __reduce__(self):
        return (type(self), (self.where, self.got, self.possible, self.advice))


class EquationError(OstinatoError, ValueError):
    """The text of a cell cannot be read. `line` and `column` count from 1; `source` is the file, where there is one."""

    def __init__(self, line: int, column: int, got: str, possible: str = "", advice: str = "", source: str = ""):
        self.line, self.column, self.source = line, column, source
        super().__init__(f"{source}, " * bool(source) + f"line {line}, column {column}", got, possible, advice)

    def __reduce__(self):
        return (type(self), (self.line, self.column, self.got, self.possible, self.advice, self.source))

    def within(self, source: str) -> EquationError:
        """Return the same error, saying that the text stands in `source`."""
        return EquationError(self.line, self.column, self.got, self.possible, self.advice, source)


class EngineError(OstinatoError, RuntimeError):
    """An engine asked for by name cannot run this cell or this call."""


class ConfigError(OstinatoError, ValueError):
    """A setting, a flag or a size is not possible."""


class DataError(OstinatoError):
    """A file, its encoding or its symbols cannot be used."""


class RunError(OstinatoError):
    """A run folder is missing, taken, damaged or of another kind."""


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Return "Did you mean 'x'?" for the nearest of `choices`, or nothing when none is near."""
    names = list(choices)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.55)
    if not near:
        lowered = {name.lower(): name for name in names}
        near = [lowered[n] for n in difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.55)]
    return f"Did you mean '{near[0]}'?" if near else ""


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!", ":")) else text + "."
