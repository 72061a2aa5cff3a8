"""The echo state network (Jaeger, 2001, GMD report 148, eq. 1 and 24; Lukoševičius, 2012, eq. 2 and 3)."""

from functools import partial
from typing import Any, ClassVar

from ostinato.cells.equation_cell import EquationCell
from ostinato.cells.reservoir.drawing import check_sparsity, draw_connections, draw_inputs


class EchoState(EquationCell):
    """Reservoir of leaky tanh units, drawn once and never trained; only what reads it is fitted.

    `sparsity` is the share of recurrent connections left out; a bare name in `initialisers` ("orthogonal") draws W
    otherwise. An output that is fed back is part of the input x.

    Use it to predict chaotic and other smooth signals from little data: fitting takes seconds and no gradient.
    """

    equations = """
        leak = 1.0
        decay = 1.0
        spectral_radius = 0.9
        input_scale = 1.0
        h' = (1 - leak * decay) * h + leak * tanh(input_scale * (W_in @ x + b) + spectral_radius * (W @ h))
    """
    frozen = ("W_in", "W", "b")
    limits = ("leak > 0", "leak <= 1", "decay > 0", "decay <= 1", "spectral_radius > 0", "input_scale > 0")

    def __init__(self, input_size: int, hidden_size: int, *, sparsity: float = 0.0, initialisers: Any = (), **values):
        check_sparsity(sparsity)
        drawn = {"W_in": draw_inputs, "b": draw_inputs, "W": partial(draw_connections, sparsity=sparsity)}
        if isinstance(initialisers, str):
            initialisers = {} if initialisers == "uniform" else {"W": initialisers}
        if not values.get("bias", True):
            del drawn["b"]
        super().__init__(input_size, hidden_size, initialisers=drawn | dict(initialisers), **values)


class LinearEchoState(EchoState):
    """Reservoir of linear units, whose memory of past inputs is at most as many steps as it has units.

    Use it to measure memory, and where a signal is a linear filter of another.
    """

    equations: ClassVar[str] = EchoState.equations.replace("tanh", "")
