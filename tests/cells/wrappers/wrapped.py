"""Every wrapper around the same few cells, and what one call of them gives."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

import ostinato
from ostinato import GRU, LSTM, Cell, unroll

SIZE, STEPS, ROWS = 6, 7, 4
DOUBLE = torch.float64
RESET_BEFORE = """
    f  = sigmoid(W_f @ x + U_f @ h + b_f)
    g  = tanh(W_g @ x + U_g @ (f * h) + b_g)
    h' = (1 - f) * h + f * g
    y  = V @ h' + b_y
"""
LENGTHS = torch.tensor([7, 3, 0, 5])
RESETS = (torch.arange(STEPS)[:, None] * 3 + torch.arange(ROWS)) % 5 == 0


class Joined(Cell):
    """A plain cell: one product over the input and the state side by side."""

    def __init__(self, input_size=SIZE, hidden_size=SIZE, dtype=DOUBLE):
        super().__init__()
        self.input_size, self.hidden_size, self.output_size = input_size, hidden_size, hidden_size
        self.product = nn.Linear(input_size + hidden_size, hidden_size, dtype=dtype)

    def initial_state(self, batch_size, *, device=None, dtype=None):
        return torch.zeros(batch_size, self.hidden_size, device=device, dtype=dtype)

    def step(self, x, h):
        h = torch.tanh(self.product(torch.cat([x, h], -1)))
        return h, h

    def resized(self, input_size, hidden_size):
        return Joined(input_size, hidden_size, self.product.weight.dtype)


CELLS: dict[str, Callable[..., Cell]] = {
    "lstm": LSTM,
    "gru": GRU,
    "text": lambda *sizes, **place: ostinato.cell(RESET_BEFORE, *sizes, **place),
    "plain": Joined,
}


def seeded(seed=3):
    return torch.Generator().manual_seed(seed)


def _is_plain(cell: Cell) -> bool:
    return isinstance(cell, Joined)


WRAPPERS: dict[str, Callable[[Cell], Cell]] = {
    "zoneout": lambda c: ostinato.Zoneout(c, 0.3, generator=seeded()),
    "variational dropout": lambda c: ostinato.VariationalDropout(
        c, input=0.2, output=0.3, state=0.0 if _is_plain(c) else 0.4, generator=seeded()
    ),
    "recurrent dropout": lambda c: ostinato.RecurrentDropout(c, 0.3, generator=seeded()),
    "drop connect": lambda c: ostinato.DropConnect(
        c, 0.3, weights="all" if _is_plain(c) else "recurrent", generator=seeded()
    ),
    "weight noise": lambda c: ostinato.WeightNoise(c, 0.2, generator=seeded()),
    "layer norm": lambda c: ostinato.LayerNorm(c, state=isinstance(c, LSTM)),
    "rms norm": lambda c: ostinato.RMSNorm(c, of="recurrent", bias=True),
    "gradient clip": lambda c: ostinato.GradientClip(c, 0.01),
    "gradient clip before functions": lambda c: ostinato.GradientClip(c, 0.01, at="pre-activation"),
    "residual": ostinato.Residual,
    "highway": ostinato.Highway,
    "projection": lambda c: ostinato.Projection(c, 3),
    "learned initial state": ostinato.LearnedInitialState,
}
RANDOM = ("zoneout", "variational dropout", "recurrent dropout", "drop connect", "weight noise")
NOT_PLAIN = ("recurrent dropout", "layer norm", "rms norm", "gradient clip before functions")
PAIRS = [(w, c) for w in WRAPPERS for c in CELLS if c != "plain" or w not in NOT_PLAIN]
"""Every wrapper with every cell it can stand around."""


def make(wrapper: str, cell: str = "lstm", dtype=DOUBLE, training: bool = True) -> Cell:
    """Return a wrapped cell, the same numbers every time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = WRAPPERS[wrapper](CELLS[cell](SIZE, SIZE, dtype=dtype))
        with torch.no_grad():
            for name, parameter in made.named_parameters():
                if name.split(".")[0] in ("initial", "shift_ih", "shift_hh", "gain_ih", "gain_hh"):
                    parameter.add_(torch.randn_like(parameter) * 0.3)
    return made.train(training)


def numbers(*shape: int, seed: int = 1, dtype=DOUBLE) -> Tensor:
    """Return standard normal numbers, the same for the same seed."""
    return torch.randn(*shape, generator=seeded(seed), dtype=DOUBLE).to(dtype)


def results(cell: Cell, engine: str = "eager", **options) -> dict[str, Tensor]:
    """Return what a call gives, and the gradients of a fixed weighting of it; the generators begin anew."""
    for part in cell.modules():
        if getattr(part, "generator", None) is not None:
            part.generator.manual_seed(3)
    x = numbers(STEPS, ROWS, SIZE).requires_grad_()
    made = unroll(cell, x, engine=engine, **options)
    leaves = pytree.tree_leaves(made)
    loss = sum((leaf * numbers(*leaf.shape, seed=10 + k)).sum() for k, leaf in enumerate(leaves))
    sources = {"x": x, **dict(cell.named_parameters())}
    gradients = torch.autograd.grad(loss, list(sources.values()), allow_unused=True, materialize_grads=True)
    found = {f"result {k}": leaf.detach() for k, leaf in enumerate(leaves)}
    return found | {f"gradient of {n}": g for n, g in zip(sources, gradients, strict=True)}


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """Compare numbers by name."""
    assert list(found) == list(expected)
    for name in expected:
        torch.testing.assert_close(
            found[name], expected[name], rtol=1e-9, atol=1e-10, msg=lambda m, n=name: f"{n}: {m}"
        )
