"""The second door to a compiled engine: the `step` of a plain cell, read into a `Program` through `torch.export`.

    step -> torch.export -> operations of the functions table -> program -> compared once with the step itself

What a program cannot say has a reason, one clause: "its step uses aten.cumsum, which the functions table does not
know".
"""

from __future__ import annotations

import threading
from weakref import WeakKeyDictionary

import torch

from ostinato.cells.cell import BoundCell, Cell
from ostinato.cells.reading.agreement import check_agreement
from ostinato.cells.reading.exported import is_known, write
from ostinato.cells.reading.facts import Facts, facts_of, left_alone
from ostinato.cells.reading.rows import Unreadable
from ostinato.cells.reading.step import Reading
from ostinato.cells.reading.tracing import trace

__all__ = ["BoundReading", "Reading", "Unreadable", "read_step", "why_unreadable"]

REMEMBERED = 64
"""Readings kept; of one cell whose attributes do not say all about it, one for each state it was met in."""


def read_step(cell: Cell) -> Reading:
    """Return the step of a cell as a program; Unreadable, with the reason, where no program says it.

    Read once, about a second, for all cells alike: of the same class, modules, shapes and attributes, and of the same
    mode (training or not). The step is taken a few times with random numbers, and what it sets on the cell undone.
    """
    found = _remembered(cell)
    if isinstance(found, str):
        raise Unreadable(found)
    return found


def why_unreadable(cell: Cell) -> str | None:
    """Return why no program says the step of this cell; None where one does."""
    found = _remembered(cell)
    return found if isinstance(found, str) else None


class BoundReading:
    """A plain cell as a compiled engine sees it: a program with the tensors it reads, as `BoundEquations` has them."""

    def __init__(self, bound: BoundCell):
        """Read the step, or remember it; Unreadable where no program says it."""
        self.definition = read_step(bound.cell)
        self.tensors = self.fixed = self.definition.tensors(bound.cell)
        self.constants: dict[str, float] = {}
        self.input_size, self.output_size, self.uses_dt = bound.input_size, bound.output_size, bound.uses_dt
        self.needs_positive_dt = bound.needs_positive_dt
        self.initial_state = bound.initial_state

    def parts(self, data: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return what comes in at every step, by name."""
        return {"x": data}


_lock = threading.RLock()
_of_all: dict[Facts, Reading | str] = {}
_of_one: WeakKeyDictionary[Cell, dict[Facts, Reading | str]] = WeakKeyDictionary()


def _remembered(cell: Cell) -> Reading | str:
    facts, are_complete = facts_of(cell)
    memory = _of_all if are_complete else _of_one.setdefault(cell, {})
    found = memory.get(facts)
    if found is None:
        with _lock:
            found = memory.get(facts) or _read(cell)
            memory[facts] = found
            while len(memory) > REMEMBERED:
                del memory[next(iter(memory))]
    return found


def _read(cell: Cell) -> Reading | str:
    try:
        with left_alone(cell), torch.random.fork_rng(devices=[]):
            traced = trace(cell, is_known)
        reading = write(traced)
        with left_alone(cell) as changed:
            check_agreement(reading, traced)
        if changed:
            return f"its step sets the attribute {changed[0]}"
    except Unreadable as error:
        return error.reason
    except (
        Exception
    ) as error:  # the step runs here, and what it does was not foreseen: the eager engine takes it as it is
        return f"reading its step failed ({type(error).__name__}: {error})"
    return reading
