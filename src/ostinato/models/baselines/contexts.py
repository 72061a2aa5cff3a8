"""The last few symbols before each step, within a document: all that a model without recurrence remembers."""

from __future__ import annotations

from torch import Tensor, cat


def contexts(tokens: Tensor, state: Tensor | None, reset: Tensor | None, size: int, none: int) -> tuple[Tensor, Tensor]:
    """Return the last `size` symbols up to each of `tokens` (T, B) as (T, B, size), and the state: those of the last.

    Where `reset` (T, B) holds a document starts, and nothing before it is seen. What is not seen is `none`.
    """
    steps, rows = tokens.shape
    before = tokens.new_full((rows, size), none) if state is None else state
    if size == 0:
        return tokens.new_zeros(steps, rows, 0), before
    windows = cat([before.T, tokens]).unfold(0, size, 1)[1:]
    if reset is not None:
        # hidden is a symbol after which, within the window, a document starts
        started = cat([reset.new_zeros(size, rows), reset]).cumsum(0)
        windows = windows.masked_fill(started.unfold(0, size, 1)[1:] < started[size:, :, None], none)
    return windows, windows[-1]
