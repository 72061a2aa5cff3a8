"""Turns scores into sequences: greedy, by chance, or with a beam, for a whole batch at once.

    Y = [start]                                     for each hypothesis of each row
    repeat  scores, state = step(last symbols, state)
            of all Y + one symbol keep the `beam` most probable; those that end leave the beam

as Sutskever, Vinyals and Le (2014, section 3.2) do it, until patience times `beam` of them have ended (Kasai et al.,
2022, arXiv:2204.05424) or no other can be among the best. Those that ended are ranked by (Wu et al., 2016,
arXiv:1609.08144, eq. 14)

    s(Y) = log P(Y) / lp(Y) + cp(Y)
    lp(Y) = ((5 + |Y|) / (5 + 1))^α        |Y| counts the end
    cp(Y) = β Σ_i log(min(Σ_j a_ij, 1))    a_ij: how much step j attends to place i of the source

With groups (diverse beam search, Vijayakumar et al., 2016, arXiv:1610.02424, eq. 5) each group chooses after the
others, by log-probabilities less λ for each hypothesis of an earlier group that chose the symbol at this step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from ostinato._errors import ConfigError
from ostinato.decoding.constraints import Constraints, Rows
from ostinato.decoding.largest import largest
from ostinato.decoding.normalising import normalised
from ostinato.decoding.path import Found, Path
from ostinato.decoding.sampling import Sampling, Step, choose
from ostinato.decoding.settings import Search
from ostinato.decoding.states import reordered

__all__ = ["Found", "Narrowing", "Rows", "Search", "search"]

LEFT = 0.75
"""A step is narrowed once so large a share of its rows, at most, goes on: making them ready again takes time too."""


@torch.no_grad()
def search(
    step: Step,
    state: Any,
    start: Tensor,
    end: int,
    settings: Search | None = None,
    rows: Rows | None = None,
    *,
    record: Callable[[Any], Tensor] | None = None,
    generator: torch.Generator | None = None,
) -> Found:
    """Return the best sequences of each row that `step` scores.

    `step(symbols (R,), state) -> (scores (R, V), state)`: log-probabilities up to a constant, -inf for what must not be
    chosen. `state` is None, or a structure (tuples, named tuples, lists, dicts) of tensors with R rows first. The first
    call has R = B, one row for each of `start` (B,); later ones have R = B x beam, hypotheses of a row side by side.
    What hypotheses share, such as an encoder's outputs, is best left out of the state. A step that is `Narrowing` is
    not asked for rows that are done.

    `end` is the symbol that ends a sequence. `rows` says what differs from row to row: longest lengths, forced
    prefixes, places of the source. `record(state) -> (R, S)` is asked after each step, and what it gives is returned
    along each sequence: attention weights for `coverage_penalty` and for pictures.

    Raises ConfigError for what does not fit, and RunError for scores that are NaN or +inf.
    """
    settings = settings or Search()
    constraints = Constraints(settings, rows or Rows(), end, start)
    if settings.coverage_penalty and record is None:
        raise ConfigError("coverage_penalty", f"{settings.coverage_penalty} without `record`", _NEEDS, "Leave it at 0")
    beams = _Beams(settings, constraints, generator)
    symbols, moves = start, settings.beam > 1
    for length in range(constraints.longest + 1):
        scores, state = step(symbols, state)
        chosen = beams.advance(length, scores, None if record is None else record(state))
        left = beams.goes_on.nonzero()[:, 0]
        if not len(left):
            break
        narrows = isinstance(step, Narrowing) and len(left) <= LEFT * len(beams.goes_on)
        if narrows:
            step = step.narrowed(left)
            beams.narrow(left)
        if narrows or (moves and not (settings.sampling and length)):
            state = reordered(state, len(symbols), chosen.parents, left if narrows else None)
        symbols = (chosen.symbols[left] if narrows else chosen.symbols).flatten()
    return beams.path.traced(settings.n_best, end)


@runtime_checkable
class Narrowing(Protocol):
    """A step that can go on with some of its rows alone."""

    def __call__(self, symbols: Tensor, state: Any, /) -> tuple[Tensor, Any]: ...

    def narrowed(self, rows: Tensor, /) -> Step:
        """Return the step of the rows with these numbers (b,), from 0 to B - 1."""
        ...


_NEEDS = "It needs attention weights, `record(state) -> (R, S)`"


class _Choice(NamedTuple):
    """What follows in each place of the beam, (B, K): a symbol, the place it continues, and log P of all so far."""

    symbols: Tensor
    parents: Tensor
    log_probs: Tensor


class _Beams:
    """The hypotheses of all rows while they grow."""

    def __init__(self, settings: Search, constraints: Constraints, generator: torch.Generator | None):
        self.settings, self.constraints, self.generator = settings, constraints, generator
        rows, device = len(constraints.limits), constraints.limits.device
        self.path, self.rows = Path(rows, device), torch.arange(rows, device=device)
        self.ended = torch.zeros(rows, settings.groups, dtype=torch.int64, device=device)
        self.best: Tensor | None = None
        """Scores of the best that ended (B, N)."""
        self.log_probs: Tensor | None = None
        self.history: Tensor | None = None
        self.coverage: Tensor | None = None
        self.goes_on = torch.ones(0)

    def advance(self, length: int, scores: Tensor, recorded: Tensor | None) -> _Choice:
        """Lengthen every hypothesis, of `length` symbols so far, by one symbol; those that end leave the beam."""
        settings = self.settings
        before = scores.new_zeros(len(self.rows), 1) if self.log_probs is None else self.log_probs
        log_p = normalised(scores, before.numel())
        before = before.to(log_p.dtype)
        self.constraints.apply(log_p, length, None if self.history is None else self.history.flatten(0, 1))
        log_p = log_p.view(*before.shape, -1)
        if settings.sampling:
            chosen = _draw(before, log_p, settings, self.constraints.end, self.generator)
        elif settings.groups == 1:
            chosen = _best(before, log_p, settings.beam)
        else:
            chosen = _diverse(before, log_p, settings)
        self._remember(chosen, recorded)
        ends = (chosen.symbols == self.constraints.end) & (chosen.log_probs > -math.inf)
        finals = torch.where(ends, self._final(length, chosen), -math.inf)
        self.path.add((chosen.symbols, chosen.parents, chosen.log_probs, finals), recorded, self.rows)
        self.log_probs = self._alive(chosen.log_probs.masked_fill(ends, -math.inf), ends, finals)
        return chosen

    def narrow(self, left: Tensor) -> None:
        """Go on with the rows of these numbers alone."""
        self.rows, self.ended, self.goes_on = self.rows[left], self.ended[left], self.goes_on[left]
        self.constraints.narrow(left)
        for name in ("best", "log_probs", "history", "coverage"):
            value = getattr(self, name)
            setattr(self, name, None if value is None else value[left])

    def _remember(self, chosen: _Choice, recorded: Tensor | None) -> None:
        rows = len(chosen.symbols)
        if self.settings.no_repeat_ngram:
            before = chosen.symbols[..., None][..., :0] if self.history is None else self.history
            before = before.gather(1, chosen.parents[..., None].expand(-1, -1, before.shape[-1]))
            self.history = torch.cat([before, chosen.symbols[..., None]], -1)
        if self.settings.coverage_penalty and recorded is not None:
            seen = recorded.view(rows, -1, recorded.shape[-1])
            seen = seen if self.coverage is None else seen + self.coverage
            self.coverage = seen.gather(1, chosen.parents[..., None].expand(-1, -1, seen.shape[-1]))

    def _final(self, length: int, chosen: _Choice) -> Tensor:
        """Return the scores (B, K) that hypotheses have if they end here."""
        scores = chosen.log_probs / self._penalty(length + 1)
        if self.coverage is not None:
            kept = self.coverage.clamp(torch.finfo(self.coverage.dtype).tiny, 1).log()
            kept = kept.masked_fill(~self.constraints.places(kept.shape[-1])[:, None], 0)
            scores = scores + self.settings.coverage_penalty * kept.sum(-1)
        return scores

    def _penalty(self, length: Any) -> Any:
        return ((5 + length) / 6) ** self.settings.length_penalty

    def _alive(self, log_probs: Tensor, ends: Tensor, finals: Tensor) -> Tensor:
        """Return the log-probabilities of what goes on: -inf in groups that have enough, and where none can win.

        The best that a hypothesis can reach is its log P over the penalty of the longest sequence.
        """
        rows, beam = log_probs.shape
        groups = self.settings.groups
        self.ended = self.ended + ends.view(rows, groups, -1).sum(-1)
        best = finals if self.best is None else torch.cat([self.best, finals], 1)
        self.best = best.topk(self.settings.n_best).values
        enough = self.ended >= self.settings.patience * (beam // groups)
        log_probs = log_probs.view(rows, groups, -1).masked_fill(enough[..., None], -math.inf).view(rows, beam)
        reach = log_probs.amax(-1) / self._penalty(self.constraints.limits + 1)
        self.goes_on = reach > self.best[:, -1]
        return log_probs.masked_fill(~self.goes_on[:, None], -math.inf)


def _best(before: Tensor, log_p: Tensor, beam: int) -> _Choice:
    """Take the `beam` best of all hypotheses (B, K) and the symbols (B, K, V) after them; `log_p` is overwritten."""
    symbols = log_p.shape[-1]
    together = log_p.add_(before[..., None]).flatten(1)
    values, places = largest(together, min(beam, together.shape[-1]))
    missing = beam - values.shape[-1]
    values, places = (torch.nn.functional.pad(x, (0, missing), value=v) for x, v in ((values, -math.inf), (places, 0)))
    return _Choice(places % symbols, places // symbols, values)


def _diverse(before: Tensor, log_p: Tensor, settings: Search) -> _Choice:
    """Take the best of each group, one group after the other."""
    size, (rows, places, symbols) = settings.beam // settings.groups, log_p.shape
    taken, choices = log_p.new_zeros(rows, symbols), []
    for group in range(settings.groups):
        first = group * size if places > 1 else 0
        own = slice(first, first + size)
        wanted = _best(before[:, own], log_p[:, own] - settings.diversity * taken[:, None], size)
        parents = wanted.parents + first
        row = torch.arange(rows, device=parents.device)[:, None]
        values = before[row, parents] + log_p[row, parents, wanted.symbols]
        values = values.masked_fill(wanted.log_probs == -math.inf, -math.inf)
        taken.scatter_add_(1, wanted.symbols, (values > -math.inf).to(taken.dtype))
        choices.append(_Choice(wanted.symbols, parents, values))
    return _Choice(*(torch.cat(parts, 1) for parts in zip(*choices, strict=True)))


def _draw(before: Tensor, log_p: Tensor, settings: Search, end: int, generator: torch.Generator | None) -> _Choice:
    """Draw one symbol after each hypothesis; all are alike before the first."""
    (rows, places), beam = before.shape, settings.beam
    before, log_p = before.expand(rows, beam), log_p.expand(rows, beam, -1)
    scores = log_p.reshape(rows * beam, -1)
    stuck = scores.amax(-1) == -math.inf  # nothing is possible: such a hypothesis ends, at -inf
    scores = torch.where(stuck[:, None], 0, scores) if bool(stuck.any()) else scores
    drawn = choose(scores, settings.sampling or Sampling(), generator).masked_fill(stuck, end).view(rows, beam)
    parents = torch.arange(beam, device=drawn.device).remainder(places).expand(rows, beam)
    return _Choice(drawn, parents, before + log_p.gather(-1, drawn[..., None])[..., 0])
