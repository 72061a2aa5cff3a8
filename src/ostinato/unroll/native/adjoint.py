"""The backward loop: what it reads, what it carries, and what it leaves for products over all steps at once."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ostinato.equations.differentiate import differentiate, gradient_name
from ostinato.equations.expand import expand
from ostinato.equations.program import PRODUCTS, Input, Op, Program, check, live
from ostinato.unroll.native.gradient_names import name_gradients
from ostinato.unroll.native.loop import Loop
from ostinato.unroll.native.saved import smallest_cut


@dataclass(frozen=True)
class Outer:
    """One term of a matrix's gradient: over all rows and steps, the sum of left times right."""

    parameter: str
    left: str
    right: str


@dataclass(frozen=True)
class Adjoint:
    """Both loops over the same values. `forward` is the loop's own program, row functions written out."""

    forward: Program
    backward: Program
    """Takes parameters, states, what was saved and the gradients that arrive; its outputs are labelled `d h` for the
    states, and by the names of what the loop takes."""
    saved: tuple[str, ...]
    """Values of `forward` that are kept besides the states."""
    outers: tuple[Outer, ...]


def build_adjoint(loop: Loop) -> Adjoint:
    """Return both loops of a step."""
    whole, outputs = _both(loop.program)
    late = _reached(whole)
    outers = _outers(whole, {p.name for p in loop.program.parameters if len(p.shape) == 2})
    results = tuple((label, v) for label, v in whole.outputs if len(whole.shape(v)) < 2)
    free = {s.name for s in whole.states} | {value for _, value in outputs}
    operands = {operand for o in outers for operand in (o.left, o.right)}
    saved = _saved(whole, late, operands | {v for _, v in results}, free, loop)
    inputs = tuple(i for i in whole.inputs if i.role != "gradient")
    early = tuple(op for op in whole.ops if op.out not in late)
    kept = tuple((f"saved {v}", v) for v in saved)
    forward = replace(live(Program(inputs, early, outputs + kept)), outputs=outputs)
    outers = tuple(
        replace(o, left=f"{o.left} copy" if o.left in (*saved, *free) else _own(whole, o.left)) for o in outers
    )
    arriving = {i.name for i in whole.role("gradient")}
    outers = tuple(replace(o, right=f"{o.right} copy" if o.right in arriving else o.right) for o in outers)
    backward = _backward(whole, results, outers, saved, free - {s.name for s in whole.states})
    return Adjoint(check(_copied(forward)), backward, saved, outers)


def _saved(whole: Program, late: set[str], wanted: set[str], free: set[str], loop: Loop) -> tuple[str, ...]:
    """Return which values to keep so that the `late` operations, and all that is `wanted`, follow from them.

    Of what comes into the loop nothing is written, so it is rather kept than another value; but it is kept whole.
    """
    read = {a for op in whole.ops if op.out in late and op.fn != "outer" for a in op.args if isinstance(a, str)}
    needed = [n for n in whole.by_name if n not in late and (n in read or n in wanted)]
    sizes = {n: int(e.shape[0]) if e.shape else 1 for n, e in whole.by_name.items() if len(e.shape) < 2}
    known = free | {i.name for i in whole.role("gradient")}
    rather = {n: size * (2 if isinstance(whole.by_name[n], Input) else 3) for n, size in sizes.items()}
    found = smallest_cut(whole, needed, known, rather)
    kept: dict[str, int] = {}
    for name in found:
        if isinstance(whole.by_name[name], Input):
            tensor = loop.pieces[name].tensor
            kept[tensor] = kept.get(tensor, 0) + sizes[name]
    is_whole = all(size == math.prod(loop.widths[tensor]) for tensor, size in kept.items())
    return tuple(found if is_whole else smallest_cut(whole, needed, known, sizes))


def _own(program: Program, value: str) -> str:
    """Return what a value is called where it has to stand in a place of its own."""
    return f"{value} copy" if isinstance(program.by_name[value], Input) else value


def _copied(program: Program) -> Program:
    """Give each output that is an input a value of its own: it stands in another place."""
    given = dict.fromkeys(v for _, v in program.outputs if isinstance(program.by_name[v], Input))
    made = {op.out for op in program.ops}
    copies = tuple(Op(_own(program, v), "copy", (v,), program.shape(v)) for v in given if _own(program, v) not in made)
    outputs = tuple((label, _own(program, v)) for label, v in program.outputs)
    return Program(program.inputs, (*copies, *program.ops), outputs)


def _both(step: Program) -> tuple[Program, tuple[tuple[str, str], ...]]:
    """Return one program of the step's operations and its adjoint's, and the step's own outputs in it."""
    adjoint = name_gradients(differentiate(step), step)
    own = {op.out for op in step.ops}
    ops = step.ops + tuple(op for op in adjoint.ops if op.out not in own)
    inputs = step.inputs + adjoint.role("gradient")
    marked = tuple((f"step {label}", value) for label, value in step.outputs)
    whole, _ = expand(Program(inputs, ops, adjoint.outputs + marked))
    outputs = tuple((label.removeprefix("step "), v) for label, v in whole.outputs if label.startswith("step "))
    return Program(whole.inputs, _filled(whole.ops), whole.outputs[: len(adjoint.outputs)]), outputs


def _filled(ops: tuple[Op, ...]) -> tuple[Op, ...]:
    """Return operations that take no vector only to know its length: sizes are numbers here."""
    return tuple(replace(op, fn="copy", args=op.args[:1]) if op.fn == "fill" else op for op in ops)


def _collected(program: Program) -> Program:
    """Give each arriving gradient that a product reads a value of its own: it may arrive from two sides, or none."""
    gradients = {i.name: i.shape for i in program.role("gradient")}
    products = [op for op in program.ops if op.fn in PRODUCTS]
    wanted = dict.fromkeys(str(op.args[1]) for op in products if op.args[1] in gradients)
    copies = tuple(Op(f"{v} copy", "copy", (v,), gradients[v]) for v in wanted)
    ops = tuple(
        replace(op, args=(op.args[0], f"{op.args[1]} copy")) if op.fn in PRODUCTS and op.args[1] in wanted else op
        for op in program.ops
    )
    return replace(program, ops=(*copies, *ops))


def _reached(whole: Program) -> set[str]:
    """Return what depends on an arriving gradient."""
    found = {i.name for i in whole.role("gradient")}
    for op in whole.ops:
        if not found.isdisjoint(op.args):
            found.add(op.out)
    return found


def _outers(whole: Program, matrices: set[str]) -> tuple[Outer, ...]:
    found = []
    for label, value in whole.outputs:
        waiting = [value] if label in matrices else []
        while waiting:
            op = whole.by_name[waiting.pop()]
            assert isinstance(op, Op), f"the gradient of {label} is given"
            assert op.fn in ("outer", "add"), f"the gradient of {label} is {op}"
            if op.fn == "outer":
                found.append(Outer(label, str(op.args[0]), str(op.args[1])))
            else:
                waiting += [str(a) for a in reversed(op.args)]
    return tuple(found)


def _backward(
    whole: Program,
    results: tuple[tuple[str, str], ...],
    outers: tuple[Outer, ...],
    saved: tuple[str, ...],
    after: set[str],
) -> Program:
    """Return the backward step: what was saved and the states after the step come in as inputs."""
    states = {s.name for s in whole.states}
    given = {*saved, *after}
    inputs = [Input(n, "saved", whole.shape(n)) for n in whole.by_name if n in given and n not in states]
    inputs += [i for i in whole.inputs if i.role in ("state", "parameter", "constant", "gradient")]
    ops = tuple(op for op in whole.ops if op.out not in given and op.fn != "outer")
    labelled = [(gradient_name(label) if label in states else label, value) for label, value in results]
    zeros = [
        Op(f"zero {s}", "copy", (0.0,), whole.shape(s)) for s in whole.by_name if s in states - dict(results).keys()
    ]
    labelled += [(gradient_name(op.out.removeprefix("zero ")), op.out) for op in zeros]
    whole_inputs = {i.name for i in inputs}
    for outer in outers:
        labelled.append((outer.left, outer.left.removesuffix(" copy")))
        labelled += [(outer.right, outer.right.removesuffix(" copy"))] if outer.right not in whole_inputs else []
    program = Program(tuple(inputs), (*zeros, *ops), tuple(dict.fromkeys(labelled)))
    needed = _copied(_collected(live(program)))
    read = {a for op in needed.ops for a in op.args} | {v for _, v in needed.outputs}
    return Program(tuple(i for i in needed.inputs if i.name in read), needed.ops, needed.outputs)
