"""A program and its sizes as one line of text, and back: what a captured graph holds in place of Python objects."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import astuple
from typing import Any

from ostinato.equations.program import Input, Op, Program
from ostinato.equations.storage import Stack


def write(program: Program, numbers: Mapping[str, int], entries: tuple[Stack, ...] | None = None) -> str:
    """Return a program, the number of each size symbol and its stored tensors as text; equal ones have equal texts.

    `entries` is None where the tensors are those that follow from the program.
    """
    inputs = [[i.name, i.role, i.shape, i.default] for i in program.inputs]
    ops = [[op.out, op.fn, op.args, op.shape, op.start] for op in program.ops]
    parts = {"sizes": dict(sorted(numbers.items())), "inputs": inputs, "ops": ops, "outputs": program.outputs}
    if entries is not None:
        parts["tensors"] = [astuple(entry) for entry in entries]
    return json.dumps(parts, separators=(",", ":"), ensure_ascii=False)


def read(text: str) -> tuple[Program, dict[str, int], tuple[Stack, ...] | None]:
    """Return the program, the numbers and the stored tensors that `write` made a text of."""
    parts: dict[str, Any] = json.loads(text)
    inputs = tuple(Input(name, role, tuple(shape), default) for name, role, shape, default in parts["inputs"])
    ops = tuple(Op(out, fn, tuple(args), tuple(shape), start) for out, fn, args, shape, start in parts["ops"])
    program = Program(inputs, ops, tuple((label, value) for label, value in parts["outputs"]))
    return program, parts["sizes"], _stacks(parts["tensors"]) if "tensors" in parts else None


def _stacks(rows: list[list[Any]]) -> tuple[Stack, ...]:
    return tuple(Stack(n, tuple(s), tuple(sizes), tuple(shape), *rest) for n, s, sizes, shape, *rest in rows)
