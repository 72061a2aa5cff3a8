"""Further gated cells beside torchrecurrent's, with our weights copied in.

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
    keeps: str = "h"
    """What their cell gives: "h"; "h c", of which the first is the output; or "output, state"."""
    settings: dict[str, int] = {}  # noqa: RUF012
    silent: str = ""
    """Our symbols that are zero here, where theirs has nothing of the kind, or says another thing with it."""


PAIRS = {
    # The paper's candidate has no bias.
    "light-ru": Pair(
        "LightRUCell", {"weight_ih": "W_g W_f", "weight_hh": "U_f", "bias_ih": "0 b_f", "bias_hh": "0"}
    ),
    "miru1": Pair(
        "MiRU1Cell", {"weight_ih": "W_r W_n", "weight_hh": "U_r U_n", "bias_ih": "b_r b_n", "bias_hh": "0 0"}
    ),
    "miru2": Pair("MiRU2Cell", {"weight_ih": "W_n", "weight_hh": "U_n", "bias_ih": "b_n", "bias_hh": "0"}),
    # The paper's product with U_a has no bias.
    "sgu": Pair("SGUCell", {"weight_ih": "W_a W_z", "weight_hh": "U_a U_z", "bias_ih": "b_a b_z", "bias_hh": "0 0"}),
    "dsgu": Pair(
        "DSGUCell",
        {"weight_ih": "W_a W_z", "weight_hh": "U_a U_z", "weight_ho": "U_o", "bias_ih": "b_a b_z", "bias_hh": "0 0"},
    ),
    # Its bias beside W also enters the candidate; that beside U enters the gate alone.
    "sgrn": Pair("SGRNCell", {"weight_ih": "W", "weight_hh": "U", "bias_ih": "0", "bias_hh": "b"}),
    "star": Pair("STARCell", {"weight_ih": "W_z W_k", "weight_hh": "U_k", "bias_ih": "b_z b_k", "bias_hh": "0"}),
    # The paper's z has no bias.
    "trnn": Pair("TRNNCell", {"weight_ih": "W_z W_f", "bias_ih": "0 b_f"}),
    "tgru": Pair(
        "TGRUCell",
        {"weight_ih": "W_z W_f W_o", "weight_hh": "V_z V_f V_o", "bias_ih": "b_z b_f b_o", "bias_hh": "0 0 0"},
        "h c",
    ),
    "tlstm": Pair(
        "TLSTMCell",
        {"weight_ih": "W_z W_f W_o", "weight_hh": "V_z V_f V_o", "bias_ih": "b_z b_f b_o", "bias_hh": "0 0 0"},
        "output, state",
    ),
    "multiplicative-lstm": Pair(
        "MultiplicativeLSTMCell",
        {
            "weight_ih": "W_m W_i W_f W_g W_o", "weight_hh": "U_m", "weight_mh": "U_i U_f U_g U_o",
            "bias_ih": "0 b_i b_f b_g b_o", "bias_hh": "0", "bias_mh": "0 0 0 0",
        },
        "h c",
    ),
    # Its fourth leaf adds; that of the authors' code multiplies. Where nothing enters it, both are zero.
    "nas": Pair(
        "NASCell",
        {
            "weight_ih": "W_0 W_1 W_2 W_3 W_4 W_5 W_6 W_7", "weight_hh": "U_0 U_1 U_2 U_3 U_4 U_5 U_6 U_7",
            "bias_ih": "b_0 b_1 b_2 b_3 b_4 b_5 b_6 b_7", "bias_hh": "0 0 0 0 0 0 0 0",
        },
        "h c",
        silent="W_3 U_3 b_3",
    ),
    # The candidate of the paper has no bias.
    "brc": Pair(
        "BRCell", {"weight_ih": "W_a W_c W_h", "weight_hh": "u_a u_c", "bias_ih": "b_a b_c 0", "bias_hh": "0 0"}
    ),
    "nbrc": Pair(
        "NBRCell", {"weight_ih": "W_a W_c W_h", "weight_hh": "U_a U_c", "bias_ih": "b_a b_c 0", "bias_hh": "0 0"}
    ),
    # Theirs is called MCLSTM, which is also what papers call the mass-conserving one.
    "memory-controller-lstm": Pair(
        "MCLSTMCell",
        {
            "weight_ih": "W_f W_i W_o W_m W_n", "weight_hh": "U_f U_i U_o U_m U_n",
            "bias_ih": "b_f b_i b_o b_m b_n", "bias_hh": "0 0 0 0 0",
        },
        "output, state",
    ),
    # Its formula leaves out the tanh around the memory and the state in the candidate; its code has both.
    "wmc-lstm": Pair(
        "WMCLSTMCell",
        {
            "weight_ih": "W_i W_f W_g W_o", "weight_hh": "U_i U_f U_g U_o", "weight_mh": "V_i V_f V_o",
            "bias_ih": "b_i b_f b_g b_o", "bias_hh": "0 0 0 0", "bias_mh": "0 0 0",
        },
        "h c",
    ),
}  # fmt: skip
"""The residual LSTM and the τ-GRU follow below. Its highway network (0.2.5) cannot be imported."""


def drawn(name: str, **values) -> EquationCell:
    cell = CATALOGUE[name].build(D, H, dtype=torch.float64, **values)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.normal_(generator=generator, std=0.7)
    return cell


def inputs() -> Tensor:
    return torch.randn(T, B, D, generator=torch.Generator().manual_seed(4), dtype=torch.float64)


def fill(their: torch.nn.Module, cell: EquationCell, tensors: dict[str, str]) -> None:
    zeros = torch.zeros(H, dtype=torch.float64)
    with torch.no_grad():
        for n, symbols in tensors.items():
            getattr(their, n).copy_(torch.cat([zeros if s == "0" else getattr(cell, s) for s in symbols.split()]))


def outputs_of(their: Callable, keeps: str = "h") -> Tensor:
    """Return their outputs, from a state of zeros."""
    state, outputs = None, []
    for x in inputs():
        found = their(x, state)
        output, state = found if keeps == "output, state" else (found[0] if keeps == "h c" else found, found)
        outputs.append(output)
    return torch.stack(outputs)


@pytest.mark.parametrize("name", PAIRS)
def test_our_cell_is_theirs(name):
    pair, cell = PAIRS[name], drawn(name)
    with torch.no_grad():
        for symbol in pair.silent.split():
            getattr(cell, symbol).zero_()
    their = getattr(peer, pair.theirs)(D, H).double()
    fill(their, cell, pair.tensors)
    torch.testing.assert_close(unroll(cell, inputs())[0], outputs_of(their, pair.keeps), rtol=1e-11, atol=1e-13)


def test_the_residual_lstm_is_theirs_without_a_narrower_projection():
    """Theirs gives the output gate a vector for its peephole; ours has a matrix, as o and c may differ in size."""
    cell = drawn("residual-lstm", proj_size=H)
    their = peer.ResLSTMCell(D, H).double()
    gates = {"weight_ih": "W_i W_f W_g W_o", "weight_hh": "U_i U_f U_g U_o", "bias_ih": "b_i b_f b_g b_o"}
    fill(their, cell, gates | {"bias_hh": "0 0 0 0", "weight_proj": "W_p", "weight_res": "W_h"})
    with torch.no_grad():
        cell.P_o.copy_(cell.P_o.diagonal().diag())
        their.weight_ph.copy_(torch.cat([cell.p_i, cell.p_f, cell.P_o.diagonal()]))
    torch.testing.assert_close(unroll(cell, inputs())[0], outputs_of(their, "h c"), rtol=1e-11, atol=1e-13)


def test_the_tau_gru_is_theirs_given_the_state_of_some_steps_before():
    """Theirs takes the older state as an argument, and keeps none."""
    delay = 2
    cell = drawn("tau-gru", delay=delay)
    their = peer.tauGRUCell(D, H).double()
    tensors = {"weight_ih": "W_u W_z W_g W_a", "weight_hh": "U_u U_z U_g U_a", "bias_ih": "b_u b_z b_g b_a"}
    fill(their, cell, tensors | {"bias_hh": "0 0 0 0"})
    states = [torch.zeros(B, H, dtype=torch.float64)] * (delay + 1)
    for x in inputs():
        states.append(their(x, states[-1], states[-1 - delay]))
    torch.testing.assert_close(unroll(cell, inputs())[0], torch.stack(states[delay + 1 :]), rtol=1e-11, atol=1e-13)
