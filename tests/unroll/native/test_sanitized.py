"""Generated sources under sanitizers and valgrind: no step beyond an array, no race between threads, no warning."""

import shutil
import subprocess

import pytest
import torch
from harness import build, builds_with, record
from loops import CALLS, TEXTS, make, results
from tests.catalogue import EQUATION_CELLS

from ostinato.unroll.native import compiler
from ostinato.unroll.native.compiled import compiled

pytestmark = pytest.mark.skipif(compiler.why_not() is not None, reason=str(compiler.why_not()))

CELLS = [
    "gru", "gru of bfloat16", "layer norms", "softmax, and a product of it", "time", "states of several sizes",
    "units alone",
]  # fmt: skip
ADDRESSES = ("-O1", "-g", "-march=native", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
THREADS = ("-O1", "-g", "-march=native", "-fsanitize=thread")
PLAIN = ("-O1", "-g")
VALGRIND = ("valgrind", "--error-exitcode=9", "--quiet", "--fair-sched=try")


def program_of() -> str:
    return compiler.find_compiler().path


@pytest.fixture(scope="module")
def needs():
    """Skip where a tool is missing."""

    def check(what: str, *flags: str, prefix: tuple[str, ...] = ()) -> None:
        if not builds_with(program_of(), *flags, prefix=prefix):
            pytest.skip(f"{what} does not work here")

    return check


@pytest.fixture
def recorded(monkeypatch):
    """Return a function that gives the calls, forward and backward, of a cell in such a call of `unroll`."""

    def calls(name, call, *, by_rows):
        def run():
            if name.endswith(" of bfloat16"):
                results(make(name[:-12], torch.bfloat16).bfloat16(), torch.bfloat16, "native", call)
            else:
                results(make(name, torch.float32), torch.float32, "native", call)

        return record(monkeypatch, run, by_rows=by_rows)

    return calls


def both_ways(recorded, name: str) -> list[tuple[int, list]]:
    """Return (threads, recorded calls), with lengths and resets: rows shared out, units shared out, and one thread."""
    few = {"steps": 5, "batch": 3, "lengths": [5, 0, 3], "resets": True}
    return [
        (2, recorded(name, CALLS["reverse, with lengths and resets"], by_rows=True)),
        (3, recorded(name, few, by_rows=False)),
        (2, recorded(name, CALLS["one row"], by_rows=False)),
        (1, recorded(name, CALLS["every state"], by_rows=True)),
    ]


def run_all(recorded, name: str, folder, flags: tuple[str, ...], *prefix: str) -> None:
    programs = {}
    for threads, calls in both_ways(recorded, name):
        assert [call.direction for call in calls] == ["forward", "backward"]
        for call in calls:
            if call.source.text not in programs:
                place = folder / str(len(programs))
                place.mkdir()
                programs[call.source.text] = build(program_of(), call.source, call.direction, place, *flags)
            near = 0.05 if name.endswith(" of bfloat16") else 1e-4  # without such numbers, products are of float32
            call.check(programs[call.source.text], threads, *prefix, tolerance=near)


@pytest.mark.parametrize("name", CELLS)
def test_no_pass_reads_or_writes_beyond_an_array(name, recorded, needs, tmp_path):
    needs("the address sanitizer", *ADDRESSES)
    run_all(recorded, name, tmp_path, ADDRESSES)


@pytest.mark.parametrize("name", CELLS)
def test_no_two_threads_race(name, recorded, needs, tmp_path):
    needs("the thread sanitizer", *THREADS)
    run_all(recorded, name, tmp_path, THREADS)


@pytest.mark.parametrize("name", ["gru", "layer norms"])
def test_no_pass_reads_what_nobody_wrote(name, recorded, needs, tmp_path):
    if shutil.which("valgrind") is None:
        pytest.skip("valgrind is not installed")
    needs("valgrind", *PLAIN, prefix=VALGRIND)
    run_all(recorded, name, tmp_path, PLAIN, *VALGRIND)


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("name", [*EQUATION_CELLS, *TEXTS])
def test_a_source_compiles_without_a_warning(name, direction):
    source = compiled(make(name, torch.float32).definition, hoisted=False).source(direction)
    flags = ["-std=c++17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-march=native"]
    done = subprocess.run(
        [program_of(), *flags, "-x", "c++", "-"], input=source.text, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr[:4000]
