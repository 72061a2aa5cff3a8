"""A cell beside a step written from its paper in NumPy: one row at a time, complex where the paper is."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ostinato import EquationCell, unroll

D, H, B, T = 3, 5, 4, 7


def sigma(a):
    return 1 / (1 + np.exp(-a))


def drawn(cell: EquationCell) -> tuple[EquationCell, dict]:
    """Return the cell with weights that are large enough to matter, and all its numbers by name."""
    generator = torch.Generator().manual_seed(6)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.normal_(generator=generator, std=0.7)
    symbols = {p.name: getattr(cell, p.name).detach().numpy() for p in cell.program.parameters}
    return cell, symbols | cell.constants | cell.counts


def inputs() -> Tensor:
    return torch.randn(T, B, D, generator=torch.Generator().manual_seed(7), dtype=torch.float64)


def times() -> Tensor:
    return torch.rand(T, B, generator=torch.Generator().manual_seed(8), dtype=torch.float64) + 0.1


def assert_is(cell: EquationCell, step: Callable) -> None:
    """Compare outputs over time; `step(w, x, *states)` gives (output, states), and takes dt as its last argument."""
    cell, w = drawn(cell)
    elapsed = {"dt": times()} if cell.uses_dt else {}
    outputs = unroll(cell, inputs(), **elapsed)[0].detach().numpy()
    for row in range(B):
        states = [np.zeros(n) for n in cell.definition.states.values()]
        for t, x in enumerate(inputs()[:, row].numpy()):
            output, states = step(w, x, *states, *(v[t, row].item() for v in elapsed.values()))
            np.testing.assert_allclose(outputs[t, row], output, rtol=1e-9, atol=1e-12)
