"""The mean of 100,000 random gradients beside back-propagation: in standard errors, for every number of the gradient.

A z of one number is (mean - exact) / standard error. For an unbiased estimate z is normal: of P numbers 0.27 % lie
beyond 3, and the largest |z| exceeds 3 with a chance of about 1 - 0.9973^P where they are independent.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

import torch
from torch import Tensor

from benchmarks import table
from benchmarks.settings import Settings
from benchmarks.table import Row, Table
from ostinato import Recurrent, gradients
from ostinato.training.gradient import Kronecker, Online, Randomized, RankOne
from ostinato.training.gradient.by_hand import Learner, Steps
from ostinato.training.gradient.method import cut

STEPS, INPUTS, UNITS = 10, 2, 3
ROWS_AT_ONCE = 250
CELLS = ("elman", "gru")


def measure(settings: Settings) -> list[Row]:
    count = 2_500 if settings.quick else 100_000
    return table.show(TABLE, _rows(count))


def _rows(count: int) -> Iterator[Row]:
    for cell in CELLS:
        problem = Problem(cell)
        yield summary("randomized", cell, problem, *randomized(problem, count, "geometric"))
        yield summary("randomized, heavy-tailed", cell, problem, *randomized(problem, count, "heavy-tailed"))
        yield summary("uoro", cell, problem, *online(problem, count, RankOne))
        yield summary("kf-rtrl", cell, problem, *online(problem, count, Kronecker))


class Problem:
    """A layer of fixed weights, one sequence, and the exact gradient of a weighting of its outputs."""

    def __init__(self, cell: str):
        generator = torch.Generator().manual_seed(0)
        self.layer = Recurrent(cell, INPUTS, UNITS, engine="eager").double()
        with torch.no_grad():
            for p in self.layer.parameters():
                p.copy_(torch.randn(p.shape, generator=generator, dtype=torch.float64) * 0.7)
        shapes = (STEPS, 1, INPUTS), (STEPS, 1, self.layer.output_size)
        self.inputs, self.weights = (torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes)
        self.exact = self.flat(gradients(self.layer, self.inputs, weighed, self.weights).of)

    def flat(self, found: dict[str, Tensor]) -> Tensor:
        return torch.cat([found[name].flatten() for name, _ in self.layer.named_parameters()])


def weighed(outputs: Tensor, weights: Tensor) -> Tensor:
    return (outputs * weights).sum()


def randomized(problem: Problem, count: int, lengths: str) -> tuple[Tensor, Tensor, int]:
    """Return mean, standard error and number of gradients. Cuts that fell alike have one gradient, taken once."""
    way = Randomized(mean_length=4, lengths=lengths)
    fallen = Counter(tuple(way.windows(STEPS, reading)) for reading in range(count))
    found = torch.stack([_of_windows(problem, way, windows) for windows in fallen])
    share = torch.tensor(list(fallen.values()), dtype=torch.float64)[:, None] / count
    mean = (share * found).sum(0)
    variance = (share * (found - mean).square()).sum(0) * count / (count - 1)
    return mean, (variance / count).sqrt(), count


def _of_windows(problem: Problem, way: Randomized, windows: tuple) -> Tensor:
    learner, steps, state = Learner(problem.layer, weighed), Steps(problem.inputs, problem.weights, None, None), None
    for window in windows:
        piece = cut(steps, window.position, window.position + window.length)
        _, _, state = way.accumulate(learner, piece, window, state, torch.Tensor.backward)
    found = problem.flat({name: p.grad for name, p in problem.layer.named_parameters()}) * way.mean_length
    problem.layer.zero_grad()
    return found


def online(problem: Problem, count: int, kind: type[RankOne] | type[Kronecker]) -> tuple[Tensor, Tensor, int]:
    """Return mean, standard error and number of gradients: rows of a batch draw by themselves, so a call has many."""
    inputs, weights = (t.expand(-1, ROWS_AT_ONCE, -1) for t in (problem.inputs, problem.weights))
    calls = count // ROWS_AT_ONCE
    means = torch.stack(
        [
            problem.flat(gradients(problem.layer, inputs, weighed, weights, method=Online(kind(seed), STEPS)).of)
            for seed in range(calls)
        ]
    ) / ROWS_AT_ONCE  # fmt: skip
    return means.mean(0), means.std(0) / math.sqrt(calls), calls * ROWS_AT_ONCE


def summary(method: str, cell: str, problem: Problem, mean: Tensor, error: Tensor, count: int) -> Row:
    """Return a row: a number whose estimate never varies is exact, and no z is taken of it."""
    off, varies = (mean - problem.exact).abs(), error > 1e-12 * problem.exact.abs().max()
    assert bool((off[~varies] <= 1e-9).all())
    z = off[varies] / error[varies]
    return {
        "method": method, "cell": cell, "gradients": count, "numbers": len(mean), "exact": int((~varies).sum()),
        "largest": float(z.max()), "root": float(z.square().mean().sqrt()), "beyond": int((z > 3).sum()),
        "chance": 1 - 0.9973 ** len(z),
        "noise": float(error.norm() * math.sqrt(count) / problem.exact.norm()),
        "targets": [table.at_most("largest |z|", float(z.max()), 3.0)],
    }  # fmt: skip


TABLE = Table(
    "Unbiased gradients",
    f"The mean of many random gradients beside the exact one, {STEPS} steps, float64: z in standard errors. Chance:"
    " that the largest |z| exceeds 3 though nothing is biased, were the numbers independent. Noise: of one gradient,"
    " its standard deviation beside the exact one's norm.",
    (
        table.plain("method", -25, "method"),
        table.plain("cell", -6, "cell"),
        table.Column("gradients", 9, lambda row: f"{row['gradients']:,}"),
        table.plain("numbers", 7, "numbers"),
        table.Column("largest |z|", 11, lambda row: f"{row['largest']:.2f}"),
        table.Column("rms z", 6, lambda row: f"{row['root']:.2f}"),
        table.plain("beyond 3", 8, "beyond"),
        table.Column("chance", 6, lambda row: f"{row['chance']:.0%}"),
        table.Column("noise", 6, lambda row: f"{row['noise']:.1f}"),
        table.VERDICT,
    ),
)
