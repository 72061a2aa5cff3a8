"""Random valid cells for hypothesis: expression trees over the whole functions table, and numbers to run them on.

Arguments stay where functions are smooth and finite: logarithms, roots, quotients and powers get positive arguments,
and what has a kink or a jump gets a fresh parameter added, so that no rounding decides on which side it falls.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
import torch
from hypothesis import strategies as st

from ostinato.cells.equation_cell import EquationCell, cell_class, program_of
from ostinato.equations.functions import ALIASES
from ostinato.equations.program import Program
from ostinato.equations.sizes import ARGUMENT_OF, symbols

NUMBERS = {"D": 3, "H": 4, "P": 2, "K": 5}
"""What the size symbols of a random cell stand for."""
SIZES = ["H", "H", "H", "D", "2*H", "P", "K", "H//2", "3"]
SMOOTH = ["sigmoid", "tanh", "softplus", "silu", "sin", "cos"]
KINKED = ["relu", "softsign", "hard_sigmoid", "hard_tanh", "elu", "abs", "sign"]
POSITIVE = {"log": "log(0.5 + {0} * {0})", "sqrt": "sqrt(0.5 + {0} * {0})", "exp": "exp(tanh({0}))"}
CLIPPED = {"clip_gradient": "clip_gradient({0} + mean(x), 0.5)"}
GUARDED = POSITIVE | CLIPPED
ROWS = ["softmax", "layer_norm", "rms_norm"]
PAIRED = ["maximum", "minimum"]
REDUCED = ["sum", "mean"]
COVERED = {*SMOOTH, *KINKED, *GUARDED, *ROWS, *PAIRED, *REDUCED, "where"}
FORMS = ["leaf", "product", "smooth", "kinked", "positive", "row", "infix", "pair", "where", "power"]
LITERALS = ["0.5", "2", "0.1", "1.5", "3", "1e-1"]


@dataclass
class _Writer:
    """Writes the lines of one cell; `draw` is hypothesis' own."""

    draw: object
    vectors: dict[str, str] = field(default_factory=lambda: {"x": "D"})
    scalars: list[str] = field(default_factory=list)
    matrices: dict[str, tuple[str, str]] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    unused: dict[str, str | None] = field(default_factory=dict)
    count: int = 0

    def choose(self, options):
        return self.draw(st.sampled_from(list(options)))

    def fresh(self, letter: str) -> str:
        self.count += 1
        return f"{letter}_{self.count}"

    def use(self, name: str) -> str:
        self.unused.pop(name, None)
        return name

    def vector(self, size: str, depth: int) -> str:
        """Return an expression of `size` numbers, in brackets where it needs them."""
        if depth == 0:
            return self.leaf(size)
        smaller = depth - 1
        match self.choose(
            ["leaf", "product", "smooth", "kinked", "positive", "row", "infix", "pair", "where", "power"]
        ):
            case "leaf":
                return self.leaf(size)
            case "product":
                return self.product(size, smaller)
            case "smooth":
                return f"{self.choose(SMOOTH)}({self.vector(size, smaller)})"
            case "kinked":
                return f"{self.choose(KINKED)}({self.generic(size, smaller)})"
            case "positive":
                return GUARDED[self.choose(GUARDED)].format(self.vector(size, smaller))
            case "row":
                return f"{self.choose(ROWS)}({self.vector(size, smaller)})"
            case "pair":
                return f"{self.choose(PAIRED)}({self.generic(size, smaller)}, {self.either(size, smaller)})"
            case "where":
                return self.where(self.generic(size, smaller), size, smaller)
            case "power":
                exponent = self.choose(["2", "3", "1", "-1.5", "0.5"])
                return f"(0.5 + sigmoid({self.vector(size, smaller)})) ** {exponent}"
        return self.infix(self.vector(size, smaller), self.either(size, smaller))

    def infix(self, left: str, right: str) -> str:
        operator = self.choose(["+", "-", "*", "/", "neg"])
        if operator == "neg":
            return f"(-{left} + {right})"
        if operator == "/":
            return f"{left} / (1 + {right} * {right})"
        swapped = self.choose([True, False])
        return f"({right} {operator} {left})" if swapped else f"({left} {operator} {right})"

    def either(self, size: str, depth: int) -> str:
        """Return a vector or a number; either may stand beside a vector."""
        return self.scalar(depth) if self.choose([True, False, False]) else self.vector(size, depth)

    def generic(self, size: str, depth: int) -> str:
        """Return a vector that no rounding brings to a kink."""
        return f"{self.vector(size, depth)} + {self.parameter(size, shared=False)}"

    def where(self, left: str, size: str, depth: int) -> str:
        comparison = f"{left} {self.choose(['>', '>=', '<', '<='])} {self.scalar(0)}"
        branches = self.choose([("vector", "either"), ("scalar", "scalar"), ("scalar", "vector")])
        parts = [self.scalar(depth) if kind == "scalar" else getattr(self, kind)(size, depth) for kind in branches]
        return f"where({comparison}, {', '.join(parts)})"

    def leaf(self, size: str) -> str:
        known = [name for name, has in self.vectors.items() if has == size]
        kinds = ["known", "known", "parameter", "product"] if known else ["parameter", "product"]
        match self.choose(kinds):
            case "known":
                return self.use(self.choose(known))
            case "parameter":
                return self.parameter(size, shared=self.choose([True, False]))
        return self.product(size, 0)

    def parameter(self, size: str, *, shared: bool) -> str:
        old = [name for name, has in self.parameters.items() if has == size]
        if shared and old:
            return self.choose(old)
        name = self.fresh(self.choose(["b", "d", "bias"]))
        self.parameters[name] = size
        return name

    def product(self, size: str, depth: int) -> str:
        """Return W @ v, V.T @ v or A @ B @ v, sometimes with the bias beside it."""
        other = self.choose(sorted({*self.vectors.values()}))
        known = [name for name, has in self.vectors.items() if has == other]
        operand = self.use(self.choose(known)) if depth == 0 else self.vector(other, depth - 1)
        operand = operand if re.fullmatch(r"[\w']+", operand) else f"({operand})"
        text = f"{self.matrix(size, other)} @ {operand}"
        match self.choose(["plain", "bias after", "bias before", "two biases"]):
            case "bias after":
                return f"({text} + {self.parameter(size, shared=False)})"
            case "bias before":
                return f"({self.parameter(size, shared=False)} + {text})"
            case "two biases":
                pair = f"{self.parameter(size, shared=False)} + {self.parameter(size, shared=False)}"
                return f"({text} + {self.matrix(size, 'D')} @ x + ({pair}))"
        return f"({text})"

    def matrix(self, rows: str, columns: str) -> str:
        """Return a matrix that maps `columns` numbers to `rows`, a new one or one used before."""
        fits = [name for name, shape in self.matrices.items() if shape == (rows, columns)]
        fits += [f"{name}.T" for name, shape in self.matrices.items() if shape == (columns, rows)]
        if fits and self.choose([True, False, False]):
            return self.choose(fits)
        name = self.fresh(self.choose(["W", "U"]))
        turned = self.choose([True, False, False, False])
        self.matrices[name] = (columns, rows) if turned else (rows, columns)
        return f"{name}.T" if turned else name

    def scalar(self, depth: int) -> str:
        kind = self.choose(["literal", "known", "reduced", "function"]) if depth else self.choose(["literal", "known"])
        if kind == "reduced":
            size = self.choose(sorted({*self.vectors.values()}))
            return f"{self.choose(REDUCED)}({self.vector(size, depth - 1)})"
        if kind == "function":
            function = self.choose([f"{self.choose(SMOOTH)}({{0}})", "max({0}, 0.137)", *GUARDED.values()])
            return function.format(self.scalar(depth - 1))
        known = [name for name in self.scalars if kind == "known"]
        return self.use(self.choose(known)) if known else self.choose(LITERALS)

    def intermediate(self) -> None:
        if self.choose([True, False, False, False]):
            name, size, text = self.fresh("s"), None, self.scalar(2)
            if not re.search(r"[a-zA-Z]", text.replace("e-", "")):
                return  # a bare number would be a constant
        else:
            size = self.choose(SIZES)
            name, text = self.fresh(self.choose(["v", "ih", "y_hat"])), self.vector(size, self.choose([1, 2, 3]))
        if re.fullmatch(r"[\w']+", text):
            text = f"-{text}"
        self.lines.append(f"{name} = {text}")
        self.unused[name] = size
        if size is None:
            self.scalars.append(name)
        else:
            self.vectors[name] = size

    def next_state(self, state: str, size: str, *, last: bool) -> None:
        text = self.vector(size, self.choose([1, 2, 3]))
        carried = self.choose(
            [f"0.5 * {state}", f"{self.matrix(size, 'D')} @ x", f"{self.matrix(size, size)} @ {state}"]
        )
        text = f"{carried} + {text}"
        for name, has in list(self.unused.items()) if last else ():
            factor = "" if has in (size, None) else f"{self.matrix(size, has)} @ "
            text = f"{text} + {factor}{self.use(name)}"
        if self.choose([True, False]):
            text = f"{self.choose(['tanh', 'sigmoid'])}({text})"
        self.lines.append(f"{state}' = {text}")
        self.vectors[f"{state}'"] = size


@dataclass(frozen=True)
class RandomCell:
    """The text of a cell, the class it gives and the seed of the numbers it runs on."""

    text: str
    seed: int

    @property
    def kind(self) -> type[EquationCell]:
        return cell_class(self.text)

    def build(self, **values) -> EquationCell:
        program = program_of(self.kind, bias=values.get("bias", True))
        used = size_symbols(program)
        extra = {ARGUMENT_OF.get(s, s): NUMBERS[s] for s in sorted(used - {"D", "H"})}
        hidden = NUMBERS["H" if "H" in used else "D"]  # x added to the only state makes both equal
        cell = self.kind(NUMBERS["D"], hidden, dtype=torch.float64, **extra, **values)
        generator = np.random.default_rng(self.seed)
        with torch.no_grad():
            for parameter in cell.parameters():
                parameter.copy_(torch.from_numpy(generator.normal(size=tuple(parameter.shape), scale=0.6)))
        return cell

    def arrays(self, cell: EquationCell, steps: int = 2, batch: int = 2):
        """Return (fixed, inputs (T, B, D), state, dt (T, B) or None) as the oracle takes them."""
        generator = np.random.default_rng(self.seed + 1)
        state = {name: generator.normal(size=(batch, n)) for name, n in cell.definition.states.items()}
        inputs = generator.normal(size=(steps, batch, cell.input_size))
        dt = generator.uniform(0.5, 1.5, size=(steps, batch)) if cell.uses_dt else None
        return symbol_values(cell), inputs, state, dt


def size_symbols(program: Program) -> set[str]:
    """Return the symbols the sizes of a program are made of."""
    return {symbol for entry in program.by_name.values() for size in entry.shape for symbol in symbols(size)}


def symbol_values(cell: EquationCell) -> dict[str, np.ndarray]:
    """Return each parameter of the equations, and each constant, under its symbol."""
    tensors = {p.name: getattr(cell, p.name).detach().double().numpy() for p in cell.program.parameters}
    return {**tensors, **{name: np.float64(value) for name, value in cell.constants.items()}}


@st.composite
def random_cells(draw) -> RandomCell:
    """Draw a valid cell with one to three states, of any sizes, and any of what equations may say."""
    writer = _Writer(draw)
    states = {"h": draw(st.sampled_from(["H", "H", "D", "K"]))}
    for name in draw(st.sampled_from([(), (), ("c",), ("c", "m_1"), ("y",)])):
        states[name] = draw(st.sampled_from(SIZES))
    writer.vectors |= states
    header = [f"{name} : {size}" for name, size in states.items() if draw(st.booleans())]
    if draw(st.booleans()):
        header.append("gain : scalar")
        writer.scalars.append("gain")
    if draw(st.booleans()):
        header.append("leak = 0.3")
        writer.scalars.append("leak")
        writer.unused["leak"] = None
    if draw(st.booleans()):
        writer.scalars.append("dt")
    if "gain" in writer.scalars:
        writer.unused["gain"] = None
    for _ in range(draw(st.integers(0, 3))):
        writer.intermediate()
    for position, (name, size) in enumerate(states.items()):
        writer.next_state(name, size, last=position == len(states) - 1)
    if "y" not in states and draw(st.booleans()):
        size = draw(st.sampled_from(SIZES))
        writer.lines.append(f"y = {writer.matrix(size, states['h'])} @ h' + {writer.vector(size, 1)}")
    return RandomCell("\n".join(header + writer.lines), draw(st.integers(0, 2**16)))


@st.composite
def respelt(draw, text: str) -> str:
    """Return the same cell as a paper might print it: other symbols, comments, blank lines, other line ends."""
    text = re.sub(r"(?<!\*)\*(?!\*)", lambda _: draw(st.sampled_from(["*", "⊙", "∘", "×", "·", "⋅"])), text)
    text = re.sub(r"'", lambda _: draw(st.sampled_from(["'", "′", "’"])), text)
    text = re.sub(r"(?<!e)-", lambda _: draw(st.sampled_from(["-", "−"])), text)
    for paper, plain in ALIASES.items():
        if draw(st.booleans()):
            text = re.sub(rf"\b{plain}\(", f"{paper}(", text)
    ends = draw(st.sampled_from(["\n", "\r\n", "\r", "  # as in eq. (3): ] ) '\n", "\n\n\t\n"]))
    lines = [" " * draw(st.integers(0, 3)) + line for line in text.split("\n")]
    opened = [re.sub(r" = (.*)$", r" = (\n  \1 # α\n)", line) if draw(st.booleans()) else line for line in lines]
    return ends.join(line if is_constant(line) else wide for line, wide in zip(lines, opened, strict=True)) + ends


def is_constant(line: str) -> bool:
    return bool(re.fullmatch(r"\s*\w+ = [\d.]+", line)) or ":" in line
