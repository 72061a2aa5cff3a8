"""The mass-conserving LSTM beside its paper's equations (Hoedt et al., 2021), and what its name promises."""

import numpy as np
import pytest
import torch

from ostinato import CATALOGUE, ConfigError, plan, unroll
from ostinato.cells.gated.mc_lstm import MassConservingLSTM
from ostinato.cells.reading import why_unreadable

D, H, B, T = 5, 4, 3, 8


def drawn(mass_size: int) -> MassConservingLSTM:
    cell = CATALOGUE["mc-lstm"].build(D, H, mass_size=mass_size, dtype=torch.float64)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.normal_(generator=torch.Generator().manual_seed(8))
    return cell


def masses_and_more(mass_size: int) -> torch.Tensor:
    inputs = torch.randn(T, B, D, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    return torch.cat([inputs[..., :mass_size].abs(), inputs[..., mass_size:]], -1)


def weight_of(linear: torch.nn.Linear) -> np.ndarray:
    return linear.weight.detach().numpy()


def bias_of(linear: torch.nn.Linear) -> np.ndarray:
    return linear.bias.detach().numpy()


def shares(numbers: np.ndarray) -> np.ndarray:
    return np.exp(numbers) / np.exp(numbers).sum()


@pytest.mark.parametrize("mass_size", [1, 2, D])
def test_it_is_the_paper_s(mass_size):
    """m_tot = R c + i x, c = (1 - o) m_tot, h = o m_tot; each column of R and i is a softmax, mass by mass."""
    cell = drawn(mass_size)
    outputs = unroll(cell, masses_and_more(mass_size))[0].detach().numpy()
    for row in range(B):
        c = np.zeros(H)
        for t, x in enumerate(masses_and_more(mass_size)[:, row].numpy()):
            seen = np.concatenate([x[mass_size:], c / np.abs(c).sum() if c.any() else c])
            i, r, o = (
                weight_of(g) @ seen + bias_of(g) for g in (cell.input_gate, cell.redistribution, cell.output_gate)
            )
            total = sum(c[k] * shares(r[k * H : (k + 1) * H]) for k in range(H))
            total = total + sum(x[k] * shares(i[k * H : (k + 1) * H]) for k in range(mass_size))
            o = 1 / (1 + np.exp(-o))
            c = (1 - o) * total
            np.testing.assert_allclose(outputs[t, row], o * total, rtol=1e-10)


def test_what_flowed_in_is_stored_or_was_given_out():
    inputs = masses_and_more(2)
    outputs, stored = unroll(drawn(2), inputs)
    torch.testing.assert_close(outputs.sum((0, 2)) + stored.sum(-1), inputs[..., :2].sum((0, 2)), rtol=1e-12, atol=0)
    assert (outputs >= 0).all()
    assert (stored >= 0).all()


def test_it_starts_by_keeping_what_it_has():
    cell = MassConservingLSTM(D, 3)
    assert (cell.output_gate.bias == -3).all()
    assert torch.equal(cell.redistribution.bias.view(3, 3), torch.eye(3))
    weight = cell.output_gate.weight.detach()
    torch.testing.assert_close(weight @ weight.T, torch.eye(3))


def test_it_runs_step_by_step_because_each_row_has_a_matrix_of_its_own():
    cell = drawn(1)
    assert plan(cell).engine == "eager"
    assert why_unreadable(cell) == "its step does more with a row than take it as one vector (aten.softmax)"


@pytest.mark.parametrize(
    ("mass_size", "message"),
    [
        (0, r"mass_size: 0 was given\. A size is at least 1"),
        (6, r"mass_size: 6 was given\. Masses are among the 5 inputs"),
        (1.5, r"mass_size: 1\.5 was given\. A size is a whole number"),
    ],
)
def test_masses_are_among_the_inputs(mass_size, message):
    with pytest.raises(ConfigError, match=message):
        MassConservingLSTM(D, H, mass_size=mass_size)
