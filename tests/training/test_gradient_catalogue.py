"""Every cell of the catalogue: the gradients that methods take of it are those of the definition, in float64.

A loss is a random weighting of all outputs, so no unit and no step is left out. References are written with nothing but
the cell's own step and torch.autograd.
"""

import itertools
import zlib

import pytest
import torch
from torch import Tensor
from torch.func import functional_call, vmap

from ostinato import CATALOGUE, Cell, ConfigError, Recurrent, gradients
from ostinato.equations.structure import structure
from ostinato.training.gradient import Checkpointed, Full, Truncated
from ostinato.training.gradient.checkpointed import Pieces

D, H, B = 2, 3, 2
STAYS = {
    "echo-state": "its weights stay as they are drawn",
    "echo-state-linear": "its weights stay as they are drawn",
}
"""Cells that no method takes a gradient of, and why."""
WITHOUT_TRACES = {
    name: reason
    for reason, names in {
        "Traces need states of one size": (
            "clockwork", "projected-lstm", "scrn", "tgru", "tlstm", "residual-lstm", "hyper-lstm", "qrnn-f", "qrnn-fo",
            "qrnn-ifo",
        ),
        "Traces need parameters that belong to units": (
            "intersection-rnn", "fastrnn", "fastrnn-low-rank", "fastgrnn", "fastgrnn-low-rank",
        ),
        "Traces need cells that are equations": ("mc-lstm", "conv-lstm", "conv-gru"),
        "Traces need rows that belong to units": ("antisymmetric", "antisymmetric-gated", "lipschitz"),
        "Traces need steps of equal length": ("ltc", "cfc"),
    }.items()
    for name in names
}  # fmt: skip
"""Cells that e-prop and KF-RTRL refuse, and why; every other method takes them."""
LEARNING = [name for name in CATALOGUE if name not in STAYS]
every_cell = pytest.mark.parametrize("name", LEARNING)


def is_diagonal(name: str) -> bool:
    info = CATALOGUE[name]
    if info.family == "diagonal":
        return True
    if not info.equations:
        return False
    definition = info.build(D, H).definition
    return structure(definition.fused, definition.numbers).is_diagonal and name not in STAYS


DIAGONAL = [name for name in CATALOGUE if is_diagonal(name)]


class Problem:
    """A cell, inputs, and what weighs its outputs."""

    def __init__(self, name: str, steps: int):
        generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.cell: Cell = CATALOGUE[name].build(D, H, dtype=torch.float64)
        with torch.no_grad():
            for parameter in self.cell.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * 0.5)
        self.layer = Recurrent(self.cell, engine="eager")
        sizes = (steps, B, D), (steps, B, self.cell.output_size)
        self.inputs, self.weights = (torch.randn(s, generator=generator, dtype=torch.float64) for s in sizes)
        self.dt = self.inputs[..., 0].abs() + 0.1 if self.cell.uses_dt else None

    def taken(self, method, **settings) -> Tensor:
        found = gradients(self.layer, self.inputs, weighed, self.weights, method=method, dt=self.dt, **settings)
        return torch.cat([gradient.flatten() for gradient in found.of.values()])

    def run(self, first: int, last: int, state):
        """Return the loss of steps [first, last), step by step, and the state after them."""
        loss = torch.zeros((), dtype=torch.float64)
        for t in range(first, last):
            times = () if self.dt is None else (self.dt[t],)
            output, state = self.cell.step(self.inputs[t], state, *times)
            loss = loss + weighed(output, self.weights[t])
        return loss, state

    def start(self):
        return self.cell.initial_state(B, dtype=torch.float64)

    def flat(self, found) -> Tensor:
        pairs = zip(found, self.cell.parameters(), strict=True)
        return torch.cat([(torch.zeros_like(p) if g is None else g).flatten() for g, p in pairs])


def weighed(outputs: Tensor, weights: Tensor) -> Tensor:
    return (outputs * weights).sum()


def detached(state):
    return torch.utils._pytree.tree_map(Tensor.detach, state)


@every_cell
def test_back_propagation_is_what_central_differences_give(name):
    problem = Problem(name, steps=6)
    torch.testing.assert_close(problem.taken("full"), central_differences(problem), rtol=1e-6, atol=1e-7)


def central_differences(problem: Problem, by: float = 1e-5) -> Tensor:
    """Return the loss with each number a little more and a little less, all of them at once, as a slope."""
    named = dict(problem.layer.named_parameters())
    values = torch.cat([p.detach().flatten() for p in named.values()])
    moved = torch.cat([values + step * torch.eye(len(values), dtype=torch.float64) for step in (by, -by)])

    def loss(flat: Tensor) -> Tensor:
        parts = flat.split([p.numel() for p in named.values()])
        given = {name: part.view_as(p) for (name, p), part in zip(named.items(), parts, strict=True)}
        outputs, _ = functional_call(problem.layer, given, (problem.inputs,), {"dt": problem.dt})
        return weighed(outputs, problem.weights)

    above, below = vmap(loss)(moved).chunk(2)
    return (above - below) / (2 * by)


@every_cell
def test_real_time_recurrent_learning_is_back_propagation(name):
    problem = Problem(name, steps=6)
    torch.testing.assert_close(problem.taken("rtrl"), problem.taken("full"), rtol=1e-9, atol=1e-10)


@every_cell
def test_truncated_to_all_steps_is_full_to_the_bit(name):
    problem = Problem(name, steps=6)
    assert torch.equal(problem.taken("truncated", k1=6, k2=6), problem.taken("full"))


@pytest.mark.parametrize(("k1", "k2"), [(1, 5), (5, 20), (20, 20), (7, 3)])
@every_cell
def test_truncated_is_the_sum_over_windows_of_gradients_from_detached_states(name, k1, k2):
    steps = 21
    problem, way = Problem(name, steps), Truncated(k1, k2)
    with torch.no_grad():
        states = [problem.start()]
        for t in range(steps):
            states.append(problem.run(t, t + 1, states[-1])[1])
    expected, ends = 0, [w.position + w.length for w in way.windows(steps, 0)]
    for begin, end in itertools.pairwise([0, *ends]):
        first = max(0, end - k2)
        _, state = problem.run(first, max(first, begin), detached(states[first]))
        loss, _ = problem.run(max(first, begin), end, state)
        expected = expected + problem.flat(
            torch.autograd.grad(loss, list(problem.cell.parameters()), allow_unused=True)
        )
    torch.testing.assert_close(problem.taken(way), expected, rtol=1e-9, atol=1e-10)


@every_cell
def test_checkpointed_is_full_to_the_bit_when_both_run_the_same_pieces(name):
    problem, way = Problem(name, steps=9), Checkpointed()
    found = problem.taken(way)
    assert way.pieces[9] == Pieces(3, 3, 1)
    for parameter in problem.layer.parameters():
        parameter.grad = None
    in_pieces(problem, 3).backward()
    assert torch.equal(found, problem.flat([p.grad for p in problem.layer.parameters()]))
    torch.testing.assert_close(found, problem.taken(Full()), rtol=1e-9, atol=1e-10)


def in_pieces(problem: Problem, length: int) -> Tensor:
    """Return the loss, its whole graph made by calls for `length` steps each."""
    state, losses = None, []
    for k, piece in enumerate(problem.inputs.split(length)):
        part = slice(k * length, (k + 1) * length)
        dt = None if problem.dt is None else problem.dt[part]
        outputs, state = problem.layer(piece, state, dt=dt)
        losses.append(weighed(outputs, problem.weights[part]))
    return torch.stack(losses).sum() * (1 / len(problem.inputs)) * len(problem.inputs)


@pytest.mark.parametrize("name", DIAGONAL)
def test_snap_1_is_exact_where_no_unit_reaches_another(name):
    problem = Problem(name, steps=7)
    torch.testing.assert_close(problem.taken("snap"), problem.taken("full"), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("method", ["uoro", "snap"])
@every_cell
def test_the_other_forward_methods_that_take_any_cell(name, method):
    settings = {"k2": 2} if method == "snap" else {}
    found = Problem(name, steps=3).taken(method, **settings)
    assert torch.isfinite(found).all()
    assert found.any()


@pytest.mark.parametrize("method", ["kf-rtrl", "e-prop"])
@pytest.mark.parametrize("name", [name for name in LEARNING if name not in WITHOUT_TRACES])
def test_the_forward_methods_that_know_units(name, method):
    found = Problem(name, steps=3).taken(method)
    assert torch.isfinite(found).all()
    assert found.any()


@pytest.mark.parametrize("method", ["kf-rtrl", "e-prop"])
@pytest.mark.parametrize("name", WITHOUT_TRACES)
def test_a_cell_without_units_of_its_own_is_refused_by_name(name, method):
    with pytest.raises(ConfigError, match=WITHOUT_TRACES[name]):
        Problem(name, steps=3).taken(method)


@pytest.mark.parametrize("name", STAYS)
def test_a_cell_whose_weights_stay_is_refused(name):
    layer = Recurrent(CATALOGUE[name].build(D, H))
    with pytest.raises(ConfigError, match="weights all stay"):
        gradients(layer, torch.zeros(2, 1, D), lambda outputs: outputs.sum())
