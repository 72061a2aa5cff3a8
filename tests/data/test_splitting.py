"""Parts: exact shares, item by item; names in columns; parts that cannot be used."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato._errors import ConfigError, DataError
from ostinato.data.splitting import Dealer, TextDealer, check_classes, check_parts, part_named


def dealt(count, **shares):
    dealer = Dealer(**shares)
    return [dealer.part() for _ in range(count)]


hundredths = st.integers(0, 49).map(lambda n: n / 100)


@given(count=st.integers(0, 500), valid=hundredths, test=hundredths, seed=st.integers(0, 9))
def test_shares_are_exact_to_an_item_after_every_item(count, valid, test, seed):
    parts = dealt(count, valid=valid, test=test, seed=seed)
    held_out = count - parts.count("train")
    exact = count * round(100 * (valid + test)) / 100
    assert math.floor(exact) <= held_out <= math.ceil(exact)
    tested = held_out * round(100 * test) / max(round(100 * (valid + test)), 1)
    assert math.floor(tested) <= parts.count("test") <= math.ceil(tested)


def test_whole_shares_are_exact():
    assert Counter(dealt(1000, valid=0.1, test=0.2, seed=3)) == {"train": 700, "valid": 100, "test": 200}


def test_every_label_has_its_share():
    dealer = Dealer(valid=0.25, seed=5)
    labels = ["good", "bad", "good", "good"] * 40
    counts = Counter((label, dealer.part(label)) for label in labels)
    assert counts[("good", "valid")] == 30
    assert counts[("bad", "valid")] == 10


def test_the_first_item_of_a_label_is_to_train_on():
    parts = [Dealer(valid=0.4, test=0.5, seed=seed).part("rare") for seed in range(50)]
    assert set(parts) == {"train"}


def test_a_seed_decides_which_items_they_are():
    assert dealt(200, valid=0.2, seed=1) == dealt(200, valid=0.2, seed=1)
    assert dealt(200, valid=0.2, seed=1) != dealt(200, valid=0.2, seed=2)


def test_what_is_held_out_does_not_follow_a_period_of_the_file():
    parts = dealt(20_000, valid=0.1, seed=0)
    at = Counter(index % 10 for index, part in enumerate(parts) if part == "valid")
    chi_squared = sum((at[place] - 200) ** 2 / 200 for place in range(10))
    assert chi_squared < 33.7  # one in 10,000 for 9 degrees of freedom


@pytest.mark.parametrize("share", [-0.1, 1, 1.0, 2, True, "half", float("nan"), None])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(ConfigError, match="from 0 to below 1"):
        Dealer(valid=share)


def test_shares_that_leave_nothing_to_train_on_are_refused():
    with pytest.raises(ConfigError, match="Together they are less than 1"):
        Dealer(valid=0.5, test=0.5)


@pytest.mark.parametrize(
    ("name", "part"),
    [("train", "train"), ("Training ", "train"), ("dev", "valid"), ("VAL", "valid"), ("validation", "valid")],
)
def test_parts_have_several_names(name, part):
    assert part_named(name, "a.csv, line 2", "split") == part


def test_a_name_that_is_no_part_is_refused_with_the_nearest():
    with pytest.raises(DataError, match=r"a.csv, line 2: 'tset' in column 'split'.*Did you mean 'test'\?"):
        part_named("tset", "a.csv, line 2", "split")


def test_an_empty_part_is_refused_with_all_counts():
    with pytest.raises(DataError, match=r"no item in the part 'test'\. Items: 9 in 'train', 0 in 'test'"):
        check_parts({"train": 9, "test": 0}, "a.csv")
    check_parts({"train": 9, "test": 1}, "a.csv")


def test_one_class_only_is_refused_with_its_count():
    with pytest.raises(DataError, match=r"one class only\. Items to train on: 9 of 'good'"):
        check_classes({"good": 9}, "a.csv")
    with pytest.raises(DataError, match="no class at all"):
        check_classes({}, "a.csv")
    check_classes({"good": 9, "bad": 1}, "a.csv")


def test_the_same_text_always_goes_into_the_same_part_and_the_shares_are_about_right():
    texts = [f"sentence {number}" for number in range(20_000)]
    first, again = TextDealer(0.1, 0.2, seed=3), TextDealer(0.1, 0.2, seed=3)
    parts = [first.part(text) for text in texts]
    assert parts == [again.part(text.upper()) for text in texts]
    shares = {part: parts.count(part) / 20_000 for part in ("valid", "test")}
    assert shares == {"valid": pytest.approx(0.1, abs=0.01), "test": pytest.approx(0.2, abs=0.01)}


def test_letters_composed_otherwise_are_the_same_text():
    dealer = TextDealer(0.5)
    assert all(dealer.part(f"\u00e4{n}") == dealer.part(f"a\u0308{n}") for n in range(50))


def test_another_seed_deals_texts_otherwise():
    first, other = TextDealer(0.5, seed=1), TextDealer(0.5, seed=2)
    assert [first.part(str(n)) for n in range(50)] != [other.part(str(n)) for n in range(50)]


def test_without_shares_all_texts_are_to_train_on():
    assert {TextDealer(0.0).part(str(n)) for n in range(50)} == {"train"}


def test_shares_of_texts_that_leave_nothing_are_refused():
    with pytest.raises(ConfigError, match="Together they are less than 1"):
        TextDealer(0.5, 0.5)
