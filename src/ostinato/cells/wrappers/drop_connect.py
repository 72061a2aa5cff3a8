"""DropConnect (Wan et al., 2013), on recurrent weights as in Merity, Keskar and Socher (2018, arXiv:1708.02182, §2)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ostinato.cells.cell import BoundCell, Cell
from ostinato.cells.wrappers.chance import check_share, uniform
from ostinato.cells.wrappers.weights import choose, untouched
from ostinato.cells.wrappers.wrapper import Layer, Wrapper


class DropConnect(Wrapper):
    """Leaves out single weights: the same ones for all steps and rows of a call.

    >>> from ostinato import LSTM
    >>> cell = DropConnect(LSTM(32, 64), 0.5)

        W -> W * M / (1 - share)

    weights    "recurrent", "input", "all", or names of symbols (`U_f`) or tensors (`weight_hh`); of a plain cell, "all"
               or names of its parameters.
    generator  what masks are drawn from; None is torch's own.

    In evaluation it does nothing.
    """

    def __init__(
        self,
        inner: Cell,
        share: float,
        *,
        weights: str | Sequence[str] = "recurrent",
        generator: torch.Generator | None = None,
    ):
        super().__init__(inner, generator, share=share, weights=weights)
        self.share = check_share("DropConnect share", share)
        self.is_random = self.share > 0
        self.chosen = choose("DropConnect", inner, weights)
        self.prepare()

    def drawn(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the weights, a share of them left out."""

        def thinned(weight: Tensor) -> Tensor:
            kept = uniform(weight.shape, weight.device, self.generator) >= self.share
            return weight * (kept.to(weight.dtype) / (1 - self.share))

        return self.chosen.changed(tensors, thinned)

    def layer(self, bound: BoundCell) -> Layer | None:
        """Leave the step of a plain cell as it is; its weights are others."""
        return Layer(untouched) if self.training and self.is_random else None
