"""Cells of a user, whose states are of every form, and what cannot be measured of them."""

import math

import pytest
import torch
from torch import nn

import ostinato
from ostinato import ConfigError, diagnostics
from ostinato.cells.cell import Cell

STEPS = 40


class Fading(Cell):
    """s' = factor * s + w x, where a state is what `form` makes of (B,)."""

    def __init__(self, factor, form):
        super().__init__()
        self.input_size = self.hidden_size = self.output_size = 1
        self.factor, self.form, self.w = factor, form, nn.Parameter(torch.ones((), dtype=torch.float64))

    def initial_state(self, batch_size, *, device=None, dtype=None):
        return self.form(torch.zeros(batch_size, dtype=dtype))

    def step(self, x, state):
        state = self.factor * state + self.form(self.w * x[:, 0])
        seen = torch.view_as_real(state) if state.is_complex() else state
        return seen.reshape(len(x), -1).sum(1, keepdim=True), state


TURNING = 0.8 * torch.exp(torch.tensor(0.3j, dtype=torch.complex128))
FORMS = {
    "one number": Fading(0.8, lambda v: v),
    "a matrix": Fading(0.8, lambda v: v[:, None, None].expand(-1, 2, 3)),
    "complex": Fading(TURNING, lambda v: torch.complex(v, v)[:, None]),
}


class Counting(Cell):
    """A cell whose state is a number of steps."""

    def __init__(self):
        super().__init__()
        self.input_size = self.hidden_size = self.output_size = 1
        self.w = nn.Parameter(torch.ones(1))

    def initial_state(self, batch_size, *, device=None, dtype=None):
        return torch.zeros(batch_size, 1, dtype=torch.long)

    def step(self, x, state):
        return self.w * x * state, state + 1


@pytest.fixture(params=FORMS)
def fading(request, last):
    return last(ostinato.Recurrent(FORMS[request.param]))


@pytest.fixture
def inputs():
    return torch.randn(STEPS, 3, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_steps_of_any_state_are_bounded(fading):
    flow = diagnostics.gradient_flow(fading, torch.ones(STEPS, 2, 1, dtype=torch.float64), bounded=2)[1]
    assert flow.growth == pytest.approx(0.8)
    assert (flow.ratios <= flow.bound * (1 + 1e-9)).all()


def test_the_gradient_of_a_state_of_any_form_fades_as_its_factor_says(fading, inputs):
    (_, flow) = diagnostics.gradient_flow(fading, inputs)
    assert flow.median[1:].tolist() == pytest.approx(0.8 ** torch.arange(STEPS - 1).double().numpy())


def test_the_singular_values_of_a_state_of_any_form_are_its_factor(fading, inputs):
    (spectrum,) = diagnostics.jacobian_spectrum(fading, inputs)
    assert spectrum.singular.ravel().tolist() == pytest.approx([0.8] * spectrum.singular.size)


def test_the_exponents_of_a_state_of_any_form_are_the_logarithm_of_its_factor(fading, inputs):
    (found,) = diagnostics.lyapunov(fading, inputs)
    assert found.values.tolist() == pytest.approx([math.log(0.8)] * len(found.values))


def test_a_push_of_a_state_of_any_form_fades_as_its_factor_says(fading, inputs):
    (found,) = diagnostics.state_response(fading, inputs, start=0)
    assert found.median.tolist() == pytest.approx(0.8 ** torch.arange(STEPS).double().numpy(), rel=1e-6)


def test_the_values_of_a_state_of_any_form_are_counted(fading, inputs):
    (layer,) = diagnostics.gates(fading, inputs)
    (spectrum,) = diagnostics.jacobian_spectrum(fading, inputs)
    assert layer.quantities[0].counts.sum() == spectrum.size * inputs[:, :, 0].numel()


@pytest.mark.parametrize(
    "measure",
    ["gradient_flow", "jacobian_spectrum", "lyapunov", "state_response", "trajectories", "fixed_points"],
)
def test_a_state_without_numbers_to_differentiate_is_refused(last, measure):
    model = last(ostinato.Recurrent(Counting()))
    with pytest.raises(ConfigError, match=f"{measure}: layer 1 has no state of numbers"):
        getattr(diagnostics, measure)(model, torch.randn(5, 2, 1))


@pytest.mark.parametrize(
    "measure",
    ["gradient_flow", "jacobian_spectrum", "lyapunov", "gates", "state_response", "trajectories", "fixed_points"],
)
class TestBatches:
    def test_one_without_steps_is_refused_as_that(self, last, measure):
        model = last(ostinato.Recurrent("gru", 3, 4))
        model.loss = lambda batch, state=None: (model.recurrent(batch)[0].sum(), 1, None)
        with pytest.raises(ConfigError, match=f"{measure}: no step of a recurrent layer was taken"):
            getattr(diagnostics, measure)(model, torch.randn(0, 2, 3))

    def test_parts_of_a_model_that_evaluate_by_themselves_go_on_to(self, last, measure):
        model = last(ostinato.Recurrent("gru", 3, 4, num_layers=2)).train()
        model.recurrent.layers[0].eval()
        before = [module.training for module in model.modules()]
        getattr(diagnostics, measure)(model, torch.randn(9, 2, 3))
        assert [module.training for module in model.modules()] == before

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
    def test_they_may_be_narrow_or_wide(self, last, measure, dtype):
        model = last(ostinato.Recurrent("gru", 3, 4)).to(dtype)
        assert getattr(diagnostics, measure)(model, torch.randn(9, 2, 3).to(dtype))

    def test_they_are_measured_where_gradients_are_off(self, last, measure):
        model, inputs = last(ostinato.Recurrent("gru", 3, 4)), torch.randn(9, 2, 3)
        with torch.inference_mode():
            assert getattr(diagnostics, measure)(model, inputs)


def test_a_gradient_needs_a_model_with_a_loss():
    with pytest.raises(ConfigError, match=r"gradient_flow: a Recurrent has no loss\. It is `loss\(batch, state\)"):
        diagnostics.gradient_flow(ostinato.Recurrent("gru", 3, 4), torch.randn(5, 2, 3))


def test_gates_are_measured_of_a_network_without_a_loss():
    (layer,) = diagnostics.gates(ostinato.Recurrent("gru", 3, 4), torch.randn(5, 2, 3))
    assert [quantity.name for quantity in layer.quantities] == ["r", "z", "n", "h'"]


@pytest.mark.parametrize("size", [0, -1, math.inf, math.nan])
def test_a_push_of_no_length_or_without_end_is_refused(size):
    with pytest.raises(ConfigError, match="state_response: size="):
        diagnostics.state_response(ostinato.Recurrent("gru", 3, 4), torch.randn(5, 2, 3), size=size)


def test_a_gradient_that_is_infinite_from_the_start_is_refused(last):
    model = last(ostinato.Recurrent("gru", 3, 4))
    model.loss = lambda batch, state=None: ((model.recurrent(batch)[0] * math.inf).sum(), 1, None)
    with pytest.raises(ConfigError, match="no finite gradient of the loss reaches a step"):
        diagnostics.gradient_flow(model, torch.randn(5, 2, 3))
