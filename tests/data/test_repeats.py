"""The same item in two parts: found by hash, counted and named."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from ostinato.data.place import Place
from ostinato.data.repeats import Repeats

PARTS = ("train", "valid", "test")


def added(**parts):
    repeats = Repeats()
    for part, items in parts.items():
        for number, item in enumerate(items, 1):
            repeats.add(part, item, Place(f"{part}.csv", number))
    return repeats


def test_what_two_parts_share_is_counted_and_named():
    (overlap,) = added(train=["a", "b", "c"], test=["x", "b", "b"]).overlaps()
    assert overlap.parts == ("train", "test")
    assert overlap.count == 2
    said, named = str(overlap).split(" (")
    assert said == "2 items of 'test' are in 'train' too"
    assert named == "test.csv, line 2 = train.csv, line 2; test.csv, line 3 = train.csv, line 2)"


def test_parts_that_share_nothing_are_not_mentioned():
    assert added(train=["a"], valid=["b"], test=["c", "c"]).overlaps() == []


def test_three_examples_are_named_at_most():
    (overlap,) = added(train=list("abcdef"), valid=list("abcdef")).overlaps()
    assert overlap.count == 6
    assert len(overlap.examples) == 3


def test_bytes_are_items_too():
    assert added(train=[b"\x00\x01"], test=[b"\x00\x01"]).overlaps()[0].count == 1


def test_the_unit_of_a_place_is_kept():
    repeats = Repeats()
    repeats.add("train", "a", Place("a.npz", 7, "item"))
    repeats.add("test", "a", Place("b.npz", 1 << 33, "item"))
    assert str(repeats.overlaps()[0].examples[0].second) == f"b.npz, item {1 << 33}"


items = st.lists(st.text(max_size=2), max_size=20)


@given(train=items, valid=items, test=items)
def test_the_count_is_that_of_sets(train, valid, test):
    parts = {"train": train, "valid": valid, "test": test}
    expected = {pair: sum(item in parts[pair[0]] for item in parts[pair[1]]) for pair in combinations(PARTS, 2)}
    found = {overlap.parts: overlap.count for overlap in added(**parts).overlaps()}
    assert found == {pair: count for pair, count in expected.items() if count}
