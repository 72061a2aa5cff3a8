"""`Stream`: what `unroll` gives, step by step, whatever becomes of the cell, the process or the thread meanwhile."""

import copy
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module

import pytest
import torch
from recurrences import D, H, make, numbers
from torch import nn

import ostinato
from ostinato import Cell, ConfigError, Stream, unroll
from ostinato.unroll.native import compiler

STEPS, ROWS = 6, 2
DOUBLE = torch.float64


class Halves(Cell):
    """A plain cell that takes two parts of one state."""

    def __init__(self):
        super().__init__()
        self.input_size, self.hidden_size, self.output_size = D, 2 * H, H
        self.read = nn.Linear(D + H, H)

    def initial_state(self, batch_size, *, device=None, dtype=None):
        return {"both": torch.zeros(batch_size, 2 * H, device=device, dtype=dtype)}

    def step(self, x, state):
        fast, slow = state["both"].chunk(2, -1)
        fast = torch.tanh(self.read(torch.cat([x, fast], -1)))
        slow = 0.9 * slow + 0.1 * fast
        return slow, {"both": torch.cat([fast, slow], -1)}


TEXTS = {
    "no input": "h' = tanh(U @ h + b)",
    "the input as it is": "h' = 0.5 * h + W @ sigmoid(x)",
    "a text": "c' = 0.5 * c + W @ x + U @ h\nh' = tanh(c') + 0.1 * c\ny = V @ h' + b",
    "constants": "leak = 0.3\ngain : scalar\nh' = (1 - leak) * h + leak * tanh(gain * (W @ x) + U @ h)",
    "time": "h' = exp(-softplus(w) * dt) * h + tanh(W @ x + U @ h) * dt",
}


def build(name: str, dtype=DOUBLE) -> Cell:
    torch.manual_seed(0)
    if name == "halves":
        return Halves().to(dtype)
    return ostinato.cell(TEXTS[name], D, H, dtype=dtype) if name in TEXTS else make(name, dtype)


every_kind = pytest.mark.parametrize("name", [*TEXTS, "halves", "lstm", "learned start", "plain"])
both_engines = pytest.mark.parametrize("compiled", [True, False], indirect=True, ids=["compiled", "eager"])


@pytest.fixture
def compiled(request, monkeypatch):
    """Whether the steps are compiled ones."""
    if not request.param:
        monkeypatch.setattr(import_module("ostinato.unroll.stream"), "why_not_native", lambda *_: "the test wants none")
    elif compiler.why_not() is not None:
        pytest.skip(str(compiler.why_not()))
    return request.param


def given(dtype=DOUBLE):
    return numbers(STEPS, ROWS, D).to(dtype)


def times_of(cell, x):
    return {"dt": x[..., 0].abs() + 0.1} if cell.uses_dt else {}


def taken(stream, x, **times):
    """Return the outputs of the stream over x, and its state after them."""
    steps = [stream(row, **{k: v[n] for k, v in times.items()}) for n, row in enumerate(x)]
    return torch.stack(steps), stream.state


@both_engines
@every_kind
def test_a_stream_gives_what_unroll_gives(name, compiled):
    cell, x = build(name), given()
    times = times_of(cell, x)
    found = taken(Stream(cell, ROWS), x, **times)
    with torch.no_grad():
        torch.testing.assert_close(found, unroll(cell, x, engine="eager", **times), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", ["gru", "a text", "halves"])
@pytest.mark.parametrize("compiled", [True], indirect=True)
def test_what_has_no_reason_against_it_is_compiled(name, compiled):
    assert Stream(build(name), ROWS).engine == "native"


@both_engines
@pytest.mark.parametrize("name", ["constants", "gru", "learned start", "halves"])
def test_weights_are_those_the_cell_had(name, compiled):
    cell, x = build(name), given()
    stream, other = Stream(cell, ROWS), Stream(cell, ROWS)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.add_(0.5)
    stream.reset()
    torch.testing.assert_close(taken(stream, x), taken(other, x), rtol=0, atol=0)
    assert not torch.allclose(taken(other, x)[0], taken(Stream(cell, ROWS), x)[0])


@both_engines
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda stream: pickle.loads(pickle.dumps(stream))])
def test_a_copy_goes_on_from_the_same_state_and_by_itself(copied, compiled):
    stream, x = Stream(build("lstm"), ROWS), given()
    taken(stream, x)
    other = copied(stream)
    assert other.engine == stream.engine
    expected = taken(stream, x)
    torch.testing.assert_close(taken(other, x), expected, rtol=0, atol=0)


FORKED = """
import os, signal, torch
from ostinato import GRU, Stream
from ostinato.unroll.native import kernel
kernel.ALONE = 0
torch.set_num_threads(2)
stream, x = Stream(GRU(3, 40)), torch.ones(1, 3)
stream(x)
child = os.fork()
if not child:
    signal.alarm(60)
    stream(x)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("compiled", [True], indirect=True)
def test_a_forked_child_takes_steps_alone(compiled):
    """Two threads took them in the parent; a child has no pool, and would wait for ever."""
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr


@both_engines
def test_no_step_is_lost_where_threads_share_a_stream(compiled):
    cell, step, count = ostinato.cell("h' = h + W @ x", 1, 40), torch.ones(1, 1), 400
    with torch.no_grad():
        cell.W.fill_(1.0)
    stream = Stream(cell)
    with ThreadPoolExecutor(4) as workers:
        outputs = list(workers.map(lambda _: stream(step)[0, 0].item(), range(count)))
    assert sorted(outputs) == list(range(1, count + 1))


@both_engines
def test_a_stream_made_in_inference_mode_is_used_outside_it(compiled):
    cell, x = build("gru"), given()
    with torch.inference_mode():
        stream = Stream(cell, ROWS)
        stream(x[0])
    stream.state = torch.zeros(ROWS, H, dtype=DOUBLE)
    torch.testing.assert_close(taken(stream, x), taken(Stream(cell, ROWS), x), rtol=0, atol=0)


@both_engines
def test_the_default_device_is_no_matter(compiled):
    cell, x = build("time"), given()
    expected = taken(Stream(cell, ROWS), x, **times_of(cell, x))
    with torch.device("meta"):
        found = taken(Stream(cell, ROWS), x, **times_of(cell, x))
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


@both_engines
def test_frozen_weights_say_the_type(compiled):
    class Frozen(ostinato.EquationCell):
        equations = "h' = tanh(W @ x + U @ h)"
        frozen = ("W", "U")

    cell, x = Frozen(D, H, dtype=DOUBLE), given()
    torch.testing.assert_close(taken(Stream(cell, ROWS), x)[0], unroll(cell, x)[0], rtol=1e-10, atol=1e-12)


@both_engines
def test_a_row_that_is_reset_starts_anew_and_the_others_go_on(compiled):
    cell, x = build("lstm"), given()
    stream, whole = Stream(cell, ROWS), Stream(cell, ROWS)
    stream(x[0])
    whole(x[0])
    stream.reset(torch.tensor([True, False]))
    found, expected = stream(x[1]), whole(x[1])
    assert torch.equal(found[1], expected[1])
    torch.testing.assert_close(found[:1], Stream(cell)(x[1][:1]), rtol=1e-12, atol=1e-12)


# ---- what is refused


@both_engines
@pytest.mark.parametrize(
    ("x", "got"),
    [
        (torch.zeros(ROWS, D + 1, dtype=DOUBLE), "torch.float64 of shape (2, 4) on cpu"),
        (torch.zeros(ROWS, D), "torch.float32 of shape (2, 3) on cpu"),
        (torch.zeros(ROWS, D, dtype=DOUBLE, device="meta"), "torch.float64 of shape (2, 3) on meta"),
        ([[0.0] * D] * ROWS, "list, not a tensor"),
    ],
)
def test_steps_that_do_not_fit(x, got, compiled):
    with pytest.raises(ConfigError) as caught:
        Stream(build("gru"), ROWS)(x)
    wanted = "This stream takes torch.float64 of shape (2, 3) on cpu"
    assert (caught.value.where, caught.value.got, caught.value.possible) == ("x", got, wanted)


@both_engines
@pytest.mark.parametrize(
    ("dt", "got"),
    [
        (None, "none was given"),
        (0.3, "float, not a tensor"),
        (torch.ones(ROWS + 1), "torch.float32 of shape (3,) on cpu"),
        (torch.ones(ROWS, device="meta"), "torch.float32 of shape (2,) on meta"),
    ],
)
def test_times_that_do_not_fit(dt, got, compiled):
    with pytest.raises(ConfigError) as caught:
        Stream(build("time"), ROWS)(given()[0], dt)
    assert (caught.value.where, caught.value.got) == ("dt", got)


@both_engines
@pytest.mark.parametrize("state", [None, 3, torch.zeros(ROWS, H + 1), (torch.zeros(ROWS, H),) * 2])
def test_states_that_do_not_fit(state, compiled):
    stream = Stream(build("gru"), ROWS)
    with pytest.raises(ConfigError, match=r"state: .* This cell's state is shape \(2, 4\)"):
        stream.state = state


@both_engines
@pytest.mark.parametrize("rows", [torch.tensor([True]), torch.tensor([1, 0]), [True, False]])
def test_rows_that_do_not_fit(rows, compiled):
    with pytest.raises(ConfigError, match=r"rows: .* one bool for each of the 2 rows"):
        Stream(build("gru"), ROWS).reset(rows)


@pytest.mark.parametrize("batch_size", [0, 1.5, "two", True])
def test_a_batch_is_a_whole_number_of_rows(batch_size):
    with pytest.raises(ConfigError, match=r"batch_size: .* whole number"):
        Stream(build("gru"), batch_size)
