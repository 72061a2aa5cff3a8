"""A stack of layers is its layers one after the other, and its directions side by side."""

import torch

from ostinato import GRU, unroll
from ostinato.layers.stack import dropped, run_stack

D, H = 3, 4
INPUTS = torch.randn(5, 2, D, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def gru(input_size):
    return GRU(input_size, H, dtype=torch.float64)


def test_two_layers_are_two_unrollings():
    first, second = gru(D), gru(H)
    outputs, last, every = run_stack([[first], [second]], INPUTS, None)
    middle, state = unroll(first, INPUTS)
    torch.testing.assert_close((outputs, last[1]), unroll(second, middle))
    torch.testing.assert_close(last[0], state)
    assert every == ()


def test_two_directions_are_joined_forward_first():
    forward, backward = gru(D), gru(D)
    outputs, last, _ = run_stack([[forward, backward]], INPUTS, None)
    one, two = unroll(forward, INPUTS), unroll(backward, INPUTS, reverse=True)
    torch.testing.assert_close(outputs, torch.cat([one[0], two[0]], -1))
    torch.testing.assert_close(last, (one[1], two[1]))


def test_residuals_start_at_the_second_layer():
    first, second = gru(H), gru(H)
    inputs = torch.cat([INPUTS, INPUTS[..., :1]], -1)
    outputs, _, _ = run_stack([[first], [second]], inputs, None, residual=True)
    middle, _ = unroll(first, inputs)
    torch.testing.assert_close(outputs, middle + unroll(second, middle)[0])


def test_gates_mix_a_layer_s_input_with_its_output_from_the_second_on():
    first, second, gate = gru(D), gru(H), torch.nn.Linear(H, H, dtype=torch.float64)
    outputs, _, _ = run_stack([[first], [second]], INPUTS, None, gates=[gate])
    middle, _ = unroll(first, INPUTS)
    share = torch.sigmoid(gate(middle))
    torch.testing.assert_close(outputs, share * unroll(second, middle)[0] + (1 - share) * middle)


def test_variational_dropout_leaves_out_the_same_at_every_step():
    inputs = torch.ones(50, 3, 20)
    kept = dropped(inputs, 0.25, variational=True)
    assert torch.equal(kept, kept[:1].expand_as(kept))
    assert set(kept.unique().tolist()) == {0.0, torch.tensor(1 / 0.75).item()}
    assert not torch.equal(kept[:, 0], kept[:, 1])
    again = dropped(inputs, 0.25, variational=False)
    assert not torch.equal(again, again[:1].expand_as(again))
    assert dropped(inputs[:0], 0.25, variational=True).shape == (0, 3, 20)


def test_states_are_given_and_returned_layer_by_layer():
    layers = [[gru(D), gru(D)], [gru(2 * H), gru(2 * H)]]
    state = tuple(torch.full((2, H), float(k), dtype=torch.float64) for k in range(4))
    _, last, _ = run_stack(layers, INPUTS[:0], state)
    torch.testing.assert_close(last, state)


def test_every_state_is_returned_layer_by_layer():
    _, last, every = run_stack([[gru(D)], [gru(H)]], INPUTS, None, return_states=True)
    torch.testing.assert_close(tuple(states[-1] for states in every), last)
