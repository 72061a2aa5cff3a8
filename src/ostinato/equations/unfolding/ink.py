"""SVG, written plainly: words, boxes and curved edges, whose ink is that of the page they stand on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

LETTER, SMALL = 13.0, 10.0
"""Sizes of letters, in pixels."""
ADVANCE = 0.602
"""Of the fonts named below, the width of a letter as a share of its size: all are equally wide."""
FONT = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"
COLOURS = {"input": "#0f7a54", "state": "#134f9c", "parameter": "#a63c06", "constant": "#6f757d", "named": "#a8379f"}
COLOURS |= {"time": COLOURS["input"], "mask": COLOURS["constant"]}
DARK = {"#0f7a54": "#8cecc4", "#134f9c": "#4286f5", "#a63c06": "#ee7a2a", "#6f757d": "#98a0aa", "#a8379f": "#d27fdc"}
"""What a page on dark ground may put for each; words are read in either, with a contrast of 4.5 and more."""
Pieces = Sequence[tuple[str, str, str]]
"""Of a line of text: what is written, the value it is the name of or "", its colour or ""."""


@dataclass(frozen=True)
class Drawing:
    """A part of a picture, its upper left corner at 0, 0."""

    width: float
    height: float
    elements: tuple[str, ...]


def svg(parts: Sequence[tuple[str, Drawing]], label: str) -> str:
    """Return a picture of drawings above one another, each below its heading."""
    at, elements = 0.0, []
    for heading, drawing in parts:
        if heading:
            elements.append(words([(heading, "", "")], 0, at + LETTER, bold=True))
            at += 2.2 * LETTER
        elements += [f'<g transform="translate(0 {at:.1f})">', *drawing.elements, "</g>"]
        at += drawing.height + 2 * LETTER
    width, height = max(drawing.width for _, drawing in parts) + 2, at - 2 * LETTER + 2
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-1 -1 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" font-family="{FONT}" fill="none">\n<title>{escape(label)}</title>\n'
        + "\n".join(elements)
        + "\n</svg>\n"
    )


def rectangle(x: float, y: float, width: float, height: float, colour: str = "") -> str:
    """Return a box, given by its upper left corner."""
    fill = f'fill="{colour}" fill-opacity="0.13" stroke="{colour}"' if colour else 'stroke="currentColor"'
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="4" {fill} '
        f'stroke-opacity="{0.9 if colour else 0.35}"/>'
    )


def words(
    pieces: Pieces, x: float, y: float, *, size: float = LETTER, bold: bool = False,
    anchor: str = "start", colour: str = "currentColor",
) -> str:  # fmt: skip
    """Return a line of text, at its left end unless an `anchor` says otherwise."""
    spans = "".join(_piece(*piece, size) for piece in pieces)
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" fill="{colour}" text-anchor="{anchor}"{weight} '
        f'xml:space="preserve">{spans}</text>'
    )


def _piece(text: str, value: str, colour: str, size: float) -> str:
    stem, below = letters(text)
    shown = escape(stem)
    if below:
        shown += f'<tspan dy="{0.25 * size:.1f}" font-size="{0.75 * size:.1f}">{escape(below)}</tspan>'
        shown += f'<tspan dy="{-0.25 * size:.1f}">\u200b</tspan>'
    marks = f' class="value" data-name="{escape(value)}"' if value else ""
    ink = f' fill="{colour}"' if colour else ""
    return f"<tspan{marks}{ink}>{shown}</tspan>" if marks or ink else shown


def letters(name: str) -> tuple[str, str]:
    """Return a name as (letter, index), as c_hat' is c′ with hat below; what is no name, and an empty index."""
    plain = name.removesuffix("'")
    stem, _, below = plain.partition("_") if plain.isidentifier() else (plain, "", "")
    return stem + ("′" if name.endswith("'") else ""), below.replace("_", " ")


def width_of(pieces: Pieces, size: float = LETTER) -> float:
    """Return how wide a line of text is."""
    wide = 0.0
    for text, *_ in pieces:
        stem, below = letters(text)
        wide += (len(stem) + 0.75 * len(below)) * ADVANCE * size
    return wide


def arrow(points: Sequence[tuple[float, float]], colour: str = "") -> str:
    """Return an edge over (x, y) points, with a head at its end: one straight up, or level at each of its points."""
    (a, b), (c, d) = points[-2:]
    along = (0.0, 1.0 if d > b else -1.0) if a == c else (1.0 if c > a else -1.0, 0.0)
    corners = [(c - 6 * along[0] + k * along[1], d - 6 * along[1] + k * along[0]) for k in (-3, 3)]
    head = f"M{c:.1f} {d:.1f}" + "".join(f"L{x:.1f} {y:.1f}" for x, y in corners) + "Z"
    return f'{line(points, colour)}<path d="{head}" fill="{colour or "currentColor"}" fill-opacity="0.75"/>'


def line(points: Sequence[tuple[float, float]], colour: str = "") -> str:
    """Return an edge without a head."""
    (x, y), *others = points
    path = f"M{x:.1f} {y:.1f}"
    for (a, b), (c, d) in zip(points, others, strict=False):
        middle = (a + c) / 2
        is_curved = abs(b - d) > 0.1 and abs(a - c) > 0.1
        path += f"C{middle:.1f} {b:.1f} {middle:.1f} {d:.1f} {c:.1f} {d:.1f}" if is_curved else f"L{c:.1f} {d:.1f}"
    ink = f'stroke="{colour}" stroke-opacity="0.9"' if colour else 'stroke="currentColor" stroke-opacity="0.6"'
    return f'<path d="{path}" {ink}/>'
