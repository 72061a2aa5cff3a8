"""Batches of all lengths: each item once an epoch, long beside short, the same for the same reading."""

from typing import NamedTuple

import numpy as np
import pytest
import torch

from ostinato.training.supervised.batches import Batches

LENGTHS = np.repeat([2, 9], 60)


class Numbers(NamedTuple):
    inputs: torch.Tensor


class Items:
    def __len__(self):
        return len(LENGTHS)

    def lengths(self, name):
        return LENGTHS


def read(mixed, readings, start=0):
    batches = Batches(Items(), "x", 8, 3, lambda store, batch: Numbers(torch.from_numpy(batch)[None]), mixed=mixed)
    found = []
    for reading in range(start, start + readings):
        batches.begin(reading)
        found.append(batches.segment(0, 1).inputs[0].tolist())
    return found, batches


@pytest.mark.parametrize("mixed", [False, True])
def test_an_epoch_has_each_item_once(mixed):
    found, _ = read(mixed, 15)
    assert sorted(number for batch in found for number in batch) == list(range(120))


@pytest.mark.parametrize(("mixed", "most"), [(False, 1), (True, 15)])
def test_long_and_short_items_stand_together_where_asked(mixed, most):
    found, batches = read(mixed, 15)
    both = sum(len({int(LENGTHS[number]) for number in batch}) == 2 for batch in found)
    assert (both > 10) == mixed
    assert both <= most
    assert (batches.padding > 0.3) == mixed


def test_a_reading_is_the_same_whichever_came_before():
    found, _ = read(True, 20)
    assert read(True, 3, start=17)[0] == found[17:]


def test_the_part_of_a_process_is_of_the_same_batches():
    found, batches = read(True, 1)
    part = batches.part(2, 5)
    part.begin(0)
    assert part.segment(0, 1).inputs[0].tolist() == found[0][2:5]
