"""The regularisers that layers and the command line know by name, put around a cell in one order."""

from __future__ import annotations

from dataclasses import dataclass

from ostinato._errors import ConfigError, did_you_mean
from ostinato.cells.cell import Cell
from ostinato.cells.wrappers.drop_connect import DropConnect
from ostinato.cells.wrappers.gradient_clip import GradientClip
from ostinato.cells.wrappers.norm import LayerNorm, RMSNorm
from ostinato.cells.wrappers.recurrent_dropout import RecurrentDropout
from ostinato.cells.wrappers.zoneout import Zoneout

NORMS = {"layer": LayerNorm, "rms": RMSNorm}


@dataclass(frozen=True)
class Regularisers:
    """What is put around each cell of a layer, from the inside out."""

    norm: str = "none"
    """Norm of what products give: none, layer or rms."""
    weight_drop: float = 0.0
    """Share of recurrent weights left out for a whole call while learning."""
    recurrent_dropout: float = 0.0
    """Share left out of what is written into the state, at every step, while learning."""
    zoneout: float = 0.0
    """Share of units that keep their state for a step, while learning."""

    clip_inside: float = 0.0
    """Size at which the gradient is cut that goes from a step to the one before; 0 leaves it."""
    clip_inside_at: str = "state"
    """Where it is cut: state, or pre-activation."""

    def around(self, cell: Cell) -> Cell:
        """Return the cell with all of them; those that do nothing are left out."""
        if self.norm not in ("none", *NORMS):
            near = did_you_mean(self.norm, NORMS) if isinstance(self.norm, str) else ""
            raise ConfigError("norm", f"{self.norm!r} was given", f"Known are none, {', '.join(NORMS)}", near)
        if self.norm != "none":
            cell = NORMS[self.norm](cell)
        if self.weight_drop:
            cell = DropConnect(cell, self.weight_drop)
        if self.recurrent_dropout:
            cell = RecurrentDropout(cell, self.recurrent_dropout)
        if self.zoneout:
            cell = Zoneout(cell, self.zoneout)
        return GradientClip(cell, self.clip_inside, at=self.clip_inside_at) if self.clip_inside else cell
