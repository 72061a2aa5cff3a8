"""Gradients are followed through every cell of the catalogue."""

import numpy as np
import pytest
import torch

from catalogue import TIMELESS_CELLS
from ostinato import CATALOGUE, Recurrent
from ostinato.diagnostics import gradient_flow


@pytest.mark.parametrize("name", TIMELESS_CELLS)
def test_a_gradient_reaches_back_through_every_cell(name, last):
    torch.manual_seed(0)
    cell = CATALOGUE[name].build(3, 12)
    model = last(Recurrent(cell))
    flows = gradient_flow(model, torch.randn(9, 2, 3))
    assert [flow.layer for flow in flows] == [None, 0]
    assert flows[0].norms.shape == (9, 2)
    assert np.isfinite(flows[0].norms).all()
    assert (flows[0].norms[1] > 0).all()
    assert model.recurrent.layers[0][0] is cell
