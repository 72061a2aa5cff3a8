"""`Search`: how scores become sequences, each setting with its range."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ostinato._errors import ConfigError
from ostinato.decoding.sampling import Sampling


@dataclass(frozen=True)
class Search:
    """How `search` looks for sequences; ConfigError for a value that is not possible."""

    beam: int = 1
    """Hypotheses kept for a row; 1 takes the best symbol of each step (greedy)."""
    n_best: int = 1
    """Sequences returned for a row, the best first; at most `beam`."""
    length_penalty: float = 0.0
    """Wu et al.'s alpha, from 0: scores are divided by ((5 + length) / 6)^alpha; above 0 favours longer ones."""
    coverage_penalty: float = 0.0
    """Wu et al.'s beta, from 0: scores fall for places of the source that attention has left out."""
    no_repeat_ngram: int = 0
    """No sequence of so many symbols appears twice; 0 allows repetition."""
    groups: int = 1
    """Groups the beam is divided into; each avoids what those before it chose at the same step."""
    diversity: float = 0.0
    """How much a symbol's log-probability falls for each earlier choice of it, from 0; needs groups."""
    patience: float = 1.0
    """A row is done once patience x beam of its sequences have ended; inf waits until no other can be better."""
    min_length: int = 0
    """Symbols at least, the end not counted."""
    max_length: int = 100
    """Symbols at most, the end not counted: it follows where they are reached."""
    never: tuple[int, ...] = ()
    """Numbers of symbols that are not written."""
    sampling: Sampling | None = None
    """Draws symbols by chance instead: `beam` sequences independent of each other."""

    def __post_init__(self):
        for name, least in (("beam", 1), ("n_best", 1), ("no_repeat_ngram", 0), ("groups", 1), ("min_length", 0)):
            _whole(name, getattr(self, name), least)
        _whole("max_length", self.max_length, self.min_length, f"`min_length` is {self.min_length}")
        for name in ("length_penalty", "coverage_penalty", "diversity"):
            number = _is_number(getattr(self, name)) and 0 <= getattr(self, name) < math.inf
            _check(name, getattr(self, name), number, "a number from 0", "0 leaves it out")
        for symbol in self.never:
            _whole("never", symbol, 0)
        number = _is_number(self.patience) and self.patience > 0
        _check("patience", self.patience, number, "a number above 0, or inf", "1 is what most searches do")
        advice = f"Take `beam={self.n_best}`"
        _check("n_best", self.n_best, self.n_best <= self.beam, f"at most the beam, {self.beam}", advice)
        _check("groups", self.groups, self.beam % self.groups == 0, f"a number that divides the beam, {self.beam}", "")
        if self.diversity:
            _check("diversity", self.diversity, self.groups > 1, "0 without `groups`", "Take `groups=2`")
        if self.sampling:
            _check("groups", self.groups, self.groups == 1, "1 beside sampling", "Draws are diverse by themselves")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole(name: str, value: Any, least: int, why: str = "") -> None:
    number = isinstance(value, int) and not isinstance(value, bool) and value >= least
    _check(name, value, number, f"a whole number from {least}", why)


def _check(name: str, value: Any, is_possible: bool, possible: str, advice: str) -> None:
    if not is_possible:
        raise ConfigError(name, f"{value!r}", f"Possible: {possible}", advice)
