"""Pictures of a report, by matplotlib: as SVG whose ink follows the page, light or dark, and as PNG."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

from ostinato.inspection.section import Picture
from ostinato.training.pictures.figure import STYLE

COLOURS = ("#3b82c4", "#e07b39", "#3f9e6e", "#b45ea8", "#c9a227", "#7a7f87")
"""Of the lines of a picture: seen on light and on dark ground."""
INK = "#123456"
"""Stands for the colour of the page's text."""
SIZE = (7.2, 3.4)


def picture(
    name: str, fill: Callable[[Any], None], *, alt: str, caption: str, size: tuple[float, float] = SIZE
) -> Picture:
    """Draw a picture; `fill(figure)` draws its inside."""
    svg = _saved(fill, size, "svg", INK).decode()
    svg = re.sub(r"<\?xml.*?\?>|<!DOCTYPE.*?>|<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}-", svg)  # several pictures stand on a page
    return Picture(name, svg.replace(INK, "currentColor").strip(), _saved(fill, size, "png", "black"), alt, caption)


def _saved(fill: Callable[[Any], None], size: tuple[float, float], kind: str, ink: str) -> bytes:
    import matplotlib
    from cycler import cycler
    from matplotlib.figure import Figure

    inked: dict[Any, Any] = {f"{part}.color": ink for part in ("text", "xtick", "ytick")}
    inked |= {"axes.edgecolor": ink, "axes.labelcolor": ink, "axes.facecolor": "none", "legend.frameon": False}
    inked |= {"axes.prop_cycle": cycler(color=COLOURS), "font.family": ["DejaVu Sans", "sans-serif"]}
    image = io.BytesIO()
    with matplotlib.rc_context({**STYLE, **inked}):
        figure = Figure(figsize=size, layout="constrained")
        fill(figure)
        metadata = {"Date": None} if kind == "svg" else {"Software": None}
        figure.savefig(image, format=kind, dpi=130, transparent=kind == "svg", metadata=metadata)
    return image.getvalue()
