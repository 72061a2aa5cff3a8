"""The loss of an RNN transducer: minus the log of a sum over all alignments (Graves, 2012, arXiv:1211.3711).

An alignment is a path through a lattice: from (t, u) the blank ∅ leads to the next frame, (t+1, u), and the symbol
y_u+1 to (t, u+1), still in the same frame. Counted from zero, with ∅(t,u) and y(t,u) the probabilities of the two
(his eq. 14 and 15), T frames and U symbols,

    α(0,0) = 1        α(t,u) = α(t-1,u) ∅(t-1,u) + α(t,u-1) y(t,u-1)            what leads to (t, u)     (eq. 16)
    β(T,U) = 1        β(t,u) = ∅(t,u) β(t+1,u) + y(t,u) β(t,u+1)                what leads from it       (eq. 18)
    Pr(y|x) = α(T,U) = β(0,0)                                                                            (eq. 17)
    ∂ -ln Pr(y|x) / ∂ ln ∅(t,u) = -α(t,u) ∅(t,u) β(t+1,u) / Pr(y|x),  with y(t,u) and β(t,u+1) alike     (eq. 20)

All cells with the same t + u depend on those of t + u - 1 only: T + U steps of the whole batch fill the lattice. β is
α of the lattice turned by half, so both are walked at once. A row that is shorter than the others waits, at no cost,
until it reaches the corner (T, U) that all of them share.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from ostinato._errors import ConfigError

NEVER = float("-inf")


def transducer_loss(scores: Tensor, targets: Tensor, frames: Tensor, symbols: Tensor, blank: int = 0) -> Tensor:
    """Return -ln Pr(y|x), in nats, of each row (B,).

    >>> loss = transducer_loss(torch.zeros(1, 2, 2, 3), torch.tensor([[1]]), torch.tensor([2]), torch.tensor([1]))
    >>> round(float((-loss).exp()) * 3**3, 4)  # the symbol in the first frame or the second: two ways of three steps
    2.0

    scores   (B, T, U+1, V) of all V symbols, blank among them, at each frame and after each number of symbols.
    targets  (B, U), whole numbers; what stands beyond a row's own symbols is never read, in scores neither.
    frames   (B,) from 1 to T, and `symbols` (B,) from 0 to U: what each row has of its own.

    Sums are those of float32 or float64. Raises ConfigError for shapes that do not fit, and for a target that is blank.
    """
    _check("scores", scores.shape, 4, frames, symbols)
    if targets.shape != (len(scores), scores.shape[2] - 1):
        got, wanted = tuple(targets.shape), (len(scores), scores.shape[2] - 1)
        raise ConfigError("targets", f"shape {got}", f"Of these scores it is {wanted}: rows, symbols")
    targets = _own(targets, symbols, blank, scores.shape[-1])
    # what is no row's own may be no number at all, and has no part in the gradient
    scores = scores.masked_fill(~_there(scores, frames, symbols)[..., None], 0).to(_sum_type(scores))
    return lattice_loss(*log_probabilities(scores, targets, blank), frames, symbols)


def log_probabilities(scores: Tensor, targets: Tensor, blank: int = 0) -> tuple[Tensor, Tensor]:
    """Return ln ∅(t,u) and ln y(t,u), each (B, T, U+1), from scores (B, T, U+1, V) and targets (B, U); y(t,U) is 1."""
    total = scores.logsumexp(-1)
    right = scores[:, :, :-1].gather(-1, targets[:, None, :, None].expand(-1, scores.shape[1], -1, 1))[..., 0]
    return scores[..., blank] - total, F.pad(right - total[:, :, :-1], (0, 1))


def lattice_loss(blank: Tensor, right: Tensor, frames: Tensor, symbols: Tensor) -> Tensor:
    """Return -ln Pr(y|x) (B,) from ln ∅(t,u) and ln y(t,u) alone, each (B, T, U+1): no axis of the vocabulary.

    What `log_probabilities` gives may thus be found frame by frame, and forgotten until the gradient needs it.
    `right[:, :, U]`, the symbol after the last one, is never read, nor is what lies outside a row's own `frames` (B,)
    and `symbols` (B,). A row whose every alignment has probability zero has an infinite loss, and no gradient.
    Raises ConfigError for shapes that do not fit.
    """
    _check("blank", blank.shape, 3, frames, symbols)
    if right.shape != blank.shape:
        raise ConfigError("right", f"shape {tuple(right.shape)}", f"As that of blank, {tuple(blank.shape)}")
    kind = _sum_type(blank)
    return _Lattice.apply(blank.to(kind), right.to(kind), frames.to(blank.device), symbols.to(blank.device))


class _Lattice(torch.autograd.Function):
    """Forward and backward variables at once, and the gradient that they are (eq. 20)."""

    @staticmethod
    def forward(ctx: Any, blank: Tensor, right: Tensor, frames: Tensor, symbols: Tensor) -> Tensor:
        there = _there(blank, frames, symbols)
        down, across = _with_waiting(blank, right, there, frames, symbols)
        if not any(ctx.needs_input_grad[:2]):
            return -_walk(down, across)[:, -1, -1]
        turned = down.flip(1, 2), across.flip(1, 2)
        both = _walk(torch.cat([down, turned[0]]), torch.cat([across, turned[1]]))
        alpha, beta = both[: len(blank)], both[len(blank) :].flip(1, 2)
        log_p = alpha[:, -1:, -1:]
        ctx.save_for_backward(
            _share(alpha[:, :-1] + down + beta[:, 1:], log_p, there),
            _share(alpha[:, :-1, :-1] + across[:, :-1] + beta[:, :-1, 1:], log_p, there[:, :, :-1]),
        )
        return -log_p[:, 0, 0]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:  # type: ignore[override]
        blank, right = (-gradient[:, None, None] * share for share in ctx.saved_tensors)
        return blank, F.pad(right, (0, 1)), None, None


def _with_waiting(
    blank: Tensor, right: Tensor, there: Tensor, frames: Tensor, symbols: Tensor
) -> tuple[Tensor, Tensor]:
    """Return ln of the ways to the next frame (B, T, U+1) and to the next symbol (B, T+1, U), waiting included."""
    symbol = torch.arange(blank.shape[2], device=blank.device)
    frame = torch.arange(blank.shape[1], device=blank.device)[:, None]
    ended = (frame >= frames[:, None, None]) & (symbol == symbols[:, None, None])
    down = torch.where(there, blank, NEVER).masked_fill(ended, 0)
    said = there[:, :, :-1] & (symbol[:-1] < symbols[:, None, None])
    last = torch.where(symbol[:-1] >= symbols[:, None], 0, NEVER).to(blank.dtype)
    return down, torch.cat([torch.where(said, right[:, :, :-1], NEVER), last[:, None]], 1)


def _walk(down: Tensor, across: Tensor) -> Tensor:
    """Return ln α (B, T+1, U+1) from ln of the ways down (B, T, U+1) and across (B, T+1, U), diagonal by diagonal."""
    rows, wide = len(down), down.shape[2]
    from_above = _diagonals(F.pad(down, (0, 0, 0, 1), value=NEVER))
    from_left = _diagonals(F.pad(across, (0, 1), value=NEVER)).roll(1, 2)
    # a column before the first one has no probability, and lets every place look to its left
    sums = down.new_full((len(from_above), rows, wide + 1), NEVER)
    sums[0, :, 1] = 0
    steps = zip(sums[:-1], from_above[:-1], from_left[:-1], sums[1:], strict=True)
    for before, above, left, after in steps:
        torch.logaddexp(before[:, 1:] + above, before[:, :-1] + left, out=after[:, 1:])
    return _cells(sums[:, :, 1:])


def _diagonals(cells: Tensor) -> Tensor:
    """Return (T+1+U, B, U+1): cell (t, u) in place (t + u, u); NEVER where a diagonal has left the lattice."""
    rows, tall, wide = cells.shape
    shifted = F.pad(cells.transpose(1, 2), (0, wide), value=NEVER).flatten(1)[:, :-wide]
    return shifted.view(rows, wide, tall + wide - 1).permute(2, 0, 1).contiguous()


def _cells(diagonals: Tensor) -> Tensor:
    """Return (B, T+1, U+1), what `_diagonals` was made of."""
    length, rows, wide = diagonals.shape
    shifted = F.pad(diagonals.permute(1, 2, 0).flatten(1), (0, wide)).view(rows, wide, length + 1)
    return shifted[:, :, : length - wide + 1].transpose(1, 2)


def _share(log_sum: Tensor, log_p: Tensor, there: Tensor) -> Tensor:
    """Return which share of all probability goes this way; zero where there is none."""
    return torch.where(there & (log_p > NEVER), (log_sum - log_p).exp(), 0)


def _there(cells: Tensor, frames: Tensor, symbols: Tensor) -> Tensor:
    """Return bool (B, T, U+1): the cells that are a row's own."""
    frame, symbol = (torch.arange(size, device=cells.device) for size in cells.shape[1:3])
    frames, symbols = frames.to(cells.device)[:, None, None], symbols.to(cells.device)[:, None, None]
    return (frame[:, None] < frames) & (symbol <= symbols)


def _sum_type(scores: Tensor) -> torch.dtype:
    return torch.float64 if scores.dtype == torch.float64 else torch.float32


def _own(targets: Tensor, symbols: Tensor, blank: int, size: int) -> Tensor:
    """Return the targets with 0 beyond a row's own symbols. Raises ConfigError for those that no row can have."""
    if not 0 <= blank < size:
        raise ConfigError("blank", f"{blank} was given", f"It is one of {size} symbols, from 0 to {size - 1}")
    inside = torch.arange(targets.shape[1], device=targets.device) < symbols.to(targets.device)[:, None]
    wrong = targets[inside & ((targets < 0) | (targets >= size) | (targets == blank))]
    if len(wrong):
        possible = f"Numbers from 0 to {size - 1} other than {blank}, which is blank"
        raise ConfigError("targets", f"{int(wrong[0])} among them", possible)
    return torch.where(inside, targets, 0)


def _check(name: str, shape: torch.Size, axes: int, frames: Tensor, symbols: Tensor) -> None:
    if len(shape) != axes or 0 in shape[1:]:
        wanted = "rows, frames, symbols + 1" + ", vocabulary" * (axes == 4)
        raise ConfigError(name, f"shape {tuple(shape)}", f"It is {wanted}; all but rows at least 1")
    for name, lengths, first, last in (("frames", frames, 1, shape[1]), ("symbols", symbols, 0, shape[2] - 1)):
        if lengths.shape != shape[:1] or (len(lengths) and not first <= lengths.min() <= lengths.max() <= last):
            possible = f"One for each of {shape[0]} rows, from {first} to {last}"
            raise ConfigError(name, f"{lengths.tolist()}", possible)
