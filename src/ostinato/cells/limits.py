"""What the sizes and constants of a cell must satisfy, as its class says it: "rank <= H", "epsilon > 0"."""

from __future__ import annotations

import operator
from collections.abc import Collection, Mapping

from ostinato._errors import ConfigError
from ostinato.cells.definition import argument_of

_SIGNS = {
    "<=": (operator.le, "at most"),
    "<": (operator.lt, "below"),
    ">=": (operator.ge, "at least"),
    ">": (operator.gt, "above"),
}
POSITIVE_TIME = "dt > 0"
"""The limit that is looked at when a cell runs."""


def check_limits(name: str, limits: Collection[str], numbers: Mapping[str, float]) -> None:
    """ConfigError where one of these numbers is beyond its limit; the right side of one is a number or another size."""
    for limit in limits:
        left, sign, right = limit.split()
        if left not in numbers:
            continue
        holds, words = _SIGNS[sign]
        bound = numbers[right] if right in numbers else float(right)
        if not holds(numbers[left], bound):
            other = f"{argument_of(right)} = {bound:g}" if right in numbers else right
            raise ConfigError(
                f"cell {name}", f"{argument_of(left)} = {numbers[left]:g} was given", f"It is {words} {other}"
            )
