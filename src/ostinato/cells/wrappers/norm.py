"""Layer norm on pre-activations (Ba, Kiros and Hinton, 2016, arXiv:1607.06450), and RMS norm in its place.

For an LSTM the paper's eq. 20 to 22 are

    (f, i, o, g) = LN(U h) * alpha_1 + LN(W x) * alpha_2 + b
    c' = sigmoid(f) * c + sigmoid(i) * tanh(g)
    h' = sigmoid(o) * tanh(LN(c') * alpha_3 + beta_3)

RMS norm (Zhang and Sennrich, 2019, arXiv:1910.07467, eq. 4) leaves out the mean.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from ostinato._errors import ConfigError, did_you_mean
from ostinato.cells.bound_equations import BoundEquations
from ostinato.cells.cell import BoundCell, Cell
from ostinato.cells.definition import Definition
from ostinato.cells.wrappers.wrapper import Change, Wrapper
from ostinato.equations import sizes
from ostinato.equations.program import PRODUCTS, Op, Program
from ostinato.equations.rewriting import Rewriting, operand_kinds
from ostinato.equations.storage import Stack

KINDS = ("input", "recurrent")
PRIME = "'"


class _Norm(Wrapper):
    """A norm with a learned gain around products."""

    function = ""

    def __init__(
        self,
        inner: Cell,
        *,
        of: str | Sequence[str] = KINDS,
        state: bool = False,
        bias: bool = False,
        gain: float = 1.0,
    ):
        super().__init__(inner, of=of, state=state, bias=bias, gain=gain)
        bound = inner.bind()
        where = type(self).__name__
        if isinstance(bound, BoundCell):
            raise ConfigError(
                where,
                f"{type(inner).__name__} is a plain cell",
                "Where its step has pre-activations is not known",
                f"Write the cell as equations, or {self.function}(…) into its step",
            )
        assert isinstance(bound, BoundEquations)
        self.matrices = _chosen(where, bound.definition.program, of)
        self.normed_states = _read_states(bound.definition.program) if state else ()
        if state and not self.normed_states:
            raise ConfigError(f"{where} state", "no equation reads a next state", "Possible is state=False")
        self.has_bias = bias
        like = next(iter(inner.state_dict().values()), torch.empty(0))
        for name, parts in self._stored(bound.definition, bound.definition.program).items():
            total = sum(sizes.value(size, bound.definition.numbers) for _, size in parts)
            start = 0.0 if name.startswith("shift") else float(gain)
            setattr(self, name, nn.Parameter(torch.full((total,), start, device=like.device, dtype=like.dtype)))
        self.prepare()

    def change(self, definition: Definition, program: Program) -> Change | None:
        """Put the norm around the chosen products, and around next states where equations read them."""
        book, entries = Rewriting(program), {}
        own: dict[tuple[str, str], str] = {}
        for name, parts in self._stored(definition, program).items():
            kind = name.split("_")[0]
            symbols = tuple(
                book.take(f"{kind}_{of.replace(PRIME, '_next')}", "parameter", (size,)) for of, size in parts
            )
            own |= {(kind, of): symbol for (of, _), symbol in zip(parts, symbols, strict=True)}
            rows = tuple(size for _, size in parts)
            entries[Stack(name, symbols, rows, (sizes.total(rows),))] = name
        next_states = {program.output(label): label for label in self.normed_states}
        outputs: dict[str, str | float] = {}
        for op in program.ops:
            book.copy(op)
            of = str(op.args[0]) if op.fn in PRODUCTS else ""
            if of in self.matrices:
                book.values[op.out] = self._normed(book, book.new(op.out), of, own)
            if op.out in next_states:  # what is carried, and shown, is the state itself
                outputs |= {label: book.new(op.out) for label, value in program.outputs if value == op.out}
                book.values[op.out] = self._normed(book, book.new(op.out), next_states[op.out], own)
        return Change(book.finish(outputs), entries=entries)

    def _normed(self, book: Rewriting, value: str | float, of: str, own: dict[tuple[str, str], str]) -> str:
        text, given = f"{self.function}(a) * g", {"a": value, "g": own["gain", of]}
        if ("shift", of) in own:
            text, given = f"{text} + s", {**given, "s": own["shift", of]}
        return book.write(text, **given)

    def _stored(self, definition: Definition, program: Program) -> dict[str, list[tuple[str, str]]]:
        """Return, for each tensor of the norm, what its parts are for and how long they are.

        Gains stand together as the matrices do: those for weight_ih in gain_ih.
        """
        products: dict[str, list[tuple[str, str]]] = {}
        for stack in definition.stacks:
            chosen = [(symbol, _length(program, symbol)) for symbol in stack.symbols if symbol in self.matrices]
            if chosen:
                products[stack.name.removeprefix("weight_")] = chosen
        states = {
            label.replace(PRIME, "_next"): [(label, program.shape(program.output(label))[0])]
            for label in self.normed_states
        }
        shifted = {**(products if self.has_bias else {}), **states}
        gains = {f"gain_{title}": parts for title, parts in {**products, **states}.items()}
        return gains | {f"shift_{title}": parts for title, parts in shifted.items()}


class LayerNorm(_Norm):
    """Normalises what products with matrices give, each product by itself, with a learned gain.

    >>> from ostinato import LSTM
    >>> LayerNorm(LSTM(32, 64), state=True).gain_ih.shape
    torch.Size([256])

        W @ x -> layer_norm(W @ x) * gain

    of     "input" and "recurrent" products, one of them, or the symbols of matrices. Products for the output alone are
           no pre-activations.
    state  whether next states are normalised where other equations read them, as tanh(c') of an LSTM, with a gain and
           a shift; the state that is carried is not.
    bias   whether a learned shift is added to each product too; cells have biases of their own.
    gain   where gains start.

    The paper writes the products of all gates as one vector. Here each gate has a mean and a variance of its own.
    """

    function = "layer_norm"


class RMSNorm(_Norm):
    """Divides what products with matrices give by its root mean square, with a learned gain; as `LayerNorm` otherwise.

    >>> from ostinato import GRU
    >>> cell = RMSNorm(GRU(32, 64), of="recurrent")

        U @ h -> rms_norm(U @ h) * gain
    """

    function = "rms_norm"


def _chosen(where: str, program: Program, of: str | Sequence[str]) -> tuple[str, ...]:
    """Return the matrices whose products are normalised; ConfigError where the cell has none such."""
    names = [of] if isinstance(of, str) else list(of)
    kinds = operand_kinds(program)
    found: dict[str, None] = {}
    for name in names:
        chosen = [m for m, kind in kinds.items() if kind == name] if name in KINDS else [name] * (name in kinds)
        if not chosen and name not in KINDS:
            known = [*KINDS, *kinds]
            raise ConfigError(
                f"{where} of",
                f"'{name}' is no matrix of this cell",
                f"Possible are {', '.join(known)}",
                did_you_mean(name, known),
            )
        found |= dict.fromkeys(chosen)
    if not found:
        possible = ", ".join(dict.fromkeys([k for k in KINDS if k in kinds.values()] + list(kinds)))
        raise ConfigError(
            f"{where} of",
            f"this cell has no {' or '.join(names)} products that a next state is made of",
            f"Possible are {possible}" if possible else "It has no product with a matrix at all",
        )
    return tuple(found)


def _read_states(program: Program) -> tuple[str, ...]:
    """Return the labels of next states that equations read, and no product makes the output of."""
    read = {a for op in program.ops if op.fn not in PRODUCTS for a in op.args}
    made = {op.out for op in program.ops if isinstance(op, Op)}
    found = {}
    for label, value in program.outputs:
        if label != "y" and value in read and value in made:
            found.setdefault(value, label)
    return tuple(found.values())


def _length(program: Program, matrix: str) -> str:
    """Return how many numbers a product with a matrix gives."""
    op = next(op for op in program.ops if op.fn in PRODUCTS and op.args[0] == matrix)
    return op.shape[0]
