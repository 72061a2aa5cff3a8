"""What a sequence may not be: too short, too long, without its prefix, or repeating itself."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ostinato._errors import ConfigError
from ostinato.decoding.settings import Search


class Rows(NamedTuple):
    """What differs from row to row of a search; None is nothing."""

    limits: Tensor | None = None
    """(B,) int64: symbols at most in this row, where that is less than `max_length`."""
    prefix: Tensor | None = None
    """(B, P) int64: the symbol that must stand at each place, -1 where any may."""
    places: Tensor | None = None
    """(B,) int64: how many of the S recorded places the row's source has, for the coverage penalty."""


class Constraints:
    """The constraints of one search; ConfigError for rows that do not fit the starts (B,)."""

    def __init__(self, settings: Search, rows: Rows, end: int, start: Tensor):
        if start.ndim != 1:
            raise ConfigError("start", f"a tensor of shape {tuple(start.shape)}", "One symbol a row: (B,)")
        if end in settings.never:
            raise ConfigError("never", f"{end}, the end", "Possible: other symbols", "Without an end nothing is found")
        self.settings, self.end, count = settings, end, len(start)
        self.limits = torch.full((count,), settings.max_length, device=start.device)
        if rows.limits is not None:
            _check("limits", rows.limits, (count,), 0)
            self.limits = self.limits.minimum(rows.limits.to(start.device)).clamp(min=settings.min_length)
        self._least = torch.full_like(self.limits, settings.min_length)
        self.prefix = start.new_full((count, 0), -1, dtype=torch.int64)
        if rows.prefix is not None:
            _check("prefix", rows.prefix, (count, None), -1)
            self.prefix = rows.prefix.to(start.device)
            reach = torch.arange(1, self.prefix.shape[1] + 1, device=start.device)
            if len(reach):
                self._least = torch.where(self.prefix >= 0, reach, 0).amax(-1).clamp(min=settings.min_length)
            self.limits = self.limits.maximum(self._least)
        if rows.places is not None:
            _check("places", rows.places, (count,), 0)
        self._places = rows.places
        self.longest = int(self.limits.max()) if count else -1
        self._shortest = int(self.limits.min()) if count else 0
        self._soonest = int(self._least.max()) if count else 0

    def narrow(self, left: Tensor) -> None:
        """Go on with the rows of these numbers alone."""
        self.limits, self.prefix, self._least = self.limits[left], self.prefix[left], self._least[left]
        self._places = None if self._places is None else self._places.to(left.device)[left]

    def apply(self, log_p: Tensor, length: int, history: Tensor | None) -> None:
        """Set log-probabilities (R, V) to -inf, in place, for what may not follow `history` (R, length)."""
        for name, symbol in (("end", self.end), *(("never", symbol) for symbol in self.settings.never)):
            if not 0 <= symbol < log_p.shape[-1]:
                raise ConfigError(name, f"{symbol}", f"The model's symbols are 0 to {log_p.shape[-1] - 1}")
        forced = self._forced(log_p, length)
        for symbol in self.settings.never:
            log_p[:, symbol] = -math.inf
        if self.settings.no_repeat_ngram and history is not None:
            _block(log_p, history, self.settings.no_repeat_ngram)
        each = len(log_p) // len(self.limits)
        ends = log_p[:, self.end].clone()
        if length >= self._shortest:
            log_p.index_fill_(0, (length >= self.limits).repeat_interleave(each).nonzero()[:, 0], -math.inf)
            log_p[:, self.end] = ends
        if length < self._soonest:
            log_p[:, self.end] = ends.masked_fill((length < self._least).repeat_interleave(each), -math.inf)
        if forced is not None:
            symbols, values = forced
            log_p.masked_fill_((symbols >= 0)[:, None], -math.inf)
            there = symbols.clamp(min=0)[:, None]
            log_p.scatter_(1, there, torch.where(symbols[:, None] >= 0, values, log_p.gather(1, there)))

    def _forced(self, log_p: Tensor, length: int) -> tuple[Tensor, Tensor] | None:
        """Return the symbols (R,) that must follow, -1 for any, and their log-probabilities (R, 1)."""
        if length >= self.prefix.shape[1]:
            return None
        symbols = self.prefix[:, length]
        if len(symbols) and int(symbols.max()) >= log_p.shape[-1]:
            raise ConfigError("prefix", f"symbol {int(symbols.max())}", f"The last symbol is {log_p.shape[-1] - 1}")
        symbols = symbols.repeat_interleave(len(log_p) // len(symbols))
        return symbols, log_p.gather(1, symbols.clamp(min=0)[:, None])

    def places(self, size: int) -> Tensor:
        """Return bool (B, S), the places that a row's source has."""
        there = torch.arange(size, device=self.limits.device)
        counts = torch.full_like(self.limits, size) if self._places is None else self._places.to(there.device)
        return there < counts[:, None]


def _block(log_p: Tensor, history: Tensor, size: int) -> None:
    """Forbid, in place, each symbol that would end a sequence of `size` symbols that history (R, length) holds."""
    if history.shape[1] < size:
        return
    seen = history.unfold(1, size, 1)
    last = history[:, history.shape[1] - size + 1 :]
    again = (seen[..., :-1] == last[:, None]).all(-1)
    # A sum, as a symbol may stand both behind the same symbols and behind others.
    log_p.scatter_add_(1, seen[..., -1], torch.where(again, -math.inf, 0.0).to(log_p.dtype))


def _check(name: str, given: Tensor, shape: tuple[int | None, ...], least: int) -> None:
    fits = given.ndim == len(shape) and all(n in (None, m) for n, m in zip(shape, given.shape, strict=True))
    if not fits or given.dtype.is_floating_point or (given.numel() and int(given.min()) < least):
        wanted = "(" + ", ".join("P" if n is None else str(n) for n in shape) + ")"
        got = f"{given.dtype} of shape {tuple(given.shape)}" + (f", least {given.min()}" if given.numel() else "")
        raise ConfigError(name, got, f"Whole numbers of shape {wanted}, from {least}")
