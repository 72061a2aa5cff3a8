"""Gated cells beside torchrecurrent's of the same name, with our weights copied in.

Where it contradicts the paper, the paper is right, and the test says how the two are made equal.
"""

from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from ostinato import CATALOGUE, EquationCell, unroll

peer = pytest.importorskip("torchrecurrent", reason="torchrecurrent is not installed")
D, H, B, T = 3, 5, 4, 6


class Pair(NamedTuple):
    """Their class, and which of our symbols each of their tensors holds from top to bottom; "0" is H zeros."""

    theirs: str
    tensors: dict[str, str]
    input_size: int = D


PAIRS = {
    # The paper's g and h are 2 * tanh(x / 2) and tanh(x / 2), and gates hear gates (§4, §5.1): see lstm-1997.
    "lstm-no-forget-gate": Pair(
        "OriginalLSTMCell",
        {"weight_ih": "W_i W_g W_o", "weight_hh": "U_i U_g U_o", "bias_ih": "b_i b_g b_o", "bias_hh": "0 0 0"},
    ),
    "peephole-lstm": Pair(
        "PeepholeLSTMCell",
        {
            "weight_ih": "W_i W_f W_g W_o", "weight_hh": "U_i U_f U_g U_o", "weight_ph": "p_i p_f p_o",
            "bias_ih": "b_i b_f b_g b_o", "bias_hh": "0 0 0 0",
        },
    ),
    "mgu": Pair(
        "MGUCell", {"weight_ih": "W_f W_g", "weight_hh": "U_f U_g", "bias_ih": "b_f b_g", "bias_hh": "0 0"}
    ),
    # The paper adds one bias, outside the inner tanh.
    "mut1": Pair(
        "MUT1Cell",
        {"weight_ih": "W_z W_r W_n", "weight_hh": "U_r U_n", "bias_ih": "b_z b_r 0", "bias_hh": "0 b_n"},
    ),
    "mut2": Pair(
        "MUT2Cell",
        {"weight_ih": "W_z W_r W_n", "weight_hh": "U_z U_r U_n", "bias_ih": "b_z b_r b_n", "bias_hh": "0 0 0"},
    ),
    # Its formula prints MUT2's reset gate here; its code is the paper's.
    "mut3": Pair(
        "MUT3Cell",
        {"weight_ih": "W_z W_r W_n", "weight_hh": "U_z U_r U_n", "bias_ih": "b_z b_r b_n", "bias_hh": "0 0 0"},
    ),
    "ugrnn": Pair(
        "UGRNNCell", {"weight_ih": "W_c W_g", "weight_hh": "U_c U_g", "bias_ih": "b_c b_g", "bias_hh": "0 0"}
    ),
    # The paper's y is as long as the input; theirs runs where that is H.
    "intersection-rnn": Pair(
        "IntersectionRNNCell",
        {
            "weight_ih": "W_u W_c W_s W_g", "weight_hh": "U_u U_c U_s U_g",
            "bias_ih": "b_u b_c b_s b_g", "bias_hh": "0 0 0 0",
        },
        input_size=H,
    ),
    # Theirs trains beta, which in the paper is 1.
    "janet": Pair(
        "JANETCell", {"weight_ih": "W_f W_g", "weight_hh": "U_f U_g", "bias_ih": "b_f b_g", "bias_hh": "0 0"}
    ),
    # The paper has no bias beside W.
    "cfn": Pair(
        "CFNCell",
        {
            "weight_ih": "V_theta V_eta W", "weight_hh": "U_theta U_eta",
            "bias_ih": "b_theta b_eta 0", "bias_hh": "0 0",
        },
    ),
    # Its formula prints a bias beside W_c; its code, as the paper, has none.
    "ran": Pair(
        "RANCell", {"weight_ih": "W_c W_i W_f", "weight_hh": "U_i U_f", "bias_ih": "b_i b_f", "bias_hh": "0 0"}
    ),
    # The authors' own code has no bias beside W.
    "atr": Pair("ATRCell", {"weight_ih": "W", "weight_hh": "U", "bias_ih": "0", "bias_hh": "b"}),
    "minimal-rnn": Pair(
        "MinimalRNNCell", {"weight_ih": "W", "weight_hh": "U", "weight_mm": "V", "bias_ih": "b_z", "bias_hh": "b_u"}
    ),
    "li-gru": Pair(
        "LiGRUCell", {"weight_ih": "W_z W_c", "weight_hh": "U_z U_c", "bias_ih": "b_z b_c", "bias_hh": "0 0"}
    ),
}  # fmt: skip
"""SCRN is not among them: theirs feeds the output back where the paper feeds back the hidden layer."""


def ours(name: str) -> EquationCell:
    cell = CATALOGUE[name].build(PAIRS[name].input_size, H, dtype=torch.float64)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.normal_(generator=generator, std=0.7)
    return cell


def theirs(name: str, cell: EquationCell) -> Callable:
    pair = PAIRS[name]
    their = getattr(peer, pair.theirs)(pair.input_size, H).double()
    zeros = torch.zeros(H, dtype=torch.float64)
    held = {n: torch.cat([zeros if s == "0" else getattr(cell, s) for s in t.split()]) for n, t in pair.tensors.items()}
    with torch.no_grad():
        for n, tensor in held.items():
            getattr(their, n).copy_(tensor)
    return their


def outputs_of(their: Callable, inputs: Tensor) -> Tensor:
    """Return their outputs from a state of zeros; their cells return h, (h, c), or (output, h)."""
    state, outputs = None, []
    for x in inputs:
        found = their(x, state)
        state = found[1] if isinstance(their, peer.IntersectionRNNCell) else found
        outputs.append(found[0] if isinstance(found, tuple) else found)
    return torch.stack(outputs)


@pytest.mark.parametrize("name", PAIRS)
def test_our_cell_is_theirs(name):
    cell = ours(name)
    inputs = torch.randn(T, B, cell.input_size, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    expected = outputs_of(theirs(name, cell), inputs)
    torch.testing.assert_close(unroll(cell, inputs)[0], expected, rtol=1e-11, atol=1e-13)
