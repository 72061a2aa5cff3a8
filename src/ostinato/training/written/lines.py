"""What was written, as lines: the best text, a table of all, or objects."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from ostinato._errors import ConfigError, did_you_mean
from ostinato.data.units import Units
from ostinato.training.written.hypotheses import Hypothesis, text_of

Place: TypeAlias = Callable[[int], int | None]
FORMATS = ("text", "tsv", "jsonl")


def check_format(form: str) -> None:
    """Raise ConfigError for a format that is none of FORMATS."""
    if form not in FORMATS:
        raise ConfigError("--format", f"'{form}'", f"Possible: {', '.join(FORMATS)}", did_you_mean(form, FORMATS))


def lines_of(
    best: list[Hypothesis], form: str, units: Units, looked: str, called: Place = int, **told: Any
) -> Iterator[str]:
    """Yield what was written of an item as lines.

    form    "text" (the best), "tsv" (number, score and text of all) or "jsonl" (an object with `told`, the symbols of
            all and, under the name `looked`, the place that was looked at most for each).
    called  what a place that was looked at is called.
    """
    if form == "text":
        yield _in_a_line(text_of(best))
    elif form == "tsv":
        for number, found in enumerate(best, 1):
            yield f"{number}\t{found.score:.4f}\t{_in_a_line(found.text)}"
    else:
        every = [_object(found, units, looked, called) for found in best]
        yield json.dumps({**told, "text": text_of(best), "best": every}, ensure_ascii=False)


def _object(found: Hypothesis, units: Units, looked: str, called: Place) -> dict[str, Any]:
    told: dict[str, Any] = {"text": found.text, "score": round(found.score, 6)}
    if found.weights is not None:
        told["symbols"] = units.pieces(found.symbols)
        told[looked] = [called(k) for k in found.weights[: len(found.symbols)].argmax(-1).tolist()]
    return told


def _in_a_line(text: str) -> str:
    return " ".join(" ".join(text.split("\t")).splitlines())
