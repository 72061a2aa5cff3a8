"""The vendor engine: torch's kernels, taken where a cell's equations are theirs, whatever their names."""

import pytest
import torch
from recurrences import D, H, assert_same, numbers

import ostinato
from ostinato import GRU, LSTM, Elman, plan, unroll
from ostinato.cells.foundations.elman import ElmanReLU
from ostinato.unroll.vendor import match

LSTM_IN_OTHER_WORDS = """
    write = sigmoid(A @ x + p + E @ s + t)
    keep  = sigmoid(B @ x + q + F @ s + u)
    new   = tanh(C @ x + r + G @ s + v)
    show  = sigmoid(K @ x + k + L @ s + w)
    m'    = keep * m + write * new
    s'    = show * tanh(m')
    y     = s'
"""
GRU_IN_OTHER_WORDS = """
    a  = sigmoid(A @ x + p + E @ s + t)
    b  = sigmoid(B @ x + q + F @ s + u)
    c  = tanh(C @ x + r + a * (G @ s + v))
    s' = (1 - b) * c + b * s
"""


def with_weights_of(cell, other):
    with torch.no_grad():
        for own, given in zip(cell.parameters(), other.parameters(), strict=True):
            own.copy_(given)
    return cell


@pytest.mark.parametrize(("text", "kind"), [(LSTM_IN_OTHER_WORDS, LSTM), (GRU_IN_OTHER_WORDS, GRU)])
def test_the_same_equations_under_other_names_run_on_the_vendor(text, kind):
    cell = ostinato.cell(text, D, H, dtype=torch.float64)
    like = with_weights_of(kind(D, H, dtype=torch.float64), cell)
    inputs = numbers(5, 3, D)
    assert str(plan(cell, engine="vendor")) == "vendor"
    for engine in ("vendor", "eager"):
        got, expected = unroll(cell, inputs, engine=engine), unroll(like, inputs, engine=engine)
        torch.testing.assert_close(got[0], expected[0])
        torch.testing.assert_close(tuple(got[1]), tuple(expected[1]))


AS_PAPERS_PRINT = {
    "lstm": """
        f  = σ(U_f @ h + W_f @ x + b_f)
        i  = σ(U_i @ h + W_i @ x + b_i)
        o  = σ(U_o @ h + W_o @ x + b_o)
        c' = i * tanh(U_c @ h + W_c @ x + b_c) + c * f
        h' = tanh(c') * o
        y  = h'
    """,
    "gru": """
        z  = σ(W_z @ x + U_z @ h + b_z)
        r  = σ(W_r @ x + U_r @ h + b_r)
        h' = z * h + (1 - z) * tanh(W @ x + b + r * (U @ h + d))
    """,
    "gru with one bias": """
        z  = σ(W_z @ x + U_z @ h + b_z)
        r  = σ(W_r @ x + U_r @ h + b_r)
        h' = z * h + (1 - z) * tanh(b + W @ x + r * (U @ h))
    """,
    "elman": "h' = tanh(W @ x + U @ h + b)",
    "gates without bias": """
        z  = σ(W_z @ x + U_z @ h)
        r  = σ(W_r @ x + U_r @ h)
        h' = z * h + (1 - z) * tanh(W @ x + r * (U @ h))
    """,
}


@pytest.mark.parametrize("lengths", [None, [5, 0, 3]])
@pytest.mark.parametrize("name", AS_PAPERS_PRINT)
def test_other_order_and_one_bias_run_on_the_vendor_with_the_numbers_of_eager(name, lengths):
    cell = ostinato.cell(AS_PAPERS_PRINT[name], D, H, dtype=torch.float64)
    assert str(plan(cell, engine="vendor")) == "vendor"
    inputs = numbers(5, 3, D).requires_grad_()

    def run(engine):
        outputs, state = unroll(cell, inputs, lengths=lengths, engine=engine)
        return outputs, state, torch.autograd.grad(outputs.pow(2).sum(), [inputs, *cell.parameters()])

    assert_same(run("vendor"), run("eager"))


def test_a_state_of_the_users_own_names_keeps_them():
    cell = ostinato.cell(LSTM_IN_OTHER_WORDS, D, H)
    _, state = unroll(cell, torch.zeros(2, 1, D), engine="vendor")
    assert state._fields == ("s", "m")


@pytest.mark.parametrize(
    "change",
    [("tanh(m')", "m'"), ("keep * m ", "keep * m * 0.9 "), ("y     = s'", "y = m'"), ("+ t)", ")")],
    ids=["no squashing", "a leak", "another output", "a bias less"],
)
def test_equations_that_differ_in_one_place_do_not(change):
    assert match(ostinato.cell(LSTM_IN_OTHER_WORDS.replace(*change), D, H).program) is None


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("kind", "theirs"),
    [(LSTM, torch.nn.LSTM), (GRU, torch.nn.GRU), (Elman, torch.nn.RNN), (ElmanReLU, torch.nn.RNN)],
)
def test_the_numbers_are_torchs_own_bit_for_bit(kind, theirs, bias):
    cell = kind(D, H, bias=bias)
    layer = theirs(D, H, bias=bias, **({"nonlinearity": "relu"} if kind is ElmanReLU else {}))
    layer.load_state_dict({f"{k}_l0": v for k, v in cell.state_dict().items()})
    inputs = numbers(6, 3, D, dtype=torch.float32)
    outputs, state = unroll(cell, inputs, engine="vendor")
    expected, last = layer(inputs)
    assert torch.equal(outputs, expected)
    last = last if isinstance(last, tuple) else (last,)
    assert all(torch.equal(s, t[0]) for s, t in zip(state if kind is LSTM else (state,), last, strict=True))


@pytest.mark.parametrize(("kind", "name"), [(LSTM, "lstm"), (GRU, "gru"), (Elman, "rnn_tanh"), (ElmanReLU, "rnn_relu")])
def test_each_kernel_is_found_by_its_equations(kind, name):
    assert match(kind(D, H).program).kernel.name == name


@pytest.mark.parametrize("lengths", [None, [5, 0, 3]])
@pytest.mark.parametrize("kind", [LSTM, GRU, Elman])
def test_single_precision_agrees_with_eager_forward_and_backward(kind, lengths):
    cell = kind(5, 7)
    inputs = numbers(5, 3, 5, dtype=torch.float32).requires_grad_()

    def run(engine):
        outputs, state = unroll(cell, inputs, lengths=lengths, engine=engine)
        leaves = [inputs, *cell.parameters()]
        return outputs, state, torch.autograd.grad(outputs.pow(2).sum(), leaves)

    assert_same(run("vendor"), run("eager"), rtol=1e-4, atol=1e-5)


def test_without_gradients_the_numbers_are_the_same():
    cell = LSTM(D, H)
    inputs = numbers(5, 3, D, dtype=torch.float32)
    with torch.no_grad():
        frozen = unroll(cell, inputs, engine="vendor")
    assert_same(frozen, unroll(cell, inputs, engine="vendor"))
    assert not frozen[0].requires_grad
