"""Rows of Parquet: all types of values, columns whose names repeat, damaged files."""

import io
import sys
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from files_of_rows import failure, values, write

from ostinato.data.rows import open_rows


@pytest.fixture
def parquet(tmp_path):
    def written(table, name="a.parquet"):
        pq.write_table(table if isinstance(table, pa.Table) else pa.table(table), tmp_path / name, row_group_size=50)
        return tmp_path / name

    return written


def test_values_are_those_of_the_columns(parquet):
    path = parquet({"text": ["a", None], "n": [1, 2], "on": [date(2020, 1, 2), None], "tags": [["x"], []]})
    rows = open_rows(path)
    assert rows.format == "Parquet with 4 columns"
    first, second = rows
    assert first.values == {"text": "a", "n": 1, "on": date(2020, 1, 2), "tags": ["x"]}
    assert (first.text("n"), first.text("on"), second.text("text")) == ("1", "2020-01-02", "")
    assert str(second.place).endswith("a.parquet, row 2")


def test_rows_of_several_groups_are_read_in_order(parquet):
    assert [row["n"] for row in values(parquet({"n": list(range(333))}))] == list(range(333))


def test_it_is_recognised_without_a_suffix(parquet):
    assert values(parquet({"n": [1]}, "table")) == [{"n": 1}]


def test_names_that_repeat_are_told_apart(parquet):
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    assert values(parquet(table)) == [{"a": 1, "a (2)": 2}]


def test_a_table_without_columns_is_refused(parquet):
    assert failure(parquet(pa.table({}))).got == "no columns in it"


def test_what_is_no_parquet_is_refused(tmp_path):
    assert "not a Parquet file" in failure(write(tmp_path / "a.parquet", "text,label\n")).got


def test_a_damaged_file_is_refused(parquet):
    path = parquet({"text": ["one two three"] * 1000})
    content = bytearray(path.read_bytes())
    content[4:200] = bytes(196)
    path.write_bytes(content)
    assert "a damaged one" in failure(path).got


def test_a_stream_of_it_is_refused(parquet, monkeypatch):
    content = io.BytesIO(parquet({"n": [1]}).read_bytes())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(content))
    assert failure("-").got == "Parquet in a stream"
