"""Pictures of a report, by matplotlib: as SVG whose ink follows the page, light or dark, and as PNG."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

from ostinato.inspection.section import Picture
from ostinato.training.pictures.figure import STYLE

COLOURS = ("#134f9c", "#a63c06", "#1a9b6c", "#cc50c4", "#a58b12", "#6f757d")
"""Of the lines of a picture, on light ground: told apart by those who see no red, no green or no blue as well."""
DARK = dict(zip(COLOURS, ("#4286f5", "#ee7a2a", "#8cecc4", "#d27fdc", "#f5df5a", "#98a0aa"), strict=True))
"""What each becomes on dark ground, with a contrast of at least 3 as on light ground (WCAG 2.2, 1.4.11)."""
LINES = ("-", "--", "-.", ":")
"""Of lines side by side, so that colour is not all that tells them apart."""
INK = "#123456"
"""Stands for the colour of the page's text."""
GROUND = "#fedcba"
"""Stands for the colour of the page."""
SIZE = (7.2, 3.4)


def picture(
    name: str, fill: Callable[[Any], None], *, alt: str, caption: str, size: tuple[float, float] = SIZE
) -> Picture:
    """Draw a picture; `fill(figure)` draws its inside."""
    svg = _saved(fill, size, "svg", INK, GROUND).decode()
    svg = re.sub(r"<\?xml.*?\?>|<!DOCTYPE.*?>|<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}-", svg)  # several pictures stand on a page
    svg = re.sub(r"<[^>]+>", lambda tag: re.sub(r"(\.\d\d)\d+", r"\1", tag[0]), svg)  # a hundredth of a point is enough
    svg = svg.replace(INK, "currentColor").replace(GROUND, "var(--ground)")
    return Picture(name, svg.strip(), _saved(fill, size, "png", "black", "white"), alt, caption)


def stem(what: str, found: Any, *more: str) -> str:
    """Return the stem of a file that shows `what` of a layer, as spectra-encoder-recurrent-1-backwards-eigenvalues.

    found  with `network`, `backwards`, and `layer` from 0, or None for all layers of the network.
    """
    layer = [] if found.layer is None else [str(found.layer + 1)]
    parts = [what, found.network.replace(".", "-"), *layer, *["backwards"] * found.backwards, *more]
    return "-".join(filter(None, parts))


def _saved(fill: Callable[[Any], None], size: tuple[float, float], kind: str, ink: str, ground: str) -> bytes:
    import matplotlib
    from cycler import cycler
    from matplotlib.figure import Figure

    inked: dict[Any, Any] = {f"{part}.color": ink for part in ("text", "xtick", "ytick")}
    inked |= {"axes.edgecolor": ink, "axes.labelcolor": ink, "axes.facecolor": "none"}
    inked |= {"legend.edgecolor": "none", "legend.facecolor": ground, "legend.framealpha": 0.85}
    inked |= {"axes.prop_cycle": cycler(color=COLOURS), "font.family": ["DejaVu Sans", "sans-serif"]}
    image = io.BytesIO()
    with matplotlib.rc_context({**STYLE, **inked}):
        figure = Figure(figsize=size, layout="constrained")
        fill(figure)
        metadata = {"Date": None} if kind == "svg" else {"Software": None}
        figure.savefig(image, format=kind, dpi=130, transparent=kind == "svg", metadata=metadata)
    return image.getvalue()
