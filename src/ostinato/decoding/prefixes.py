"""What a beam of transcripts is made of: prefixes told apart and merged, a network that reads along, and the result."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from ostinato._errors import ConfigError, RunError
from ostinato.decoding.states import reordered


class Transcripts(NamedTuple):
    """The N best symbol sequences of each row of frames, the best first."""

    tokens: Tensor
    """(B, N, U) int64, the blank from `lengths` on."""
    lengths: Tensor
    """(B, N) int64."""
    scores: Tensor
    """(B, N): log-probabilities; -inf, with length 0, where a row has fewer than N."""
    times: Tensor
    """(B, N, U) int64: the frame each symbol is written at, -1 behind the last."""


def packed(symbols: Tensor, written: Tensor, times: Tensor, scores: Tensor, blank: int) -> Transcripts:
    """Return what stands where `written` (T, B, N), closed up; `symbols` and `times` have the same shape."""
    written = written & (scores > -math.inf)
    lengths = written.sum(0)
    size = int(lengths.max()) if lengths.numel() else 0
    place = torch.where(written, written.cumsum(0) - 1, size).permute(1, 2, 0)

    def closed(values: Tensor, fill: int) -> Tensor:
        room = values.new_full((*lengths.shape, size + 1), fill)
        return room.scatter_(-1, place, values.permute(1, 2, 0))[..., :size]

    return Transcripts(closed(symbols, blank), lengths, scores, closed(times.expand_as(symbols), -1))


class Prefixes(NamedTuple):
    """The sequences (B, K) of a beam, by numbers that differ where they differ.

    A number has 64 bits: among 100 sequences two are taken for the same once in 10^15 frames.
    """

    own: Tensor
    parent: Tensor
    """The number of the sequence without its last symbol."""
    last: Tensor
    """The last symbol, -1 in an empty sequence."""

    @classmethod
    def empty(cls, rows: int, beam: int, device: torch.device) -> Prefixes:
        """Return the number of the empty sequence in every place."""
        nothing = torch.zeros(rows, beam, dtype=torch.int64, device=device)
        return cls(nothing, nothing, nothing - 1)

    def followed(self, parents: Tensor, symbols: Tensor, moved: Tensor) -> Prefixes:
        """Return what the places `parents` become, with another symbol where they `moved`."""
        own, parent, last = (part.gather(1, parents) for part in self)
        longer = (own ^ (own >> 29)) * 6364136223846793005 + (symbols + 1) * 2862933555777941757
        return Prefixes(
            torch.where(moved, longer, own), torch.where(moved, own, parent), torch.where(moved, symbols, last)
        )

    def origins(self, alive: Tensor) -> tuple[Tensor, Tensor]:
        """Return which place holds each sequence without its last symbol, (B, K), and bool (B, K), where one does."""
        same = (self.parent[:, :, None] == self.own[:, None]) & (self.last >= 0)[..., None]
        same &= alive[:, :, None] & alive[:, None]
        return same.to(torch.uint8).argmax(-1), same.any(-1)


class Reader:
    """A network that reads the symbols of each sequence of a beam, and what it says after the last of them.

    `step(symbols (R,), state) -> (outputs (R, F), state)`, for any R: it is called for those sequences alone that have
    a new symbol. Where all have `read` already, what came of it stands for the first call.
    """

    def __init__(
        self,
        step: Callable[[Tensor, Any], tuple[Tensor, Any]],
        state: Any,
        start: Tensor,
        beam: int,
        read: tuple[Tensor, Any] | None = None,
    ):
        self.step = step
        outputs, state = read or step(start, state)
        if outputs.ndim != 2 or len(outputs) != len(start):
            got, rows = f"outputs of shape {tuple(outputs.shape)}", len(start)
            raise ConfigError("step", got, f"Of {rows} symbols they are ({rows}, F): one row each")
        places = torch.zeros(len(start), beam, dtype=torch.int64, device=start.device)
        self.outputs, self.state = reordered((outputs, state), len(start), places)

    def follow(self, parents: Tensor, symbols: Tensor, moved: Tensor) -> None:
        """Take on the sequences of `parents` (B, K), and read a symbol where they `moved`."""
        self.outputs, self.state = reordered((self.outputs, self.state), parents.numel(), parents)
        rows = moved.flatten().nonzero()[:, 0]
        if len(rows):
            read = self.step(symbols.flatten()[rows], _map(lambda leaf: leaf[rows], self.state))
            leaves, structure = pytree.tree_flatten((self.outputs, self.state))
            new = pytree.tree_leaves(read)
            changed = [_put(old, rows, now) for old, now in zip(leaves, new, strict=True)]
            self.outputs, self.state = pytree.tree_unflatten(changed, structure)


def _put(leaf: Any, rows: Tensor, new: Any) -> Any:
    return leaf.index_copy(0, rows, new) if isinstance(leaf, Tensor) else new


def _map(function: Callable[[Tensor], Tensor], state: Any) -> Any:
    return pytree.tree_map(lambda leaf: function(leaf) if isinstance(leaf, Tensor) else leaf, state)


def checked_lengths(lengths: Tensor | None, frames: Tensor) -> Tensor:
    """Return the lengths (B,) of frames (T, B, …), None being all; ConfigError where they do not fit."""
    steps, rows = frames.shape[:2]
    if lengths is None:
        return torch.full((rows,), steps, device=frames.device)
    if lengths.shape != (rows,) or (rows and not 0 <= int(lengths.min()) <= int(lengths.max()) <= steps):
        raise ConfigError("lengths", f"{lengths.tolist()}", f"One for each of {rows} rows, from 0 to {steps}")
    return lengths.to(frames.device)


def check_log_probs(log_probs: Tensor, blank: int) -> None:
    """Raise ConfigError for a shape other than (T, B, V) or a blank that is none of V, RunError for NaN and +inf."""
    if log_probs.ndim != 3:
        raise ConfigError("log_probs", f"shape {tuple(log_probs.shape)}", "(T, B, V): frames, rows, symbols")
    if not 0 <= blank < log_probs.shape[-1]:
        raise ConfigError("blank", f"{blank}", f"The symbols are 0 to {log_probs.shape[-1] - 1}")
    most = log_probs.amax() if log_probs.numel() else log_probs.new_zeros(())  # NaN where there is one
    if not bool(most < math.inf):
        raise RunError(
            "the model's log-probabilities",
            "NaN" if bool(most.isnan()) else "an infinite one",
            "They are finite numbers, or -inf for what must not be written",
            "The training has diverged: use an earlier checkpoint, or a lower learning rate",
        )


def check_beam(width: int, n_best: int) -> None:
    """Raise ConfigError for a beam of no hypotheses, or for more results than it holds."""
    for name, value in (("width", width), ("n_best", n_best)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ConfigError(name, f"{value!r}", "Possible: a whole number from 1")
    if n_best > width:
        raise ConfigError("n_best", f"{n_best}", f"Possible: at most the width, {width}", f"Take a width of {n_best}")
