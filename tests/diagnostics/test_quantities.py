"""Quantities of equations on real data, against the oracle step by step, and against values worked out by hand."""

import math

import numpy as np
import pytest
import torch

import ostinato
from ostinato.data.lanes import Segment
from ostinato.diagnostics import gates
from ostinato.diagnostics.quantities import BINS
from ostinato.equations import oracle
from ostinato.models.language_model import LanguageModel


class Summed(torch.nn.Module):
    """Layers, told how long rows are and when they start again."""

    def __init__(self, cell, *sizes, **beside):
        super().__init__()
        values = {name: beside.pop(name) for name in ("wrap", "num_layers", "bidirectional") if name in beside}
        self.recurrent, self.beside = ostinato.Recurrent(cell, *sizes, **values), beside

    def loss(self, inputs, state=None):
        outputs, state = self.recurrent(inputs, state, **self.beside)
        return outputs.square().sum(), len(outputs), state


def noise(*shape):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def by_oracle(cell, inputs, wanted):
    """Return values (T, B, n) of a cell's equations from the definition, one step after the other."""
    bound = cell.bind()
    program, tensors = bound.definition.program, {n: tensor.detach().numpy() for n, tensor in bound.tensors.items()}
    symbols = {s: tensors[stack][first : first + n] for s, (stack, first, n) in bound.definition.symbols.items()}
    outputs = (*program.outputs, *((name, name) for name in wanted))
    fixed = {**tensors, **symbols, **bound.constants}
    state = {name: np.zeros((inputs.shape[1], size)) for name, size in bound.definition.states.items()}
    found = {name: [] for name in wanted}
    for x in inputs.numpy():
        got = oracle.evaluate(type(program)(program.inputs, program.ops, outputs), {**fixed, "x": x, **state})
        state = {name: got[f"{name}'"] for name in state}
        for name in wanted:
            found[name].append(got[name])
    return {name: np.stack(values) for name, values in found.items()}


def wrapped(cell):
    return ostinato.Zoneout(ostinato.LayerNorm(cell), 0.25)


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        ("lstm", ["i", "f", "g", "o", "c'", "h'"]),
        ("gru", ["r", "z", "n", "h'"]),
        ("elman-relu", ["h'"]),
        ("slstm", ["e", "o", "c'", "n'"]),
        ("rglru", ["r", "a"]),
        (lambda: wrapped(ostinato.LSTM(3, 5)), ["i", "f", "c_made'", "h'"]),
    ],
    ids=["lstm", "gru", "elman-relu", "slstm", "rglru", "wrapped"],
)
def test_every_named_quantity_is_what_the_oracle_says(cell, names):
    torch.manual_seed(0)
    model = Summed(cell() if callable(cell) else cell, 3, 5).double().eval()
    inputs = 3 * noise(40, 33, 3)
    (layer,) = gates(model, inputs)
    quantities = {q.name: q for q in layer.quantities}
    assert layer.has_equations
    assert set(names) <= set(quantities)
    for name, expected in by_oracle(model.recurrent.layers[0][0], inputs, names).items():
        found, flat = quantities[name], expected.reshape(-1, expected.shape[-1])
        assert found.means == pytest.approx(flat.mean(0), rel=1e-9, abs=1e-12)
        assert found.counts.sum() == flat.size
        clipped = np.clip(flat, found.edges[0], found.edges[-1])
        assert np.abs(found.counts - np.histogram(clipped, BINS, (found.edges[0], found.edges[-1]))[0]).max() <= 1
        low, high = {"sigmoid": (0.05, 0.95), "tanh": (-0.95, 0.95)}.get(found.made_by, (-np.inf, np.inf))
        below = flat <= 0 if found.made_by == "relu" else flat < low
        assert found.low == pytest.approx(below.mean(0))
        assert found.high == pytest.approx((flat > high).mean(0))


def test_the_functions_that_make_quantities_are_known():
    (layer,) = gates(Summed("lstm", 3, 5), torch.randn(4, 2, 3))
    assert {q.name: q.made_by for q in layer.quantities} == {
        "i": "sigmoid", "f": "sigmoid", "g": "tanh", "o": "sigmoid", "c'": "", "h'": "",
    }  # fmt: skip


def test_a_forget_gate_of_known_bias_has_its_time_constant():
    model = Summed("lstm", 3, 4)
    cell = model.recurrent.layers[0][0]
    with torch.no_grad():
        for weight in cell.parameters():
            weight.zero_()
        cell.b_f.copy_(torch.tensor([0.0, 1.0, 3.0, -200.0]))
    (layer,) = gates(model, torch.randn(6, 2, 3))
    (kept,) = layer.kept
    assert (kept.state, kept.by) == ("c", ("f",))
    shares = [0.5, 1 / (1 + math.exp(-1)), 1 / (1 + math.exp(-3)), 0.0]
    assert kept.share == pytest.approx(shares, abs=1e-7)
    assert kept.time_constants == pytest.approx([-1 / math.log(s) if s else 0.0 for s in shares], rel=1e-5)
    forget = layer.quantities[1]
    assert forget.low.tolist() == [0, 0, 0, 1]
    assert forget.high.tolist() == [0, 0, 1, 0]


def test_a_gate_that_replaces_counts_the_other_way_round():
    model = Summed("z = sigmoid(b)\nh' = (1 - z) * h + z * tanh(W @ x)", 3, 2).double()
    with torch.no_grad():
        model.recurrent.layers[0][0].b.copy_(torch.tensor([-1.0, 2.0]))
    (layer,) = gates(model, noise(5, 3, 3))
    assert layer.kept[0].share == pytest.approx([1 / (1 + math.exp(-1)), 1 / (1 + math.exp(2))])


def test_a_leak_that_is_a_constant_and_zoneout_have_theirs():
    (leaky,) = gates(Summed("leaky", 3, 4), torch.randn(5, 2, 3))
    assert leaky.kept[0].time_constants == pytest.approx([-1 / math.log(0.7)])
    inner = ostinato.cell("f = sigmoid(b)\nh' = f * h + W @ x", 3, 2)
    with torch.no_grad():
        inner.b.zero_()
    (zoned,) = gates(Summed(ostinato.Zoneout(inner, 0.2)), torch.randn(5, 2, 3))
    assert zoned.kept[0].share == pytest.approx([0.2 + 0.8 * 0.5] * 2)


def test_units_of_a_relu_that_are_never_on_are_counted():
    model = Summed("h' = relu(W @ x + b)", 3, 4)
    with torch.no_grad():
        cell = model.recurrent.layers[0][0]
        cell.W.zero_()
        cell.b.copy_(torch.tensor([-1.0, 0.0, 1.0, 2.0]))
    (layer,) = gates(model, torch.randn(5, 2, 3))
    assert layer.quantities[0].dead == 2
    assert layer.quantities[0].low.tolist() == [1, 1, 0, 0]


def test_rows_of_all_lengths_are_counted_each_step_once():
    lengths = torch.tensor([2, 7, 0, 4])
    model = Summed("gru", 3, 5, lengths=lengths, num_layers=2, bidirectional=True)
    layers = gates(model, torch.randn(7, 4, 3))
    assert [(layer.network, layer.layer, layer.backwards) for layer in layers] == [
        ("recurrent", k, backwards) for k in (0, 1) for backwards in (False, True)
    ]
    assert all(q.counts.sum() == 13 * 5 for layer in layers for q in layer.quantities)


def test_rows_that_start_again_are_met_with_the_states_they_had():
    torch.manual_seed(0)
    inputs, reset = noise(6, 2, 3), torch.zeros(6, 2, dtype=torch.bool)
    reset[3] = True
    model = Summed("gru", 3, 5, reset=reset).double()
    (whole,) = gates(model, inputs)
    halves = [by_oracle(model.recurrent.layers[0][0], part, ["z"])["z"] for part in (inputs[:3], inputs[3:])]
    assert whole.quantities[1].means == pytest.approx(np.concatenate(halves).mean((0, 1)))


def test_time_between_steps_is_seen():
    dt = torch.full((4, 2), 0.5)
    model = Summed("k = exp(-dt)\nh' = k * h + W @ x", 3, 5, dt=dt)
    (layer,) = gates(model, torch.randn(4, 2, 3))
    assert layer.kept[0].time_constants == pytest.approx([2.0])


def test_a_plain_cell_shows_its_states():
    (layer,) = gates(Summed("mc-lstm", 3, 5), torch.rand(6, 2, 3))
    assert not layer.has_equations
    assert layer.kept == ()
    assert [(q.name, q.made_by, len(q.means), q.counts.sum()) for q in layer.quantities] == [("state", "", 5, 60)]


class Counter(ostinato.Cell):
    """Counts its steps beside what it adds up; one part of the state is complex."""

    def __init__(self):
        super().__init__()
        self.input_size = self.hidden_size = self.output_size = 2

    def initial_state(self, batch_size, *, device=None, dtype=None):
        count = torch.zeros(batch_size, 1, dtype=torch.int64)
        return count, torch.zeros(batch_size, 2), torch.zeros(batch_size, 2, dtype=torch.complex64)

    def step(self, x, state):
        count, total, wave = state
        return total + x, (count + 1, total + x, wave * 1j + x)


def test_of_a_state_only_numbers_are_shown_complex_ones_as_two():
    (layer,) = gates(Summed(Counter()), torch.ones(3, 2, 2))
    assert [q.name for q in layer.quantities] == ["state 2", "state 3"]
    assert layer.quantities[0].means.tolist() == [2.0, 2.0]
    assert layer.quantities[1].means.tolist() == pytest.approx([2 / 3] * 4)  # 1, 1 + 1j, 1j


def test_what_is_not_a_number_is_counted_apart():
    model = Summed("h' = W @ x", 1, 2)
    inputs = torch.ones(4, 1, 1)
    inputs[1] = math.nan
    inputs[2] = math.inf
    with torch.no_grad():
        model.recurrent.layers[0][0].W.fill_(1.0)
    (layer,) = gates(model, inputs)
    (quantity,) = layer.quantities
    assert quantity.unknown == 4
    assert quantity.counts.sum() == 4
    assert quantity.means.tolist() == [1.0, 1.0]
    (nothing,) = gates(model, torch.full((2, 1, 1), math.nan))
    assert nothing.quantities[0].unknown == 4
    assert np.isnan(nothing.quantities[0].means).all()


def test_one_unit_and_one_step_are_enough():
    (layer,) = gates(Summed("lstm", 1, 1), torch.randn(1, 1, 1))
    assert all(q.counts.sum() == 1 for q in layer.quantities)


def test_the_model_is_left_as_it_was():
    model = LanguageModel(9, "gru", hidden_size=5, dropout=0.5, zoneout=0.3)
    tokens = torch.randint(9, (12, 3))
    before = torch.get_rng_state()
    layers = gates(model, Segment(tokens[:-1], tokens[1:], None))
    assert len(layers) == 2
    assert torch.equal(before, torch.get_rng_state())
    assert model.training
    assert all(type(cell).__name__ == "Zoneout" for layer in model.recurrent.layers for cell in layer)


def test_what_has_no_recurrence_is_refused():
    class Straight(torch.nn.Linear):
        def loss(self, inputs, state=None):
            return self(inputs).sum(), 1, None

    with pytest.raises(ostinato.ConfigError, match="without recurrent layers"):
        gates(Straight(2, 2), torch.ones(1, 2))
