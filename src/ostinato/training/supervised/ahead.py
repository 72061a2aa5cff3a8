"""Items read ahead in groups, so that those of a length are answered together and all in their own order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")


def groups(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield the items in lists of up to `size`, each as soon as it is full.

    >>> list(groups("abcde", 2))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    iterator = iter(items)
    while group := list(islice(iterator, size)):
        yield group


def by_length(items: Sequence[Sized], size: int) -> Iterator[list[int]]:
    """Yield the numbers of items in lists of up to `size`, the shortest items first.

    >>> list(by_length(["abc", "a", "ab"], 2))
    [[1, 2], [0]]
    """
    order = sorted(range(len(items)), key=lambda k: len(items[k]))
    yield from (order[start : start + size] for start in range(0, len(order), size))
