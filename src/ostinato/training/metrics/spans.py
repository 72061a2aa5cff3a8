"""Scores over texts, step by step, as a page for a browser: each step coloured by its label, strong by its score."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

from ostinato._files import replace_file

GOLDEN_ANGLE = 137.508
"""Degrees between the hues of two labels that follow each other: any number of them lie well apart."""
STYLE = """
:root { color-scheme: light }
body { font: 16px/1.9 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #111 }
h1 { font-size: 1.3rem } h2 { font-size: 1rem; margin: 1.6rem 0 .2rem }
p { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere }
i { font-style: normal; border-radius: .2rem; padding: .1rem 0 }
.wrong { text-decoration: underline wavy #c00 }
.legend i { padding: .1rem .4rem; margin-right: .4rem }
""".strip()


class Span(NamedTuple):
    """One step of a text."""

    text: str
    """What is read at the step, with the spaces that belong to it."""
    label: str
    """What colours it."""
    score: float
    """How strongly, 0 to 1; beyond is cut, and NaN leaves it without colour."""
    note: str = ""
    """What a pointer over it shows (default: label and score)."""
    wrong: bool = False
    """Whether it is underlined as a mistake."""


class Passage(NamedTuple):
    """One text, below a heading."""

    heading: str
    spans: Sequence[Span]


def write_spans(path: Path, title: str, passages: Iterable[Passage], labels: Sequence[str]) -> None:
    """Replace the file by a page of `passages`. It stands for itself, without scripts, and shows any text as it is.

    `labels` are those that colours stand for, in order; a label beyond them is left without colour.
    """
    hues = {label: round(index * GOLDEN_ANGLE % 360) for index, label in enumerate(labels)}
    legend = " ".join(_coloured(Span(label, label, 1.0, label), hues) for label in labels)
    parts = [f'<h1>{escape(title)}</h1>\n<p class="legend">{legend}</p>']
    for passage in passages:
        text = "".join(_coloured(span, hues) for span in passage.spans)
        parts.append(f"<h2>{escape(passage.heading)}</h2>\n<p>{text}</p>")
    page = (
        '<!doctype html>\n<html lang="und">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{escape(title)}</title>\n<style>\n{STYLE}\n</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )
    replace_file(path, page.encode("utf-8", "replace"))


def _coloured(span: Span, hues: dict[str, int]) -> str:
    if span.label not in hues or math.isnan(span.score):
        return escape(span.text)
    strength = 0.6 * min(max(span.score, 0.0), 1.0)
    note = span.note or f"{span.label} {span.score:.3f}"
    colour = f"background:hsl({hues[span.label]} 75% 50% / {strength:.3f})"
    mark = ' class="wrong"' if span.wrong else ""
    return f'<i{mark} style="{colour}" title="{escape(note)}">{escape(span.text)}</i>'
