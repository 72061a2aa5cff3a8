"""Limits that cells state: what they may name, and what an error says."""

from typing import ClassVar

import pytest
from tests.catalogue import EQUATION_CELLS

from ostinato import CATALOGUE, ConfigError, EquationCell
from ostinato.cells.limits import check_limits


class Narrow(EquationCell):
    @staticmethod
    def equations(depth: int = 2) -> str:
        return "leak = 0.5\np : rank\np = W @ x\n" + f"h' = leak * h + U @ p / {depth}"

    limits: ClassVar = ("rank < H", "leak >= 0", "leak <= 1", "depth <= 3")


@pytest.mark.parametrize("name", EQUATION_CELLS)
def test_a_limit_names_a_size_a_constant_a_whole_number_or_time(name):
    cell = CATALOGUE[name].build(3, 5)
    known = {*cell.definition.numbers, *cell.constants, *cell.counts, *(["dt"] if cell.uses_dt else [])}
    assert {limit.split()[0] for limit in cell.limits} <= known


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rank": 5}, r"cell Narrow: rank = 5 was given\. It is below hidden_size = 5\."),
        ({"rank": 2, "leak": -0.25}, r"cell Narrow: leak = -0\.25 was given\. It is at least 0\."),
        ({"rank": 2, "leak": 1.5}, r"leak = 1\.5 was given\. It is at most 1\."),
        ({"rank": 2, "depth": 4}, r"depth = 4 was given\. It is at most 3\."),
    ],
)
def test_what_is_beyond_a_limit_is_an_error(settings, message):
    with pytest.raises(ConfigError, match=message):
        Narrow(3, 5, **settings)


@pytest.mark.parametrize("settings", [{"rank": 4}, {"rank": 1, "leak": 0}, {"rank": 1, "leak": 1, "depth": 3}])
def test_what_is_within_its_limits_is_built(settings):
    assert Narrow(3, 5, **settings).resized(4, 6).counts == {"depth": settings.get("depth", 2)}


def test_the_input_size_has_the_name_of_its_argument():
    with pytest.raises(ConfigError, match=r"cell C: input_size = 2 was given\. It is above 2"):
        check_limits("C", ["D > 2"], {"D": 2})
