"""Many steps into one vector: the last output, their mean, their greatest numbers, or a mean that is learned.

Each can be taken piece by piece: what it keeps between two pieces is a few numbers a row, however long the sequence.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ostinato._errors import ConfigError, did_you_mean

POOLINGS = ("last", "mean", "max", "attention")


class Pooling(nn.Module):
    """Make one vector (B, H) of outputs (T, B, H).

    >>> outputs = torch.tensor([[[1.0]], [[5.0]], [[0.0]]])
    >>> [Pooling(name, 1)(outputs, torch.tensor([2]))[0].item() for name in ("last", "mean", "max")]
    [5.0, 3.0, 5.0]

    name           last, mean, max or attention: weights softmax(v · tanh(W o_t + b)) (Yang et al., 2016, NAACL,
                   equations 5 to 7).
    bidirectional  whether the second half of each output was read backwards: its last step is the first one.

    Raises ConfigError for another name.
    """

    def __init__(self, name: str, size: int, bidirectional: bool = False):
        super().__init__()
        if name not in POOLINGS:
            raise ConfigError("pooling", f"'{name}'", f"Possible: {', '.join(POOLINGS)}", did_you_mean(name, POOLINGS))
        self.name, self.size, self.bidirectional = name, size, bidirectional
        if name == "attention":
            self.keys, self.query = nn.Linear(size, size), nn.Linear(size, 1, bias=False)

    def forward(self, outputs: Tensor, lengths: Tensor, before: Any = None) -> tuple[Tensor, Any]:
        """Return the vectors (B, H) and what the next piece needs; `before` is what the piece before returned.

        `lengths` (B,) counts the steps of this piece. A row that has had no step is zero.
        """
        steps, rows = outputs.shape[:2]
        there = torch.arange(steps, device=outputs.device)[:, None] < lengths.to(outputs.device)
        if before is None:
            before = self.begin(outputs.new_zeros(rows, self.size))
        return getattr(self, f"_{self.name}")(outputs, there, before)

    def begin(self, zeros: Tensor) -> Any:
        """Return what is kept before the first step, of the device and type of `zeros` (B, H)."""
        column = zeros[:, :1]
        kept = {
            "last": (zeros,),
            "mean": (zeros, column),
            "max": (torch.full_like(zeros, -torch.inf),),
            "attention": (zeros, column, torch.full_like(column, -torch.inf)),
        }
        return kept[self.name]

    def _last(self, outputs: Tensor, there: Tensor, before: Any) -> tuple[Tensor, Any]:
        counts = there.sum(0)
        index = (counts - 1).clamp(min=0)[None, :, None].expand(1, -1, outputs.shape[-1])
        found = outputs.gather(0, index)[0]
        if self.bidirectional:
            found = torch.cat([found[:, : self.size // 2], outputs[0, :, self.size // 2 :]], -1)
        found = torch.where((counts > 0)[:, None], found, before[0])
        return found, (found,)

    def _mean(self, outputs: Tensor, there: Tensor, before: Any) -> tuple[Tensor, Any]:
        total = before[0] + (outputs * there[..., None]).sum(0)
        count = before[1] + there.sum(0)[:, None]
        return total / count.clamp(min=1), (total, count)

    def _max(self, outputs: Tensor, there: Tensor, before: Any) -> tuple[Tensor, Any]:
        most = torch.maximum(before[0], outputs.masked_fill(~there[..., None], -torch.inf).amax(0))
        return most.masked_fill(most == -torch.inf, 0.0), (most,)

    def _attention(self, outputs: Tensor, there: Tensor, before: Any) -> tuple[Tensor, Any]:
        """Keep the weighted sum, the sum of weights and the greatest score, relative to which weights are taken."""
        total, weight, greatest = before
        scores = self.query(torch.tanh(self.keys(outputs))).squeeze(-1).masked_fill(~there, -torch.inf)
        top = torch.maximum(greatest, scores.detach().amax(0)[:, None])
        level = top.masked_fill(top == -torch.inf, 0.0)
        weights, faded = torch.exp(scores - level[:, 0]), torch.exp(greatest - level)
        total = total * faded + (weights[..., None] * outputs).sum(0)
        weight = weight * faded + weights.sum(0)[:, None]
        return total / weight.masked_fill(weight == 0, 1.0), (total, weight, top)
