"""Sizes as symbols: their spelling, their numbers and their unification."""

import pytest

from ostinato.equations.sizes import SizeConflict, Unknown, normal, symbols, total, unify, value


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("H", "H"),
        (" 2 * H ", "2*H"),
        ("H + H", "2*H"),
        ("H+2*H", "3*H"),
        ("1*H", "H"),
        ("H//1", "H"),
        ("H // 2", "H//2"),
        ("H//2 + H//2", "2*H//2"),
        ("2 + 3", "5"),
        ("H + 0", "H"),
        ("3 + H + 1", "4 + H"),
        ("hidden_2", "hidden_2"),
    ],
)
def test_a_size_has_one_spelling(written, read):
    assert normal(written) == read
    assert normal(read) == read


@pytest.mark.parametrize(
    "text", ["", "0", "0 + 0", "-1", "H - 1", "H/2", "H//0", "0*H", "H*2", "2.5", "H H", "2*", "(H)", "+"]
)
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ValueError, match=r".*"):
        normal(text)


@pytest.mark.parametrize(
    ("size", "number"), [("7", 7), ("H", 6), ("2*H", 12), ("H//2", 3), ("2*H//3 + D", 8), ("4*H + 1", 25)]
)
def test_a_size_has_a_number(size, number):
    assert value(size, {"H": 6, "D": 4}) == number


@pytest.mark.parametrize(("size", "numbers"), [("H//2", {"H": 5}), ("H//7", {"H": 3})])
def test_a_size_that_does_not_divide_says_so(size, numbers):
    with pytest.raises(ValueError, match="does not divide by"):
        value(size, numbers)


def test_a_total_is_a_size():
    assert total(["H", "H", "2*H"]) == "4*H"
    assert total(["H", "3"]) == "H + 3"


def test_a_size_is_made_of_symbols():
    assert symbols("2*H//2 + D + 3") == {"H", "D"}


def test_unknown_sizes_become_known_together():
    a, b, c = (Unknown(name) for name in "abc")
    unify(a, b)
    unify(b, c)
    unify(c, Unknown("d", "3"))
    assert (a.known, b.known, c.known) == ("3", "3", "3")


def test_settling_keeps_what_is_known():
    known, free = Unknown("a", "D"), Unknown("b")
    known.settle("H")
    free.settle("H")
    assert (known.known, free.known) == ("D", "H")


def test_sizes_that_differ_conflict_with_both_reasons():
    a, b = Unknown("the state", "H"), Unknown("the input", "D")
    unify(a, c := Unknown("a vector"))
    with pytest.raises(SizeConflict) as caught:
        unify(c, b)
    assert (caught.value.left.because, caught.value.right.because) == ("the state", "the input")


def test_a_size_agrees_with_itself():
    a = Unknown("the state")
    assert unify(a, a) is a
