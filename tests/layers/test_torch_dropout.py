"""Dropout of `ostinato.nn`: where torch drops, as often, and with its warning."""

import warnings

import pytest
import torch
from torch_pairs import B, D, H, T, assert_same, every_kind, numbers, pair

from ostinato import nn


@every_kind
def test_with_one_layer_torchs_warning_is_given_where_the_user_stands(kind):
    with pytest.warns(UserWarning, match="dropout option adds dropout after all but last recurrent layer") as ours:
        getattr(nn, kind)(D, H, dropout=0.5)
    with pytest.warns(UserWarning, match="dropout option") as theirs:
        getattr(torch.nn, kind)(D, H, dropout=0.5)
    assert str(ours[0].message) == str(theirs[0].message)
    assert ours[0].filename == __file__


@every_kind
def test_with_two_layers_nothing_is_said(kind):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        getattr(nn, kind)(D, H, 2, dropout=0.5)


@every_kind
def test_in_evaluation_nothing_is_dropped(kind):
    theirs, ours = pair(kind, D, H, 2, dropout=0.5)
    x = numbers(T, B, D, dtype=torch.float64)
    assert_same(ours.eval()(x), theirs.eval()(x))


@every_kind
def test_all_may_be_dropped(kind):
    theirs, ours = pair(kind, D, H, 2, dropout=1.0)
    x = numbers(T, B, D, dtype=torch.float64)
    assert_same(ours(x), theirs(x))


@every_kind
def test_outputs_of_the_last_layer_are_never_dropped(kind):
    _, ours = pair(kind, D, H, 2, dropout=0.9)
    assert (ours(numbers(T, B, D, dtype=torch.float64))[0] != 0).all()


@every_kind
def test_numbers_are_dropped_as_often_and_scaled_as_torch_does(kind):
    theirs, ours = pair(kind, D, H, 2, dropout=0.3)
    x = numbers(T, 2000, D, dtype=torch.float64)
    torch.manual_seed(0)
    got, expected = ours(x)[0], theirs(x)[0]
    assert not torch.equal(got, ours(x)[0])
    torch.testing.assert_close(got.mean((0, 1)), expected.mean((0, 1)), rtol=0, atol=0.01)
    torch.testing.assert_close(got.std((0, 1)), expected.std((0, 1)), rtol=0, atol=0.01)


@every_kind
def test_a_seed_repeats_it(kind):
    _, ours = pair(kind, D, H, 2, dropout=0.3)
    x = numbers(T, B, D, dtype=torch.float64)

    def seeded():
        torch.manual_seed(4)
        return ours(x)[0]

    assert torch.equal(seeded(), seeded())
