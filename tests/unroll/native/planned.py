"""A planned step, run in plain NumPy stage by stage: what a stage reads must be complete by then, and be in memory."""

import numpy as np

from ostinato.equations.differentiate import gradient_name
from ostinato.equations.functions import FUNCTIONS
from ostinato.equations.hoist import split
from ostinato.equations.program import Op
from ostinato.unroll.native.loop import Loop, build_loop
from ostinato.unroll.native.passes import Pass, Passes, Place, all_of, build_passes
from ostinato.unroll.native.stages import Product, Schedule, Stage

ROWS = 3


def loop_of(cell, *, hoisted: bool = True) -> Loop:
    """Return the loop of a cell, as the engine builds it."""
    definition = cell.definition
    symbols = {(tensor, start, size): name for name, (tensor, start, size) in definition.symbols.items()}
    return build_loop(split(definition.fused, hoisted=hoisted).loop, definition.numbers, symbols)


def passes_of(cell, *, hoisted: bool = True) -> Passes:
    """Return both passes of a cell."""
    return build_passes(loop_of(cell, hoisted=hoisted))


def run(schedule: Schedule, given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return what the stages of one step leave in memory, for a few rows."""
    memory = dict(given)
    parts: dict[str, np.ndarray] = {}
    for stage in schedule.stages:
        own = {product.out: _product(product, memory) for product in stage.products}
        for op in stage.ops:
            own[op.out] = _apply(op, {**memory, **(own if stage.size else {**parts, **own})})
        begun = {op.out: _apply(op, {**memory, **own}) for op in stage.reductions}
        size = 0 if stage.size == 1 else stage.size
        assert all(_numbers(value) == size for value in own.values()), "a stage has units of one size"
        memory |= {name: own[name] for name in stage.stored} if stage.size else own
        parts |= begun
    return memory


def _product(product: Product, memory: dict[str, np.ndarray]) -> np.ndarray:
    total = 0
    for factor in product.factors:
        matrix = memory[factor.matrix]
        total = total + memory[factor.operand] @ (matrix if factor.transposed else matrix.T)
    return total


def _apply(op: Op, known: dict[str, np.ndarray]) -> np.ndarray:
    args = [known[a] if isinstance(a, str) else np.float64(a) for a in op.args]
    size = int(op.shape[0]) if op.shape else 1
    with np.errstate(all="ignore"):
        value = args[0] if op.fn in ("copy", "fill") else FUNCTIONS[op.fn].numpy(*args)
    return np.broadcast_to(value, (ROWS, size))


def _numbers(value: np.ndarray) -> int:
    return 0 if value.shape[-1] == 1 else value.shape[-1]


class Step:
    """One step of a loop, forward and backward, on random numbers: `expected` by the oracle, `found` by the plan."""

    def __init__(self, passes: Passes, seed: int):
        self.passes, self.loop = passes, passes.loop
        draw = np.random.default_rng(seed)
        program = self.loop.program
        self.values: dict[str, np.ndarray] = {}
        for entry in program.inputs:
            shape = tuple(map(int, entry.shape))
            rows = () if entry.role in ("parameter", "constant") else (ROWS,)
            self.values[entry.name] = draw.normal(size=(*rows, *(shape or ((1,) if rows else ())))) * 0.7
        outputs = {label: self.values_of(value) for label, value in program.outputs}
        self.arriving = {gradient_name(k): draw.normal(size=(ROWS, size)) for k, size in outputs.items()}
        self.tensors: dict[str, np.ndarray] = {}

    def values_of(self, value: str) -> int:
        return self.loop.size(value)

    def forward(self) -> dict[str, np.ndarray]:
        """Return the outputs of the step by their labels."""
        made = self.passes.forward
        given = {name: self.values[name] for name in made.reads}
        for name, place in made.reads.items():
            self._at(place)[...] = given[name]
        given |= {c.source: self.values[c.name] for c in made.carried} | self._fixed(made)
        memory = run(made.schedule, given)
        self._leave(made, memory)
        for c in made.carried:
            self.tensors[all_of(c.name)] = memory[c.result]
        return {label: self.tensors[self.passes.sequences[label]] for label, _ in self.loop.program.outputs}

    def backward(self) -> dict[str, np.ndarray]:
        """Return the gradients of everything the loop takes, by name; after `forward`."""
        made, sequences = self.passes.backward, self.passes.sequences
        states = {f"{s.name}'" for s in self.loop.program.states}
        for label, tensor in sequences.items():
            if label not in states:
                self.tensors[f"d {tensor}"] = self.arriving[gradient_name(label)]
        given = {name: self._at(place) for name, place in made.reads.items()}
        for c in made.carried:
            given[c.source] = self.arriving[gradient_name(f"{c.name}'")]
        given |= {name: self.values[name] for name in made.before} | self._fixed(made)
        memory = run(made.schedule, given)
        for tensor, (width, written) in made.widths_written.items():
            if written < width:  # what a pass leaves out has no gradient
                self.tensors[tensor] = np.zeros((ROWS, width))
        self._leave(made, memory)
        found = {c.name: memory[c.result] for c in made.carried}
        for name, piece in self.loop.pieces.items():
            size, tensor = self.loop.size(name), self.tensors.get(f"d {piece.tensor}")
            if tensor is not None:
                found[name] = tensor[:, piece.start : piece.start + size]
        for name, value in self.passes.vector_gradients.items():
            total = np.broadcast_to(memory[value], (ROWS, self.loop.size(name))).sum(0)
            found[name] = total.reshape(self.values[name].shape)
        return found | self._matrices()

    def _matrices(self) -> dict[str, np.ndarray]:
        stored = {p.tensor: np.zeros(self.loop.widths[p.tensor]) for p in self.loop.pieces.values()}
        for block in self.passes.joined_blocks:
            right = self.values[block.right] if isinstance(block.right, str) else self._at(block.right)
            stored[block.tensor][block.start : block.start + block.left.size] += self._at(block.left).T @ right
        matrices = [p for p in self.loop.program.parameters if len(p.shape) == 2]
        pieces = {p.name: self.loop.pieces[p.name] for p in matrices}
        return {n: stored[p.tensor][p.start : p.start + len(self.values[n])] for n, p in pieces.items()}

    def _fixed(self, made: Pass) -> dict[str, np.ndarray]:
        names = [*made.matrices, *made.vectors, *made.constants]
        return {name: self.values[name] for name in names}

    def _leave(self, made: Pass, memory: dict[str, np.ndarray]) -> None:
        stored = {v for s in made.schedule.stages for v in (s.stored if s.size else [op.out for op in s.ops])}
        for value, places in made.writes.items():
            assert value in stored, f"{value} is written by no stage"
            for place in places:
                self._at(place)[...] = memory[value]

    def _at(self, place: Place) -> np.ndarray:
        tensor = self.tensors.setdefault(place.tensor, np.full((ROWS, place.width), np.nan))
        return tensor[:, place.start : place.start + place.size]


def stage_that_makes(schedule: Schedule, value: str) -> Stage:
    """Return the stage a value is made in."""
    return next(s for s in schedule.stages if value in {p.out for p in s.products} | {op.out for op in s.ops})
