"""A machine without a C++ compiler, or with a broken one: everything runs, and the plan says why it is not compiled."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TEXT = "h' = tanh(W @ x + U @ h) + 0.1 * h"


every_machine = pytest.mark.parametrize("machine", ["none", "broken", "silent", "unable"], indirect=True)
two_machines = pytest.mark.parametrize("machine", ["none", "broken"], indirect=True)


@pytest.fixture
def machine(request, tmp_path) -> tuple[dict[str, str], str]:
    """Return an environment, and what the plan then says of the native engine."""
    (tmp_path / "bin").mkdir()
    environment = {k: v for k, v in os.environ.items() if k != "CXX"}
    environment |= {"PATH": str(tmp_path / "bin"), "OSTINATO_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
    if request.param == "none":
        return environment, "no C++ compiler found (looked for c++, g++, clang++ on PATH)"
    said = {"broken": "echo 'cannot find cc1plus' >&2; exit 1", "silent": "exit 1", "unable": "exit 0"}
    program = tmp_path / "bin" / "g++"
    program.write_text(f"#!/bin/sh\n{said[request.param]}\n")
    program.chmod(0o755)
    reasons = {
        "broken": "cannot find cc1plus",
        "silent": "it exited with 1, saying nothing",
        "unable": "what it built cannot be loaded",
    }
    return environment, f"the C++ compiler g++ failed: {reasons[request.param]}"


def finish(environment: dict[str, str], *command: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, timeout=120)


SCRIPT = f"""
import torch, ostinato
from ostinato import EngineError, plan, unroll
x = torch.randn(6, 3, 4, requires_grad=True)
gru, own = ostinato.GRU(4, 5), ostinato.cell({TEXT!r}, 4, 5)
print(plan(gru))
print(plan(own))
for cell in (gru, own):
    outputs, _ = unroll(cell, x)
    outputs.sum().backward()
    torch.testing.assert_close(outputs, unroll(cell, x, engine="eager")[0])
try:
    unroll(own, x, engine="native")
except EngineError as error:
    print(error)
"""


@every_machine
def test_auto_runs_what_can_run_and_says_why_nothing_is_compiled(machine):
    environment, reason = machine
    done = finish(environment, "-W", "error", "-c", SCRIPT)
    assert done.returncode == 0, done.stderr
    gru, own, refused = done.stdout.split("\n", 2)
    assert gru.startswith(f"vendor (not native: {reason}")
    assert own.startswith(f"eager (not vendor: torch has no kernel for these equations; not native: {reason}")
    assert refused.startswith(f"engine 'native': it cannot run this call: {reason}")
    assert "Use engine='auto'" in refused


@two_machines
@pytest.mark.parametrize("cell", ["gru", TEXT], ids=["a cell with a name", "a text"])
def test_the_command_line_explains_without_a_traceback(machine, cell):
    environment, reason = machine
    done = finish(environment, "-m", "ostinato.cli", "explain", cell)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    (engine,) = [line for line in done.stdout.split("\n") if line.startswith("engine")]
    assert engine.split()[1] == ("vendor" if cell == "gru" else "eager")
    assert reason in engine


@two_machines
def test_the_doctor_says_what_is_missing(machine):
    environment, reason = machine
    done = finish(environment, "-m", "ostinato.cli", "doctor")
    assert "Traceback" not in done.stdout + done.stderr
    assert reason in done.stdout + done.stderr


def test_a_cache_that_cannot_be_written_stops_nothing(tmp_path):
    place = Path(tmp_path / "file")
    place.write_text("no folder")
    environment = os.environ | {"OSTINATO_CACHE": str(place), "OMP_NUM_THREADS": "1"}
    done = finish(environment, "-W", "error", "-c", SCRIPT)
    assert done.returncode == 0, done.stderr
