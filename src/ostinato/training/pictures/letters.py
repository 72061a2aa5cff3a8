"""Text in pictures: fonts that write it, as far as the machine has them, and a plain name for what none can write."""

from __future__ import annotations

from collections.abc import Iterable

PLAIN = "DejaVu Sans"
"""The font that matplotlib brings along."""
LONGEST = 24
"""Characters of a label that are written."""

BLANKS = {" ": "␣", "\n": "⏎", "\t": "⇥"}
"""What white space is drawn as where it is a symbol of its own."""

Fonts = dict[str, set[int]]
"""The characters of each font, by its name."""


def fonts_for(text: str) -> Fonts:
    """Return fonts that together write `text`, as far as the machine has them; PLAIN is always the first."""
    from matplotlib.font_manager import FontProperties, findfont, fontManager

    fonts = {PLAIN: _characters(findfont(FontProperties(family=PLAIN)))}
    missing = {ord(c) for c in text if not c.isspace()} - fonts[PLAIN]
    for entry in fontManager.ttflist:
        if not missing:
            break
        if entry.name not in fonts and missing & (points := _characters(entry.fname)):
            fonts[entry.name] = points
            missing -= points
    return fonts


def visible(symbol: str) -> str:
    """Return a symbol on one line, white space as a sign where it is all there is.

    >>> visible(" "), visible(" the"), visible("")
    ('␣', 'the', '(empty)')
    """
    if symbol and not symbol.strip():
        return "".join(BLANKS.get(c, "␣") for c in symbol)
    return " ".join(symbol.split()) or "(empty)"


def label(name: str, index: int, fonts: Fonts, longest: int = LONGEST) -> str:
    """Return `name` as `visible` has it, cut to `longest` characters; its number where no font can write it."""
    name = visible(name)
    if not can_write(name, fonts):
        return f"#{index}"
    return name if len(name) <= longest else name[: longest - 1] + "…"


def labels(names: Iterable[str], fonts: Fonts, longest: int = LONGEST) -> list[str]:
    """Return `label` of each."""
    return [label(name, index, fonts, longest) for index, name in enumerate(names)]


def written(text: str, fonts: Fonts) -> str:
    """Return `text` on one line, with □ for each character that no font can write."""
    return "".join(c if can_write(c, fonts) else "□" for c in " ".join(text.split()))


def can_write(text: str, fonts: Fonts) -> bool:
    """Whether each character stands in one of the fonts."""
    return all(any(ord(c) in points for points in fonts.values()) for c in text)


def _characters(path: str) -> set[int]:
    from matplotlib.font_manager import get_font

    font = get_font(path)
    # matplotlib's last resort writes every character, as a box; bitmaps (emoji) cannot be drawn at any size
    if font.family_name.startswith("Last Resort") or not font.scalable:
        return set()
    return set(font.get_charmap())
