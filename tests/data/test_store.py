"""Sequences on disk: what was written is read again, item by item, however long."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato import RunError
from ostinato.data import store as stores
from ostinato.data.store import Store, Writer

RAGGED = st.lists(st.lists(st.integers(0, 1000), max_size=6), max_size=8)


def write(folder, items):
    with Writer(folder, {"words": np.int32, "frames": (np.float32, 3)}) as writer:
        for words in items:
            writer.add(words=words, frames=np.outer(words, [1, 2, 3]))
    return Store(folder)


@given(items=RAGGED)
def test_every_item_is_read_as_it_was_written(tmp_path_factory, items):
    store = write(tmp_path_factory.mktemp("items"), items)
    assert len(store) == len(items)
    assert store.lengths("frames").tolist() == [len(words) for words in items]
    assert [words.tolist() for words in store.all("words")] == items
    for k, words in enumerate(items):
        assert store.read("words", k).tolist() == words
        assert store.read("frames", k).tolist() == np.outer(words, [1, 2, 3]).reshape(-1, 3).tolist()


def test_a_large_column_is_read_from_disk_as_a_small_one_is(tmp_path, monkeypatch):
    monkeypatch.setattr(stores, "IN_MEMORY", 0)
    store = write(tmp_path, [[1, 2], [], [3]])
    assert [store.read("words", k).tolist() for k in (2, 0, 1)] == [[3], [1, 2], []]
    assert store.read("frames", 2).tolist() == [[3, 6, 9]]


def test_a_store_that_was_not_finished_cannot_be_opened(tmp_path):
    with pytest.raises(KeyError, match="words"), Writer(tmp_path, {"words": np.int32}) as writer:
        writer.add(frames=[1])
    with pytest.raises(RunError, match=r"cannot be read .* Begin anew with --overwrite"):
        Store(tmp_path)


def test_a_torn_column_is_refused(tmp_path):
    write(tmp_path, [[1, 2]])
    (tmp_path / "words.values").write_bytes(b"1234")
    with pytest.raises(RunError, match=r"words.values: damaged: it has 4 bytes"):
        Store(tmp_path)


def test_a_damaged_description_is_refused(tmp_path):
    write(tmp_path, [[1, 2]])
    (tmp_path / "store.json").write_text(json.dumps({"items": 1}))
    with pytest.raises(RunError, match="damaged"):
        Store(tmp_path)


def test_rows_of_another_width_are_a_mistake_of_ours(tmp_path):
    with Writer(tmp_path, {"frames": (np.float32, 3)}) as writer, pytest.raises(ValueError, match="column frames"):
        writer.add(frames=np.zeros((2, 4)))
