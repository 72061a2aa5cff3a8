"""Identifiers for values and tensors: the equations' own letters as far as C++ takes them."""

from __future__ import annotations

import re

_KEYWORDS = """
alignas and asm auto bool break case catch char class const constexpr continue default delete do double else enum
explicit export extern false float for friend goto if inline int long namespace new not operator or private protected
public register return short signed sizeof static struct switch template this throw true try typedef typename union
unsigned using virtual void volatile while xor
"""
_OURS = """
real set load store sum max first fold lanes barrier product tile tiles blocks packed p w me n u i row rows from to
stage M V VL UNITS MAX_ROWS Arguments Work Member Pool Share Groups Term Loop own each alive offset t
"""
_RESERVED = ("f_", "OSTINATO")
"""How names begin that the headers keep to themselves."""


class Names:
    """Gives each thing of a source one identifier, always the same, and no two things the same one."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], str] = {}
        self._used = {*_KEYWORDS.split(), *_OURS.split()}

    def of(self, kind: str, name: str) -> str:
        """Return the identifier of a thing: the first to ask for a name gets it, later ones an underscore more."""
        if (kind, name) not in self._known:
            text = _spelt(name)
            while text in self._used or text.startswith(_RESERVED):
                text = f"v_{text}" if text.startswith(_RESERVED) else f"{text}_"
            self._used.add(text)
            self._known[kind, name] = text
        return self._known[kind, name]


def _spelt(name: str) -> str:
    """Return a name as C++ can write it; %12 is t12, h' is h_next."""
    text = re.sub(r"^%", "t", name).replace("'", "_next").replace("+", "_").replace("%", "given")
    text = "".join(c if c.isascii() and (c.isalnum() or c == "_") else _letter(c) for c in text)
    text = re.sub(r"_+", "_", text).strip("_") or "value"
    return f"v{text}" if text[0].isdigit() else text


def _letter(c: str) -> str:
    return "_" if c.isascii() else f"u{ord(c):x}"
