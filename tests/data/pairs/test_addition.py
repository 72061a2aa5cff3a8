"""Additions written as text."""

import pytest

from ostinato._errors import ConfigError
from ostinato.data.pairs import open_pairs
from ostinato.data.pairs.addition import Addition


def test_answers_are_right_and_all_equally_long():
    for pair in open_pairs("generated:addition?items=500"):
        assert sum(map(int, pair.source.split("+"))) == int(pair.targets[0])
        assert (len(pair.source), len(pair.targets[0])) == (7, 4)


def test_no_sum_is_given_twice_whatever_the_order_of_its_numbers():
    sums = [tuple(sorted(map(int, pair.source.split("+")))) for pair in Addition(digits=2, items=2000).pairs()]
    assert len(set(sums)) == 2000


def test_a_reversed_question_is_the_question_from_its_end():
    plain, turned = (Addition(items=50, reversed=turned).pairs() for turned in (False, True))
    assert [pair.source[::-1] for pair in turned] == [pair.source for pair in plain]
    assert [pair.targets for pair in turned] == [pair.targets for pair in plain]


def test_without_padding_there_are_no_spaces():
    assert not any(" " in pair.source + pair.targets[0] for pair in Addition(items=50, padded=False).pairs())


def test_each_reading_gives_the_same_and_another_seed_others():
    first, other = Addition(items=50), Addition(items=50, seed=1)
    assert list(first.pairs()) == list(first.pairs())
    assert list(first.pairs()) != list(other.pairs())


def test_small_numbers_are_as_frequent_as_large_ones():
    numbers = [int(pair.source.partition("+")[0]) for pair in Addition(digits=8, items=5000).pairs()]
    assert sum(number < 10**4 for number in numbers) / 5000 == pytest.approx(0.5, abs=0.03)


def test_what_is_asked_is_written_as_what_is_learned():
    assert Addition(reversed=True).source(" 12+3 ") == "   3+21"


@pytest.mark.parametrize(
    ("knobs", "said"),
    [
        ("digits=0", "digits=0. Possible: 1 to 12"),
        ("digits=13", "digits=13"),
        ("digits=1&items=56", "items=56. Possible: 1 to 55 of 1 digits"),
        ("items=0", "items=0"),
        ("seed=-1", "seed=-1. Possible: 0 or more"),
        ("digit=3", "unknown knob 'digit'"),
    ],
)
def test_knobs_that_are_not_possible_are_refused(knobs, said):
    with pytest.raises(ConfigError) as error:
        open_pairs(f"generated:addition?{knobs}")
    assert said in str(error.value)


def test_as_many_as_are_possible_are_found():
    assert len(list(Addition(digits=1, items=55).pairs())) == 55
