"""A picture as bytes in a file: the same numbers give the same bytes, and no display is needed."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ostinato._errors import ConfigError
from ostinato._files import replace_file
from ostinato.training.pictures.letters import Fonts, fonts_for

FORMATS: dict[str, dict[str, Any]] = {".png": {"Software": None}, ".svg": {"Date": None}}
"""What a picture's name may end in, and what is left out of the file so that it is the same each time."""
STYLE: dict[Any, Any] = {"font.size": 9.0, "axes.linewidth": 0.6, "svg.hashsalt": "ostinato", "svg.fonttype": "none"}
MARKS = "…␣⏎⇥□"
"""Characters that pictures write of their own accord."""


def draw(path: Path, size: tuple[float, float], texts: Iterable[str], fill: Callable[[Any, Fonts], None]) -> None:
    """Write a picture of `size` inches, of which `fill(figure, fonts)` draws the inside; `texts` stand in it.

    Raises ConfigError for a name that ends in something else than .png or .svg.
    """
    kind = path.suffix.lower()
    if kind not in FORMATS:
        raise ConfigError("picture", f"'{path}'", f"A picture is called {' or '.join('*' + name for name in FORMATS)}")
    import matplotlib
    from matplotlib.figure import Figure

    fonts = fonts_for("".join(texts) + MARKS)
    image = io.BytesIO()
    with matplotlib.rc_context({**STYLE, "font.family": list(fonts)}):
        figure = Figure(figsize=size, layout="constrained")
        fill(figure, fonts)
        figure.savefig(image, format=kind[1:], dpi=110, metadata=FORMATS[kind])
    replace_file(path, image.getvalue())
