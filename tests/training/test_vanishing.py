"""Ω beside the closed form of the paper, beside Jacobians of a gated cell, and where a row begins anew."""

import numpy as np
import pytest
import torch
from torch import Tensor

import ostinato
from ostinato.layers.recurrent import Recurrent
from ostinato.layers.stack import Seen
from ostinato.training.vanishing import vanishing

PAPER = "h' = W @ x + U @ tanh(h) + b"
"""Equation 2 of the paper."""
T, B, D, H = 5, 3, 2, 4


def layer(text: str, seed: int = 0, scale: float = 1.5) -> Recurrent:
    """Return a layer in float64, its weights enlarged so that gradients neither vanish nor stay."""
    torch.manual_seed(seed)
    made = Recurrent(text, D, H, engine="eager").double()
    for parameter in made.parameters():
        parameter.data.mul_(scale)
    return made


def seen_by(made: Recurrent, reset: Tensor | None = None) -> tuple[Seen, Tensor]:
    """Return what the layer was seen to do, and the gradient of a loss with a term at every step."""
    found: list[Seen] = []
    made.observe = found.append
    made(torch.randn(T, B, D, dtype=torch.float64), reset=reset)
    credit = torch.randn(T, B, H, dtype=torch.float64)
    return found[0], credit


def closed_form(seen: Seen, credit: Tensor, U: np.ndarray) -> tuple[float, np.ndarray]:
    """Return Ω and its gradient with respect to U (eq. 9 and 10), row by row and step by step in numpy."""
    h = np.concatenate([np.zeros((1, B, H)), seen.outputs.detach().numpy()])
    slope = 1 - np.tanh(h) ** 2
    total, gradient = 0.0, np.zeros_like(U)
    for row in range(B):
        g = np.zeros(H)
        for k in reversed(range(T)):
            g = credit[k, row].numpy() + (g if k == T - 1 else slope[k + 1, row] * (U.T @ g))
            v = slope[k, row] * (U.T @ g)
            ratio = np.linalg.norm(v) / np.linalg.norm(g)
            total += (ratio - 1) ** 2
            gradient += 2 * (ratio - 1) * np.outer(g, v * slope[k, row]) / np.linalg.norm(v) / np.linalg.norm(g)
    return total / (T * B), gradient / (T * B)


def test_value_and_gradient_are_those_of_the_paper():
    made = layer(PAPER)
    seen, credit = seen_by(made)
    parameters = dict(made.named_parameters())
    [name] = [n for n, p in parameters.items() if tuple(p.shape) == (H, H)]
    found = vanishing(seen, credit)
    found.backward()
    value, gradient = closed_form(seen, credit, parameters[name].detach().numpy())
    assert found.item() == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(parameters[name].grad.numpy(), gradient, rtol=1e-10, atol=1e-14)
    assert all(p.grad is None or not p.grad.any() for n, p in parameters.items() if n != name)


@pytest.mark.parametrize("cell", ["lstm", "gru", "elman"])
def test_of_any_cell_it_compares_what_jacobians_carry(cell):
    made = layer(cell)
    seen, credit = seen_by(made)
    assert vanishing(seen, credit).item() == pytest.approx(_by_jacobians(seen, credit), rel=1e-10)


def _by_jacobians(seen: Seen, credit: Tensor) -> float:
    """Return Ω from the full Jacobian of each step of each row, the state laid side by side."""
    terms = []
    for row in range(B):
        state = seen.cell.initial_state(1, dtype=torch.float64)
        single = isinstance(state, Tensor)
        widths = [H] if single else [H] * len(state)

        def step(flat: Tensor, x: Tensor, widths=widths, single=single, like=state) -> Tensor:
            parts = flat[None].split(widths, 1)
            after = seen.cell.step(x[None], parts[0] if single else type(like)(*parts))[1]
            return torch.cat([after] if single else list(after), 1)[0]

        flat = torch.cat([state] if single else list(state), 1)[0]
        jacobians = []
        for t in range(T):
            x = seen.inputs[t, row]
            jacobians.append(torch.autograd.functional.jacobian(lambda s, x=x: step(s, x), flat))
            flat = step(flat, x).detach()
        g = torch.zeros_like(flat)
        for t in reversed(range(T)):
            g = g + torch.nn.functional.pad(credit[t, row], (0, len(flat) - H))  # the output is the first state
            v = g @ jacobians[t]
            terms.append(float((v.norm() / g.norm() - 1) ** 2))
            g = v
    return sum(terms) / len(terms)


def test_a_loss_that_asks_nothing_of_a_step_leaves_it_out():
    seen, credit = seen_by(layer(PAPER))
    credit[2:] = 0  # no gradient reaches the last three steps
    whole = vanishing(seen, credit)
    begun = Seen(seen.cell, seen.inputs[:2], None, seen.outputs[:2])
    assert whole.item() == pytest.approx(vanishing(begun, credit[:2]).item(), rel=1e-12)


def test_no_gradient_is_followed_into_what_came_before_a_row_began_anew():
    reset = torch.zeros(T, B, dtype=torch.bool)
    reset[3] = True
    seen, credit = seen_by(layer(PAPER), reset)
    first = vanishing(Seen(seen.cell, seen.inputs[:3], None, seen.outputs[:3]), credit[:3])
    rest = vanishing(Seen(seen.cell, seen.inputs[3:], None, seen.outputs[3:], reset=reset[3:]), credit[3:])
    assert vanishing(seen, credit).item() == pytest.approx((3 * first + rest).item() / 4, rel=1e-12)


def test_a_step_of_its_gradient_brings_norms_nearer_to_one():
    made = layer("lstm", scale=1.0)
    seen, credit = seen_by(made)
    first = vanishing(seen, credit)
    first.backward()
    for parameter in made.parameters():
        if parameter.grad is not None:
            parameter.data.sub_(0.1 * parameter.grad)
    assert vanishing(seen, credit) < first
    assert isinstance(seen.cell, ostinato.LSTM)
