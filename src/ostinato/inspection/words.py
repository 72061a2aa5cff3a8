"""Numbers and places as the sentences of a report write them: few digits, and nothing that only a program would say."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
CALLED = {
    "": "main network",
    "question": "reader of questions",
    "words.spelling": "reader of letters",
    "head.prediction": "prediction network",
}
"""Networks of this library's models that have names a reader would not understand."""
LEAST = 1e-4
"""Shares below it are not told apart."""


def number(value: float, digits: int = 3) -> str:
    """Return a number as it is read.

    >>> [number(value) for value in (0.12345, -1234.5, 3.2e12, float("inf"))]
    ['0.123', '−1,234', '3.2 × 10¹²', 'beyond all numbers']
    """
    if not math.isfinite(value):
        return "beyond all numbers" if math.isinf(value) else "unknown"
    if 1000 <= abs(value) < 1e6:
        return f"{value:,.0f}".replace("-", "−")
    plain, _, power = f"{value:.{digits}g}".partition("e")
    return plain.replace("-", "−") + (f" × 10{str(int(power)).translate(RAISED)}" if power else "")


def signed(r: float) -> str:
    """Return a correlation as it is read.

    >>> signed(-0.876), signed(float("nan"))
    ('−0.88', '–')
    """
    return "–" if math.isnan(r) else f"{r:.2f}".replace("-", "−")


def share(value: float) -> str:
    """Return a share of a whole; one that is not all of it is never called so, nor one that is not nothing.

    >>> [share(value) for value in (1.0, 0.9996, 0.344, 0.0344, 0.000123, 1e-6, 0.0)]
    ['100 %', 'more than 99 %', '34 %', '3.4 %', '0.012 %', 'less than 0.01 %', '0 %']
    """
    if not math.isfinite(value):
        return number(value)
    if 0 < value < LEAST:
        return f"less than {100 * LEAST:g} %"
    if 0.995 <= value < 1:
        return "more than 99 %"
    return f"{100 * value:.0f} %" if value == 0 or value >= 0.095 else f"{100 * value:.2g} %"


def steps(count: float) -> str:
    """Return a number of steps, whole from ten on.

    >>> [steps(count) for count in (1, 3.876, 17.4, float("inf"))]
    ['1 step', '3.9 steps', '17 steps', 'no end of steps']
    """
    if math.isinf(count):
        return "no end of steps"
    said = number(round(count)) if count >= 10 else f"{count:.2g}"
    return f"{said} step" if said == "1" else f"{said} steps"


def place(found: Any, among: Sequence[Any]) -> str:
    """Return where what was found stands: "layer 1", or "layer 1 of the encoder (backwards)".

    The network is named where `among`, all that was found, has several; the direction, where a network has both.
    `found.layer` None is a network as a whole: "encoder (backwards)", or "backwards" or "" where it is the only one.
    """
    networks = {each.network: {other.backwards for other in among if other.network == each.network} for each in among}
    name = called(found.network) if len(networks) > 1 else ""
    parts = [name] if found.layer is None else [f"layer {found.layer + 1}" + (f" of the {name}" if name else "")]
    way = "backwards" if found.backwards else "forwards"
    if len(networks[found.network]) > 1:
        parts.append(f"({way})" if any(parts) else way)
    return " ".join(filter(None, parts))


def called(network: str) -> str:
    """Return what a network of a model is called: the encoder, not the attribute in which its layers stand.

    >>> called("encoder.recurrent"), called("head.prediction"), called("recurrent"), called("own_layers")
    ('encoder', 'prediction network', 'main network', 'own layers')
    """
    own = network.removesuffix("recurrent").rstrip(".")
    return CALLED.get(own) or own.replace("_", " ").replace(".", " ")


def listed(parts: Iterable[str]) -> str:
    """Return words as a list in a sentence.

    >>> listed(["a", "b", "c"]), listed(["a"])
    ('a, b and c', 'a')
    """
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def begun(sentence: str) -> str:
    """Return a sentence with a capital letter, and the rest of it as it was."""
    return sentence[:1].upper() + sentence[1:]
