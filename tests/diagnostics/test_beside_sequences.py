"""What stands beside sequences of symbols and of numbers, written out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.diagnostics.columns import column_tracks, grouped
from ostinato.diagnostics.pieces import piece_tracks

PIECES = ["", " He", " said", ' "', "No", "!", '"', " (", "2", ")"]


@pytest.mark.parametrize(
    ("track", "expected"),
    [
        ("steps read", "1 2 3 4 5 6 7 8 9 10"),
        ("steps left", "9 8 7 6 5 4 3 2 1 0"),
        ("capital", "0 1 0 0 1 0 0 0 0 0"),
        ("digit", "0 0 0 0 0 0 0 0 1 0"),
        ("punctuation", "0 0 0 1 0 1 1 1 0 1"),
        ("inside quotes", "nan 0 0 1 1 1 0 0 0 0"),
        ("bracket depth", "nan 0 0 0 0 0 0 1 1 0"),
        ("letters of the word so far", "nan 2 4 0 2 0 0 0 1 0"),
    ],
)
def test_a_track_is_what_stands_beneath_the_words(track, expected):
    assert " ".join(f"{value:g}" for value in piece_tracks(PIECES)[track]) == expected


def test_letters_of_a_word_are_counted_one_by_one():
    assert piece_tracks([*"ab c"])["letters of the word so far"].tolist() == [1, 2, 0, 1]


@given(st.lists(st.text(max_size=3), max_size=8))
def test_there_is_a_number_for_each_symbol_of_any_text(pieces):
    assert {values.shape for values in piece_tracks(pieces).values()} == {(len(pieces),)}


def test_numbers_are_followed_themselves_by_their_mean_so_far_and_their_change():
    values = np.array([[[1.0, 5.0]], [[3.0, np.nan]], [[8.0, 2.0]]])
    found = column_tracks(values, ["heat", "light"])
    assert [*found] == [
        "steps read",
        *(f"{n}{w}" for n in ("heat", "light") for w in ("", ", mean so far", ", change")),
    ]
    assert found["heat, mean so far"][:, 0].tolist() == [1, 2, 4]
    assert found["heat, change"][1:, 0].tolist() == [2, 5]
    assert np.isnan(found["light, mean so far"][1:]).all()


def test_many_columns_are_taken_together_with_their_neighbours():
    values = np.arange(10.0).reshape(1, 1, 10)
    assert {name: track.item() for name, track in grouped(values).items()} == {
        "numbers 1 to 3": 1, "numbers 4 to 6": 4, "numbers 7 to 8": 6.5, "numbers 9 to 10": 8.5,
    }  # fmt: skip
    assert next(iter(grouped(values, [*"abcdefghij"]))) == "a to c"
