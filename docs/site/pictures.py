"""Pictures of a cell: what its step is made of, how its states answer, how far gradients reach; weights are seeded."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import matplotlib
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from torch import Tensor
from torch.utils import _pytree as pytree

from ostinato import CATALOGUE, Cell, unroll
from ostinato.cells.description import Description
from ostinato.unroll.unfolding import unfolding

UNITS = 8
STEPS = 60
ROWS = 16
BEGIN = 5
"""The step at which the impulse stands and the step of input begins."""
MOST_STATES = 3
YARDSTICK = "elman"
"""The cell whose gradient is drawn beside the others'."""
RESPONSE = (
    f"The units of each state, {UNITS} of them, their weights as the cell starts them: on the left one input at"
    f" t = {BEGIN}, on the right the same input from there on."
)
REACH = (
    "Random inputs, and the gradient of the last state at each of them, as a share of that at the last input;"
    f" in grey that of {YARDSTICK}."
)
UNFOLDING = (
    "What comes in is on the left, what goes out and on to the next step on the right; states and their edges are blue,"
    " parameters rust, and beside each box stands the size of its value. W @ multiplies what comes in by the matrix W,"
    " σ is the sigmoid, + and × go unit by unit. Below, the cell over its first three steps."
)
WIDTH, LEFT, RIGHT, TOP, BOTTOM = 7.2, 0.8, 0.1, 0.3, 0.5
"""Inches of a figure, and of its margins."""
STYLE = {
    "svg.hashsalt": "ostinato", "svg.fonttype": "none", "font.size": 9.0, "lines.linewidth": 1.0,
    "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.6, "axes.formatter.use_mathtext": False,
    "legend.frameon": False,
}  # fmt: skip


def build(name: str) -> Cell:
    """Return a small cell of the catalogue, the same numbers every time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return CATALOGUE[name].build(UNITS, UNITS).double()


def draw_unfolding(name: str, path: Path) -> None:
    """Draw the operations of a step where the cell is written as equations, and its first three steps."""
    path.write_text(unfolding(name, UNITS, UNITS), encoding="utf-8")


def draw_response(name: str, path: Path) -> None:
    """Draw the states after an impulse and after a step of input, a line for each unit."""
    cell = build(name)
    direction = torch.randn(cell.input_size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    impulse, step = torch.zeros(2, STEPS, 1, cell.input_size, dtype=torch.float64)
    impulse[BEGIN] = direction
    step[BEGIN:] = direction
    answers = [_states(cell, inputs) for inputs in (impulse, step)]
    names = list(answers[0])[:MOST_STATES]

    def draw(figure: Figure) -> None:
        axes = figure.subplots(len(names), 2, sharex=True, sharey="row", squeeze=False)
        for column, (title, states) in enumerate(zip(("impulse", "step of input"), answers, strict=True)):
            axes[0][column].set_title(f"{title} at t = {BEGIN}", fontsize=9)
            axes[-1][column].set_xlabel("t")
            for row, state in enumerate(names):
                axes[row][column].plot(range(STEPS), states[state])
                axes[row][column].axvline(BEGIN, color="0.8", linewidth=0.6, zorder=0)
        for row, state in enumerate(names):
            axes[row][0].set_ylabel(state)

    _save(draw, path, 1.4 * len(names))


def draw_reach(name: str, path: Path) -> None:
    """Draw how large the gradient of the last state is at the inputs before it, on a log scale."""

    def draw(figure: Figure) -> None:
        axis = figure.subplots()
        if name != YARDSTICK:
            axis.plot(range(STEPS), reach(YARDSTICK), color="0.7", label=YARDSTICK)
        axis.plot(range(STEPS), reach(name), color="C0", label=name)
        axis.set_yscale("log")
        axis.yaxis.set_major_formatter("{x:.0e}")
        axis.yaxis.set_minor_locator(NullLocator())
        axis.set_xlabel("steps back")
        axis.set_ylabel("gradient at x")
        axis.legend()

    _save(draw, path, 2.0)


@cache
def reach(name: str) -> list[float]:
    """Return the norm of the gradient at each input, last first, as a share of the last one's; NaN for zero."""
    cell = build(name)
    drawn = torch.Generator().manual_seed(2)
    inputs = torch.randn(STEPS, ROWS, cell.input_size, generator=drawn, dtype=torch.float64, requires_grad=True)
    _, state = unroll(cell, inputs, engine="eager", **_time(cell, ROWS))
    total = sum((leaf * torch.randn(leaf.shape, generator=drawn, dtype=leaf.dtype)).sum() for leaf in _leaves(state))
    (gradient,) = torch.autograd.grad(total, inputs)
    norms = gradient.norm(dim=-1).mean(1).flip(0)
    shares = norms / norms[0]
    return torch.where(shares > 0, shares, torch.nan).tolist()


def _states(cell: Cell, inputs: Tensor) -> dict[str, Tensor]:
    with torch.no_grad():
        _, _, states = unroll(cell, inputs, engine="eager", return_states=True, **_time(cell, 1))
    return {name: leaf.flatten(1) for name, leaf in zip(Description(cell).states, _leaves(states), strict=True)}


def _leaves(state: object) -> list[Tensor]:
    return pytree.tree_leaves(state)


def _time(cell: Cell, rows: int) -> dict[str, Tensor]:
    return {"dt": torch.ones(STEPS, rows, dtype=torch.float64)} if cell.uses_dt else {}


def _save(draw: Callable[[Figure], None], path: Path, inside: float) -> None:
    """Write a figure whose axes are `inside` inches high."""
    width, height = WIDTH, inside + TOP + BOTTOM
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width, height))
        figure.subplots_adjust(LEFT / width, BOTTOM / height, 1 - RIGHT / width, 1 - TOP / height, 0.08, 0.2)
        draw(figure)
        figure.savefig(path, format="svg", metadata={"Date": None})
