"""Many steps into one vector: as a loop says it, whatever stands beyond the end, whole or in pieces."""

import pytest
import torch

from ostinato import ConfigError
from ostinato.layers.pooling import POOLINGS, Pooling

LENGTHS = torch.tensor([5, 0, 3, 1])


@pytest.fixture(params=POOLINGS)
def pooling(request):
    torch.manual_seed(0)
    return Pooling(request.param, 6).double()


def by_hand(pooling, steps):
    """Return what one row's steps (n, H) give."""
    if not len(steps):
        return torch.zeros(6, dtype=torch.float64)
    if pooling.name == "attention":
        scores = pooling.query(torch.tanh(pooling.keys(steps)))
        return (scores.softmax(0) * steps).sum(0)
    return {"last": steps[-1], "mean": steps.mean(0), "max": steps.amax(0)}[pooling.name]


def test_each_row_is_pooled_over_its_own_steps(pooling):
    outputs = torch.randn(5, 4, 6, dtype=torch.float64)
    found, _ = pooling(outputs, LENGTHS)
    expected = torch.stack([by_hand(pooling, outputs[:n, k]) for k, n in enumerate(LENGTHS.tolist())])
    assert torch.allclose(found, expected, atol=1e-12)


def test_what_stands_beyond_the_end_changes_nothing(pooling):
    outputs = torch.randn(5, 4, 6, dtype=torch.float64)
    padded = torch.cat([outputs, torch.full((3, 4, 6), 1e6, dtype=torch.float64)])
    padded[3:, 2] = 1e6
    assert torch.equal(pooling(padded, LENGTHS)[0], pooling(outputs, LENGTHS)[0])


@pytest.mark.parametrize("cut", [1, 2, 4])
def test_pieces_give_what_the_whole_gives(pooling, cut):
    outputs = torch.randn(5, 4, 6, dtype=torch.float64)
    whole, _ = pooling(outputs, LENGTHS)
    _, kept = pooling(outputs[:cut], LENGTHS.clamp(max=cut))
    found, _ = pooling(outputs[cut:], (LENGTHS - cut).clamp(min=0), kept)
    assert torch.allclose(found, whole, atol=1e-12)


def test_the_last_step_of_the_way_back_is_the_first():
    outputs = torch.arange(12.0).view(3, 1, 4)
    found, _ = Pooling("last", 4, bidirectional=True)(outputs, torch.tensor([2]))
    assert found.tolist() == [[4.0, 5.0, 2.0, 3.0]]


def test_gradients_reach_every_step(pooling):
    outputs = torch.randn(3, 2, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda o: pooling(o, torch.tensor([3, 2]))[0], (outputs,))


def test_another_name_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'mean'"):
        Pooling("meen", 4)
