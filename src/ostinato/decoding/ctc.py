"""From the frames of a network trained with CTC to symbols: the best path, and prefix beam search.

A path has one symbol a frame, the blank among them; it writes what is left when repetitions are taken together and
blanks left out (Graves et al., 2006, section 3.2). The best path takes each frame's best symbol. Prefix beam search
(Hannun et al., 2014, arXiv:1408.2873, algorithm 1) adds up all paths that write the same prefix, in two sums, of those
that end in a blank and of those that end in its last symbol:

    b'(l)     = (b(l) + n(l)) p_t(blank)
    n'(l)     = n(l) p_t(last of l)                    the last symbol is held
    n'(l + c) += b(l) p_t(c)                           c is the last symbol of l
                 (b(l) + n(l)) p_t(c)                  else

and keeps the best by (b + n) q(l)^weight e^(bonus |l|), where q is a language model of symbols.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ostinato._errors import ConfigError
from ostinato.decoding.alignment import written_at
from ostinato.decoding.largest import largest
from ostinato.decoding.normalising import normalised
from ostinato.decoding.prefixes import (
    Prefixes,
    Reader,
    Transcripts,
    check_beam,
    check_log_probs,
    checked_lengths,
    packed,
)


class Heard(NamedTuple):
    """Where a stream of frames stands: the last symbol of each row's path (B,), and how many frames it had (B,)."""

    last: Tensor
    frames: Tensor


def ctc_best_path(log_probs: Tensor, lengths: Tensor | None = None, *, blank: int = 0) -> Transcripts:
    """Return what the best path through log-probabilities (T, B, V) writes, and the path's log-probability.

    `lengths` (B,) says how many frames a row has. A symbol's time is the first frame of those it is held for.
    """
    return ctc_best_path_stream(log_probs, lengths, blank=blank)[0]


@torch.no_grad()
def ctc_best_path_stream(
    log_probs: Tensor, lengths: Tensor | None = None, heard: Heard | None = None, *, blank: int = 0
) -> tuple[Transcripts, Heard]:
    """Return what a piece of a stream adds to its best path, and where the stream stands; None is its beginning.

    The pieces write what the whole writes; times count from the beginning.
    """
    check_log_probs(log_probs, blank)
    lengths = checked_lengths(lengths, log_probs)
    if heard is None:
        heard = Heard(torch.full_like(lengths, blank), torch.zeros_like(lengths))
    there = torch.arange(len(log_probs), device=lengths.device)[:, None] < lengths
    values, path = log_probs.max(-1)
    path = torch.where(there, path, blank)
    before = torch.cat([heard.last[None], path])[:-1]
    times = torch.arange(len(path), device=lengths.device)[:, None] + heard.frames
    written = (path != before) & (path != blank)
    path, written, times = (x[..., None] for x in (path, written, times))
    found = packed(path, written, times, _total(values, there)[:, None], blank)
    every = torch.cat([heard.last[None], path[..., 0]])
    return found, Heard(every.gather(0, lengths[None])[0], heard.frames + lengths)


def _total(values: Tensor, there: Tensor) -> Tensor:
    values = values if values.dtype == torch.float64 else values.float()
    return values.masked_fill(~there, 0).sum(0)


class Prior(NamedTuple):
    """A language model over the symbols, for `ctc_beam`."""

    step: Callable[[Tensor, Any], tuple[Tensor, Any]]
    """`step(symbols (R,), state) -> (scores (R, V), state)`, for any R; scores are log-probabilities up to a constant.
    The blank is never written by it: its score is the share of all that is none of the symbols, -inf where all are."""
    state: Any
    """A structure of tensors with B rows first, or None."""
    start: Tensor
    """(B,) int64: what is read before the first symbol."""
    weight: float = 0.5
    """Its log-probabilities count so many times, from 0."""
    end: int | None = None
    """The symbol that ends a text, whose score is added at the last frame; None leaves it out."""


@torch.no_grad()
def ctc_beam(
    log_probs: Tensor,
    lengths: Tensor | None = None,
    *,
    blank: int = 0,
    width: int = 10,
    n_best: int = 1,
    prior: Prior | None = None,
    bonus: float = 0.0,
) -> Transcripts:
    """Return the most probable symbols of rows of log-probabilities (T, B, V), found with `width` prefixes a row.

    Their scores are log-probabilities of all paths that write them, plus those of the `prior` by its weight and `bonus`
    for each symbol. `lengths` (B,) says how many frames a row has. Times are those of the most probable path.
    Raises ConfigError for what does not fit, and RunError for NaN and +inf.
    """
    check_log_probs(log_probs, blank)
    check_beam(width, n_best)
    if not math.isfinite(bonus):
        raise ConfigError("bonus", f"{bonus}", "Possible: a finite number", "0 leaves it out")
    if prior and not 0 <= prior.weight < math.inf:
        raise ConfigError("weight", f"{prior.weight}", "Possible: a number from 0", "0 leaves the prior out")
    lengths = checked_lengths(lengths, log_probs)
    log_probs = log_probs if log_probs.dtype == torch.float64 else log_probs.float()
    beam = _Beam(log_probs, blank, width, prior, bonus)
    for frame in range(len(log_probs)):
        beam.hear(log_probs[frame], frame < lengths)
    scores, symbols = beam.best(n_best)
    tokens = packed(symbols, symbols != blank, symbols, scores, blank)
    times = written_at(log_probs, lengths, tokens.tokens, tokens.lengths, blank)
    return tokens._replace(times=times)


class _Beam:
    """The prefixes (B, K) of all rows, frame by frame."""

    def __init__(self, log_probs: Tensor, blank: int, width: int, prior: Prior | None, bonus: float):
        rows, device = log_probs.shape[1], log_probs.device
        self.blank, self.bonus, self.prior = blank, bonus, prior if prior and prior.weight else None
        self.prefixes = Prefixes.empty(rows, width, device)
        self.blanks = log_probs.new_full((rows, width), -math.inf)
        self.blanks[:, :1] = 0
        self.others = torch.full_like(self.blanks, -math.inf)
        self.added = torch.zeros_like(self.blanks)
        """What the prior and the bonus add to each prefix."""
        self.reader = None
        if self.prior:
            self.reader = Reader(self._read, self.prior.state, self.prior.start, width)
        self.steps: list[tuple[Tensor, Tensor]] = []

    def _read(self, symbols: Tensor, state: Any) -> tuple[Tensor, Any]:
        scores, state = self.prior.step(symbols, state)  # type: ignore[union-attr]
        return normalised(scores, len(symbols)), state

    def hear(self, log_p: Tensor, there: Tensor) -> None:
        """Take in a frame (B, V) of the rows that are `there` (B,)."""
        width = self.blanks.shape[1]
        held, longer = self._lengthened(log_p)
        stays = torch.logaddexp(self.blanks, self.others) + log_p[:, self.blank, None]
        ranked = longer + self._worth(longer)
        ranked[..., self.blank] = torch.logaddexp(stays, held) + self.added
        _, places = largest(ranked.flatten(1), width)
        parents, symbols = places // log_p.shape[-1], places % log_p.shape[-1]
        own = torch.arange(width, device=places.device)
        parents = torch.where(there[:, None], parents, own)
        symbols = torch.where(there[:, None], symbols, self.blank)
        moved = symbols != self.blank
        new = longer.flatten(1).gather(1, parents * log_p.shape[-1] + symbols)
        held, stays = (torch.where(there[:, None], x, y) for x, y in ((held, self.others), (stays, self.blanks)))
        self.others = torch.where(moved, new, held.gather(1, parents))
        self.blanks = stays.gather(1, parents).masked_fill(moved, -math.inf)
        self._follow(parents, symbols, moved)

    def _lengthened(self, log_p: Tensor) -> tuple[Tensor, Tensor]:
        """Return n' (B, K) of each prefix, and n' (B, K, V) of it with each symbol added, if no prefix is that yet."""
        both = torch.logaddexp(self.blanks, self.others)
        last = self.prefixes.last.clamp(min=0)
        longer = both[..., None] + log_p[:, None]
        repeated = torch.where(self.prefixes.last >= 0, self.blanks, both)[..., None] + log_p.gather(1, last)[..., None]
        longer.scatter_(-1, last[..., None], repeated)
        held = torch.where(self.prefixes.last >= 0, self.others + log_p.gather(1, last), -math.inf)
        longer[..., self.blank] = -math.inf
        origins, has = self.prefixes.origins(both > -math.inf)
        there = origins * log_p.shape[-1] + last
        flat = longer.flatten(1)
        held = torch.where(has, torch.logaddexp(held, flat.gather(1, there)), held)
        flat.scatter_add_(1, there, torch.where(has, -math.inf, 0.0).to(flat.dtype))
        return held, flat.view_as(longer)

    def _worth(self, longer: Tensor) -> Tensor:
        """Return what the prior and the bonus add to each prefix with each symbol added, (B, K, V)."""
        added = self.added[..., None] + self.bonus
        if self.reader is None or self.prior is None:
            return added
        if self.reader.outputs.shape[-1] != longer.shape[-1]:
            got = f"scores of {self.reader.outputs.shape[-1]} symbols"
            raise ConfigError("prior", got, f"The frames have {longer.shape[-1]}, the blank among them")
        return added + self.prior.weight * self.reader.outputs.view_as(longer)

    def _follow(self, parents: Tensor, symbols: Tensor, moved: Tensor) -> None:
        added = self._worth_of(parents, symbols)
        self.added = torch.where(moved, added, self.added.gather(1, parents))
        alive = torch.logaddexp(self.blanks, self.others) > -math.inf
        self.prefixes = self.prefixes.followed(parents, symbols, moved)
        if self.reader is not None:
            self.reader.follow(parents, symbols, moved & alive)
        self.steps.append((parents, symbols))

    def _worth_of(self, parents: Tensor, symbols: Tensor) -> Tensor:
        added = self.added.gather(1, parents) + self.bonus
        if self.reader is None or self.prior is None:
            return added
        rows, width = parents.shape
        outputs = self.reader.outputs.view(rows, width, -1)
        row = torch.arange(rows, device=parents.device)[:, None]
        return added + self.prior.weight * outputs[row, parents, symbols]

    def best(self, n_best: int) -> tuple[Tensor, Tensor]:
        """Return the scores (B, N) of the best prefixes, and what each frame added (T, B, N), else the blank."""
        total = torch.logaddexp(self.blanks, self.others) + self.added
        if self.reader is not None and self.prior is not None and self.prior.end is not None:
            total = total + self.prior.weight * self.reader.outputs[:, self.prior.end].view_as(total)
        scores, place = total.topk(n_best)
        written = []
        for parents, symbols in reversed(self.steps):
            written.append(symbols.gather(1, place))
            place = parents.gather(1, place)
        return scores, torch.stack(written[::-1]) if written else place.new_zeros(0, *place.shape)
