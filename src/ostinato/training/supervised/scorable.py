"""Items of a file that can be scored: one at least, and some of them to look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ostinato._errors import DataError

Item = TypeVar("Item")
Choose = Callable[[NDArray[np.int64]], NDArray[np.int64]]
"""The lengths of items (N,) → the numbers of those that are taken."""
MOST = 1000
"""Items of a file that are read at most to choose some of."""


def some_of(items: Iterable[Item], choose: Choose, length: Callable[[Item], int]) -> list[Item]:
    """Return the items that are chosen by their lengths, of the first `MOST`.

    >>> some_of(["abc", "a", "ab"], np.argsort, len)
    ['a', 'ab', 'abc']
    """
    read = list(islice(items, MOST))
    return [read[int(k)] for k in choose(np.array([length(item) for item in read], np.int64))]


def one_at_least(items: Iterable[Item], file: str, what: str, why: Callable[[], str], advice: str) -> Iterator[Item]:
    """Yield the items of a file. Raises DataError after the last where there was none, with the reason `why` gives."""
    is_empty = True
    for item in items:
        is_empty = False
        yield item
    if is_empty:
        raise DataError(file, f"no {what} that can be scored", why(), advice)
