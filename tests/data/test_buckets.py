"""Batches by length: every item once, little padding, and the same again for the same seed."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ostinato.data.buckets import padding, shuffled_batches, sorted_batches

LENGTHS = st.lists(st.integers(0, 40), max_size=60).map(np.array)


@given(lengths=LENGTHS, size=st.integers(1, 7), seed=st.integers(0, 5), epoch=st.integers(0, 5))
def test_an_epoch_has_every_item_once(lengths, size, seed, epoch):
    batches = shuffled_batches(lengths, size, seed, epoch)
    assert sorted(np.concatenate([*batches, np.array([], int)])) == list(range(len(lengths)))
    assert all(0 < len(batch) <= size for batch in batches)


def test_the_same_seed_and_epoch_give_the_same_batches_and_others_do_not():
    lengths = np.arange(40) % 7

    def shown(seed, epoch):
        return [batch.tolist() for batch in shuffled_batches(lengths, 4, seed, epoch)]

    assert shown(1, 2) == shown(1, 2)
    assert len({str(shown(*key)) for key in [(1, 2), (1, 3), (2, 2)]}) == 3


def test_batches_by_length_have_less_padding_than_batches_by_chance():
    lengths = np.random.default_rng(0).integers(1, 100, 640)
    by_chance = [np.arange(k, k + 32) for k in range(0, 640, 32)]
    assert padding(lengths, shuffled_batches(lengths, 32, 0, 0)) < 0.1 < padding(lengths, by_chance)


@given(lengths=LENGTHS, size=st.integers(1, 7))
def test_sorted_batches_have_every_item_once_and_the_shortest_first(lengths, size):
    order = np.concatenate([*sorted_batches(lengths, size), np.array([], int)]).astype(int)
    assert sorted(order) == list(range(len(lengths)))
    assert (np.diff(lengths[order]) >= 0).all()
