"""One pass along time, forward or backward: its stages, and where each value stands in memory."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from ostinato.equations.differentiate import gradient_name
from ostinato.equations.program import GIVEN, Program
from ostinato.unroll.native.adjoint import Adjoint, Outer, build_adjoint
from ostinato.unroll.native.loop import Loop
from ostinato.unroll.native.stages import Schedule, schedule


@dataclass(frozen=True)
class Place:
    """Numbers `start` to `start + size` of each row of a tensor `width` wide."""

    tensor: str
    width: int
    start: int
    size: int


@dataclass(frozen=True)
class Carried:
    """What goes from one step to the next: a state, or in the backward pass the gradient of one."""

    name: str
    size: int
    source: str
    """The value a step reads it by."""
    result: str
    """The value a step leaves."""
    also: str = ""
    """Of the backward pass: the sequence of gradients that arrive at the state from outside, added to `source`."""


@dataclass(frozen=True)
class Matrix:
    """Rows `start` to `start + rows` of a stored tensor `depth` wide."""

    tensor: str
    start: int
    rows: int
    depth: int


@dataclass(frozen=True)
class Pass:
    """What a printer needs to know of one direction."""

    backward: bool
    schedule: Schedule
    reads: dict[str, Place]
    """Values that come from a sequence: one row for each row of each step."""
    writes: dict[str, tuple[Place, ...]]
    optional: frozenset[str]
    """Sequences that may be absent: read as zero, not written."""
    carried: tuple[Carried, ...]
    before: dict[str, int]
    """Of the backward pass: states before the step that it reads, and their sizes."""
    matrices: dict[str, Matrix]
    vectors: dict[str, Place]
    constants: tuple[str, ...]
    totals: dict[str, int] = field(default_factory=dict)
    """Values whose sum over all rows and steps is wanted; size 0 is a single number."""

    @functools.cached_property
    def waits(self) -> bool:
        """Whether a unit needs what others of its row have made: in products of it, or in sums over the row."""
        stages = self.schedule.stages
        operands = {f.operand for stage in stages for p in stage.products for f in p.factors}
        return bool(operands - self.reads.keys()) or any(stage.reductions for stage in stages)

    @property
    def units(self) -> int:
        """How many numbers a row of the widest stage has."""
        return max((stage.size for stage in self.schedule.stages), default=1)

    @functools.cached_property
    def widths_written(self) -> dict[str, tuple[int, int]]:
        """Sequence -> (its width, how much of it the pass writes)."""
        found: dict[str, tuple[int, int]] = {}
        for place in {p for places in self.writes.values() for p in places}:
            found[place.tensor] = (place.width, found.get(place.tensor, (0, 0))[1] + place.size)
        return found


@dataclass(frozen=True)
class Block:
    """A block of a matrix's gradient: rows of `left` against `right`, over all rows and steps."""

    tensor: str
    start: int
    left: Place
    right: str | Place
    """A state before the step, by its name, or where another value stands."""


@dataclass(frozen=True)
class Passes:
    """Both passes of a loop, and what is to be done around them."""

    loop: Loop
    forward: Pass
    backward: Pass
    sequences: dict[str, str]
    """Output label -> the sequence that holds it after the forward pass (`<state> all` for a state's)."""
    saved_width: int
    blocks: tuple[Block, ...]
    vector_gradients: dict[str, str]
    """Parameter piece -> the value of `totals` that is its gradient."""

    @functools.cached_property
    def joined_blocks(self) -> tuple[Block, ...]:
        """The blocks, neighbours that meet the same operand as one."""
        joined: list[Block] = []
        for block in sorted(self.blocks, key=lambda b: (b.tensor, b.start)):
            last = joined[-1] if joined else None
            if last and _are_neighbours(last, block):
                joined[-1] = replace(last, left=replace(last.left, size=last.left.size + block.left.size))
            else:
                joined.append(block)
        return tuple(joined)

    @property
    def saved_per_row(self) -> int:
        """How many numbers of a row and step the forward pass keeps, its states and outputs included."""
        return self.saved_width + self.saved_to_recompute

    @property
    def saved_to_recompute(self) -> int:
        """How many it keeps where the backward pass computes the rest again: states and outputs."""
        program = self.loop.program
        states = sum(int(s.shape[0]) for s in program.states)
        return states + sum(self.loop.size(v) for label, v in program.outputs if self.sequences[label] == label)


def _are_neighbours(a: Block, b: Block) -> bool:
    same = (a.tensor, a.right, a.left.tensor) == (b.tensor, b.right, b.left.tensor)
    return same and a.start + a.left.size == b.start and a.left.start + a.left.size == b.left.start


def build_passes(loop: Loop) -> Passes:
    """Plan both passes of a loop."""
    adjoint = build_adjoint(loop)
    saved = _side_by_side("saved", [n for n in adjoint.saved if n not in loop.pieces], loop_sizes(adjoint.forward))
    sequences = _sequences(adjoint.forward)
    forward = _forward(loop, adjoint, saved, sequences)
    backward, blocks, gradients = _backward(loop, adjoint, saved, sequences)
    width = sum(p.size for p in saved.values())
    return Passes(loop, forward, backward, sequences, width, blocks, gradients)


def loop_sizes(program: Program) -> dict[str, int]:
    """Return how many numbers each vector or number of a program has."""
    return {n: int(e.shape[0]) if e.shape else 1 for n, e in program.by_name.items() if len(e.shape) < 2}


def all_of(state: str) -> str:
    """Return the name of the sequence of a state after every step."""
    return f"{state} all"


def _side_by_side(tensor: str, values: Iterable[str], sizes: dict[str, int]) -> dict[str, Place]:
    values = sorted(values, key=lambda v: -sizes[v])  # single numbers last, so that vectors stay aligned
    width = sum(sizes[v] for v in values)
    places, start = {}, 0
    for value in values:
        places[value] = Place(tensor, width, start, sizes[value])
        start += sizes[value]
    return places


def _sequences(program: Program) -> dict[str, str]:
    """Return where each output of the step stands: an output that is a state has its sequence."""
    states = {}
    for s in program.states:
        states.setdefault(program.output(f"{s.name}'"), all_of(s.name))
    found = {f"{s.name}'": all_of(s.name) for s in program.states}
    for label, value in program.outputs:
        found.setdefault(label, states.get(value, label))
    return found


def _forward(loop: Loop, adjoint: Adjoint, saved: dict[str, Place], sequences: dict[str, str]) -> Pass:
    program = adjoint.forward
    steps = schedule(program, adjoint.saved)
    writes: dict[str, list[Place]] = {v: [p] for v, p in saved.items()}
    outputs = dict(steps.program.outputs)
    for label, tensor in sequences.items():
        if tensor == label:
            size = _size(steps.program, outputs[label])
            writes.setdefault(outputs[label], []).append(Place(tensor, size, 0, size))
    carried = tuple(Carried(s.name, int(s.shape[0]), s.name, outputs[f"{s.name}'"]) for s in program.states)
    return Pass(
        backward=False,
        schedule=steps,
        reads=_given(loop, program),
        writes={v: tuple(p) for v, p in writes.items()},
        optional=frozenset({"saved"}),
        carried=carried,
        before={},
        matrices=_matrices(loop, steps),
        vectors=_vectors(loop, program),
        constants=tuple(i.name for i in program.role("constant")),
    )


def _backward(
    loop: Loop, adjoint: Adjoint, saved: dict[str, Place], sequences: dict[str, str]
) -> tuple[Pass, tuple[Block, ...], dict[str, str]]:
    """Return the backward pass, the blocks of matrices' gradients, and the values that others are made of."""
    forward, outputs = adjoint.forward, dict(adjoint.backward.outputs)
    states = {s.name: int(s.shape[0]) for s in loop.program.states}
    sizes = loop_sizes(adjoint.backward) | states
    writes = _input_gradients(loop, outputs, sizes)
    after = {v: Place(sequences[label], _size(forward, v), 0, _size(forward, v)) for label, v in forward.outputs}
    after |= {v.removesuffix(" copy"): place for v, place in after.items()}  # a state may be what came into the loop
    known = {**after, **saved, **{n: p for n, p in _given(loop, loop.program).items() if n in adjoint.saved}}
    blocks = _blocks(loop, adjoint.outers, sizes, writes, set(states), known)
    summed = [p for p in loop.program.parameters if p.name in outputs and len(p.shape) < 2]
    totals = {outputs[p.name]: int(p.shape[0]) if p.shape else 0 for p in summed}
    carried = {gradient_name(s) for s in states}
    only_summed = totals.keys() - writes.keys() - {v for label, v in adjoint.backward.outputs if label in carried}
    steps = schedule(_kept(adjoint.backward, {*writes, *totals}, carried), (), only_summed)
    program = steps.program
    made = Pass(
        backward=True,
        schedule=steps,
        reads={i.name: known[i.name] for i in program.role("saved")} | _arriving(forward, program, sequences),
        writes={v: tuple(p) for v, p in writes.items()},
        optional=frozenset(gradient_name(t) for t in sequences.values()),
        carried=_carried_back(loop, program, sequences),
        before={s.name: states[s.name] for s in program.states},
        matrices=_matrices(loop, steps),
        vectors=_vectors(loop, program),
        constants=tuple(i.name for i in program.role("constant")),
        totals=totals,
    )
    return made, blocks, {p.name: outputs[p.name] for p in summed}


def _input_gradients(loop: Loop, outputs: dict[str, str], sizes: dict[str, int]) -> dict[str, list[Place]]:
    """Return where the gradients go of what comes into the loop from before it."""
    writes: dict[str, list[Place]] = {}
    for name, place in _given(loop, loop.program).items():
        if name in outputs:
            there = replace(place, tensor=gradient_name(place.tensor), size=sizes[outputs[name]])
            writes.setdefault(outputs[name], []).append(there)
    return writes


def _kept(program: Program, values: set[str], labels: set[str]) -> Program:
    """Return a program with those of its outputs that somebody wants, by value or by label."""
    return replace(program, outputs=tuple((label, v) for label, v in program.outputs if v in values or label in labels))


def _arriving(forward: Program, program: Program, sequences: dict[str, str]) -> dict[str, Place]:
    """Return where the gradients of outputs arrive; those of states are carried."""
    states = {f"{s.name}'" for s in forward.states}
    found = {}
    for label, value in forward.outputs:
        if label not in states and gradient_name(label) in program.by_name:
            size = _size(forward, value)
            found[gradient_name(label)] = Place(gradient_name(sequences[label]), size, 0, size)
    return found


def _carried_back(loop: Loop, program: Program, sequences: dict[str, str]) -> tuple[Carried, ...]:
    """Return the gradients of states; a state whose sequence is no output has one that may arrive from outside."""
    outputs, states = dict(program.outputs), {f"{s.name}'" for s in loop.program.states}
    taken = {tensor for label, tensor in sequences.items() if label not in states}
    return tuple(
        Carried(
            name=s.name,
            size=int(s.shape[0]),
            source=gradient_name(f"{s.name}'"),
            result=outputs[gradient_name(s.name)],
            also="" if all_of(s.name) in taken else gradient_name(all_of(s.name)),
        )
        for s in loop.program.states
    )


def _blocks(
    loop: Loop,
    outers: tuple[Outer, ...],
    sizes: dict[str, int],
    writes: dict[str, list[Place]],
    states: set[str],
    known: dict[str, Place],
) -> tuple[Block, ...]:
    """Say where both sides of each matrix's gradient stand; what has no place yet is given one in `writes`."""
    lefts: dict[str, list[str]] = {}
    for outer in outers:
        if outer.left not in writes:
            lefts.setdefault(loop.pieces[outer.parameter].tensor, []).append(outer.left)
    for tensor, values in lefts.items():
        for value, place in _side_by_side(f"g {tensor}", dict.fromkeys(values), sizes).items():
            if value not in writes:
                writes[value] = [place]
    blocks = []
    for outer in outers:
        right = outer.right if outer.right in states else known.get(outer.right)
        if right is None:
            size = sizes[outer.right]
            right = known[outer.right] = Place(f"v {outer.right}", size, 0, size)
            writes.setdefault(outer.right, []).append(right)
        piece = loop.pieces[outer.parameter]
        blocks.append(Block(piece.tensor, piece.start, writes[outer.left][0], right))
    return tuple(blocks)


def _given(loop: Loop, program: Program) -> dict[str, Place]:
    """Return where the values stand that come into the loop from before it."""
    found = {}
    for entry in program.inputs:
        if entry.role in GIVEN:
            piece = loop.pieces[entry.name]
            width = loop.widths[piece.tensor][0] if loop.widths[piece.tensor] else 1
            found[entry.name] = Place(piece.tensor, width, piece.start, _size(program, entry.name))
    return found


def _matrices(loop: Loop, steps: Schedule) -> dict[str, Matrix]:
    names = dict.fromkeys(f.matrix for stage in steps.stages for p in stage.products for f in p.factors)
    found = {}
    for name in names:
        rows, depth = map(int, loop.program.shape(name))
        found[name] = Matrix(loop.pieces[name].tensor, loop.pieces[name].start, rows, depth)
    return found


def _vectors(loop: Loop, program: Program) -> dict[str, Place]:
    found = {}
    for entry in program.parameters:
        if len(entry.shape) < 2:
            piece = loop.pieces[entry.name]
            size = _size(program, entry.name)
            found[entry.name] = Place(piece.tensor, size, piece.start, size)
    return found


def _size(program: Program, name: str) -> int:
    shape = program.shape(name)
    return int(shape[0]) if shape else 1
