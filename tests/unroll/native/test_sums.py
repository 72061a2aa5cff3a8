"""Gradients that are only summed over rows and steps, and read once more in the step that makes them."""

import pytest
import torch

import ostinato


@pytest.mark.parametrize("norm", ["layer_norm", "rms_norm"])
@pytest.mark.parametrize("batch", [2, 13])
def test_a_bias_after_a_norm_has_its_gradient(norm, batch):
    cell = ostinato.cell(f"h' = tanh({norm}(W_u @ x + U_u @ h) + b)", 3, 5).double()
    inputs = torch.randn(4, batch, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = {}
    for engine in ("eager", "native"):
        given = inputs.clone().requires_grad_()
        outputs, _ = ostinato.unroll(cell, given, engine=engine)
        found[engine] = torch.autograd.grad(outputs.square().sum(), [given, *cell.parameters()])
    torch.testing.assert_close(found["native"], found["eager"])
