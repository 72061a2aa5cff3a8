"""A stretch of text, coloured by a unit or by the loss, with what was expected next at each symbol.

It reads without JavaScript, coloured by the first units; with it, by any of them, and the arrow keys walk through it.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

STATIC = 3
"""Units that are shown where there is no JavaScript."""
STEPS = 127
"""Strengths of colour, of either sign."""
NEWLINE, EMPTY = "↵\n", "∅"


@dataclass(frozen=True)
class Coloured:
    """What colours the text."""

    name: str
    values: NDArray
    """(T,)"""

    @property
    def strengths(self) -> NDArray[np.int8]:
        """(T,) from -127 to 127, of the largest value there is."""
        finite = np.where(np.isfinite(self.values), self.values, 0.0)
        largest = np.abs(finite).max(initial=0.0)
        return np.rint(finite / (largest or 1.0) * STEPS).astype(np.int8)


@dataclass(frozen=True)
class Reading:
    """What a model did with a stretch of text of T symbols."""

    pieces: Sequence[str]
    """The text of each symbol."""
    units: Sequence[Coloured]
    """One at least."""
    loss: NDArray
    """(T,) nats; NaN where it is not known."""
    likely: NDArray
    """(T, n) numbers of the symbols that were likeliest to come next."""
    chances: NDArray
    """(T, n) how likely."""
    texts: dict[int, str]
    """The text of each of those symbols."""


def coloured_text(reading: Reading) -> str:
    """Return the HTML of a text to read and to walk through."""
    units = [*reading.units, Coloured("loss of each symbol, in nats", reading.loss)]
    options = "".join(f'<option value="{k}">{escape(unit.name)}</option>' for k, unit in enumerate(units))
    static = "".join(
        f'<p class="quiet">{escape(unit.name)}</p><div class="read">{_spans(reading.pieces, unit)}</div>'
        for unit in reading.units[1:STATIC]
    )
    return (
        f'<figure><p><label>Colour by <select id="read-by">{options}</select></label></p>\n'
        '<div class="read" id="read" tabindex="0" role="group" aria-label="The text, symbol by symbol; arrow keys walk '
        f'through it">{_spans(reading.pieces, units[0])}</div>\n<p id="read-next" class="quiet" aria-live="polite">'
        f"Coloured by {escape(units[0].name)}.</p>\n<noscript>{static}</noscript>\n"
        "<figcaption>Orange is above zero, blue below, each the stronger the nearer to the largest value here. Point "
        "at a symbol, or walk with the arrow keys, to see what the model expected after it.</figcaption></figure>\n"
        f'<script type="application/json" id="read-data">{_data(reading, units)}</script>\n'
        f"<script>{SCRIPT}</script>\n"
    )


def _spans(pieces: Sequence[str], unit: Coloured) -> str:
    pairs = zip(pieces, unit.strengths.tolist(), strict=True)
    return "".join(f'<span style="{_style(strength)}">{escape(shown(piece))}</span>' for piece, strength in pairs)


def shown(piece: str) -> str:
    """Return a piece as the page shows it: what cannot be seen has a sign."""
    return piece.replace("\n", NEWLINE) or EMPTY


def _style(strength: int) -> str:
    colour = "224,123,57" if strength > 0 else "59,130,196"
    return f"background:rgba({colour},{abs(strength) / STEPS:.2f})"


def _data(reading: Reading, units: Sequence[Coloured]) -> str:
    """Return the numbers as JSON that may stand in a page: no text of the user can end the script."""
    data = {
        "units": [b64encode(unit.strengths.tobytes()).decode() for unit in units],
        "loss": [None if np.isnan(value) else round(value, 2) for value in reading.loss.tolist()],
        "likely": reading.likely.tolist(),
        "chances": np.rint(reading.chances * 1000).astype(int).tolist(),
        "texts": {n: text.replace("\n", "↵").replace(" ", "␣") or EMPTY for n, text in reading.texts.items()},
    }
    return json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


SCRIPT = """
(() => {
  const data = JSON.parse(document.getElementById("read-data").textContent);
  const text = document.getElementById("read"), spans = [...text.children];
  const by = document.getElementById("read-by"), next = document.getElementById("read-next");
  let at = -1;
  const colour = () => {
    const bytes = Uint8Array.from(atob(data.units[by.value]), (c) => c.charCodeAt(0));
    new Int8Array(bytes.buffer).forEach((v, k) => {
      spans[k].style.background = `rgba(${v > 0 ? "224,123,57" : "59,130,196"},${Math.abs(v) / 127})`;
    });
  };
  const show = (k) => {
    if (k < 0 || k >= spans.length) return;
    if (at >= 0) spans[at].classList.remove("at");
    spans[at = k].classList.add("at");
    const said = data.likely[k].map((n, i) => `${data.texts[n]} ${(data.chances[k][i] / 10).toFixed(1)} %`).join(",  ");
    const loss = data.loss[k] === null ? "" : `This symbol cost ${data.loss[k].toFixed(2)} nats. `;
    next.textContent = `${loss}Expected after it:  ${said}`;
  };
  by.addEventListener("change", colour);
  text.addEventListener("mouseover", (event) => show(spans.indexOf(event.target)));
  text.addEventListener("focus", () => show(Math.max(at, 0)));
  text.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 20, ArrowUp: -20, Home: -1e9, End: 1e9 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    show(Math.min(Math.max(at + step, 0), spans.length - 1));
    spans[at].scrollIntoView({ block: "nearest" });
  });
  by.dispatchEvent(new Event("change"));
})();
"""
