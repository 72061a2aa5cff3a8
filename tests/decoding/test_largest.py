"""The largest of long rows: what `topk` finds, whatever the sizes."""

import math

import pytest
import torch

from ostinato.decoding.largest import CHUNK, largest


@pytest.mark.parametrize("size", [1, 5, CHUNK, 4 * CHUNK, 20 * CHUNK - 1, 20 * CHUNK, 20 * CHUNK + 1, 3000])
@pytest.mark.parametrize("count", [1, 5])
def test_the_largest_are_those_of_topk(size, count):
    values = torch.randn(7, size, generator=torch.Generator().manual_seed(size))
    expected = values.topk(min(count, size))
    got = largest(values, min(count, size))
    assert torch.equal(got[0], expected.values)
    assert torch.equal(got[1], expected.indices)


@pytest.mark.parametrize("place", [0, 1279, 1280, 1299])
def test_what_is_not_possible_is_taken_last(place):
    values = torch.full((2, 1300), -math.inf)
    values[0, place] = 1.0
    found, places = largest(values, 5)
    assert found[0].tolist() == [1.0, *[-math.inf] * 4]
    assert places[0, 0] == place
    assert len(set(places[0].tolist())) == 5
