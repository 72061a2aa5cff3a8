"""What is kept for the backward pass: the fewest numbers, by trying all sets."""

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.equations.program import Input, Op, Program
from ostinato.unroll.native.saved import smallest_cut

few = settings(max_examples=300, derandomize=True, deadline=None, database=None)


def program_of(ops: list[Op]) -> Program:
    """Return a step with x, a state h and a matrix; all values are vectors of 4 unless they are sums."""
    inputs = (Input("x", "input", ("4",)), Input("h", "state", ("4",)), Input("M", "parameter", ("4", "4")))
    return Program(inputs, tuple(ops), ())


@st.composite
def graphs(draw) -> tuple[Program, list[str], dict[str, int]]:
    """Draw a small program, what is needed of it, and how many numbers each value has."""
    known, ops = ["x", "h"], []
    for k in range(draw(st.integers(1, 7))):
        fn = draw(st.sampled_from(["add", "mul", "tanh", "sigmoid", "matmul", "sum"]))
        args = [draw(st.sampled_from(known)) for _ in range(1 if fn in ("tanh", "sigmoid", "matmul", "sum") else 2)]
        ops.append(Op(f"v{k}", fn, ("M", *args) if fn == "matmul" else tuple(args), () if fn == "sum" else ("4",)))
        known.append(f"v{k}")
    needed = draw(st.lists(st.sampled_from(known), min_size=1, max_size=4, unique=True))
    sizes = {name: draw(st.sampled_from([1, 3, 4])) for name in known}
    return program_of(ops), needed, sizes


def follows(program: Program, kept: set[str], name: str) -> bool:
    """Return whether a value can be had from those kept and the state, without a product or a sum over a row."""
    entry = program.by_name[name]
    if name in kept or name == "h":
        return True
    if isinstance(entry, Input) or entry.fn in ("matmul", "sum"):
        return False
    return all(follows(program, kept, a) for a in entry.args)


def cheapest(program: Program, needed: list[str], sizes: dict[str, int]) -> int:
    """Return the fewest numbers that suffice, by trying every set of values."""
    values = [n for n in sizes if n != "h"]
    sets = [set(c) for k in range(len(values) + 1) for c in combinations(values, k)]
    return min(sum(sizes[v] for v in s) for s in sets if all(follows(program, s, n) for n in needed))


@few
@given(graphs())
def test_all_that_is_needed_follows_from_what_is_kept(drawn):
    program, needed, sizes = drawn
    kept = set(smallest_cut(program, needed, {"h"}, sizes))
    assert all(follows(program, kept, name) for name in needed)


@few
@given(graphs())
def test_no_smaller_set_would_do(drawn):
    program, needed, sizes = drawn
    kept = smallest_cut(program, needed, {"h"}, sizes)
    assert sum(sizes[name] for name in kept) == cheapest(program, needed, sizes)


SUM = program_of(
    [Op("a", "matmul", ("M", "h"), ("4",)), Op("b", "add", ("a", "x"), ("4",)), Op("c", "tanh", ("b",), ("4",))]
)
SIZES = {"x": 4, "h": 4, "a": 4, "b": 4, "c": 4}


@pytest.mark.parametrize(
    ("needed", "free", "kept"),
    [
        ([], set(), []),
        (["h"], {"h"}, []),
        (["b", "c"], {"h"}, ["b"]),
        (["c"], {"h"}, ["c"]),
        (["c"], {"c"}, []),
        (["c", "b"], {"h", "b"}, []),
        (["a", "b"], {"h"}, ["a", "b"]),
        (["M"], set(), []),
    ],
)
def test_a_sum_is_kept_rather_than_what_it_is_made_of(needed, free, kept):
    assert smallest_cut(SUM, needed, free, SIZES) == kept


def test_of_equal_sets_the_one_nearest_to_what_is_needed_is_kept():
    assert smallest_cut(SUM, ["c"], {"h"}, SIZES) == ["c"]
