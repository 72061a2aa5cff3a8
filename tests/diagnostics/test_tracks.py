"""What goes on in texts, written out by hand beneath them."""

import numpy as np
import pytest

import ostinato
from ostinato.diagnostics.tracks import tracks, tracks_of


def digits(values):
    return "".join(str(int(value)) for value in values)


@pytest.mark.parametrize(
    ("track", "text", "expected"),
    [
        ("inside quotes", 'a "b c" d', "001111000"),
        ("inside quotes", r'"a\"b" c', "11111000"),
        ("inside quotes", r'"a\\" b', "1111000"),
        ("inside quotes", r'"a\\\" b', "11111111"),
        ("inside quotes", "x='\"';y", "0000000"),
        ("inside quotes", "x='\\\"';y", "00000000"),
        ("inside quotes", "“a” «b» c", "110011000"),
        ("inside quotes", '"a\n\nb', "11100"),
        ("inside quotes", '"/* a"', "111110"),
        ("bracket depth", "f(a[0]){x}", "0112210110"),
        ("bracket depth", "))(", "001"),
        ("bracket depth", '("(")', "11110"),
        ("bracket depth", "(c=='(')", "11111110"),
        ("bracket depth", "f(']', x)", "011111110"),
        ("bracket depth", "(/*(*/)", "1111110"),
        ("indentation", "a\n  b c\n d", "0012222011"),
        ("indentation", "  \ta", "1288"),
        ("position in line", "\tb\n", "120"),
        ("position in line", "ab\nc\n\nd", "1201001"),
        ("position in word", "ab, c_1!", "12001230"),
        ("inside a comment", "a /* b */ c", "00011111000"),
        ("inside a comment", "a // b\nc", "00011100"),
        ("inside a comment", "http://a", "00000000"),
        ("inside a comment", "<!--a-->b", "000111100"),
        ("inside a comment", '"//" a', "000000"),
        ("upper case", "aB É1", "01010"),
    ],
)
def test_a_track_is_what_stands_beneath_the_text(track, text, expected):
    assert digits(tracks(text)[track]) == expected


def test_a_tab_indents_by_eight():
    assert tracks("\ta")["indentation"].tolist() == [8, 8]


def test_an_empty_text_has_empty_tracks():
    assert all(values.shape == (0,) for values in tracks("").values())


def test_a_symbol_has_the_value_of_its_last_character():
    found = tracks_of(["", "ab", "c\n", "", "d"])["position in line"]
    assert np.isnan(found[0])
    assert found[1:].tolist() == [2, 0, 0, 1]


def test_annotations_are_functions_of_the_text_or_numbers_of_its_symbols():
    given = {"vowel": lambda text: [c in "aeiou" for c in text], "mine": [1.5, float("nan")]}
    found = tracks_of(["ba", "b"], given)
    assert found["vowel"].tolist() == [1, 0]
    assert found["mine"][0] == 1.5
    assert np.isnan(found["mine"][1])


@pytest.mark.parametrize("given", [[1.0], [[1.0, 2.0, 3.0]], lambda text: [0.0]])
def test_annotations_of_another_length_are_refused(given):
    with pytest.raises(ostinato.ConfigError, match=r"annotation 'mine'.*3 (symbols|characters)"):
        tracks_of(["a", "b", "c"], {"mine": given})


@pytest.mark.parametrize("given", ["abc", ["a", "b", "c"], lambda text: list(text), [[1], [2, 3]], {"a": 1}])
def test_annotations_that_are_no_numbers_are_refused(given):
    with pytest.raises(ostinato.ConfigError, match="annotation 'mine': no numbers"):
        tracks_of(["a", "b", "c"], {"mine": given})
