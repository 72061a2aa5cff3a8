"""What a search chose at each step, and the sequences found by following it back."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor


class Found(NamedTuple):
    """The N best sequences of each row, the best first."""

    tokens: Tensor
    """(B, N, T) int64: the symbols, and `end` from `lengths` on; T is one more than the longest."""
    lengths: Tensor
    """(B, N) int64: how many symbols stand before the end."""
    scores: Tensor
    """(B, N): what sequences are ranked by; -inf, with length 0, where a row has fewer than N."""
    log_probs: Tensor
    """(B, N): log P of the sequence with its end."""
    recorded: Tensor | None
    """(B, N, T, S): what was recorded when each symbol was chosen, that of the end last, 0 behind it."""


class Path:
    """The steps of a search over `rows` rows."""

    def __init__(self, rows: int, device: torch.device):
        self.rows, self.device = rows, device
        self.symbols: list[Tensor] = []
        self.parents: list[Tensor] = []
        self.log_probs: list[Tensor] = []
        self.finals: list[Tensor] = []
        self.recorded: list[Tensor] = []

    def add(self, chosen: tuple[Tensor, Tensor, Tensor, Tensor], recorded: Tensor | None, rows: Tensor) -> None:
        """Add a step of the rows with these numbers (b,); the others are done.

        `chosen` is, for each place of the beam (b, K), its symbol, the place it continues, its log P, and its score if
        it ended, else -inf.
        """
        columns = self.symbols, self.parents, self.log_probs, self.finals
        for column, values, fill in zip(columns, chosen, (0, 0, -math.inf, -math.inf), strict=True):
            column.append(self._of_all(values, rows, fill))
        if recorded is not None:
            self.recorded.append(self._of_all(recorded.unflatten(0, (len(rows), -1)), rows, 0))

    def _of_all(self, values: Tensor, rows: Tensor, fill: float) -> Tensor:
        if len(rows) == self.rows:
            return values
        return values.new_full((self.rows, *values.shape[1:]), fill).index_copy_(0, rows, values)

    def traced(self, n_best: int, end: int) -> Found:
        """Return the best sequences that ended, each followed back from its end."""
        if not self.rows or not self.symbols:
            return self._nothing(n_best, end)
        beam = self.finals[0].shape[1]
        scores, places = torch.stack(self.finals, 1).flatten(1).topk(n_best)
        log_probs = torch.stack(self.log_probs, 1).flatten(1).gather(1, places)
        lengths = (places // beam).masked_fill(scores == -math.inf, 0)
        log_probs = log_probs.masked_fill(scores == -math.inf, -math.inf)
        tokens, recorded = self._followed(lengths, places % beam, end)
        return Found(tokens, lengths, scores, log_probs, recorded)

    def _followed(self, lengths: Tensor, place: Tensor, end: int) -> tuple[Tensor, Tensor | None]:
        longest = int(lengths.max())
        tokens = lengths.new_full((*lengths.shape, longest + 1), end)
        recorded = None
        if self.recorded:
            first = self.recorded[0]
            recorded = first.new_zeros(*tokens.shape, first.shape[-1])
        for step in range(longest, -1, -1):
            here = step <= lengths
            symbol = self.symbols[step].gather(1, place)
            parent = self.parents[step].gather(1, place)
            tokens[..., step] = torch.where(step < lengths, symbol, end)
            if recorded is not None:
                given = self.recorded[step]
                given = given.gather(1, parent[..., None].expand(-1, -1, given.shape[-1]))
                recorded[..., step, :] = given * here[..., None]
            place = torch.where(here, parent, place)
        return tokens, recorded

    def _nothing(self, n_best: int, end: int) -> Found:
        size = (self.rows, n_best)
        lengths = torch.zeros(size, dtype=torch.int64, device=self.device)
        scores = torch.full(size, -math.inf, device=self.device)
        return Found(lengths.new_full((*size, 1), end), lengths, scores, scores, None)
