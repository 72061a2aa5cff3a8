"""`explain`: what is said of a cell is derived from its equations."""

from importlib import import_module

import pytest
import torch
from recurrences import D, H, make

from ostinato import GRU, LSTM, Cell, ConfigError, EquationCell, EquationError, explain
from ostinato.cells.catalogue import CATALOGUE

SLOWER = "torch's lstm is slower on a CPU, but for few rows and large matrices"


@pytest.fixture(autouse=True)
def _compiler(monkeypatch):
    """A machine with a compiler, whatever this one has."""
    monkeypatch.setattr(import_module("ostinato.unroll.plan"), "why_no_compiler", lambda: None)


def lines(*arguments, **options):
    return [" ".join(line.split()) for line in explain(*arguments, **options).split("\n")]


def test_the_lstm():
    said = lines("lstm", 32, 64)
    assert said[0].startswith("lstm: The modern LSTM")
    assert said[1].startswith("Long short-term memory (Hochreiter and Schmidhuber, 1997)")
    assert "c' = f * c + i * g" in said
    assert "weight_ih 256 x 32 8,192 W_i, W_f, W_g, W_o" in said
    assert "bias_hh 256 256 d_i, d_f, d_g, d_o" in said
    assert "total 25,088" in said
    assert "state h (64), c (64); output 64 numbers" in said
    assert "products 4 with the input, done for all steps at once; 4 with the state" in said
    assert "recurrence full, nonlinear in the state" in said
    assert said[-1] == f"engine native (not vendor: {SLOWER})"


def test_the_gru():
    said = lines("gru", 32, 64)
    assert said[0].startswith("gru: Reset after the product")
    assert "weight_hh 192 x 64 12,288 U_r, U_z, U_n" in said
    assert "products 3 with the input, done for all steps at once; 3 with the state" in said
    assert "memory 1,280 bytes kept for the backward pass, a step and row in float32; 256 with recompute" in said
    assert said[-1] == "engine native (not vendor: torch takes gru one operation at a time on a CPU)"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("elman", "full, nonlinear"),
        ("indrnn", "diagonal, nonlinear"),
        ("linear", "full, linear"),
        ("mingru", "diagonal, linear"),
        ("lru", "diagonal, linear"),
        ("qrnn-fo", "diagonal, linear"),
    ],
)
def test_the_recurrence_is_that_of_the_states_whatever_is_made_of_them(name, words):
    assert f"recurrence {words} in the state" in lines(name, 8, 8)


def test_own_equations():
    said = lines("a = sigmoid(w)\nh' = a * h + (1 - a) * (W @ x)", 8, 16)
    assert said[0] == "Equations"
    assert "h' = a * h + (1 - a) * (W @ x)" in said
    assert "products 1 with the input, done for all steps at once; 0 with the state" in said
    assert "recurrence diagonal, linear in the state" in said
    assert said[-1] == "engine native (not vendor: torch has no kernel for these equations)"


def test_a_plain_cell():
    said = lines(make("plain"))
    assert said[0] == "PlainCell: A cell written by hand; counts the rows it was asked to step."
    assert "state trace (4), matrix (2 x 4); output 5 numbers" in said
    assert any(line.startswith("recurrence not known: its state") for line in said)
    assert "arithmetic 136 operations a step and row in its products, counted as it ran" in said
    assert "read.weight 4 x 7 28" in said
    assert said[-1].startswith(
        "engine eager (not vendor: a plain cell has no equations to compare; not native: its state"
    )
    assert not any(line.startswith("products") for line in said)


class Accumulated(Cell):
    """Adds up what it reads.

    It is used
    where a sum is wanted.
    """

    def __init__(self, input_size, hidden_size, *, decay=0.5):
        super().__init__()
        self.input_size, self.hidden_size, self.output_size, self.decay = input_size, hidden_size, hidden_size, decay
        self.weight_of_the_input = torch.nn.Parameter(torch.ones(hidden_size, input_size))

    def initial_state(self, batch_size, *, device=None, dtype=None):
        return torch.zeros(batch_size, self.hidden_size, device=device, dtype=dtype)

    def step(self, x, state):
        after = self.decay * state + x @ self.weight_of_the_input.T
        return after, after


def test_a_plain_cell_whose_step_can_be_read_has_products_and_a_structure():
    said = lines(Accumulated, 3, 5)
    assert said[0] == "Accumulated: Adds up what it reads."
    assert "It is used where a sum is wanted." in said
    assert "settings decay 0.5" in said
    assert "products 1 with the input, done for all steps at once; 0 with the state" in said
    assert "recurrence diagonal, linear in the state" in said
    assert "weight_of_the_input 5 x 3 15" in said


class Fixed(EquationCell):
    """A loop that is drawn once."""

    equations = "rho = 0.9\nh' = rho * tanh(W @ x + U @ h)"
    frozen = ("U",)


def test_what_is_never_trained_is_shown_and_not_counted():
    said = lines(Fixed, 3, 5)
    assert "weight_hh 5 x 5 25 U (frozen)" in said
    assert "total 15 and 25 that are never trained" in said
    assert "settings rho 0.9" in said


def test_a_cell_and_a_class_are_explained_as_their_name_is():
    assert explain(GRU(D, H)).split("\n")[2:] == explain("gru", D, H).split("\n")[3:]
    assert explain(GRU, D, H) == explain(GRU(D, H))


def test_a_cell_of_double_precision_is_explained_as_it_is():
    assert lines(LSTM(D, H, dtype=torch.float64))[-1] == f"engine native (not vendor: {SLOWER})"


def test_latex_is_shown_on_demand():
    assert r"\begin{aligned}" in explain("gru", with_latex=True)
    assert r"\begin{aligned}" not in explain("gru")


def test_the_source_of_both_loops_is_shown_on_demand():
    shown = explain("gru", with_source=True)
    assert shown.startswith(explain("gru"))
    assert shown.index("void forward(") < shown.index("void backward(")
    assert "void forward(" not in explain("gru")


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_every_cell_of_the_catalogue_can_be_explained(name):
    said = lines(name, 6, 8)
    assert said[0].startswith(f"{name}: ")
    trained = sum(p.numel() for p in CATALOGUE[name].build(6, 8).parameters())
    assert [line for line in said if line == f"total {trained:,}" or line.startswith(f"total {trained:,} and ")]


def test_no_line_ends_in_a_space():
    assert all(line == line.rstrip() for line in explain("lstm").split("\n"))


def test_a_name_that_is_not_known_suggests_the_nearest():
    with pytest.raises(ConfigError, match=r"unknown cell 'lsmt'.*Did you mean 'lstm'\?"):
        explain("lsmt")


def test_a_text_that_cannot_be_read_names_line_and_column():
    with pytest.raises(EquationError, match="line 1, column 6"):
        explain("h' = tnah(W @ x + U @ h)")
