"""From the text of a cell to logical lines: comments gone, brackets closed, paper symbols spelt as Python reads them.

Every replacement keeps the number of characters, so that a column found later is a column of the user's text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from unicodedata import category

from ostinato._errors import EquationError

PRIME = "ʹ"
"""Stands for ' inside names: a letter to Python, and one no user types."""
MAX_CHARACTERS = 20_000
MAX_LINE_CHARACTERS = 2_000
MAX_DEPTH = 40
MAX_SHOWN = 60
_LINE_END = re.compile(r"\r\n|\r|\n")
_NEXT_EQUATION = re.compile(r"\s*\w+\s*=(?!=)")
_OPENING, _CLOSING = {"(": ")", "[": "]", "{": "}"}, {")": "(", "]": "[", "}": "{"}
_ONE_FOR_ONE = str.maketrans(
    {
        "⊙": "*",
        "∘": "*",
        "×": "*",
        "−": "-",
        "′": PRIME,
        "’": PRIME,
        "'": PRIME,
        "\t": " ",
        "\f": " ",
        "\v": " ",
        "\u00a0": " ",
    }
)


@dataclass(frozen=True)
class Line:
    """One logical line; it may cover several lines of the text while a bracket is open."""

    text: str
    number: int
    indent: int

    def place(self, row: int, offset: int) -> tuple[int, int]:
        """Return (line, column), from 1, of a character of `text` given by its row (from 1) and offset in that row."""
        return self.number + row - 1, offset + 1 + (self.indent if row == 1 else 0)


def logical_lines(text: str) -> list[Line]:
    """Split the text of a cell into its equations; EquationError where that cannot be done."""
    text = text.removeprefix("\ufeff")  # some editors begin a file with this mark
    _check_characters(text)
    lines: list[Line] = []
    held, opened = "", []
    start = indent = 0
    for number, raw in enumerate(_LINE_END.split(text), start=1):
        code = _symbols(raw.split("#", 1)[0]).rstrip()
        if not opened:
            if not code.strip():
                continue
            start, indent, held = number, len(code) - len(code.lstrip()), ""
            code = code.lstrip()
        elif _NEXT_EQUATION.match(code):
            break
        _follow_brackets(code, number, indent if number == start else 0, opened)
        held = f"{held}\n{code}" if held else code
        if len(held) > MAX_LINE_CHARACTERS:
            raise EquationError(
                start,
                1,
                f"this equation has {len(held):,} characters",
                f"At most {MAX_LINE_CHARACTERS:,} are read",
                "Name its parts on lines of their own",
            )
        if not opened:
            lines.append(Line(held, start, indent))
    if opened:
        bracket, number, column = opened[-1]
        raise EquationError(
            number,
            column,
            f"'{bracket}' is opened here and never closed",
            "",
            f"Add the '{_OPENING[bracket]}' it needs",
        )
    return [line for line in lines if line.text.strip()]


def shown(text: str) -> str:
    """Return a piece of a line as the user wrote it; of a long one the beginning."""
    text = " ".join(text.replace(PRIME, "'").split())
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"


def _check_characters(text: str) -> None:
    if len(text) > MAX_CHARACTERS:
        raise EquationError(
            1,
            1,
            f"the text has {len(text):,} characters",
            f"At most {MAX_CHARACTERS:,} are read",
            "A cell is a few lines; is this the right file?",
        )
    for number, line in enumerate(_LINE_END.split(text), start=1):
        code = len(line.split("#", 1)[0])  # a comment may hold the marks that join an emoji
        for column, character in enumerate(line, start=1):
            unseen = {"Cc", "Cs", "Cf"} if column <= code else {"Cc", "Cs"}  # controls, halves of pairs, marks
            if character == PRIME or (category(character) in unseen and character not in "\t\f\v"):
                raise EquationError(
                    number,
                    column,
                    f"the character U+{ord(character):04X} was read",
                    "Equations are plain text",
                    "Remove it",
                )


def _symbols(code: str) -> str:
    code = code.translate(_ONE_FOR_ONE)
    return re.sub("[·⋅]", _dot, code)


def _dot(match: re.Match[str]) -> str:
    """W · x is a product with a matrix, f · g one of numbers; papers name matrices with a capital letter."""
    before = match.string[: match.start()].rstrip()
    word = re.match(r"\w*", before[::-1])
    return "@" if word and word[0][-1:].isupper() else "*"


def _follow_brackets(code: str, number: int, indent: int, opened: list[tuple[str, int, int]]) -> None:
    for offset, character in enumerate(code):
        column = offset + 1 + indent
        if character in _OPENING:
            opened.append((character, number, column))
            if len(opened) > MAX_DEPTH:
                raise EquationError(
                    number,
                    column,
                    f"brackets are nested more than {MAX_DEPTH} deep",
                    "",
                    "Name the inner part on a line of its own",
                )
        elif character in _CLOSING:
            if not opened or opened[-1][0] != _CLOSING[character]:
                got = (
                    f"'{character}' closes a bracket that was not opened"
                    if not opened
                    else f"'{character}' closes '{opened[-1][0]}'"
                )
                raise EquationError(number, column, got, "", f"Remove it, or open it with '{_CLOSING[character]}'")
            opened.pop()
