"""What is built once: neither more rows or steps nor another constant starts the compiler again."""

import pytest
import torch
from loops import CALLS, TEXTS, D, make, random, results

import ostinato
from ostinato import GRU, unroll
from ostinato.unroll.native import compiler, engine, over_time
from ostinato.unroll.native.compiled import compiled

pytestmark = pytest.mark.skipif(compiler.why_not() is not None, reason=str(compiler.why_not()))

NAME = "constants and single numbers"


@pytest.fixture
def builds(monkeypatch, tmp_path):
    """Return a list that grows by one at each call of the compiler, from an empty cache on."""
    compiler.find_compiler()  # its own probe is built before
    monkeypatch.setenv("OSTINATO_CACHE", str(tmp_path))
    made, build = [], compiler._build

    def noted(program, flags, source, path):
        made.append(path.name.split("-")[0])
        build(program, (*flags, "-O0"), source, path)

    monkeypatch.setattr(compiler, "_build", noted)
    forget()
    yield made
    forget()


def forget():
    """Have this process know no more than a new one."""
    compiler._loaded.cache_clear()
    compiled.cache_clear()
    over_time._built.cache_clear()


def test_neither_rows_nor_steps_nor_lengths_start_the_compiler_again(builds, monkeypatch):
    monkeypatch.setattr(engine, "is_hoisted", lambda *_: True)
    cell = make(NAME, torch.float64)
    results(cell, torch.float64, "native", CALLS["plain"])
    first = list(builds)
    assert sorted(first) == ["backward", "forward", "over_time"]
    for call in CALLS.values():
        if "recompute" not in call:
            results(cell, torch.float64, "native", call)
    assert builds == first


def test_another_constant_starts_no_compiler_and_gives_other_numbers(builds):
    text, x = TEXTS[NAME], random(5, 3, D, seed=1)
    cells = [ostinato.cell(text, D, 4, dtype=torch.float64, leak=leak) for leak in (0.3, 0.6)]
    cells[1].load_state_dict(cells[0].state_dict())
    first, _ = unroll(cells[0], x, engine="native")
    count = len(builds)
    second, _ = unroll(cells[1], x, engine="native")
    assert len(builds) == count
    assert not torch.allclose(first, second)
    torch.testing.assert_close(second, unroll(cells[1], x, engine="eager")[0])


def test_a_second_cell_of_the_same_sizes_starts_no_compiler(builds):
    unroll(GRU(D, 4), torch.zeros(5, 3, D), engine="native")
    first = list(builds)
    unroll(GRU(D, 4), torch.zeros(5, 3, D), engine="native")
    assert builds == first


def test_a_forward_pass_alone_builds_no_backward_one(builds):
    with torch.no_grad():
        unroll(GRU(D, 4), torch.zeros(5, 3, D), engine="native")
    assert "forward" in builds
    assert "backward" not in builds


def test_a_new_process_finds_what_was_built(builds):
    for _ in range(2):
        unroll(GRU(D, 4), torch.zeros(5, 3, D), engine="native")[0].sum().backward()
        count = len(builds)
        forget()
    unroll(GRU(D, 4), torch.zeros(5, 3, D), engine="native")[0].sum().backward()
    assert len(builds) == count == len(set(builds))


def test_another_size_is_another_loop(builds):
    with torch.no_grad():
        for size in (4, 5):
            unroll(GRU(D, size), torch.zeros(5, 3, D), engine="native")
    assert builds.count("forward") == 2
