"""An image with its caption, and where in it each word looked (Xu et al., 2015, arXiv:1502.03044, figure 3)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ostinato._errors import ConfigError
from ostinato.training.pictures.figure import draw
from ostinato.training.pictures.letters import Fonts, label, written

COLUMNS = 6
SIDE = 1.6
"""Inches of each image."""
MOST = 29
"""Words that a picture has room for, beside the image by itself."""


class Captioned(NamedTuple):
    """An image and what was said of it."""

    image: NDArray
    """(H, W, 3) or, without colours, (H, W): bytes, or numbers from 0 to 1."""
    words: Sequence[str]
    """The T words of the caption."""
    weights: NDArray | None = None
    """(T, h, w): where each word looked, on a grid over the image; None without attention."""
    title: str = ""
    """What this is, or the caption in one piece; nothing joins the words."""


def draw_regions(path: Path, captioned: Captioned) -> None:
    """Write a PNG or SVG: the image with its caption, then once for each word, bright where it looked.

    Without weights it is the image and the caption alone; of more than 29 words the first are drawn, and the title
    says so. Raises ConfigError for an image or weights of other shapes.
    """
    _check(captioned)
    shown = [] if captioned.weights is None else list(captioned.words[:MOST])
    columns = min(COLUMNS, 1 + len(shown))
    rows = math.ceil((1 + len(shown)) / columns)

    def fill(figure: Any, fonts: Fonts) -> None:
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for panel in panels:
            panel.set_axis_off()
        _show(panels[0], captioned.image)
        for place, (panel, word) in enumerate(zip(panels[1:], shown, strict=False)):
            _look(panel, captioned, place)
            panel.set_title(label(word, place, fonts, longest=14), fontsize=8, parse_math=False)
        figure.suptitle(_title(captioned, fonts), x=0.01, ha="left", fontsize=9, parse_math=False, wrap=True)

    draw(path, (max(4.0, SIDE * columns), 0.6 + (SIDE + 0.2) * rows), [*captioned.words, captioned.title], fill)


def _show(panel: Any, image: NDArray) -> None:
    panel.imshow(image, cmap="grey", vmin=0, vmax=255 if image.dtype == np.uint8 else 1, interpolation="nearest")


def _look(panel: Any, captioned: Captioned, place: int) -> None:
    """Show the image darkened where the word did not look; the brightest region is not darkened at all."""
    assert captioned.weights is not None
    height, width = captioned.image.shape[:2]
    weights = np.nan_to_num(np.asarray(captioned.weights[place], np.float64))
    _show(panel, captioned.image)
    shade = np.zeros((*weights.shape, 4))
    shade[..., 3] = 0.85 * (1 - np.clip(weights / max(weights.max(), 1e-12), 0, 1))
    panel.imshow(shade, extent=(-0.5, width - 0.5, height - 0.5, -0.5), interpolation="nearest")


def _title(captioned: Captioned, fonts: Fonts) -> str:
    title = written(captioned.title or " ".join(captioned.words), fonts) or "(no words)"
    cut = captioned.weights is not None and len(captioned.words) > MOST
    return f"{title}; where the first {MOST} words looked" if cut else title


def _check(captioned: Captioned) -> None:
    image, weights, words = captioned.image, captioned.weights, captioned.words
    if not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)) or not image.size:
        raise ConfigError("image", f"shape {image.shape}", "It is (height, width), with colours (height, width, 3)")
    if weights is not None and (np.ndim(weights) != 3 or len(weights) != len(words) or not np.prod(weights.shape[1:])):
        got, wanted = np.shape(weights), f"({len(words)}, rows, columns): a grid for each word"
        raise ConfigError("weights", f"shape {got}", f"It is {wanted}")
