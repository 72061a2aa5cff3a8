"""Weight noise (Jim, Giles and Horne, 1996, doi:10.1109/72.548170; Graves, 2013, arXiv:1308.0850, §5.2)."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real

import torch
from torch import Tensor

from ostinato._errors import ConfigError
from ostinato.cells.cell import BoundCell, Cell
from ostinato.cells.wrappers.chance import standard_normal
from ostinato.cells.wrappers.weights import choose, untouched
from ostinato.cells.wrappers.wrapper import Layer, Wrapper


class WeightNoise(Wrapper):
    """Adds normal noise to weights: the same for all steps and rows of a call.

    >>> from ostinato import LSTM
    >>> cell = WeightNoise(LSTM(32, 64), 0.075)

        W -> W + deviation * (numbers of variance 1)

    weights    "all", "recurrent", "input", or names of symbols or tensors; as for `DropConnect`.
    generator  what noise is drawn from; None is torch's own.

    In evaluation it does nothing.
    """

    def __init__(
        self,
        inner: Cell,
        deviation: float,
        *,
        weights: str | Sequence[str] = "all",
        generator: torch.Generator | None = None,
    ):
        super().__init__(inner, generator, deviation=deviation, weights=weights)
        if isinstance(deviation, bool) or not isinstance(deviation, Real) or not 0 <= float(deviation) < float("inf"):
            raise ConfigError("WeightNoise deviation", f"{deviation!r} was given", "A finite number, 0 or more")
        self.deviation = float(deviation)
        self.is_random = self.deviation > 0
        self.chosen = choose("WeightNoise", inner, weights)
        self.prepare()

    def drawn(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the weights with noise on them."""

        def noisy(weight: Tensor) -> Tensor:
            noise = standard_normal(weight.shape, weight.device, self.generator)
            return weight + self.deviation * noise.to(weight.dtype)

        return self.chosen.changed(tensors, noisy)

    def layer(self, bound: BoundCell) -> Layer | None:
        """Leave the step of a plain cell as it is; its weights are others."""
        return Layer(untouched) if self.training and self.is_random else None
