"""From the frames of a transducer (Graves, 2012, arXiv:1211.3711) to symbols: greedy, in a stream, and with a beam.

A hypothesis stands at a frame t after u symbols; each step writes a symbol there (u + 1) or the blank, which moves on
(t + 1). It ends with the blank of the last frame.

Greedy takes the best of each step. The beam is the alignment-length synchronous search (Saon, Tüske and Audhkhasi,
2020, algorithm 1): after i steps all hypotheses have t + u = i, so that those with the same symbols stand at the same
frame and are added up. A beam wide enough gives the probability of every sequence, α(T, U) of Graves' eq. 16.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ostinato._errors import ConfigError
from ostinato.decoding.largest import largest
from ostinato.decoding.normalising import normalised
from ostinato.decoding.prefixes import Prefixes, Reader, Transcripts, check_beam, checked_lengths, packed


class Transducer(NamedTuple):
    """What a transducer computes, as functions of R rows, for any R."""

    predict: Callable[[Tensor, Any], tuple[Tensor, Any]]
    """`predict(symbols (R,), state) -> (features (R, F), state)`: the prediction network reads one symbol."""
    join: Callable[[Tensor, Tensor], Tensor]
    """`join(frames (R, E), features (R, F)) -> scores (R, V)`: log-probabilities up to a constant, the blank's among
    them."""
    state: Any
    """What `predict` starts from: a structure of tensors with B rows first, or None."""
    start: Tensor
    """(B,) int64: what `predict` reads before the first symbol."""
    blank: int = 0


class Heard(NamedTuple):
    """Where a stream stands: the prediction network's features (B, F) and state, and the number of frames (B,)."""

    features: Tensor
    state: Any
    frames: Tensor


def transducer_greedy(
    transducer: Transducer, frames: Tensor, lengths: Tensor | None = None, *, max_symbols: int = 10
) -> Transcripts:
    """Return what the best symbol of each step writes over frames (T, B, E), and the log-probability of those steps.

    `lengths` (B,) says how many frames a row has. After `max_symbols` symbols at one frame the blank is taken.
    Raises ConfigError for what does not fit, and RunError for scores that are NaN or +inf.
    """
    return transducer_greedy_stream(transducer, frames, lengths, max_symbols=max_symbols)[0]


@torch.no_grad()
def transducer_greedy_stream(
    transducer: Transducer,
    frames: Tensor,
    lengths: Tensor | None = None,
    heard: Heard | None = None,
    *,
    max_symbols: int = 10,
) -> tuple[Transcripts, Heard]:
    """Return what a piece of a stream adds to its transcript, and where the stream stands; None is its beginning.

    The pieces write what the whole writes; times count from the beginning.
    """
    lengths = _checked(transducer, frames, lengths)
    _whole("max_symbols", max_symbols)
    rows, blank, device = len(lengths), transducer.blank, frames.device
    reader = Reader(transducer.predict, transducer.state, transducer.start, 1, heard and (heard.features, heard.state))
    now, count, row = torch.zeros_like(lengths), torch.zeros_like(lengths), torch.arange(rows, device=device)
    score, symbols, times = reader.outputs.new_zeros(rows), [], []
    parents = now[:, None]
    while bool((there := now < lengths).any()):
        log_p = _joined(transducer, frames[now.clamp(max=len(frames) - 1), row], reader.outputs)
        full = (count >= max_symbols)[:, None] & (torch.arange(log_p.shape[-1], device=device) != blank)
        value, symbol = log_p.masked_fill_(full, -math.inf).max(-1)
        symbol = torch.where(there, symbol, blank)
        moved = symbol != blank
        score = score + torch.where(there, value, 0)
        symbols.append(symbol)
        times.append(now)
        now = now + (there & ~moved).long()
        count = torch.where(moved, count + 1, 0)
        reader.follow(parents, symbol[:, None], moved[:, None])
    before = heard.frames if heard else torch.zeros_like(lengths)
    path, at = (torch.stack(x)[..., None] if x else parents.new_zeros(0, rows, 1) for x in (symbols, times))
    found = packed(path, path != blank, at + before[:, None], score[:, None], blank)
    return found, Heard(reader.outputs, reader.state, before + lengths)


@torch.no_grad()
def transducer_beam(
    transducer: Transducer,
    frames: Tensor,
    lengths: Tensor | None = None,
    *,
    width: int = 5,
    n_best: int = 1,
    max_length: int | None = None,
) -> Transcripts:
    """Return the most probable symbols over rows of frames (T, B, E), found with `width` hypotheses a row.

    Their scores are log-probabilities of all ways to write them that the beam kept; times are those of a likely one.
    A sequence has at most `max_length` symbols, as many as frames where it is None.
    Raises ConfigError for what does not fit, and RunError for scores that are NaN or +inf.
    """
    lengths = _checked(transducer, frames, lengths)
    check_beam(width, n_best)
    if max_length is not None:
        _whole("max_length", max_length)
    limits = lengths if max_length is None else torch.full_like(lengths, max_length)
    beam = _Beam(transducer, frames, lengths, limits, width)
    for _ in range(int((lengths + limits).max()) if lengths.numel() and int(lengths.max()) else 0):
        beam.advance()
        if not beam.can_change(n_best):
            break
    return beam.best(n_best)


class _Beam:
    """The hypotheses (B, K) of all rows; after i steps each has t + u = i."""

    def __init__(self, transducer: Transducer, frames: Tensor, lengths: Tensor, limits: Tensor, width: int):
        rows = len(lengths)
        self.transducer, self.frames, self.lengths, self.limits = transducer, frames, lengths, limits
        self.reader = Reader(transducer.predict, transducer.state, transducer.start, width)
        self.prefixes = Prefixes.empty(rows, width, frames.device)
        self.now = torch.zeros_like(self.prefixes.own)
        self.log_probs = torch.full_like(self.now, -math.inf, dtype=torch.float32)
        self.log_probs[:, :1] = torch.where(lengths > 0, 0.0, -math.inf)[:, None]
        self.finals: list[Tensor] = []
        self.ranked: Tensor | None = None
        """The best scores of those that ended."""
        self.steps: list[tuple[Tensor, Tensor, Tensor]] = []

    def advance(self) -> None:
        """Write a symbol or the blank after each hypothesis, and keep the best."""
        width, blank = self.now.shape[1], self.transducer.blank
        ranked, gained, origins = self._candidates()
        kind = ranked[..., blank].clone()
        last = (self.now + 1 == self.lengths[:, None]) & (self.now < self.lengths[:, None])
        self.finals.append(torch.where(last, kind, -math.inf))
        ranked[..., blank] = kind.masked_fill(last, -math.inf)
        self.log_probs, places = largest(ranked.flatten(1), width)
        parents, symbols = places // ranked.shape[-1], places % ranked.shape[-1]
        moved = symbols != blank
        # A sum of two ways is followed back along the likelier one.
        over = ~moved & gained.gather(1, parents)
        origin = torch.where(over, origins.gather(1, parents), parents)
        symbol = torch.where(over, self.prefixes.last.gather(1, parents), symbols)
        self.steps.append((origin, symbol, self.now.gather(1, origin)))
        self.now = self.now.gather(1, parents) + (~moved).long()
        self.prefixes = self.prefixes.followed(parents, symbols, moved)
        self.reader.follow(parents, symbols, moved & (self.log_probs > -math.inf))

    def _candidates(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return log P (B, K, V) of each hypothesis and symbol, equal ones added up behind the blank.

        Beside it: where the way by a symbol is the likelier one (B, K), and the place it comes from (B, K).
        """
        (rows, width), blank = self.now.shape, self.transducer.blank
        row = torch.arange(rows, device=self.now.device)[:, None]
        heard = self.frames[self.now.clamp(max=len(self.frames) - 1), row].flatten(0, 1)
        log_p = _joined(self.transducer, heard, self.reader.outputs).view(rows, width, -1)
        ranked = log_p + self.log_probs[..., None]
        full = (len(self.steps) - self.now >= self.limits[:, None])[..., None]
        full = full & (torch.arange(ranked.shape[-1], device=self.now.device) != blank)
        flat = ranked.masked_fill_(full, -math.inf).flatten(1)
        origins, has = self.prefixes.origins(self.log_probs > -math.inf)
        there = origins * ranked.shape[-1] + self.prefixes.last.clamp(min=0)
        arriving = flat.gather(1, there).masked_fill(~has, -math.inf)
        flat.scatter_add_(1, there, torch.where(has, -math.inf, 0.0).to(flat.dtype))
        ranked = flat.view_as(ranked)
        gained = arriving > ranked[..., blank]
        ranked[..., blank] = torch.logaddexp(ranked[..., blank], arriving)
        return ranked, gained, origins

    def can_change(self, n_best: int) -> bool:
        """Return whether what goes on may still be among the best: together it has no more than its sum."""
        now = self.finals[-1] if self.ranked is None else torch.cat([self.ranked, self.finals[-1]], 1)
        self.ranked = now.topk(n_best).values
        return bool((self.log_probs.logsumexp(-1) > self.ranked[:, -1]).any())

    def best(self, n_best: int) -> Transcripts:
        """Return the best sequences that ended, each followed back from its end."""
        rows, width = self.now.shape
        finals = torch.stack(self.finals or [torch.full_like(self.log_probs, -math.inf)], 1)
        scores, places = finals.flatten(1).topk(n_best)
        ended, place = (places // width).masked_fill(scores == -math.inf, 0), places % width
        written, symbols, times = [], [], []
        for number in range(len(self.steps) - 1, -1, -1):
            here = number < ended
            parents, symbol, now = (part.gather(1, place) for part in self.steps[number])
            written.append(here & (symbol != self.transducer.blank))
            symbols.append(symbol)
            times.append(now)
            place = torch.where(here, parents, place)
        silent = (self.lengths == 0)[:, None]  # without frames nothing is written, for certain
        scores = torch.where(silent & (torch.arange(n_best, device=silent.device) == 0), 0, scores)
        empty = place.new_zeros(0, rows, n_best)
        path, at, there = (torch.stack(x[::-1]) if x else empty for x in (symbols, times, written))
        return packed(path, there.bool(), at, scores, self.transducer.blank)


def _joined(transducer: Transducer, frames: Tensor, features: Tensor) -> Tensor:
    log_p = normalised(transducer.join(frames, features), len(frames), "join")
    if not 0 <= transducer.blank < log_p.shape[-1]:
        raise ConfigError("blank", f"{transducer.blank}", f"The symbols are 0 to {log_p.shape[-1] - 1}")
    return log_p


def _checked(transducer: Transducer, frames: Tensor, lengths: Tensor | None) -> Tensor:
    if frames.ndim != 3 or frames.shape[1:2] != transducer.start.shape:
        got = f"frames of shape {tuple(frames.shape)} and starts of shape {tuple(transducer.start.shape)}"
        raise ConfigError("frames", got, "(T, B, E) and (B,): frames, rows, features")
    return checked_lengths(lengths, frames)


def _whole(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(name, f"{value!r}", "Possible: a whole number from 1")
