"""Variational dropout (Gal and Ghahramani, 2016, arXiv:1512.05287): one mask for all steps of a sequence."""

from __future__ import annotations

import torch
from torch import Tensor

from ostinato._errors import ConfigError
from ostinato.cells.cell import BoundCell, Cell, State
from ostinato.cells.definition import Definition
from ostinato.cells.wrappers.chance import Mask, check_per, check_share
from ostinato.cells.wrappers.wrapper import Change, Layer, Wrapper
from ostinato.equations.functions import FUNCTIONS
from ostinato.equations.program import PRODUCTS, Op, Program
from ostinato.equations.rewriting import Rewriting, reached


class VariationalDropout(Wrapper):
    """Leaves out numbers of the input, the state or the output: the same ones at every step of a sequence.

    >>> from ostinato import GRU
    >>> cell = VariationalDropout(GRU(32, 64), input=0.2, state=0.3, output=0.1)

        x -> x * m / (1 - share)

    input      share of the input left out.
    state      share of each state left out where a product with a matrix reads it, as the paper has it: what is kept
               from step to step number by number stays.
    output     share of the output left out; the state is what it would have been.
    per        "sequence", or "step" for masks drawn anew at every step. A sequence is one row of one call.
    generator  what masks are drawn from; None is torch's own.

    In evaluation it does nothing.
    """

    def __init__(
        self,
        inner: Cell,
        *,
        input: float = 0.0,
        state: float = 0.0,
        output: float = 0.0,
        per: str = "sequence",
        generator: torch.Generator | None = None,
    ):
        super().__init__(inner, generator, input=input, state=state, output=output, per=per)
        shares = {"input": input, "state": state, "output": output}
        self.shares = {name: check_share(f"VariationalDropout {name}", share) for name, share in shares.items()}
        self.per = check_per(per)
        self.is_random = any(self.shares.values())
        self.prepare()
        if self.shares["state"] and isinstance(inner.bind(), BoundCell):
            raise ConfigError(
                "VariationalDropout state",
                f"{type(inner).__name__} is a plain cell",
                "Where its step reads the state is not known; possible are input and output",
                "Write the cell as equations, or use Zoneout",
            )

    def change(self, definition: Definition, program: Program) -> Change | None:
        """Put masks behind x, before products and before y."""
        book = Rewriting(program)
        masked = _Masked(book, program, self.per)
        if self.shares["state"]:
            names = masked.states_in_products()
            if not names:
                raise ConfigError(
                    "VariationalDropout state",
                    "no product of this cell reads a state",
                    "Possible are input and output",
                    "Use Zoneout to keep states by chance",
                )
        if not self.training or not self.is_random:
            return None
        if self.shares["input"]:
            book.values["x"] = masked.drop("x", "x", self.shares["input"])
        masked.copy(self.shares["state"])
        outputs = {}
        if self.shares["output"]:
            outputs["y"] = masked.drop("y", book.new(program.output("y")), self.shares["output"])
        return Change(book.finish(outputs), tuple(masked.masks), masked.constants)

    def layer(self, bound: BoundCell) -> Layer | None:
        """Put masks around the step of a plain cell."""
        if not self.training or not self.is_random:
            return None
        sizes = {"input": self.inner.input_size, "output": bound.output_size}
        shares = (self.shares["input"], self.shares["output"])
        masks = [Mask(sizes[n], 1 - self.shares[n], self.per) for n in ("input", "output") if self.shares[n]]
        return Layer(_step, shares, tuple(masks))


class _Masked:
    """Writes a program with masks in it, and remembers what they are."""

    def __init__(self, book: Rewriting, program: Program, per: str):
        self.book, self.program, self.per = book, program, per
        self.masks: list[Mask] = []
        self.constants: dict[str, float] = {}
        self.stateful = reached(program, [s.name for s in program.states])
        self._dropped: dict[str, str | float] = {}

    def drop(self, name: str, value: str | float, share: float) -> str:
        """Return a value with a share of it left out."""
        shape = self.book.shape(value)
        mask = self.book.take(f"kept_{name}", "mask", shape)
        scale = self.book.take(f"scale_{name}", "constant")
        self.masks.append(Mask(int(shape[0]), 1 - share, self.per))
        self.constants[scale] = 1 / (1 - share)
        return self.book.write("a * (s * m)", f"{name}_dropped", a=value, m=mask, s=scale)

    def states_in_products(self) -> list[str]:
        """Return the states that products read, before anything but operations on single numbers."""
        found: dict[str, None] = {}
        waiting = [op.args[1] for op in self.program.ops if op.fn in PRODUCTS]
        while waiting:
            value = waiting.pop()
            entry = self.program.by_name.get(value) if isinstance(value, str) else None
            if isinstance(entry, Op):
                waiting += entry.args if _is_elementwise(entry) else ()
            elif entry is not None and entry.role == "state":
                found[entry.name] = None
        return list(found)

    def copy(self, share: float) -> None:
        """Write all operations; with a share, products read states that it is left out of."""
        for op in self.program.ops:
            if share and op.fn in PRODUCTS and op.args[1] in self.stateful:
                operand = self._operand(str(op.args[1]), share)
                name = None if op.out.startswith("%") else op.out
                self.book.values[op.out] = self.book.emit(op.fn, (op.args[0], operand), name)
            else:
                self.book.copy(op)

    def _operand(self, value: str, share: float) -> str | float:
        """Return a value as products read it, made of states that a share is left out of."""
        if value not in self._dropped:
            self._dropped[value] = self._made(value, share)
        return self._dropped[value]

    def _made(self, value: str, share: float) -> str | float:
        entry = self.program.by_name[value]
        if not isinstance(entry, Op):
            return self.drop(value, self.book.new(value), share) if entry.role == "state" else self.book.new(value)
        if not _is_elementwise(entry) or value not in self.stateful:
            return self.book.new(value)
        args = tuple(self._operand(a, share) if isinstance(a, str) else a for a in entry.args)
        if args == tuple(map(self.book.new, entry.args)):
            return self.book.new(value)
        return self.book.emit(entry.fn, args)


def _is_elementwise(op: Op) -> bool:
    return op.fn in FUNCTIONS and FUNCTIONS[op.fn].kind in ("elementwise", "comparison")


def _step(take, x: Tensor, masks: list[Tensor], state: State, shares: tuple[float, float], tensors) -> tuple:
    drawn = iter(masks)
    if shares[0]:
        mask = next(drawn)
        own, rest = x[:, : mask.shape[1]], x[:, mask.shape[1] :]  # masks of wrappers inside stand behind x
        x = torch.cat([own * (mask / (1 - shares[0])), rest], -1)
    output, after = take(x, state)
    if shares[1]:
        output = output * (next(drawn) / (1 - shares[1]))
    return output, after
