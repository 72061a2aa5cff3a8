"""How the tests of rows write and read a file."""

from pathlib import Path

import pytest

from ostinato._errors import DataError
from ostinato.data.rows import open_rows

SHARED = Path(__file__).parents[4] / "shared" / "data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="no folder shared/data with real files")


def write(path, content):
    path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return path


def values(path, **options):
    return [row.values for row in open_rows(path, **options)]


def failure(path, expected=DataError, **options):
    with pytest.raises(expected) as caught:
        values(path, **options)
    return caught.value
