"""Items read ahead in groups, so that those of a length are answered together and all in their own order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")


def groups(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield the items in lists of up to `size`, each as soon as it is full.

    An error that comes in place of an item is raised once the items before it have been yielded.

    >>> list(groups("abcde", 2))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    iterator, error = iter(items), None
    while error is None:
        group: list[Item] = []
        try:
            for item in islice(iterator, size):
                group.append(item)
        except Exception as met:  # of any kind: an item may come from the caller's own code
            error = met
        if group:
            yield group
        elif error is None:
            return
    raise error


def by_length(items: Sequence[Sized], size: int | Callable[[int], int]) -> Iterator[list[int]]:
    """Yield the numbers of items in lists of up to `size`, the shortest items first.

    size  how many at most, or how many of the length of the longest; one stands in a list whatever its length.

    >>> list(by_length(["abc", "a", "ab"], 2))
    [[1, 2], [0]]
    >>> list(by_length(["abcd", "a", "ab"], lambda length: 4 // length))
    [[1, 2], [0]]
    """
    most = size if callable(size) else lambda _: size
    part: list[int] = []
    for k in sorted(range(len(items)), key=lambda k: len(items[k])):
        if part and len(part) >= most(len(items[k])):
            yield part
            part = []
        part.append(k)
    if part:
        yield part
