"""How states answer a push, against networks whose answer is known."""

import numpy as np
import pytest
import torch
from torch import nn

import ostinato
from ostinato.diagnostics import lyapunov, state_response, trajectories
from ostinato.models.decoder import Decoder
from ostinato.models.encoder import Encoder
from ostinato.models.translator import Pairs, Translator


def drawn(*shape):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("size", [1e-3, 10.0])
def test_that_of_a_linear_network_is_the_power_of_its_matrix(linear, size):
    matrix, v = 0.5 * drawn(4, 4), drawn(4)
    (found,) = state_response(linear(matrix), drawn(12, 3, 4), start=2, size=size, direction=v)
    wanted = [float((torch.linalg.matrix_power(matrix, k) @ v).norm() / v.norm()) for k in range(10)]
    assert found.ratios.shape == (10, 3)
    assert found.median == pytest.approx(wanted, rel=1e-6)
    assert found.quantile(0.9) == pytest.approx(wanted, rel=1e-6)


def test_a_pushed_input_goes_through_the_matrix_of_inputs_first(linear):
    matrix, v = 0.5 * drawn(4, 4), drawn(4)
    model = linear(matrix)
    read = model.recurrent.layers[0][0].W.detach()
    (found,) = state_response(model, drawn(12, 3, 4), pushed="input", start=2, direction=v)
    wanted = [float((torch.linalg.matrix_power(matrix, k) @ read @ v).norm() / v.norm()) for k in range(10)]
    assert found.median == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize(("rate", "faded"), [(0.1, 2), (0.5, 7), (1.0, None), (1.5, None)])
def test_when_it_has_faded_is_known(linear, rate, faded):
    (found,) = state_response(linear(rate * torch.eye(3, dtype=torch.float64)), drawn(20, 2, 3))
    assert found.start == 5
    assert found.faded(0.0101) == faded


@pytest.mark.parametrize("cell", ["lstm", "lru", "unitary", "indrnn", "conv-gru"])
@pytest.mark.parametrize("pushed", ["state", "input"])
def test_any_cell_has_one_and_the_model_stays_as_it_was(cell, pushed):
    torch.manual_seed(0)
    network = ostinato.Recurrent(ostinato.CATALOGUE[cell].build(4, 4), 4)
    cells = list(network.modules())
    (found,) = state_response(network, torch.randn(9, 2, 4), pushed=pushed)
    assert found.ratios.shape == (7, 2)
    assert np.isfinite(found.ratios).all()
    assert (found.ratios[0] > 0).all()
    assert list(network.modules()) == cells


def test_rows_that_have_ended_have_none():
    class Ragged(nn.Module):
        def __init__(self):
            super().__init__()
            self.recurrent = ostinato.Recurrent("gru", 2, 3, bidirectional=True)

        def forward(self, inputs):
            return self.recurrent(inputs, lengths=torch.tensor([6, 3]))

    for found in state_response(Ragged(), torch.randn(6, 2, 2), start=1):
        assert np.isfinite(found.ratios).tolist() == [[True, True], [True, True], *[[True, False]] * 3]


class Twice(nn.Module):
    """Reads two batches in one loss, with the same layer."""

    def __init__(self):
        super().__init__()
        self.recurrent = ostinato.Recurrent("gru", 2, 3)

    def loss(self, batch, state=None):
        outputs = [self.recurrent(part)[0] for part in batch]
        return outputs[-1].square().sum(), 1, None


@pytest.mark.parametrize("shapes", [((4, 1, 2), (9, 3, 2)), ((9, 3, 2), (4, 3, 2))])
def test_of_several_runs_the_longest_is_followed(shapes):
    torch.manual_seed(0)
    batch = [torch.randn(*shape) for shape in shapes]
    model = Twice()
    alone = max(batch, key=len)
    assert trajectories(model, batch)[0].states.shape == (9, 3, 3)
    np.testing.assert_array_equal(lyapunov(model, batch)[0].growths, lyapunov(model.recurrent, alone)[0].growths)
    wanted = state_response(model.recurrent, alone)[0].ratios
    np.testing.assert_array_equal(state_response(model, batch)[0].ratios, wanted)


def test_a_layer_that_is_called_step_by_step_is_one_run():
    class Stepping(nn.Module):
        def __init__(self):
            super().__init__()
            self.recurrent = ostinato.Recurrent("lstm", 2, 3)

        def forward(self, inputs):
            state = None
            for x in inputs:
                outputs, state = self.recurrent(x[None], state)
            return outputs

    torch.manual_seed(0)
    model, inputs = Stepping().double(), drawn(8, 2, 2)
    for pushed in ("state", "input"):
        found, wanted = (state_response(m, inputs, pushed=pushed)[0] for m in (model, model.recurrent))
        np.testing.assert_allclose(found.ratios, wanted.ratios, rtol=1e-9)


def test_a_translator_has_one_of_each_direction_it_reads_in_and_one_of_its_decoder():
    torch.manual_seed(0)
    encoder = Encoder("gru", vocabulary_size=20, hidden_size=8)
    decoder = Decoder(
        30, "gru", context_size=16, memory_size=16, hidden_size=8, attention="additive", input_feeding=True
    )
    symbols = torch.randint(1, 20, (6, 3))
    batch = Pairs(symbols, torch.tensor([4, 6, 3]), symbols[:5], symbols[1:])
    model = Translator(encoder, decoder).eval()
    found = state_response(model, batch, start=1)
    assert [(r.network, r.backwards, len(r.ratios)) for r in found] == [
        ("encoder.recurrent", False, 5), ("encoder.recurrent", True, 5), ("decoder.recurrent", False, 4)
    ]  # fmt: skip
    assert [motion.states.shape for motion in trajectories(model, batch)] == [(6, 3, 8), (6, 3, 8), (5, 3, 8)]
    assert [each.growths.shape[:2] for each in lyapunov(model, batch, washout=0)] == [(6, 3), (6, 3), (5, 3)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pushed": "output"}, "Possible: state, input"),
        ({"start": 5}, "start=5, of 5 steps"),
        ({"start": -1}, "start=-1"),
        ({"size": 0.0}, r"size=0\.0"),
        ({"direction": torch.ones(3)}, r"it is \(2,\)"),
        ({"direction": torch.zeros(2)}, "not zeros"),
    ],
)
def test_numbers_that_cannot_be_are_said(settings, message):
    with pytest.raises(ostinato.ConfigError, match=message):
        state_response(ostinato.Recurrent("gru", 2, 2), torch.ones(5, 1, 2), **settings)


def test_states_that_are_not_finite_are_said():
    with pytest.raises(ostinato.ConfigError, match="not finite"):
        state_response(ostinato.Recurrent("gru", 2, 2), torch.full((5, 1, 2), torch.nan))
