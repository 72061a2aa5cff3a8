"""Data that is made up: its knobs, and what is said of those that are none."""

import doctest
from dataclasses import dataclass

import pytest

from ostinato._errors import ConfigError
from ostinato.data import generated as source
from ostinato.data.generated import generated, is_generated


@dataclass(frozen=True)
class Dice:
    sides: int = 6
    weight: float = 1.0
    loaded: bool = False
    name: str = "die"


@dataclass(frozen=True)
class Coins:
    count: int = 2


KINDS = {"dice": Dice, "coins": Coins}


def test_a_name_alone_has_the_defaults():
    assert generated("generated:dice", KINDS) == Dice()
    assert generated("generated:coins?", KINDS) == Coins()


def test_knobs_are_read_by_their_types():
    said = generated("generated:dice?sides=20&weight=0.5&loaded=TRUE&name=a+b", KINDS)
    assert said == Dice(20, 0.5, True, "a b")


def test_a_file_is_not_generated():
    assert is_generated("generated:dice")
    assert not is_generated("dice.csv")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("generated:dise", "nothing called 'dise' is generated. Possible: generated:dice, generated:coins. Did you"),
        ("generated:", "nothing called '' is generated"),
        ("generated:dice?side=3", "unknown knob 'side'. Knobs: sides, weight, loaded, name. Did you mean 'sides'?"),
        ("generated:dice?sides=six", "generated:dice?sides=six, sides: 'six'. Possible: a whole number"),
        ("generated:dice?sides=", "sides: ''. Possible: a whole number"),
        ("generated:dice?weight=heavy", "weight: 'heavy'. Possible: a number"),
        ("generated:dice?loaded=perhaps", "loaded: 'perhaps'. Possible: true, false"),
        ("generated:dice?sides=1&sides=2", "the knob 'sides' is set twice"),
        ("generated:dice?sides", "'sides' sets no knobs. After ? stands knob=value"),
    ],
)
def test_what_is_none_is_refused(address, said):
    with pytest.raises(ConfigError) as error:
        generated(address, KINDS)
    assert said in str(error.value)


def test_the_example_in_the_docstring_is_true():
    assert doctest.testmod(source).failed == 0
