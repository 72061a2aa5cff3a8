"""What stays in the loop, in the form engines are printed from: products of whole blocks, sizes as numbers.

A stored tensor holds the rows of several symbols, and a product with it is one operation of which the step takes parts.
Here each part becomes a value of its own, and the tensor a place where several values stand side by side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ostinato.equations import sizes
from ostinato.equations.functions import FUNCTIONS
from ostinato.equations.program import Builder, Input, Op, Program, check

Part = tuple[int, int]
"""(start, size) within a vector, or within the rows of a matrix."""


class NotCompiled(Exception):
    """A step that the fused loop cannot say; the message is the reason, as one clause."""


@dataclass(frozen=True)
class Piece:
    """Where an input of the loop stands: in `tensor`, from `start` on."""

    tensor: str
    start: int


@dataclass(frozen=True)
class Loop:
    """The loop of a step. `program` has a number for each size and no slices."""

    program: Program
    pieces: dict[str, Piece]
    """Of each input and parameter of `program`."""
    widths: dict[str, tuple[int, ...]]
    """The shape of each tensor that the pieces stand in, steps and rows aside."""
    constants: dict[str, str]
    """Constant of `program` -> what it is called in the step."""

    def size(self, name: str | float) -> int:
        """Return how many numbers a value has in one row; 1 for a single number."""
        shape = self.program.shape(name)
        return int(shape[0]) if shape else 1


def build_loop(program: Program, numbers: Mapping[str, int], symbols: Mapping[tuple[str, int, int], str]) -> Loop:
    """Return the loop of a fused program; NotCompiled where it takes a part of what only exists as a whole.

    `symbols` names blocks of stored tensors, (tensor, first row, rows) -> symbol.
    """
    return _Splitter(program, numbers, symbols).loop()


class _Splitter:
    def __init__(self, program: Program, numbers: Mapping[str, int], symbols: Mapping[tuple[str, int, int], str]):
        self.fused, self.numbers, self.symbols = program, numbers, symbols
        self.shapes = {name: self._shape(e.shape) for name, e in program.by_name.items()}
        self.pieces: dict[str, Piece] = {}
        self.constants: dict[str, str] = {}
        self.names: dict[tuple[str, Part], str] = {}
        self.taken = set(program.by_name)

    def loop(self) -> Loop:
        wanted = self._wanted()
        inputs = tuple(i for e in self.fused.inputs for i in self._inputs(e, wanted.get(e.name, {})))
        self.builder = Builder(inputs)
        for op in self.fused.ops:
            for part in sorted(wanted.get(op.out, {})):
                self.names[op.out, part] = self._emit(op, part)
        outputs = tuple((label, self._name(value)) for label, value in self.fused.outputs)
        plain = check(Program(inputs, tuple(self.builder.ops), outputs))
        read = {a for op in plain.ops for a in op.args} | {v for _, v in plain.outputs}
        kept = tuple(i for i in inputs if i.name in read or i.role == "state")
        pieces = {i.name: self.pieces[i.name] for i in kept if i.name in self.pieces}
        widths = {p.tensor: self.shapes[p.tensor] for p in pieces.values()}
        return Loop(Program(kept, plain.ops, plain.outputs), pieces, widths, self.constants)

    def _shape(self, shape: tuple[str, ...]) -> tuple[int, ...]:
        return tuple(sizes.value(size, self.numbers) for size in shape)

    def _whole(self, name: str) -> Part:
        shape = self.shapes[name]
        return (0, shape[0] if shape else 1)

    def _wanted(self) -> dict[str, dict[Part, None]]:
        """Return which parts of each value are read."""
        wanted: dict[str, dict[Part, None]] = {}
        for _, value in self.fused.outputs:
            wanted.setdefault(value, {})[self._whole(value)] = None
        for op in reversed(self.fused.ops):
            for part in wanted.get(op.out, {}):
                for arg, needed in self._read(op, part):
                    wanted.setdefault(arg, {})[needed] = None
        return wanted

    def _read(self, op: Op, part: Part) -> list[tuple[str, Part]]:
        """Return which parts of its arguments a part of an operation's result is made of."""
        names = [a for a in op.args if isinstance(a, str)]
        match op.fn:
            case "slice":
                start = sizes.value(op.start, self.numbers) if op.start else 0
                return [(names[0], (start + part[0], part[1]))]
            case "matmul" | "affine":
                return [(a, self._whole(a) if k == 1 else part) for k, a in enumerate(names)]
        if FUNCTIONS[op.fn].kind in ("elementwise", "comparison") if op.fn in FUNCTIONS else op.fn == "fill":
            return [(a, part if self.shapes[a] else (0, 1)) for a in names]
        if part != self._whole(op.out):
            raise NotCompiled(f"it takes a part of what {op.fn} gives")
        return [(a, self._whole(a)) for a in names]

    def _inputs(self, entry: Input, parts: Mapping[Part, None]) -> list[Input]:
        """Return the inputs that stand for the parts of one input, and note where they are."""
        whole = self._whole(entry.name)
        if entry.role == "state":
            if set(parts) - {whole}:
                raise NotCompiled(f"it takes a part of the state {entry.name}")
            self.names[entry.name, whole] = entry.name
            return [Input(entry.name, "state", (str(whole[1]),))]
        found, ends = [], 0
        for part in sorted(parts):
            start, size = part
            if start < ends:
                raise NotCompiled(f"it reads parts of {entry.name} that overlap")
            ends = start + size
            name = self._title(entry.name, part, whole)
            self.names[entry.name, part] = name
            if entry.role == "constant":
                self.constants[name] = entry.name
            else:
                self.pieces[name] = Piece(entry.name, start)
            shape = tuple(map(str, (size, *self.shapes[entry.name][1:]))) if self.shapes[entry.name] else ()
            found.append(Input(name, entry.role, shape, entry.default))
        return found

    def _title(self, tensor: str, part: Part, whole: Part) -> str:
        """Return what a part is called: its symbol; temporary names (%1) are left to the loop's own values."""
        if part == whole and not tensor.startswith("%"):
            return tensor
        plain = tensor.replace("%", "given_")
        name = self.symbols.get((tensor, *part), plain if part == whole else f"{plain}_{part[0]}")
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name

    def _name(self, value: str) -> str:
        return self.names[value, self._whole(value)]

    def _emit(self, op: Op, part: Part) -> str:
        read = self._read(op, part)
        if op.fn == "slice":
            return self.names[read[0]]
        whole = part == self._whole(op.out)
        name = op.out if whole and not op.out.startswith("%") else None
        given = iter([self.names[r] for r in read])
        args = tuple(next(given) if isinstance(a, str) else a for a in op.args)
        if op.fn != "affine":
            return str(self.builder.emit(op.fn, args, name))
        product = str(self.builder.emit("matmul", args[:2]))
        return str(self.builder.emit("add", (product, args[2]), name))
