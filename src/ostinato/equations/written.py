"""A program and its sizes as one line of text, and back: what a captured graph holds in place of Python objects."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ostinato.equations.program import Input, Op, Program


def write(program: Program, numbers: Mapping[str, int]) -> str:
    """Return a program and the number of each size symbol as text; equal ones have equal texts."""
    inputs = [[i.name, i.role, i.shape, i.default] for i in program.inputs]
    ops = [[op.out, op.fn, op.args, op.shape, op.start] for op in program.ops]
    parts = {"sizes": dict(sorted(numbers.items())), "inputs": inputs, "ops": ops, "outputs": program.outputs}
    return json.dumps(parts, separators=(",", ":"), ensure_ascii=False)


def read(text: str) -> tuple[Program, dict[str, int]]:
    """Return the program and the numbers that `write` made a text of."""
    parts: dict[str, Any] = json.loads(text)
    inputs = tuple(Input(name, role, tuple(shape), default) for name, role, shape, default in parts["inputs"])
    ops = tuple(Op(out, fn, tuple(args), tuple(shape), start) for out, fn, args, shape, start in parts["ops"])
    return Program(inputs, ops, tuple((label, value) for label, value in parts["outputs"])), parts["sizes"]
