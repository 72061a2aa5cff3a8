"""An update in several groups of rows, one after the other: the same gradient in a share of the memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ostinato._errors import ConfigError
from ostinato.training.config import above_zero
from ostinato.training.gradient.method import Around, Backward, Learns, Method, State, Window
from ostinato.training.gradient.rows import count_rows, joined, rows_of, rows_of_state


@dataclass(frozen=True)
class Accumulated(Around):
    """A gradient method that takes `groups` groups of rows one after the other, and their mean as the gradient.

    It is the gradient of all rows at once: a group with more symbols weighs more, g = Σ count_k g_k / Σ count_k. What a
    model draws by chance (dropout), it draws for each group anew.
    """

    groups: int

    def accumulate(
        self, model: Learns, segment: Any, window: Window, state: State, backward: Backward
    ) -> tuple[Tensor, int, State]:
        """Add the mean gradient of the groups; a batch with fewer rows than groups has a group for each row."""
        assert isinstance(model, nn.Module)
        before = _taken(model)
        sums, losses, states, counted = {}, [], [], 0
        rows = count_rows(segment)
        groups = min(self.groups, rows)
        for k in range(groups):
            place = k * rows // groups, (k + 1) * rows // groups
            part, own = rows_of(segment, *place), rows_of_state(state, *place)
            nats, count, after = self.method.accumulate(model, part, window, own, backward)
            for parameter, gradient in _taken(model).items():
                sums[parameter] = sums[parameter] + gradient * count if parameter in sums else gradient * count
            losses, states, counted = [*losses, nats], [*states, after], counted + count
        for parameter in {**before, **sums}:
            mean = sums[parameter] / max(1, counted) if parameter in sums else 0
            parameter.grad = before[parameter] + mean if parameter in before else mean
        return torch.stack(losses).sum(), counted, joined(states)


def accumulated(method: Method, groups: int, rows: int) -> Method:
    """Return the method in `groups` groups of `rows` rows. Raises ConfigError for more groups than rows."""
    above_zero("accumulate", groups)
    if groups > rows:
        got, possible = f"{groups} groups of {rows} rows", "A group has one row at least"
        raise ConfigError("--accumulate", got, possible, f"Use --accumulate {rows} or less")
    return method if groups == 1 else Accumulated(method, groups)


def _taken(model: nn.Module) -> dict[nn.Parameter, Tensor]:
    """Return the gradients of a model, which then has none."""
    found = {p: p.grad for p in model.parameters() if p.grad is not None}
    model.zero_grad()
    return found
