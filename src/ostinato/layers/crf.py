"""`CRF`: scores whole sequences of tags, not each tag by itself (Lafferty, McCallum and Pereira, 2001).

With the score e_t[k] of tag k at step t, as a network gives it, and three learned tables, a sequence y of length T has

    score(y) = start[y_1] + Σ_t e_t[y_t] + Σ_t A[y_t-1, y_t] + end[y_T]
    p(y) = exp(score(y) - log Z)      log Z = log Σ_y' exp(score(y'))

log Z is a sum over all K^T sequences and takes T steps (the forward algorithm of Rabiner, 1989, eq. 19 and 20):

    α_1 = start + e_1      α_t[j] = e_t[j] + log Σ_i exp(α_t-1[i] + A[i, j])      log Z = log Σ_i exp(α_T[i] + end[i])

and the best sequence the same steps with max in place of log Σ exp (Viterbi; his eq. 33).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ostinato._errors import ConfigError

NEVER = -1e4
"""Score of what is forbidden: e^-10000 is zero in every floating point type, and has no NaN in its gradient."""


class Allowed(NamedTuple):
    """Which tags may begin a sequence (K,), follow each other (K, K: from, to), and end one (K,): bool."""

    starts: Tensor
    transitions: Tensor
    ends: Tensor


class CRF(nn.Module):
    """A linear-chain conditional random field over `tags` tags.

    >>> crf = CRF(3)
    >>> scores = torch.zeros(4, 2, 3)
    >>> float(crf.log_partition(scores, torch.tensor([4, 1]))[1].detach().exp())  # one step: three sequences, all alike
    3.0

    Scores are (T, B, K) and tags (T, B), steps first; `lengths` (B,) says how many steps a row has, None all of them.
    What stands behind a row's end is never read. A row without steps has one sequence, the empty one, of score 0.
    `allowed` forbids the rest: such sequences have no probability and are never the best, unless a row of its length
    has no other. Raises ConfigError for shapes that do not fit.
    """

    def __init__(self, tags: int, allowed: Allowed | None = None):
        super().__init__()
        if tags < 1:
            raise ConfigError("tags", f"{tags} was given", "There is at least one tag")
        self.start = nn.Parameter(torch.zeros(tags))
        self.transitions = nn.Parameter(torch.zeros(tags, tags))
        self.end = nn.Parameter(torch.zeros(tags))
        shapes = (tags,), (tags, tags), (tags,)
        if allowed is not None and tuple(tuple(table.shape) for table in allowed) != shapes:
            got = f"tables of {[list(table.shape) for table in allowed]}"
            raise ConfigError("allowed", got, f"Of {tags} tags they are {[list(shape) for shape in shapes]}")
        tables = Allowed(*(torch.ones(shape, dtype=torch.bool) for shape in shapes)) if allowed is None else allowed
        for name, table in zip(Allowed._fields, tables, strict=True):
            self.register_buffer(f"allowed_{name}", table, persistent=False)

    def forward(self, scores: Tensor, tags: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return the log-probability (B,) of `tags`."""
        return self.score(scores, tags, lengths) - self.log_partition(scores, lengths)

    def score(self, scores: Tensor, tags: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return the score (B,) of `tags`."""
        there, lengths = self._there(scores, lengths)
        start, between, end = self._tables()
        if tags.shape != there.shape:
            raise ConfigError("tags", f"shape {tuple(tags.shape)}", f"Of these scores it is {tuple(there.shape)}")
        if not len(tags):
            return scores.new_zeros(scores.shape[1])
        tags = torch.where(there, tags, 0)
        steps = scores.gather(-1, tags[..., None])[..., 0]
        steps = steps + torch.cat([start[tags[:1]], between[tags[:-1], tags[1:]]])
        last = tags.gather(0, (lengths - 1).clamp(min=0)[None])[0]
        return torch.where(there, steps, 0).sum(0) + torch.where(lengths > 0, end[last], 0)

    def log_partition(self, scores: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return log Z (B,)."""
        there, lengths = self._there(scores, lengths)
        start, between, end = self._tables()
        if not len(scores):
            return scores.new_zeros(scores.shape[1])
        alpha = start + scores[0]
        for step in range(1, len(scores)):
            after = scores[step] + torch.logsumexp(alpha[:, :, None] + between, 1)
            alpha = torch.where(there[step, :, None], after, alpha)
        return torch.where(lengths > 0, torch.logsumexp(alpha + end, -1), 0)

    @torch.no_grad()
    def best(self, scores: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the best tags (T, B), zero behind a row's end, and their score (B,)."""
        there, lengths = self._there(scores, lengths)
        start, between, end = self._tables()
        if not len(scores):
            return there.long(), scores.new_zeros(scores.shape[1])
        delta, back = start + scores[0], []
        for step in range(1, len(scores)):
            before, from_ = (delta[:, :, None] + between).max(1)
            delta = torch.where(there[step, :, None], scores[step] + before, delta)
            back.append(from_)
        score, tag = (delta + end).max(-1)
        tags = [tag]
        for step in range(len(scores) - 1, 0, -1):
            tag = torch.where(there[step], back[step - 1].gather(-1, tag[:, None])[:, 0], tag)
            tags.append(tag)
        return torch.where(there, torch.stack(tags[::-1]), 0), torch.where(lengths > 0, score, 0)

    def marginals(self, scores: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return the probability (T, B, K) of each tag at each step, zero behind a row's end; without a gradient.

        It is ∂ log Z / ∂ e_t[k], which back-propagation through the forward algorithm gives.
        """
        with torch.inference_mode(False), torch.enable_grad():
            seen = scores.detach().clone().requires_grad_()
            if not seen.numel():
                return seen.detach()
            return torch.autograd.grad(self.log_partition(seen, lengths).sum(), seen)[0]

    def _tables(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return start, A and end, with what is forbidden at NEVER."""
        pairs = (
            (self.start, self.allowed_starts),
            (self.transitions, self.allowed_transitions),
            (self.end, self.allowed_ends),
        )
        start, between, end = (table.masked_fill(~allowed, NEVER) for table, allowed in pairs)  # type: ignore[operator]
        return start, between, end

    def _there(self, scores: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return bool (T, B), the steps that a row has, and the lengths (B,)."""
        if scores.dim() != 3 or scores.shape[-1] != len(self.start):
            got, wanted = tuple(scores.shape), f"(T, B, {len(self.start)}): steps, rows, tags"
            raise ConfigError("scores", f"shape {got}", f"Scores are {wanted}")
        steps, rows = scores.shape[:2]
        lengths = torch.full((rows,), steps) if lengths is None else lengths
        if lengths.shape != (rows,) or (rows and not 0 <= int(lengths.min()) <= int(lengths.max()) <= steps):
            raise ConfigError("lengths", f"{lengths.tolist()}", f"One for each of {rows} rows, from 0 to {steps}")
        lengths = lengths.to(scores.device)
        return torch.arange(steps, device=scores.device)[:, None] < lengths, lengths
