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
INK, GROUND = "#010203", "#fefdfc"
"""Stand for the colours of the page's text and of the page; in a PNG they are black and white to the eye."""
DOTS = 130
"""An inch."""
SIZE = (7.2, 3.4)


def picture(
    name: str, fill: Callable[[Any], None], *, alt: str, caption: str, size: tuple[float, float] = SIZE
) -> Picture:
    """Draw a picture; `fill(figure)` draws its inside."""
    svg, png = _drawn(fill, size)
    svg = re.sub(r"<\?xml.*?\?>|<!DOCTYPE.*?>|<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}-", svg)  # several pictures stand on a page
    svg = re.sub(r"<[^>]+>", lambda tag: re.sub(r"(\.\d\d)\d+", r"\1", tag[0]), svg)  # a hundredth of a point is enough
    svg = svg.replace(INK, "currentColor").replace(GROUND, "var(--ground)")
    return Picture(name, svg.strip(), png, alt, caption)


def stem(what: str, found: Any, *more: str) -> str:
    """Return the stem of a file that shows `what` of a layer, as spectra-encoder-recurrent-1-backwards-eigenvalues.

    found  with `network`, `backwards`, and `layer` from 0, or None for all layers of the network.
    """
    layer = [] if found.layer is None else [str(found.layer + 1)]
    parts = [what, found.network.replace(".", "-"), *layer, *["backwards"] * found.backwards, *more]
    return "-".join(filter(None, parts))


def _drawn(fill: Callable[[Any], None], size: tuple[float, float]) -> tuple[str, bytes]:
    """Return a figure as SVG and as PNG; it is laid out once."""
    import matplotlib
    from cycler import cycler
    from matplotlib.figure import Figure

    inked: dict[Any, Any] = {f"{part}.color": INK for part in ("text", "xtick", "ytick")}
    inked |= {"axes.edgecolor": INK, "axes.labelcolor": INK, "axes.facecolor": "none"}
    inked |= {"legend.edgecolor": "none", "legend.facecolor": GROUND, "legend.framealpha": 0.85}
    inked |= {"axes.prop_cycle": cycler(color=COLOURS), "font.family": ["DejaVu Sans", "sans-serif"]}
    svg, png = io.BytesIO(), io.BytesIO()
    with matplotlib.rc_context({**STYLE, **inked}):
        figure = Figure(figsize=size, layout="constrained")
        fill(figure)
        figure.savefig(svg, format="svg", dpi=DOTS, transparent=True, metadata={"Date": None})
        figure.set_layout_engine("none")
        figure.savefig(png, format="png", dpi=DOTS, metadata={"Software": None})
    return svg.getvalue().decode(), png.getvalue()
