"""Which symbol was written for which: the alignments of an n-best list, as text and as lines between two rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ostinato._errors import ConfigError
from ostinato.training.pictures.attention import check_weights
from ostinato.training.pictures.figure import draw
from ostinato.training.pictures.letters import Fonts, labels, visible, written

FAINTEST = 0.05
"""Weight below which no line is drawn."""
ROOM = 0.62
"""Inches of a symbol in a row."""
MOST = 40
"""Symbols of a row that a picture has room for."""


class Hypothesis(NamedTuple):
    """One of the sequences that a search found."""

    symbols: Sequence[str]
    """The T symbols that were written."""
    score: float
    """Its score, in nats; the larger the better."""
    weights: NDArray
    """(T, S), as of attention."""


def links(weights: NDArray) -> list[int]:
    """Return, for each symbol written, the one read that has most weight; -1 where no weight is a number.

    >>> links(np.array([[0.2, 0.8], [0.9, 0.1]]))
    [1, 0]
    """
    if not np.shape(weights)[1]:
        return [-1] * len(weights)
    known = np.where(np.isnan(weights), -1.0, weights)
    return [int(k) if row[k] >= 0 else -1 for row, k in zip(known, known.argmax(1), strict=True)]


def alignment_text(source: Sequence[str], found: Sequence[Hypothesis]) -> str:
    """Return the list as lines: rank, score, and below each symbol written the one that was looked at most.

    >>> print(alignment_text(["ein", "Hund"], [Hypothesis(["a", "dog"], -0.5, np.eye(2))]))
    1  -0.500  a    dog
               ein  Hund
    """
    from rich.cells import cell_len, set_cell_size

    lines = []
    for rank, each in enumerate(found, 1):
        check_weights(each.weights, each.symbols, source)
        above = [visible(symbol) for symbol in each.symbols]
        below = [visible(source[k]) if k >= 0 else "-" for k in links(each.weights)]
        widths = [max(cell_len(a), cell_len(b)) for a, b in zip(above, below, strict=True)]
        head = f"{rank:{len(str(len(found)))}}  {each.score:.3f}"
        for start, row in ((head, above), (" " * len(head), below)):
            cells = (set_cell_size(text, width) for text, width in zip(row, widths, strict=True))
            lines.append("  ".join([start, *cells]).rstrip())
    return "\n".join(lines)


def draw_alignments(path: Path, source: Sequence[str], found: Sequence[Hypothesis], title: str = "") -> None:
    """Write a PNG or SVG: for each sequence found, what was read above what was written, darker lines weigh more.

    Of more than 40 symbols in a row the first are drawn, and the title says so. Raises ConfigError for weights that
    are not of the size of their symbols, and for an empty list.
    """
    if not found:
        raise ConfigError("alignments", "no sequence", "A picture shows at least one")
    for each in found:
        check_weights(each.weights, each.symbols, source)
    longest = max(len(source), *(len(each.symbols) for each in found))
    texts = [*source, title, *(symbol for each in found for symbol in each.symbols)]

    def fill(figure: Any, fonts: Fonts) -> None:
        panels = figure.subplots(len(found), squeeze=False)[:, 0]
        for rank, (panel, each) in enumerate(zip(panels, found, strict=True), 1):
            _rows(panel, source, each, fonts)
            panel.set_title(f"{rank}: score {each.score:.3f}", loc="left", fontsize=8)
        figure.suptitle(_title(title, longest, fonts), x=0.01, ha="left", fontsize=9, parse_math=False)

    draw(path, (max(4.0, ROOM * min(MOST, longest) + 0.8), 0.4 + 1.5 * len(found)), texts, fill)


def _rows(panel: Any, source: Sequence[str], each: Hypothesis, fonts: Fonts) -> None:
    weights = np.nan_to_num(np.asarray(each.weights, np.float64))[:MOST, :MOST]
    for t, s in zip(*np.nonzero(weights >= FAINTEST), strict=True):
        panel.plot([s, t], [0.82, 0.18], color="tab:blue", alpha=float(min(1, weights[t, s])), linewidth=1.5)
    for height, symbols in ((0.9, source), (0.1, each.symbols)):
        for place, text in enumerate(labels(symbols[:MOST], fonts, longest=12)):
            panel.text(place, height, text, ha="center", va="center", fontsize=8, parse_math=False)
    panel.set(xlim=(-0.7, min(MOST, max(1, len(source), len(each.symbols))) - 0.3), ylim=(0, 1))
    panel.set_axis_off()


def _title(title: str, longest: int, fonts: Fonts) -> str:
    title = written(title, fonts) or "what was read, and below it what was written"
    return f"{title}; the first {MOST} symbols" if longest > MOST else title
