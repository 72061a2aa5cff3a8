"""Threads: the same bits every time, the same numbers however many there are, and nothing broken by a fork."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from loops import CALLS, TOLERANCE, assert_near, make, random, results

from ostinato import unroll
from ostinato.unroll.native import compiler, kernel
from ostinato.unroll.native.printer import Source
from ostinato.unroll.native.threads import pool, usable_threads

pytestmark = [
    pytest.mark.skipif(compiler.why_not() is not None, reason=str(compiler.why_not())),
    pytest.mark.skipif(not pool().parallel, reason="torch has no OpenMP pool here"),
]

CELLS = ["gru", "layer norms", "softmax, and a product of it", "constants and single numbers", "time", "units alone"]
SHARED = {
    "units, one row": {"steps": 9, "batch": 1},
    "units, several rows": {"steps": 9, "batch": 3, "lengths": [9, 0, 4], "resets": True},
    "rows": {"steps": 9, "batch": 33, "resets": True},
    "rows of several lengths": {"steps": 9, "batch": 33, "lengths": [k % 10 for k in range(33)], "reverse": True},
}


@pytest.fixture
def threads(monkeypatch):
    """Return a function that sets how many threads there are, and has them work together however small the cell."""
    before = torch.get_num_threads()
    monkeypatch.setattr(kernel, "ALONE", 0)
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_the_cases_share_what_they_say():
    by_rows = {name: call["batch"] >= 2 * kernel.ENOUGH_ROWS for name, call in SHARED.items()}
    assert by_rows == {name: name.startswith("rows") for name in SHARED}


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("case", SHARED)
@pytest.mark.parametrize("name", CELLS)
def test_several_threads_give_the_numbers_of_one(name, case, count, threads):
    cell = make(name, torch.float64)
    threads(1)
    alone = results(cell, torch.float64, "native", SHARED[case])
    threads(count)
    assert_near(results(cell, torch.float64, "native", SHARED[case]), alone, TOLERANCE[torch.float64])


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("case", SHARED)
@pytest.mark.parametrize("name", CELLS)
def test_as_many_threads_give_the_same_bits(name, case, count, threads):
    cell = make(name, torch.float32)
    threads(count)
    first = results(cell, torch.float32, "native", SHARED[case])
    assert_near(results(cell, torch.float32, "native", SHARED[case]), first, 0.0)


def test_more_threads_than_blocks_of_units_wait_for_each_other(threads):
    """37 units are two or three blocks of a vector register's numbers: of eight threads most have nothing to do."""
    threads(1)
    alone = results(make("gru", torch.float32), torch.float32, "native", SHARED["units, one row"])
    threads(8)
    found = results(make("gru", torch.float32), torch.float32, "native", SHARED["units, one row"])
    assert_near(found, alone, TOLERANCE[torch.float32])


def source(products: int = 0, units: int = 64, *, waits: bool = True) -> Source:
    """Return what a team is chosen by."""
    return Source("", (), (0, 0), products, units, waits)


def test_torch_says_how_many_threads_there_are(threads):
    threads(1)
    assert (usable_threads(), kernel.team(100, 1, source(products=10**6))) == (1, (1, True))
    threads(2)
    assert usable_threads() == 2


@pytest.mark.parametrize(
    ("rows", "products", "expected"),
    [(1, 10, (1, True)), (1, 10**6, (2, False)), (11, 10**6, (2, False)), (12, 10**6, (2, True))],
)
def test_small_steps_run_alone_and_few_rows_share_units(rows, products, expected):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert kernel.team(rows, 100, source(products=products)) == expected
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("rows", "steps", "units", "expected"),
    [
        (1, 100, 64, (1, True)),
        (1, 1000, 64, (2, False)),
        (3, 1000, 64, (2, False)),
        (3, 1000, 63, (2, True)),
        (1, 1000, 63, (2, False)),
        (4, 1000, 64, (2, True)),
        (13, 1000, 64, (2, True)),
    ],
)
def test_where_no_thread_waits_what_can_be_shared_evenly_is_shared(rows, steps, units, expected):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert kernel.team(rows, steps, source(units=units, waits=False)) == expected
    finally:
        torch.set_num_threads(before)


def test_several_python_threads_may_unroll_at_once(threads):
    threads(2)
    cells = [make(name, torch.float64) for name in CELLS]
    expected = [results(cell, torch.float64, "native", CALLS["lengths"]) for cell in cells]
    with ThreadPoolExecutor(4) as workers:
        found = list(workers.map(lambda c: results(c, torch.float64, "native", CALLS["lengths"]), cells * 3))
    for one, other in zip(found, expected * 3, strict=True):
        assert_near(one, other, TOLERANCE[torch.float64])


def test_the_team_is_one_where_torch_is_itself_in_parallel(threads):
    """Inside another team OpenMP hands out no second one: the loop must not wait for threads that never come."""
    threads(2)
    script = """
import ctypes, torch
from ostinato.unroll.native.threads import pool
from ostinato.unroll.native import kernel
from loops import make, results
kernel.ALONE = 0
torch.set_num_threads(2)
cell = make("gru", torch.float64)
call = {"steps": 9, "batch": 1}
expected = results(cell, torch.float64, "native", call)["outputs"]
found = []
enter = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
parallel = ctypes.CFUNCTYPE(None, enter, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint)(pool().parallel)
work = enter(lambda _: found.append(results(cell, torch.float64, "native", call)["outputs"]))
parallel(work, None, 2, 0)
assert len(found) == 2
for one in found:
    torch.testing.assert_close(one, expected)
"""
    finish([sys.executable, "-c", script])


def finish(command: list[str]) -> str:
    here = str(Path(__file__).parent)
    environment = {**os.environ, "PYTHONPATH": here, "OMP_NUM_THREADS": "2"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


FORKED = """
import os, sys, torch
from torch.utils.data import DataLoader
from ostinato.unroll.native import engine, kernel
from ostinato.unroll.native.threads import usable_threads
from loops import assert_near, make, results
kernel.ALONE = 0
engine.is_hoisted = lambda *_: False  # torch's own products hang in a forked child that may use two threads
torch.set_num_threads(2)
cell = make("gru", torch.float64)
CALLS = [{"steps": 9, "batch": 1}, {"steps": 9, "batch": 33}]


def work():
    return [results(cell, torch.float64, "native", call) for call in CALLS]


expected = work()  # two threads, so that the parent's pool is at work before the fork
assert usable_threads() == 2
"""


def test_a_forked_child_works_with_one_thread_after_its_parent_used_two():
    finish([sys.executable, "-c", FORKED + """
child = os.fork()
if not child:
    try:
        assert usable_threads() == 1
        for one, other in zip(work(), expected):
            assert_near(one, other, 1e-10)
        os._exit(0)
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
        os._exit(1)
assert os.waitpid(child, 0)[1] == 0
for one, other in zip(work(), expected):
    assert_near(one, other, 0.0)
"""])  # fmt: skip


def test_workers_of_a_data_loader_may_unroll():
    finish([sys.executable, "-c", FORKED + """
def collate(_):
    return [{k: v.detach() for k, v in one.items()} for one in work()]


found = list(DataLoader(range(4), batch_size=1, num_workers=2, collate_fn=collate, multiprocessing_context="fork"))
assert len(found) == 4
for batch in found:
    for one, other in zip(batch, expected):
        assert_near(one, other, 1e-10)
"""])  # fmt: skip


def test_a_reset_of_the_number_of_threads_between_forward_and_backward_is_no_matter(threads):
    cell = make("layer norms", torch.float64)
    x = random(9, 3, 5, seed=1).requires_grad_()
    found = []
    for before, after in ((1, 1), (2, 1), (1, 4)):
        threads(before)
        loss = unroll(cell, x, engine="native")[0].pow(2).sum()
        threads(after)
        found.append(dict(enumerate(torch.autograd.grad(loss, [x, *cell.parameters()]))))
    assert_near(found[1], found[0], 1e-10)
    assert_near(found[2], found[0], 1e-10)
