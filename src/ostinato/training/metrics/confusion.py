"""What is taken for what, as a picture: a square for each pair of classes, dark by its share of the row."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ostinato._files import replace_file
from ostinato.training.pictures.letters import fonts_for, label

MOST = 60
"""Classes a picture has room for: of more, the most frequent."""


def draw_confusion(path: Path, counts: np.ndarray, names: Sequence[str]) -> None:
    """Write a PNG of `counts` (C, C): row = what it is, column = what it was called, as `OneLabel.counts`.

    Colours are shares of a row, numbers are items. Of more than 60 classes the most frequent are drawn, and the title
    says so. A name that no installed font can write is drawn as its number, counted from 0.
    """
    import matplotlib
    from matplotlib.figure import Figure

    kept: list[int] = np.sort(np.argsort(-counts.sum(1), kind="stable")[:MOST]).tolist()
    shown = counts[np.ix_(kept, kept)]
    fonts = fonts_for("".join(names[index] for index in kept))
    named = [label(names[index], index, fonts) for index in kept]
    size = len(kept) * max(0.3, 0.75 - 0.03 * len(kept))
    with matplotlib.rc_context({"font.family": list(fonts), "font.size": 9.0, "axes.linewidth": 0.6}):
        figure = Figure(figsize=(size + 2.6, size + 2.2), layout="constrained")
        panel = figure.subplots()
        _squares(panel, shown, shown / np.maximum(counts.sum(1)[kept, None], 1))
        _name(panel, named)
        panel.set_title(_title(counts, kept), loc="left", fontsize=9)
        image = io.BytesIO()
        figure.savefig(image, format="png", dpi=110, metadata={"Software": None})
    replace_file(path, image.getvalue())


def _squares(panel: Any, counts: np.ndarray, shares: np.ndarray) -> None:
    panel.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    font = 9 if len(counts) <= 12 else 6.5 if len(counts) <= 30 else 5.5
    for row, column in zip(*np.nonzero(counts), strict=True):
        ink = "white" if shares[row, column] > 0.55 else "black"
        panel.text(column, row, f"{counts[row, column]}", ha="center", va="center", color=ink, fontsize=font)


def _name(panel: Any, labels: Sequence[str]) -> None:
    places = range(len(labels))
    font = 9 if len(labels) <= 30 else 7
    # a dollar sign in a name is no formula
    panel.set_xticks(places, labels, rotation=90, fontsize=font, parse_math=False)
    panel.set_yticks(places, labels, fontsize=font, parse_math=False)
    panel.set(xlabel="called", ylabel="is")
    panel.tick_params(length=0)


def _title(counts: np.ndarray, kept: list[int]) -> str:
    right, items = int(np.trace(counts)), int(counts.sum())
    some = f"; the {len(kept)} most frequent of {len(counts)} classes" if len(kept) < len(counts) else ""
    return f"{right:,} of {items:,} right{some}"
