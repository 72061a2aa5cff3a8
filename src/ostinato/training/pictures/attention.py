"""What was looked at while each symbol was written, as a square for each pair (Bahdanau et al., 2014, figure 3)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ostinato._errors import ConfigError
from ostinato.training.pictures.figure import draw
from ostinato.training.pictures.letters import LONGEST, Fonts, labels, written

MOST = 80
"""Symbols that a picture has room for on each side."""

LETTER = 0.09
"""Inches of a letter of a label."""


class Attention(NamedTuple):
    """One sequence that was read and one that was written."""

    weights: NDArray
    """(T, S): row t is how much of each symbol that was read went into the t-th that was written."""
    source: Sequence[str]
    """The S symbols that were read."""
    target: Sequence[str]
    """The T symbols that were written."""
    title: str = ""
    """What this one is; nothing says it in general."""


def draw_attention(path: Path, examples: Sequence[Attention]) -> None:
    """Write a PNG or SVG with a panel for each example, one below the other.

    Of more than 80 symbols on a side the first are drawn, and the title says so. Raises ConfigError for weights that
    are not of the size of their symbols, and without examples.
    """
    if not examples:
        raise ConfigError("attention", "no example", "A picture shows at least one")
    for example in examples:
        check_weights(example.weights, example.target, example.source)
    sizes = [_size(each) for each in examples]
    texts = [text for each in examples for text in (*each.source, *each.target, each.title)]

    def fill(figure: Any, fonts: Fonts) -> None:
        panels = figure.subplots(len(examples), squeeze=False, height_ratios=[height for _, height in sizes])
        for panel, example in zip(panels[:, 0], examples, strict=True):
            _squares(panel, example, fonts)

    draw(path, (max(width for width, _ in sizes), sum(height for _, height in sizes)), texts, fill)


def check_weights(weights: NDArray, target: Sequence[str], source: Sequence[str]) -> None:
    """Raise ConfigError where weights are not (T, S) of T symbols that were written and S that were read."""
    if np.shape(weights) != (len(target), len(source)):
        got, wanted = np.shape(weights), (len(target), len(source))
        raise ConfigError("weights", f"shape {got}", f"{wanted}: symbols written, symbols read")


def _squares(panel: Any, example: Attention, fonts: Fonts) -> None:
    weights = np.asarray(example.weights, np.float64)[:MOST, :MOST]
    if weights.size:
        panel.imshow(weights, cmap="Blues", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    else:
        panel.text(0.5, 0.5, "nothing was read or written", ha="center", va="center", transform=panel.transAxes)
    # a dollar sign in a symbol is no formula
    panel.set_xticks(range(weights.shape[1]), labels(example.source[:MOST], fonts), rotation=90, parse_math=False)
    panel.set_yticks(range(weights.shape[0]), labels(example.target[:MOST], fonts), parse_math=False)
    panel.xaxis.tick_top()
    panel.xaxis.set_label_position("top")
    panel.tick_params(length=0)
    panel.set(xlabel="read", ylabel="written")
    panel.set_title(_title(example, fonts), loc="left", fontsize=9, parse_math=False)


def _title(example: Attention, fonts: Fonts) -> str:
    title = written(example.title, fonts) or "what was looked at for each symbol written"
    cut = max(len(example.source), len(example.target)) > MOST
    return f"{title}; the first {MOST} symbols of each side" if cut else title


def _size(example: Attention) -> tuple[float, float]:
    """Return inches that have room for all squares, and for the longest label of each side."""
    across, down = example.source[:MOST], example.target[:MOST]
    return (
        max(3.5, 1.2 + LETTER * _longest(down) + 0.28 * len(across)),
        1.4 + LETTER * _longest(across) + 0.24 * max(1, len(down)),
    )


def _longest(symbols: Sequence[str]) -> int:
    return min(LONGEST, max((len(symbol) for symbol in symbols), default=0))
