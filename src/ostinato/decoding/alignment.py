"""At which frames a network trained with CTC writes given symbols: the most probable path that writes them.

Graves et al. (2006, section 4.1) sum over the paths through the symbols with blanks between them, l'; with max in place
of the sum (Viterbi) and the way back, the path itself is found.

    α_t(s) = p_t(l'_s) max(α_t-1(s), α_t-1(s - 1), α_t-1(s - 2))    the last only onto a symbol unlike that two before
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import pad


@torch.no_grad()
def written_at(log_probs: Tensor, lengths: Tensor, tokens: Tensor, sizes: Tensor, blank: int) -> Tensor:
    """Return the first frame (B, N, U) of each symbol on the most probable path that writes tokens (B, N, U).

    `log_probs` is (T, B, V), `lengths` (B,) its frames, and `sizes` (B, N) how many symbols stand in `tokens`; -1
    behind them, and where no path of so few frames writes them.
    """
    (frames, rows, _), (_, count, size) = log_probs.shape, tokens.shape
    there = torch.arange(size, device=tokens.device) < sizes[..., None]
    if not frames or not size or not rows:
        return torch.full_like(tokens, -1)
    states = tokens.new_full((rows, count, 2 * size + 1), blank)
    states[..., 1::2] = torch.where(there, tokens, blank)
    steps, alpha = _forward(log_probs, lengths, states, blank)
    ends = torch.stack([2 * sizes, (2 * sizes - 1).clamp(min=0)], -1)
    values, better = alpha.gather(-1, ends).max(-1)
    place = ends.gather(-1, better[..., None])[..., 0]
    times = torch.full((rows, count, 2 * size + 1), -1, device=tokens.device)
    for frame in range(frames - 1, -1, -1):
        heard = (frame < lengths)[:, None]
        # Frames are gone through backwards: the first of a state is written last.
        now = torch.where(heard, frame, times.gather(-1, place[..., None])[..., 0])
        times.scatter_(-1, place[..., None], now[..., None])
        place = torch.where(heard, place - steps[frame].gather(-1, place[..., None])[..., 0].long(), place)
    return times[..., 1::2].masked_fill(~there | (values == -math.inf)[..., None], -1)


def _forward(log_probs: Tensor, lengths: Tensor, states: Tensor, blank: int) -> tuple[list[Tensor], Tensor]:
    """Return how many states each step came over, (B, N, S) a frame, and α of the last frame."""
    rows = len(states)
    skips = (states != blank) & (states != pad(states, (2, 0), value=blank)[..., :-2])
    symbols = states.view(rows, -1)
    alpha = torch.full_like(states, -math.inf, dtype=log_probs.dtype)
    alpha[..., 0] = 0  # before the first frame: a step of 0 stays on the blank, one of 1 goes onto the first symbol
    steps = []
    for frame, log_p in enumerate(log_probs):
        one = pad(alpha, (1, 0), value=-math.inf)[..., :-1]
        two = pad(alpha, (2, 0), value=-math.inf)[..., :-2].masked_fill(~skips, -math.inf)
        best, step = torch.stack([alpha, one, two]).max(0)
        steps.append(step.to(torch.int8))
        score = log_p.gather(-1, symbols).view_as(states)
        alpha = torch.where((frame < lengths)[:, None, None], best + score, alpha)
    return steps, alpha
