"""Data sets in the form of the Hub, from a folder: splits, names of labels, addresses that name nothing."""

import json
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from files_of_rows import failure, values, write

from ostinato._errors import ConfigError, DataError
from ostinato.data.rows import open_rows

pytest.importorskip("datasets", reason="datasets is not installed")
_FEATURES = {
    "text": {"dtype": "string", "_type": "Value"},
    "label": {"names": ["neg", "pos"], "_type": "ClassLabel"},
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "set").mkdir()
    write(tmp_path / "set" / "train.csv", "text,label\na,0\nb,1\n")
    write(tmp_path / "set" / "test.csv", "text,label\nc,0\n")
    return tmp_path / "set"


def test_the_split_to_train_on_is_read_where_none_is_named(folder):
    rows = open_rows(f"hf://{folder}")
    assert rows.format == "a data set of 2 columns, split 'train' of train, test"
    assert [row.values for row in rows] == [{"text": "a", "label": 0}, {"text": "b", "label": 1}]
    assert [str(row.place) for row in rows] == [f"hf://{folder}, row 1", f"hf://{folder}, row 2"]


def test_a_split_may_be_named(folder):
    assert values(f"hf://{folder}?split=test") == [{"text": "c", "label": 0}]


def test_classes_have_their_names_and_no_label_is_none(folder):
    for name in ("train.csv", "test.csv"):
        (folder / name).unlink()
    schema = pa.schema(
        {"text": pa.string(), "label": pa.int64()},
        metadata={"huggingface": json.dumps({"info": {"features": _FEATURES}})},
    )
    pq.write_table(pa.table({"text": ["a", "b"], "label": [1, -1]}, schema=schema), folder / "train.parquet")
    assert values(f"hf://{folder}") == [{"text": "a", "label": "pos"}, {"text": "b", "label": None}]


@pytest.mark.parametrize("address", ["hf://", "hf://imdb", "hf://a/b/c/d", "hf:///", "hf://a//b"])
def test_an_address_that_names_nothing_is_refused(address):
    error = failure(address, ConfigError)
    assert error.where == address
    assert "hf://owner/name" in error.possible


@pytest.mark.parametrize(
    ("query", "error", "got", "advice"),
    [
        ("?split=tst", DataError, "no split 'tst'", "Did you mean 'test'?"),
        ("?splt=test", ConfigError, "unknown 'splt'", "Did you mean 'split'?"),
        ("?config=x", DataError, "it cannot be read", "Check the name"),
    ],
)
def test_what_a_data_set_does_not_have_is_refused(folder, query, error, got, advice):
    found = failure(f"hf://{folder}{query}", error)
    assert found.got.startswith(got)
    assert found.advice.startswith(advice)


def test_a_missing_folder_is_refused(tmp_path):
    assert failure(f"hf://{tmp_path / 'none'}").got.startswith("it cannot be read (")


def test_a_damaged_file_of_a_data_set_is_refused(folder):
    write(folder / "train.csv", "text,label\na,0\nb,1,2,3\n")
    assert failure(f"hf://{folder}").got.startswith("it cannot be read (")


def test_what_is_needed_and_not_installed_is_said(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    assert failure(f"hf://{folder}").advice == "Try: pip install 'ostinato[hub]'"
