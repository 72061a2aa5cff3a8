"""Whatever bytes a file holds, reading it ends in rows or in an error that says what is wrong."""

from contextlib import suppress
from pathlib import Path

import pytest
from files_of_rows import write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ostinato._errors import OstinatoError
from ostinato.data.frames import open_frames
from ostinato.data.rows import column_of, open_rows

_NEAR = st.lists(
    st.sampled_from(
        [
            "text",
            "label",
            "1",
            "-0.5",
            ",",
            ";",
            "\t",
            "|",
            '"',
            '""',
            "\n",
            "\r\n",
            "\r",
            "\0",
            "{",
            "}",
            "[",
            ":",
            "é",
            "\ufeff",
            " ",
            "null",
            '{"text": "a"}',
            "@data\n",
            "@classLabel true a\n",
            "@univariate true\n",
            "?",
            "a",
        ]
    ),
    max_size=30,
).map(lambda parts: "".join(parts).encode())
_ANY = st.one_of(st.binary(max_size=200), _NEAR)
unhurried = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


def read(path, **options):
    """Read all there is; anything but an error of ours fails the test."""
    with suppress(OstinatoError):
        rows = open_rows(path, **options)
        for row in rows:
            assert row.values
            assert str(row.place)
        column_of(rows, None, "text")


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.parquet", "a.txt", "a"])
@given(content=_ANY)
@unhurried
def test_rows_of_any_bytes(tmp_path, name, content):
    read(write(tmp_path / name, content))


@pytest.mark.parametrize("format", ["csv", "jsonl", "labelled", "lines"])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16", "cp1252"])
@given(content=_ANY)
@settings(unhurried, max_examples=20)
def test_rows_of_any_bytes_in_any_format_and_encoding(tmp_path, format, encoding, content):
    read(write(tmp_path / "a", content), format=format, encoding=encoding)


@given(first=_ANY, second=_ANY)
@unhurried
def test_folders_of_any_bytes(tmp_path, first, second):
    folder = tmp_path / "labels"
    folder.mkdir(exist_ok=True)
    write(folder / "a.txt", first)
    write(folder / "b.txt", second)
    read(folder)


def frames(path: Path):
    with suppress(OstinatoError):
        for item in open_frames(path):
            assert item.values.ndim == 2
            assert item.values.size


@pytest.mark.parametrize("name", ["a.ts", "a.npz", "a.idx", "a-images-idx3-ubyte.gz"])
@given(content=_ANY)
@unhurried
def test_frames_of_any_bytes(tmp_path, name, content):
    frames(write(tmp_path / name, content))


@pytest.mark.parametrize("name", ["a.npz", "packed.npz", "a.idx", "a.idx.gz", "a.ts", "a.parquet", "a.csv.gz"])
@given(place=st.integers(0, 10_000), value=st.integers(0, 255), length=st.integers(1, 8))
@unhurried
def test_a_good_file_damaged_anywhere(tmp_path, whole, name, place, value, length):
    content = bytearray(whole(name))
    place %= len(content)
    content[place : place + length] = bytes([value]) * length
    path = write(tmp_path / name, bytes(content))
    read(path) if name in ("a.parquet", "a.csv.gz") else frames(path)
