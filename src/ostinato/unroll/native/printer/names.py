"""Identifiers for values and tensors: the equations' own letters as far as C++ takes them."""

from __future__ import annotations

import re

_KEYWORDS = """
alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t class compl
concept const const_cast consteval constexpr constinit continue co_await co_return co_yield decltype default delete do
double dynamic_cast else enum explicit export extern false float for friend goto if inline int long mutable namespace
new noexcept not not_eq nullptr operator or or_eq private protected public register reinterpret_cast requires return
short signed sizeof static static_assert static_cast struct switch template this thread_local throw true try typedef
typeid typename typeof union unsigned using virtual void volatile wchar_t while xor xor_eq
errno int64_t linux std uint8_t unix
"""
_OURS = """
alive any_reset args Arguments barrier batch blocks by_rows Call call clear copies copy_row count crowded each
each_row enter first fold from group Groups groups has_steps is_first is_reset joined LANES Lanes lanes largest_of
leave load load_if Loop max MAX_ROWS me Member Memory memory mine move_row NARROW nth offset Operand operand own pack
packed packed_matrices Panels panels part parts Pool product real renew reset row rows set Share share single skip
SPREAD stages step steps store sum sum_of sums Term terms Thread tile tiles times to unit UNITS V VL Work work
"""
"""What the headers and the printed text around the equations are written with."""
_RESERVED = ("f_", "units_", "stage_", "OSTINATO")
"""How names begin that are taken as well."""


class Names:
    """Gives each thing of one scope an identifier, always the same, and no two things the same one."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        self._used = {*_KEYWORDS.split(), *_OURS.split()}

    def of(self, name: str, thing: str = "") -> str:
        """Return the identifier of a thing, made of its name: later things of that name get an underscore more.

        `thing` is what tells it from others, where that is not its name.
        """
        thing = thing or name
        if thing not in self._known:
            text = _spelt(name)
            text = f"v_{text}" if text.startswith(_RESERVED) else text
            while text in self._used:
                text += "_"
            self._used.add(text)
            self._known[thing] = text
        return self._known[thing]


def _spelt(name: str) -> str:
    """Return a name as C++ can write it; %12 is t12, h' is h_next."""
    text = re.sub(r"%(?=\d)", "t", name).replace("'", "_next")
    text = "".join(c if c.isascii() and c.isalnum() else "_" if c.isascii() else f"u{ord(c):x}" for c in text)
    text = re.sub(r"_+", "_", text).strip("_") or "value"
    return f"v{text}" if text[0].isdigit() else text
