"""`Program`: a short list of typed operations over named values. Plain data: printable, comparable, hashable.

Every operation works on one row (one sequence of the batch); readers run it over all rows at once.
Beyond the functions table it knows
    matmul(W, v)     W @ v           matmul_t(W, v)    W.T @ v           outer(g, v)    g v^T
    affine(W, v, b)  W @ v + b       slice(v)          the part of v from `start`
    count(v)         the length of v   fill(g, v)       the number g, as often as v is long
    copy(v)          v again, under a name of its own; of a number, a vector of it
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from ostinato.equations.functions import FUNCTIONS

Shape = tuple[str, ...]
"""() one number, ("H",) a vector, ("H", "D") a matrix."""
PRODUCTS = {"matmul", "matmul_t", "affine"}
GIVEN = ("input", "mask", "time")
"""Roles of what comes from outside at every step."""
_INFIX = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "div": "/",
    "pow": "**",
    "gt": ">",
    "ge": ">=",
    "lt": "<",
    "le": "<=",
    "matmul": "@",
}


@dataclass(frozen=True)
class Input:
    """A value the program is given."""

    name: str
    role: str
    """input | mask | time | state | parameter | constant | gradient; a mask is drawn by chance and rides beside x"""
    shape: Shape
    default: float | None = None
    """Of a constant: the number its equation names."""


@dataclass(frozen=True)
class Op:
    """One operation: `out = fn(*args)`; an argument is the name of a value, or a number."""

    out: str
    fn: str
    args: tuple[str | float, ...]
    shape: Shape
    start: str | None = None
    """Of a slice: the size before it ("" is none)."""

    def __str__(self) -> str:
        args = [a if isinstance(a, str) else repr(a).removesuffix(".0") for a in self.args]
        if self.fn in _INFIX:
            text = f" {_INFIX[self.fn]} ".join(args)
        elif self.fn == "slice":
            text = f"{args[0]}[{self.start or 0} : + {self.shape[0]}]"
        else:
            text = f"{self.fn}({', '.join(args)})"
        return f"{self.out:<8} = {text:<40} {' x '.join(self.shape) or '1'}"


@dataclass(frozen=True)
class Program:
    """What every reader reads: inputs, operations in order, and labelled outputs.

    Of a step, the outputs are ("y", …) and ("h'", …) for each state h; of an adjoint, one for each input that has a
    gradient, under its name.
    """

    inputs: tuple[Input, ...]
    ops: tuple[Op, ...]
    outputs: tuple[tuple[str, str], ...]

    @cached_property
    def _hash(self) -> int:
        return hash((self.inputs, self.ops, self.outputs))

    def __hash__(self) -> int:  # programs are looked up at every call
        return self._hash

    @cached_property
    def by_name(self) -> dict[str, Input | Op]:
        return {**{i.name: i for i in self.inputs}, **{op.out: op for op in self.ops}}

    def role(self, role: str) -> tuple[Input, ...]:
        return tuple(i for i in self.inputs if i.role == role)

    @property
    def states(self) -> tuple[Input, ...]:
        return self.role("state")

    @property
    def parameters(self) -> tuple[Input, ...]:
        return self.role("parameter")

    @property
    def uses_dt(self) -> bool:
        return bool(self.role("time"))

    def output(self, label: str) -> str:
        return dict(self.outputs)[label]

    def shape(self, name: str | float) -> Shape:
        return self.by_name[name].shape if isinstance(name, str) else ()

    @cached_property
    def uses(self) -> dict[str, int]:
        """How often each value is read."""
        counts = dict.fromkeys(self.by_name, 0)
        for name in [a for op in self.ops for a in op.args if isinstance(a, str)] + [v for _, v in self.outputs]:
            counts[name] += 1
        return counts

    def __str__(self) -> str:
        lines = [f"{i.role:<9} {i.name}: {' x '.join(i.shape) or 'number'}" for i in self.inputs]
        lines += [str(op).rstrip() for op in self.ops]
        lines += [f"{'output':<9} {label} = {value}" for label, value in self.outputs]
        return "\n".join(lines)


def check(program: Program) -> Program:
    """Return `program` if each name is defined once, before its use, sizes agree, and states come out as they went in.

    AssertionError otherwise: a program that fails here is our mistake, never the user's.
    """
    shapes: dict[str, Shape] = {}
    for entry in program.inputs:
        assert entry.name not in shapes, f"{entry.name} is defined twice"
        shapes[entry.name] = entry.shape
    for op in program.ops:
        assert op.out not in shapes, f"{op.out} is defined twice"
        assert all(a in shapes for a in op.args if isinstance(a, str)), f"{op} uses what is not defined yet"
        expected = _shape(op, [shapes[a] if isinstance(a, str) else () for a in op.args])
        assert op.shape == expected, f"{op}: has shape {op.shape}, its arguments give {expected}"
        shapes[op.out] = op.shape
    for label, value in program.outputs:
        assert value in shapes, f"output {label} is {value}, which nothing defines"
    states = {f"{i.name}'": i.shape for i in program.states}
    for label, value in program.outputs:
        assert label not in states or shapes[value] == states[label], f"state {label} comes out with another size"
    return program


def _shape(op: Op, args: list[Shape]) -> Shape:
    match op.fn:
        case "matmul" | "affine":
            assert args[1] == args[0][1:], f"{op}: sizes {args} do not multiply"
            assert args[2:] in ([], [args[0][:1]]), f"{op}: the bias of {args} does not fit"
            return args[0][:1]
        case "matmul_t":
            assert args[1] == args[0][:1], f"{op}: sizes {args} do not multiply"
            return args[0][1:]
        case "outer":
            return args[0] + args[1]
        case "slice" | "copy":
            return op.shape
        case "count":
            return ()
        case "fill":
            return args[1]
    assert op.fn in FUNCTIONS, f"{op}: no function of that name"
    assert len(args) == FUNCTIONS[op.fn].arity, f"{op}: {FUNCTIONS[op.fn].arity} arguments expected"
    if FUNCTIONS[op.fn].kind == "reduction":
        return ()
    vectors = {shape for shape in args if shape}
    assert len(vectors) <= 1, f"{op}: sizes {args} differ"
    return vectors.pop() if vectors else ()


def live(program: Program) -> Program:
    """Return `program` without the operations and inputs that no output needs.

    States and x stay, and what an adjoint gives the gradient of.
    """
    needed = {value for _, value in program.outputs}
    ops = []
    for op in reversed(program.ops):
        if op.out in needed:
            ops.append(op)
            needed.update(a for a in op.args if isinstance(a, str))
    needed.update(label for label, _ in program.outputs)
    inputs = tuple(i for i in program.inputs if i.role in ("input", "state") or i.name in needed)
    return replace(program, inputs=inputs, ops=tuple(reversed(ops)))


class Builder:
    """Collects operations; the same operation on the same values is written once."""

    def __init__(self, inputs: tuple[Input, ...], ops: tuple[Op, ...] = ()):
        self.inputs = inputs
        self.ops: list[Op] = list(ops)
        self.shapes: dict[str, Shape] = {i.name: i.shape for i in inputs} | {op.out: op.shape for op in ops}
        self._known = {(op.fn, op.args): op.out for op in ops}
        self._temporaries = max((int(op.out[1:]) for op in ops if op.out.startswith("%")), default=0)

    def shape(self, name: str | float) -> Shape:
        return self.shapes[name] if isinstance(name, str) else ()

    def emit(
        self,
        fn: str,
        args: tuple[str | float, ...],
        name: str | None = None,
        start: str | None = None,
        shape: Shape = (),
    ):
        """Append an operation and return the name of its value (or a number, where all arguments are numbers)."""
        if fn in FUNCTIONS and all(isinstance(a, float) for a in args) and FUNCTIONS[fn].kind == "elementwise":
            folded = _fold(fn, args)
            if folded is not None and name is None:
                return folded
        known = self._known.get((fn, args)) if start is None else None
        if known is not None and name is None:
            return known
        if name is None:
            self._temporaries += 1
            name = f"%{self._temporaries}"
        op = Op(name, fn, args, shape, start)
        if fn != "slice":
            op = replace(op, shape=_shape(op, [self.shape(a) for a in args]))
        self.ops.append(op)
        self.shapes[name] = op.shape
        self._known.setdefault((fn, args), name)
        return name

    def program(self, outputs: tuple[tuple[str, str], ...]) -> Program:
        return check(live(Program(self.inputs, tuple(self.ops), outputs)))


def _fold(fn: str, args) -> float | None:
    import numpy as np

    with np.errstate(all="ignore"):
        result = float(FUNCTIONS[fn].numpy(*args)) if FUNCTIONS[fn].kind == "elementwise" else None
    return result if result is not None and np.isfinite(result) else None
