"""The cells that unrolling is tested on, the loop it stands for, and the calls it is tried with."""

from typing import NamedTuple

import torch
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils import _pytree as pytree

import ostinato
from ostinato import GRU, LSTM, Cell, Elman, EngineError
from ostinato.cells.wrappers.learned_initial_state import LearnedInitialState
from ostinato.unroll.plan import ENGINES

D, H = 3, 4


class Memory(NamedTuple):
    """A state no equations have: leaves of different sizes, one of them with two axes a row."""

    trace: Tensor
    matrix: Tensor


class PlainCell(Cell):
    """A cell written by hand; counts the rows it was asked to step."""

    def __init__(self, input_size=D, hidden_size=H):
        super().__init__()
        self.input_size, self.hidden_size, self.output_size = input_size, hidden_size, 5
        self.read = nn.Linear(input_size + hidden_size, hidden_size)
        self.write = nn.Linear(2 * hidden_size, self.output_size)
        self.rows = 0

    def initial_state(self, batch_size, *, device=None, dtype=None):
        options = {"device": device, "dtype": dtype}
        trace = torch.zeros(batch_size, self.hidden_size, **options)
        return Memory(trace, torch.full((batch_size, 2, self.hidden_size), 0.5, **options))

    def step(self, x, state):
        self.rows += len(x)
        trace = torch.tanh(self.read(torch.cat([x, state.trace], -1)))
        matrix = 0.5 * state.matrix + torch.stack([trace, trace * trace], 1)
        return self.write(matrix.flatten(1)), Memory(trace, matrix)


class LeakyClock(Cell):
    """A cell written by hand whose step takes the time since the last one."""

    uses_dt = True

    def __init__(self):
        super().__init__()
        self.input_size, self.hidden_size, self.output_size = D, H, H
        self.read = nn.Linear(D, H)

    def initial_state(self, batch_size, *, device=None, dtype=None):
        return torch.zeros(batch_size, H, device=device, dtype=dtype)

    def step(self, x, state, dt):
        after = torch.exp(-dt)[:, None] * state + torch.tanh(self.read(x))
        return after, after


def _learned() -> Cell:
    cell = LearnedInitialState(LSTM(D, H))
    for leaf in cell.initial:
        nn.init.normal_(leaf)
    return cell


_CELLS = {
    "elman": lambda: Elman(D, H),
    "lstm": lambda: LSTM(D, H),
    "gru": lambda: GRU(D, H),
    "lstm without bias": lambda: LSTM(D, H, bias=False),
    "learned start": _learned,
    "own text": lambda: ostinato.cell("f = sigmoid(W_f @ x + U_f @ h + b_f)\nh' = f * h + (1 - f) * tanh(W @ x)", D, H),
    "two states": lambda: ostinato.cell("c' = 0.5 * c + W @ x + U @ h\nh' = tanh(c') + 0.1 * c\ny = h' * c'", D, H),
    "uses dt": lambda: ostinato.cell("h' = tanh(W @ x + U @ (h * exp(-softplus(w) * dt)) + b)", D, H),
    "plain": PlainCell,
    "plain with dt": LeakyClock,
}
CELLS = tuple(_CELLS)


def make(name: str, dtype=torch.float64) -> Cell:
    """Return the cell called `name`, the same numbers every time."""
    with torch.random.fork_rng():
        torch.manual_seed(7)
        return _CELLS[name]().to(dtype)


def engines_of(name: str, **call) -> list[str]:
    """Return the engines that such a call can ask for by name."""
    able = []
    for engine in ENGINES:
        try:
            ostinato.plan(make(name), engine=engine, dtype=torch.float64, **call)
        except EngineError:
            continue
        able.append(engine)
    return able


def runs(**call) -> list[tuple[str, str]]:
    """Return every (cell, engine) that can run such a call."""
    return [(name, engine) for name in CELLS for engine in engines_of(name, **call)]


def numbers(*shape: int, seed: int = 0, dtype=torch.float64) -> Tensor:
    """Return standard normal numbers, the same for the same seed."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def random_state(cell: Cell, batch: int, seed: int = 1):
    """Return a state of the cell's structure that is not the initial one."""
    like = cell.initial_state(batch, dtype=torch.float64)
    leaves, structure = pytree.tree_flatten(like)
    return pytree.tree_unflatten([numbers(*leaf.shape, seed=seed + k) for k, leaf in enumerate(leaves)], structure)


def leaves(tree) -> list[Tensor]:
    """Return the tensors of a state."""
    return pytree.tree_leaves(tree)


def naive(cell: Cell, inputs, state=None, *, lengths=None, reset=None, dt=None, reverse=False):
    """Unroll row by row and step by step; returns (outputs, state, states) as `unroll(return_states=True)`."""
    steps, batch = inputs.shape[:2]
    lengths = [steps] * batch if lengths is None else [int(n) for n in lengths]
    initial = cell.initial_state(batch, dtype=inputs.dtype)
    start = initial if state is None else state
    if not batch:
        return inputs.new_zeros(steps, 0, cell.output_size), start, None
    outputs = [[inputs.new_zeros(cell.output_size)] * batch for _ in range(steps)]
    every = [[pytree.tree_map(lambda s: torch.zeros_like(s[0]), initial)] * batch for _ in range(steps)]
    last = []
    for b in range(batch):
        now, past = _row(start, b), None
        for t in sorted(range(lengths[b]), reverse=reverse):
            if reset is not None and reset[t, b]:
                now = _row(initial, b)
            times = ()
            if cell.uses_dt:
                times = (dt[t, b] if not reverse else dt[0, b] if past is None else dt[past, b],)
            output, now = cell.step(inputs[t, b][None], now, *(v[None] for v in times))
            outputs[t][b], every[t][b], past = output[0], pytree.tree_map(lambda s: s[0], now), t
        last.append(now)
    state = pytree.tree_map(lambda *rows: torch.cat(rows), *last)
    if not steps:
        return inputs.new_zeros(0, batch, cell.output_size), state, None
    flat = [row for rows in every for row in rows]
    states = pytree.tree_map(lambda *rows: torch.stack(rows).view(steps, batch, *rows[0].shape), *flat)
    return torch.stack([torch.stack(rows) for rows in outputs]), state, states


def _row(state, b: int):
    return pytree.tree_map(lambda s: s[b : b + 1], state)


@st.composite
def calls(draw, *, resets: bool = False):
    """Draw the size, lengths, direction and start of a call, and where its rows start again."""
    steps, batch = draw(st.integers(0, 6)), draw(st.integers(0, 4))
    lengths = draw(st.none() | st.lists(st.integers(0, steps), min_size=batch, max_size=batch))
    pattern = st.lists(st.booleans(), min_size=steps * batch, max_size=steps * batch)
    return {
        "steps": steps,
        "batch": batch,
        "lengths": None if lengths is None else torch.tensor(lengths, dtype=torch.int64),
        "reverse": draw(st.booleans()),
        "given_state": draw(st.booleans()),
        "reset": torch.tensor(draw(pattern), dtype=torch.bool).view(steps, batch) if resets else None,
    }


class Trial:
    """One drawn call of one cell, its tensors made and asking for gradients."""

    def __init__(self, cell: Cell, call: dict):
        self.cell = cell
        steps, batch = call["steps"], call["batch"]
        self.inputs = numbers(steps, batch, D).requires_grad_()
        self.state = random_state(cell, batch) if call["given_state"] else None
        self.given = leaves(self.state) if call["given_state"] else []
        for leaf in self.given:
            leaf.requires_grad_()
        self.options = {k: call[k] for k in ("lengths", "reverse", "reset")}
        if cell.uses_dt:
            self.options["dt"] = numbers(steps, batch, seed=3).abs().requires_grad_()

    def gradients(self, results) -> list[Tensor]:
        """Return the gradients of a fixed weighting of the results, for everything that can have one."""
        sources = [self.inputs, *self.given, *self.cell.parameters()]
        sources += [self.options["dt"]] if self.cell.uses_dt else []
        loss = sum((s * 0).sum() for s in sources)
        for k, leaf in enumerate(leaves(results)):
            loss = loss + (leaf * numbers(*leaf.shape, seed=20 + k)).sum()
        return list(torch.autograd.grad(loss, sources))


def assert_same(got, expected, **tolerance):
    """Compare two trees of tensors: structure, shapes and numbers."""
    assert pytree.tree_structure(got) == pytree.tree_structure(expected)
    torch.testing.assert_close(leaves(got), leaves(expected), **tolerance)
