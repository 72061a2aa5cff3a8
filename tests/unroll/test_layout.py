"""The layout: which rows are alive at which step, and where they stand."""

import pytest
import torch
from hypothesis import given, settings
from recurrences import calls, numbers

from ostinato import ConfigError
from ostinato.unroll.layout import checked_lengths, layout

CPU = torch.device("cpu")


def laid_out(lengths, steps=4, reverse=False):
    return layout(steps, len(lengths), torch.tensor(lengths), reverse, CPU)


def test_steps_hold_the_rows_that_reach_them_longest_first():
    order = laid_out([2, 0, 4, 1])
    assert order.rows == (3, 2, 1, 1)
    assert order.order.tolist() == [2, 0, 3, 1]


def test_a_reversed_row_starts_at_its_own_last_step():
    values = torch.arange(8).view(4, 2, 1)
    assert laid_out([4, 2], reverse=True).pack(values).flatten().tolist() == [6, 3, 4, 1, 2, 0]


def test_full_lengths_leave_everything_in_place():
    order = laid_out([4, 4])
    assert order.index is None
    assert order.order is None


def test_equal_lengths_keep_the_order_given():
    assert laid_out([2, 3, 2, 3]).order.tolist() == [1, 3, 0, 2]


@given(call=calls())
@settings(derandomize=True, deadline=None, max_examples=60, database=None)
def test_unpacking_what_was_packed_gives_it_back_with_zeros_beyond_the_lengths(call):
    steps, batch = call["steps"], call["batch"]
    order = layout(steps, batch, call["lengths"], call["reverse"], CPU)
    values = numbers(steps, batch, 2)
    real = torch.ones(steps, batch, dtype=torch.bool)
    if call["lengths"] is not None:
        real = torch.arange(steps)[:, None] < call["lengths"]
    assert torch.equal(order.unpack(order.pack(values)), values * real[..., None])
    assert sum(order.rows) == real.sum()


@given(call=calls())
@settings(derandomize=True, deadline=None, max_examples=60, database=None)
def test_unsorting_what_was_sorted_gives_it_back(call):
    order = layout(call["steps"], call["batch"], call["lengths"], call["reverse"], CPU)
    values = numbers(call["batch"], 3)
    assert torch.equal(order.unsort(order.sort((values,)))[0], values)


@given(call=calls())
@settings(derandomize=True, deadline=None, max_examples=60, database=None)
def test_the_number_of_rows_alive_never_grows_and_is_never_zero(call):
    rows = layout(call["steps"], call["batch"], call["lengths"], call["reverse"], CPU).rows
    assert list(rows) == sorted(rows, reverse=True)
    assert all(rows)


@pytest.mark.parametrize(
    ("lengths", "said"),
    [
        ([1, 5], "values from 1 to 5"),
        ([-1, 2], "values from -1 to 2"),
        ([1, 2, 3], "torch.int64 of shape (3,)"),
        ([[1, 2]], "torch.int64 of shape (1, 2)"),
        (3, "torch.int64 of shape ()"),
        ([1.0, 2.0], "torch.float32 of shape (2,)"),
        ([True, False], "torch.bool of shape (2,)"),
        ([1j, 2j], "torch.complex64 of shape (2,)"),
    ],
)
def test_lengths_that_do_not_fit_say_what_was_got(lengths, said):
    with pytest.raises(ConfigError, match="length") as caught:
        checked_lengths(torch.tensor(lengths), 4, 2)
    assert (caught.value.where, caught.value.got) == ("lengths", said)
    assert caught.value.possible
