"""Norms of steps, against those of whole Jacobians, and the bound that they set to gradients."""

import numpy as np
import pytest
import torch
from torch import nn

import ostinato
from catalogue import TIMELESS_CELLS
from ostinato.diagnostics.flow import gradient_flow
from ostinato.diagnostics.jacobians import jacobian
from ostinato.diagnostics.stretches import ROUNDS, norms_of_steps
from ostinato.diagnostics.visits import visit, visited
from ostinato.models.decoder import Decoder
from ostinato.models.encoder import Encoder
from ostinato.models.translator import Pairs, Translator

SURE = 1 + 1e-6
"""Norms are found from below: of states of a few numbers to rounding, in float64."""


def noise(*shape):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def known(tap):
    """Return the norms of all steps by whole Jacobians, one after the other."""
    return torch.cat([torch.linalg.matrix_norm(jacobian(visit(step)), 2) for step in tap.steps])


def bounded(model, batch, rows=99):
    return [flow for flow in gradient_flow(model, batch, bounded=rows) if flow.stretches is not None]


def holds(flow):
    return bool((flow.ratios[np.isfinite(flow.norms)] <= SURE * flow.bound[np.isfinite(flow.norms)]).all())


@pytest.mark.parametrize("name", TIMELESS_CELLS)
def test_norms_are_those_of_whole_jacobians_and_bound_the_gradient_of_every_cell(name, last):
    torch.manual_seed(0)
    model = last(ostinato.Recurrent(ostinato.CATALOGUE[name].build(3, 12))).double()
    inputs = noise(9, 2, 3)
    (tap,) = visited("test", model, inputs)
    assert torch.cat(norms_of_steps(tap)).numpy() == pytest.approx(known(tap).numpy(), rel=1e-6)
    (flow,) = bounded(model, inputs)
    assert holds(flow)
    assert flow.growth == pytest.approx(float(known(tap).max()), rel=1e-6)


@pytest.mark.parametrize("equation", ["h' = U @ h + W @ x", "h' = tanh(U @ h + W @ x)"])
def test_of_large_states_they_are_found_from_below_to_a_ten_thousandth(equation, linear):
    size = 4 * ROUNDS
    (tap,) = visited("test", linear(noise(size, size) / size**0.5, equation), noise(4, 3, size))
    found, wanted = torch.cat(norms_of_steps(tap)), known(tap)
    assert (found <= wanted * (1 + 1e-12)).all()
    assert found.numpy() == pytest.approx(wanted.numpy(), rel=1e-4)


def test_the_bound_is_met_where_every_direction_grows_alike(linear):
    rotation = torch.linalg.qr(noise(6, 6))[0]
    (flow,) = bounded(linear(1.1 * rotation), noise(20, 3, 6))
    assert flow.ratios == pytest.approx(flow.bound, rel=1e-9)
    assert flow.bound[:, 0] == pytest.approx(flow.growth ** np.arange(20), rel=1e-9)


@pytest.mark.parametrize("cell", ["elman", "lstm", "gru", "lru"])
def test_it_holds_for_the_top_layer_of_several_and_no_other_has_one(cell, last):
    torch.manual_seed(0)
    model = last(ostinato.Recurrent(cell, 3, 6, num_layers=3)).double()
    (flow,) = bounded(model, noise(25, 4, 3))
    assert (flow.layer, flow.bound.shape) == (2, (25, 4))
    assert holds(flow)


def test_a_lower_layer_would_not_keep_to_its_own_steps(last):
    """Its steps keep nothing of its state, and yet it has a gradient, by way of the layer above."""
    layers = ostinato.Recurrent("h' = tanh(W @ x)", 3, 4)
    layers.layers.append(ostinato.Recurrent("gru", 4, 4).layers[0])
    model = last(layers).double()
    torch.manual_seed(0)
    lower, _ = visited("test", model, noise(8, 2, 3))
    assert torch.cat(norms_of_steps(lower)).max() == 0
    (flow,) = (flow for flow in gradient_flow(model, noise(8, 2, 3)) if flow.layer == 0)
    assert (flow.norms[1:] > 0).all()


def translator(**settings):
    torch.manual_seed(0)
    encoder = Encoder("lstm", vocabulary_size=20, hidden_size=8, num_layers=2)
    decoder = Decoder(30, "gru", context_size=16, memory_size=16, hidden_size=8, attention="additive", **settings)
    symbols = torch.randint(1, 20, (6, 3))
    return Translator(encoder, decoder).double().eval(), Pairs(
        symbols, torch.tensor([4, 6, 1]), symbols[:5], symbols[1:]
    )


def test_it_holds_for_rows_of_their_own_lengths_in_both_directions_and_for_what_writes():
    found = bounded(*translator())
    assert [(flow.network, flow.layer, flow.backwards) for flow in found] == [
        ("decoder.recurrent", 0, False), ("encoder.recurrent", 1, False), ("encoder.recurrent", 1, True)
    ]  # fmt: skip
    assert all(map(holds, found))
    assert np.isfinite(found[1].bound).sum(0).tolist() == np.isfinite(found[1].norms).sum(0).tolist()


def test_of_some_rows_alone_it_is_that_of_the_longest():
    whole, some = (bounded(*translator(), rows)[1] for rows in (3, 2))
    assert some.norms == pytest.approx(whole.norms, nan_ok=True)
    assert some.bound[:, :2] == pytest.approx(whole.bound[:, :2], nan_ok=True)
    assert np.isnan(some.bound[:, 2]).all()


def test_rows_without_a_loss_are_not_looked_at():
    class Later(nn.Module):
        """The first of two rows has no loss."""

        def __init__(self):
            super().__init__()
            self.recurrent = ostinato.Recurrent("gru", 3, 4)

        def loss(self, inputs, state=None):
            return self.recurrent(inputs)[0][:, 1].square().sum(), 1, None

    torch.manual_seed(0)
    (flow,) = bounded(Later().double(), noise(5, 2, 3), 1)
    assert flow.bound.shape == (5, 1)
    assert holds(flow)
    assert np.isfinite(flow.bound).all()


@pytest.mark.parametrize("settings", [{"input_feeding": True}, {"attend": "before"}])
def test_what_reads_what_it_gave_has_none(settings):
    assert {flow.network for flow in bounded(*translator(**settings))} == {"encoder.recurrent"}


class Pieces(nn.Module):
    """Reads a batch in pieces, one after the other."""

    def __init__(self, carries):
        super().__init__()
        self.recurrent, self.carries = ostinato.Recurrent("lstm", 3, 5), carries

    def loss(self, batch, state=None):
        for piece in batch.split(4):
            outputs, state = self.recurrent(piece, state if self.carries else None)
        return outputs.square().sum(), 1, None


def test_a_layer_that_runs_several_times_is_bounded_as_one_that_runs_once():
    torch.manual_seed(0)
    model, inputs = Pieces(carries=True).double(), noise(12, 2, 3)
    (flow,) = bounded(model, inputs)
    assert len(flow.norms) == 12
    assert holds(flow)
    model.carries = False
    (alone,) = bounded(model, inputs)
    assert holds(alone)
    assert alone.norms[4:] == pytest.approx(0)


def test_runs_of_other_numbers_of_rows_are_followed():
    class Growing(Pieces):
        def loss(self, batch, state=None):
            return sum(self.recurrent(part)[0].square().sum() for part in batch), 1, None

    torch.manual_seed(0)
    flow, _ = gradient_flow(Growing(False).double(), [noise(4, 1, 3), noise(6, 3, 3)])
    assert np.isfinite(flow.norms).sum(0).tolist() == [10, 10, 10]


def test_steps_that_are_not_finite_have_no_end(linear):
    with torch.no_grad():
        model = linear(torch.full((3, 3), torch.inf, dtype=torch.float64))
    (tap,) = visited("test", model, noise(4, 1, 3))
    assert all(norms.isinf().all() for norms in norms_of_steps(tap))
