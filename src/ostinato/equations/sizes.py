"""Sizes as symbols: `D`, `H`, `2*H`, `H//2`, `3`, `4*H + P`; and their unification."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

ARGUMENT_OF = {"D": "input_size", "H": "hidden_size", "O": "output_size", "P": "proj_size"}
"""The constructor argument that gives a size its number; any other symbol is its own argument."""

_TERM = re.compile(
    r"(?:(?P<factor>\d+)\s*\*\s*)?(?P<symbol>[A-Za-z]\w*)(?:\s*//\s*(?P<divisor>\d+))?$|(?P<number>\d+)$"
)


def normal(text: str) -> str:
    """Return the one spelling of a size; ValueError when `text` is not one."""
    counts: Counter[str] = Counter()
    for part in text.split("+"):
        match = _TERM.match(part.strip())
        if match is None or match["factor"] == "0" or match["divisor"] == "0":
            raise ValueError(text)
        if match["number"]:
            counts[""] += int(match["number"])
        else:
            divisor = f"//{match['divisor']}" if match["divisor"] not in (None, "1") else ""
            counts[match["symbol"] + divisor] += int(match["factor"] or 1)
    spelt = [str(n) if not s else s if n == 1 else f"{n}*{s}" for s, n in counts.items()]
    if spelt == ["0"]:
        raise ValueError(text)
    return " + ".join(s for s in spelt if s != "0")


def total(sizes: Iterable[str]) -> str:
    """Return the sum of sizes, `H`, `H` -> `2*H`."""
    return normal("+".join(sizes))


def symbols(size: str) -> set[str]:
    """Return the symbols a size is made of."""
    return set(re.findall(r"[A-Za-z]\w*", size))


def value(size: str, numbers: Mapping[str, int]) -> int:
    """Return the number of a size; ValueError where a division leaves a rest or nothing."""
    result = 0
    for part in size.split("+"):
        match = _TERM.match(part.strip())
        assert match, size
        if match["number"]:
            result += int(match["number"])
            continue
        quotient, rest = divmod(numbers[match["symbol"]], int(match["divisor"] or 1))
        if rest or quotient == 0:
            raise ValueError(f"{match['symbol']} = {numbers[match['symbol']]} does not divide by {match['divisor']}")
        result += int(match["factor"] or 1) * quotient
    return result


@dataclass
class Unknown:
    """A size that is not known yet: a set of places that must agree, and what one of them said."""

    because: str
    size: str | None = None
    parent: Unknown | None = None

    def root(self) -> Unknown:
        node = self
        while node.parent is not None:
            node = node.parent
        return node

    @property
    def known(self) -> str | None:
        return self.root().size

    def settle(self, size: str) -> None:
        """Give the set its size where it has none."""
        root = self.root()
        if root.size is None:
            root.size = size


class SizeConflict(Exception):
    """Two places that must agree have different sizes; carries both reasons."""

    def __init__(self, left: Unknown, right: Unknown):
        self.left, self.right = left.root(), right.root()


def unify(left: Unknown, right: Unknown) -> Unknown:
    """Make two sizes one; SizeConflict when both are known and differ."""
    a, b = left.root(), right.root()
    if a is b:
        return a
    if a.size is not None and b.size is not None and a.size != b.size:
        raise SizeConflict(a, b)
    if a.size is None:
        a, b = b, a
    b.parent = a
    return a
