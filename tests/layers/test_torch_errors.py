"""What `ostinato.nn` refuses, with the types of error that `torch.nn` raises."""

import pytest
import torch
from torch.nn.utils.rnn import pack_sequence
from torch_pairs import KINDS, B, D, H, T, every_kind, numbers, pair, start

from ostinato import nn

CONSTRUCTION = {
    "dropout above 1": (KINDS, {"dropout": 1.1}),
    "dropout below 0": (KINDS, {"dropout": -0.1}),
    "dropout a boolean": (KINDS, {"dropout": True}),
    "dropout a text": (KINDS, {"dropout": "a"}),
    "dropout a tensor": (KINDS, {"dropout": torch.tensor(0.5)}),
    "no hidden size": (KINDS, {"hidden_size": 0}),
    "negative hidden size": (KINDS, {"hidden_size": -1}),
    "float hidden size": (KINDS, {"hidden_size": 2.0}),
    "no layers": (KINDS, {"num_layers": 0}),
    "negative layers": (KINDS, {"num_layers": -2}),
    "float layers": (KINDS, {"num_layers": 2.0}),
    "projection in RNN and GRU": (["RNN", "GRU"], {"proj_size": 2}),
    "no projection in RNN and GRU": (["RNN", "GRU"], {"proj_size": 0}),
    "negative projection": (["LSTM"], {"proj_size": -1}),
    "projection as large as the state": (["LSTM"], {"proj_size": H}),
    "float projection": (["LSTM"], {"proj_size": 2.0}),
    "unknown nonlinearity": (["RNN"], {"nonlinearity": "sigmoid"}),
    "no nonlinearity": (["RNN"], {"nonlinearity": None}),
    "nonlinearity in GRU and LSTM": (["GRU", "LSTM"], {"nonlinearity": "tanh"}),
    "unknown keyword": (KINDS, {"layers": 2}),
}
X = numbers(T, B, D)
PACKED = pack_sequence([numbers(3, D), numbers(2, D)])
FORWARD = {
    "one axis": (KINDS, X[0, 0], None),
    "four axes": (KINDS, X[None], None),
    "another size": (KINDS, X[..., :3], None),
    "another size without a batch": (KINDS, X[:, 0, :3], None),
    "another type": (KINDS, X.double(), None),
    "whole numbers": (KINDS, X.long(), None),
    "packed with another size": (KINDS, pack_sequence([numbers(3, 2), numbers(2, 2)]), None),
    "state without a batch": (KINDS, X, (1, H)),
    "state with a batch for one sequence": (KINDS, X[:, 0], (1, 1, H)),
    "state of another size": (KINDS, X, (1, B, H + 1)),
    "state of too many layers": (KINDS, X, (2, B, H)),
    "state of too few rows": (KINDS, X, (1, B - 1, H)),
    "packed with a state of too few rows": (KINDS, PACKED, (1, 1, H)),
    "a list": (KINDS, X.tolist(), None),
    "nothing": (KINDS, None, None),
}


def cases(table):
    return [pytest.param(kind, *rest, id=f"{kind}: {name}") for name, (kinds, *rest) in table.items() for kind in kinds]


@pytest.mark.filterwarnings("ignore:dropout option")
@pytest.mark.parametrize(("kind", "options"), cases(CONSTRUCTION))
def test_constructors_refuse_with_torchs_type(kind, options):
    arguments = {"input_size": D, "hidden_size": H} | options
    with pytest.raises(Exception) as theirs:  # noqa: PT011
        getattr(torch.nn, kind)(**arguments)
    with pytest.raises(theirs.type):
        getattr(nn, kind)(**arguments)


@pytest.mark.parametrize("kind", ["RNN", "GRU"])
def test_a_projection_by_place_is_refused(kind):
    nonlinearity = ["tanh"] if kind == "RNN" else []
    with pytest.raises(ValueError, match="proj_size argument is only supported for LSTM, not RNN or GRU"):
        getattr(nn, kind)(D, H, 1, *nonlinearity, True, False, 0.0, False, 2)


@pytest.mark.parametrize(("kind", "given", "shape"), cases(FORWARD))
def test_calls_refuse_with_torchs_type(kind, given, shape):
    hx = None if shape is None else torch.zeros(shape)
    hx = (hx, hx) if kind == "LSTM" and shape is not None else hx
    theirs, ours = pair(kind, D, H, dtype=torch.float32)
    with pytest.raises(Exception) as caught:  # noqa: PT011
        theirs(given, hx)
    with pytest.raises(caught.type):
        ours(given, hx)


@every_kind
def test_a_state_of_another_type_is_refused_as_torch_does(kind):
    theirs, ours = pair(kind, D, H, dtype=torch.float32)
    for layer in (theirs, ours):
        with pytest.raises(RuntimeError):
            layer(X, start(kind, 1, dtype=torch.float64))


@pytest.mark.parametrize("kind", ["RNN", "GRU"])
def test_a_tuple_for_one_state_is_refused_as_torch_does(kind):
    theirs, ours = pair(kind, D, H, dtype=torch.float32)
    for layer in (theirs, ours):
        with pytest.raises(AttributeError):
            layer(X, (torch.zeros(1, B, H),))


@pytest.mark.parametrize("hx", [torch.zeros(2, B, H), (torch.zeros(1, B, H),) * 3], ids=["a tensor", "three"])
def test_other_than_two_states_are_refused_as_torch_does(hx):
    theirs, ours = pair("LSTM", D, H, dtype=torch.float32)
    for layer in (theirs, ours):
        with pytest.raises(RuntimeError):
            layer(X, hx)


@pytest.mark.parametrize("part", [0, 1])
def test_each_of_the_two_states_is_checked(part):
    hx = [torch.zeros(1, B, H), torch.zeros(1, B, H)]
    hx[part] = torch.zeros(1, B, H + 1)
    with pytest.raises(RuntimeError, match=rf"Expected hidden\[{part}\] size \(1, 3, 6\), got \[1, 3, 7\]"):
        nn.LSTM(D, H)(X, tuple(hx))


@every_kind
def test_weights_of_another_size_are_refused_as_torch_does(kind):
    with pytest.raises(RuntimeError, match="size mismatch for weight_ih_l0"):
        getattr(nn, kind)(D, H).load_state_dict(getattr(torch.nn, kind)(D + 1, H).state_dict())
