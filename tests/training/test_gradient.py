"""Gradient methods: which steps they cut a lane into, and which gradient they take."""

from collections import namedtuple

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ostinato import ConfigError, LanguageModel
from ostinato.data.streams import Segment
from ostinato.training.config import Training
from ostinato.training.gradient import Full, Truncated, detach, map_state, method


def segment(steps: int, rows: int = 3, seed: int = 0) -> Segment:
    symbols = torch.randint(7, (steps + 1, rows), generator=torch.Generator().manual_seed(seed))
    return Segment(symbols[:-1], symbols[1:], None)


def model() -> LanguageModel:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return LanguageModel(7, "gru", embedding_size=5, hidden_size=6, num_layers=2).double()


def gradient(network) -> torch.Tensor:
    return torch.cat([p.grad.flatten() for p in network.parameters()])


@given(st.integers(1, 40), st.integers(0, 400), st.integers(0, 5), st.integers(0, 99))
def test_segments_read_every_step_once_and_their_number_is_known(k1, more, epoch, seed):
    lane, cut = k1 + more, Truncated(k1, k1, seed)
    segments = list(cut.segments(lane, epoch))
    steps = [step for position, length in segments for step in range(position, position + length)]
    assert steps == list(range(lane))
    assert len(segments) == cut.updates(lane)
    assert all(1 <= length <= k1 for _, length in segments)


def test_cuts_fall_elsewhere_at_another_reading_and_the_same_at_the_same():
    cut = Truncated(16, 16)
    assert list(cut.segments(1000, 0)) == list(cut.segments(1000, 0))
    assert list(cut.segments(1000, 0)) != list(cut.segments(1000, 1))


def test_full_reads_the_lane_in_one_segment():
    assert list(Full().segments(50, 0)) == [(0, 50)]


def test_full_takes_the_gradient_of_the_mean_loss():
    network, piece = model(), segment(12)
    nats, count, _ = network.loss(piece)
    (nats / count).backward()
    expected = gradient(network)
    network.zero_grad()
    Full().accumulate(network, piece, None, torch.Tensor.backward)
    torch.testing.assert_close(gradient(network), expected)


def test_a_whole_segment_truncated_is_the_gradient_of_its_mean_loss():
    network, piece = model(), segment(12)
    Full().accumulate(network, piece, None, torch.Tensor.backward)
    expected = gradient(network)
    network.zero_grad()
    Truncated(12, 12).accumulate(network, piece, None, torch.Tensor.backward)
    torch.testing.assert_close(gradient(network), expected)


def test_a_short_segment_weighs_in_proportion_to_its_steps():
    network, piece = model(), segment(4)
    Full().accumulate(network, piece, None, torch.Tensor.backward)
    expected = gradient(network) * 4 / 12
    network.zero_grad()
    Truncated(12, 12).accumulate(network, piece, None, torch.Tensor.backward)
    torch.testing.assert_close(gradient(network), expected)


def test_no_gradient_passes_from_one_segment_into_the_one_before():
    network, cut = model(), Truncated(6, 6)
    _, _, state = cut.accumulate(network, segment(6), None, torch.Tensor.backward)
    leaves = []
    map_state(lambda tensor: leaves.append(tensor) or tensor, state)
    assert leaves
    assert not any(leaf.requires_grad for leaf in leaves)


def test_truncated_gradients_are_those_of_a_loop_that_detaches_by_hand():
    network, cut, pieces = model(), Truncated(6, 6), [segment(6, seed=1), segment(6, seed=2)]
    state = None
    for piece in pieces:
        _, _, state = cut.accumulate(network, piece, state, torch.Tensor.backward)
    found = gradient(network)
    network.zero_grad()
    _, state = network(pieces[0].inputs)
    state = detach(state)
    losses = [network.loss(pieces[0]), network.loss(pieces[1], state)]
    sum(nats / count for nats, count, _ in losses).backward()
    torch.testing.assert_close(found, gradient(network))


def test_a_state_keeps_its_structure():
    pair = namedtuple("pair", "h c")
    state = ((torch.ones(2), pair(torch.ones(1), None)), torch.zeros(3))
    changed = map_state(lambda tensor: tensor + 1, state)
    assert isinstance(changed[0][1], pair)
    assert changed[0][1].c is None
    assert changed[1].tolist() == [1, 1, 1]


def test_a_lane_shorter_than_k1_is_refused():
    with pytest.raises(ConfigError, match="k1 is 64, but a lane of this text holds only 20 steps"):
        Truncated(64, 64).updates(20)


def test_another_k2_is_refused_with_the_reason():
    with pytest.raises(ConfigError, match="k2 different from k1 is not built yet"):
        method(Training(k1=8, k2=16))


def test_k1_of_zero_is_refused():
    with pytest.raises(ConfigError, match="k1 is 0"):
        method(Training(k1=0))


def test_methods_are_found_by_name():
    assert method(Training(gradient="full")) == Full()
    assert method(Training(k1=5, seed=3)) == Truncated(5, 5, 3)
