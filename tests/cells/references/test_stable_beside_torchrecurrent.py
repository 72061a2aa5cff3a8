"""Stable and diagonal networks beside torchrecurrent's of the same name, with our weights copied in.

Where it contradicts the paper, the paper is right, and the test says where.
"""

from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from ostinato import CATALOGUE, EquationCell, unroll

peer = pytest.importorskip("torchrecurrent", reason="torchrecurrent is not installed")
D, H, B, T = 3, 5, 4, 6


class Pair(NamedTuple):
    """Their class, which of our symbols each of their tensors holds ("0" is H zeros), and both our settings."""

    theirs: str
    tensors: dict[str, str]
    settings: dict
    our_settings: dict


SIMPLE = {"weight_ih": "W", "weight_hh": "U", "bias_ih": "b", "bias_hh": "0"}
PAIRS = {
    "antisymmetric": Pair(
        "AntisymmetricRNNCell",
        {"weight_ih": "V", "weight_hh": "W", "bias_ih": "b", "bias_hh": "0"},
        {"epsilon": 0.3, "gamma": 0.1}, {"epsilon": 0.3, "gamma": 0.1},
    ),
    # Its formula prints bias_hh in both places; its code adds it to the candidate alone. The paper has none.
    "antisymmetric-gated": Pair(
        "GatedAntisymmetricRNNCell",
        {"weight_ih": "V_z V_h", "weight_hh": "W", "bias_ih": "b_z b_h", "bias_hh": "0"},
        {"epsilon": 0.3, "gamma": 0.1}, {"epsilon": 0.3, "gamma": 0.1},
    ),
    "cornn": Pair(
        "coRNNCell",
        {
            "weight_ih": "V", "weight_hh": "W_h", "weight_ch": "W_z",
            "bias_ih": "b", "bias_hh": "0", "bias_ch": "0",
        },
        {"dt": 0.2, "gamma": 1.5, "epsilon": 0.7}, {"delta_t": 0.2, "gamma": 1.5, "epsilon": 0.7},
    ),
    "unicornn": Pair(
        "UnICORNNCell",
        {"weight_ih": "V", "weight_hh": "w", "weight_ch": "c", "bias_ih": "b", "bias_hh": "0"},
        {"dt": 0.2, "alpha": 1.5}, {"delta_t": 0.2, "alpha": 1.5},
    ),
    "fastrnn": Pair("FastRNNCell", SIMPLE | {"alpha": "alpha", "beta": "beta"}, {}, {}),
    # The gate it starts with is a tanh; its formula and the paper have a sigmoid.
    "fastgrnn": Pair(
        "FastGRNNCell",
        SIMPLE | {"bias_ih": "b_z b_h", "bias_hh": "0 0", "zeta": "zeta", "nu": "nu"},
        {"nonlinearity": "sigmoid"}, {},
    ),
    "indrnn": Pair(
        "IndRNNCell",
        {"weight_ih": "W", "vector_u": "u", "bias_ih": "b", "bias_hh": "0"}, {"nonlinearity": "relu"}, {},
    ),
}  # fmt: skip
LEM = Pair(
    "LEMCell",
    {
        "weight_ih": "V_2 V_1 V_z V_h", "weight_hh": "W_2 W_1 W_z", "weight_ch": "W_h",
        "bias_ih": "b_2 b_1 b_z b_h", "bias_hh": "0 0 0", "bias_ch": "0",
    },
    {"dt": 0.8}, {"delta_t": 0.8},
)  # fmt: skip


def ours(name: str, pair: Pair) -> EquationCell:
    cell = CATALOGUE[name].build(D, H, dtype=torch.float64, **pair.our_settings)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.normal_(generator=generator, std=0.7)
    return cell


def theirs(pair: Pair, cell: EquationCell):
    their = getattr(peer, pair.theirs)(D, H, **pair.settings).double()
    zeros = torch.zeros(H, dtype=torch.float64)
    with torch.no_grad():
        for name, symbols in pair.tensors.items():
            parts = [zeros if s == "0" else getattr(cell, s) for s in symbols.split()]
            getattr(their, name).copy_(torch.cat(parts) if parts[0].dim() else parts[0])
    return their


def inputs() -> Tensor:
    return torch.randn(T, B, D, generator=torch.Generator().manual_seed(4), dtype=torch.float64)


def first(found) -> Tensor:
    return found[0] if isinstance(found, tuple) else found


@pytest.mark.parametrize("name", PAIRS)
def test_our_cell_is_theirs(name):
    cell = ours(name, PAIRS[name])
    their, state, outputs = theirs(PAIRS[name], cell), None, []
    for x in inputs():
        state = their(x, state)
        outputs.append(first(state))
    torch.testing.assert_close(unroll(cell, inputs())[0], torch.stack(outputs), rtol=1e-11, atol=1e-13)


def test_our_lem_is_theirs_but_for_the_memory_it_reads():
    """Rusch et al. (2022), eq. 3: y_n reads z_n, as the authors' code does; theirs reads z_(n-1)."""
    cell = ours("lem", LEM)
    their, state = theirs(LEM, cell), cell.initial_state(B)
    for x in inputs():
        output, after = cell.step(x, state)
        _, z = their(x, (state.h, state.z))
        torch.testing.assert_close(after.z, z, rtol=1e-11, atol=1e-13)
        y, _ = their(x, (state.h, after.z))  # given the new z as the old one, theirs reads what the paper's does
        torch.testing.assert_close(output, y, rtol=1e-11, atol=1e-13)
        state = after
