"""Items that are read ahead: what was read before an error is answered before it is raised."""

import pytest

from ostinato import DataError
from ostinato.training.supervised.ahead import groups


def broken(count):
    yield from range(count)
    raise DataError("file", "a line that cannot be read")


@pytest.mark.parametrize(("count", "found"), [(0, []), (1, [[0]]), (2, [[0, 1]]), (3, [[0, 1], [2]])])
def test_what_comes_before_an_error_is_given_first(count, found):
    seen = []
    with pytest.raises(DataError, match="a line that cannot be read"):
        seen.extend(groups(broken(count), 2))
    assert seen == found


def test_no_more_is_read_than_a_group():
    read = []
    next(groups((read.append(k) for k in range(10)), 4))
    assert len(read) == 4
