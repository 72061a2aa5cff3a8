"""The LaTeX reader: a program as the equations a paper would print."""

from __future__ import annotations

import re

from ostinato.equations.functions import FUNCTIONS
from ostinato.equations.program import Input, Op, Program

_GREEK = [
    "alpha",
    "beta",
    "gamma",
    "delta",
    "epsilon",
    "zeta",
    "eta",
    "theta",
    "kappa",
    "lambda",
    "mu",
    "nu",
    "xi",
    "rho",
    "sigma",
    "tau",
    "phi",
    "chi",
    "psi",
    "omega",
]
_ACCENTS = ("hat", "tilde", "bar")
_TIGHTNESS = {"add": 1, "sub": 1, "neg": 1, "mul": 2, "div": 4, "matmul": 3, "matmul_t": 3, "pow": 4, "where": 0}
"""How strongly an operation holds its parts together; what is looser than its place stands in brackets."""


def latex(program: Program) -> str:
    r"""Return an `aligned` block, one line for each named value.

    A state before the step carries t-1, whatever a step changes t; what parameters alone make carries neither.
    """
    printer = _Printer(program)
    lines = [printer.equation(op) for op in program.ops if not op.out.startswith("%")]
    for state in program.states:
        value = program.output(f"{state.name}'")
        if value != f"{state.name}'":
            lines.append(f"{printer.symbol(state.name + chr(39))} &= {printer.value(value)}")
    output = program.output("y")
    if output not in ("y", program.output(f"{program.states[0].name}'")):
        lines.append(f"y_{{t}} &= {printer.value(output)}")
    body = " \\\\\n".join(lines)
    return f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"


class _Printer:
    def __init__(self, program: Program):
        self.program = program
        self.moves = {i.name for i in program.inputs if i.role not in ("parameter", "constant")}
        for op in program.ops:
            if self.moves.intersection(a for a in op.args if isinstance(a, str)):
                self.moves.add(op.out)

    def equation(self, op: Op) -> str:
        return f"{self.symbol(op.out)} &= {self.call(op)}"

    def symbol(self, name: str) -> str:
        """Return how a value is written: W_{f}, c_{t-1}, \\hat{h}_{t}."""
        entry = self.program.by_name.get(name)
        stem, index = _letters(name.removesuffix("'"))
        if isinstance(entry, Input) and entry.role == "time":
            return r"\Delta t"
        if name in self.moves or entry is None:
            index = [*index, "t-1" if isinstance(entry, Input) and entry.role == "state" else "t"]
        return f"{stem}_{{{','.join(index)}}}" if index else stem

    def value(self, name: str | float, tightness: int = 0) -> str:
        if not isinstance(name, str):
            text = _number(name)
            return f"({text})" if name < 0 and tightness else text
        entry = self.program.by_name[name]
        if isinstance(entry, Input) or not entry.out.startswith("%"):
            return self.symbol(name)
        own = _TIGHTNESS.get(entry.fn, 9)
        text = self.call(entry)
        return f"\\left({text}\\right)" if own < tightness else text

    def call(self, op: Op) -> str:
        if op.fn in ("matmul", "matmul_t"):
            turned = "^\\top" if op.fn == "matmul_t" else ""
            return f"{self.symbol(str(op.args[0]))}{turned} {self.value(op.args[1], 3)}"
        own = _TIGHTNESS.get(op.fn, 0)
        args = [
            self.value(a, 0 if op.fn == "div" else own + (k > 0 and op.fn == "sub") + (op.fn == "neg"))
            for k, a in enumerate(op.args)
        ]
        if op.fn == "pow":
            args[0], args[1] = self.value(op.args[0], 5), self.value(op.args[1])
        if op.fn == "mul" and not all(self.program.shape(a) for a in op.args):
            return f"{args[0]} \\, {args[1]}"
        return FUNCTIONS[op.fn].latex.format(*args)


def _number(number: float) -> str:
    digits, _, exponent = repr(number).removesuffix(".0").partition("e")
    if not exponent:
        return digits
    power = f"10^{{{int(exponent)}}}"
    return {"1": power, "-1": f"-{power}"}.get(digits, f"{digits} \\cdot {power}")


def _letters(name: str) -> tuple[str, list[str]]:
    """Return the letter of a name and what stands below it: a1 is a_1, W_i_hat is W with a hat on the i below."""
    words = name.split("_")
    if len(words) > 1 and all(_is_word(word) for word in words):  # spectral_radius
        return rf"\mathrm{{{' '.join(words)}}}".replace(" ", r"\ "), []
    if numbered := re.fullmatch(r"([^\W\d])(\d+)", words[0]):
        words[:1] = numbered.groups()
    letters: list[str] = []
    for word in words:
        if word in _ACCENTS and letters:
            letters[-1] = rf"\{word}{{{letters[-1]}}}"
        else:
            letters.append(_letter(word, below=bool(letters)))
    return letters[0], letters[1:]


def _letter(word: str, below: bool) -> str:
    if word in _GREEK and not (below and word == "xi"):  # W_xi leads from x to i
        return f"\\{word}"
    return word if len(word) < 2 or word.isdigit() else rf"\mathrm{{{word}}}"


def _is_word(text: str) -> bool:
    return len(text) > 2 and text.isalpha() and text not in _GREEK and text not in _ACCENTS
