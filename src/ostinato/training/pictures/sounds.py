"""A sound as a model heard it: its spectrogram, and below it where each symbol of the text was emitted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ostinato._errors import ConfigError
from ostinato.training.pictures.figure import draw
from ostinato.training.pictures.letters import Fonts, label, written

WIDTH_A_SECOND, NARROWEST, WIDEST = 2.2, 4.0, 24.0
"""Inches."""
FAINT = 0.02
"""Probability that a symbol must reach in some step to have a curve of its own."""

LINE = 0.2
"""Height of a symbol, where a curve that reaches certainty is as high as 1."""


class Emission(NamedTuple):
    """A symbol that was written at some step of the network."""

    step: int
    symbol: str


class Sound(NamedTuple):
    """One sound, its features and what was made of them."""

    features: NDArray
    """(T, D): channels of a spectrogram, the lowest first, frame by frame."""
    frame_s: float
    """Seconds from one frame to the next."""
    emissions: Sequence[Emission]
    """The symbols written: spikes of CTC, or emissions of a transducer, of which several may share a step."""
    step_s: float
    """Seconds from one step of the network to the next; larger than `frame_s` where frames are stacked."""
    probabilities: NDArray | None = None
    """(T', V) at each step, where there are any: of CTC."""
    blank: int = 0
    """Which of the V is the blank; drawn grey."""
    text: str = ""
    """The text, in one piece."""
    title: str = ""
    """What this sound is."""


def draw_sound(path: Path, sound: Sound) -> None:
    """Write a PNG or SVG of two panels over the same seconds: the spectrogram, and the symbols where they were emitted.

    With probabilities each symbol has a curve, the blank a grey one; without, each emission is a line. Raises
    ConfigError for features or probabilities that have no two axes, and for an emission outside the steps there are.
    """
    _check(sound)
    seconds = _seconds(sound)
    width = min(WIDEST, max(NARROWEST, 1 + WIDTH_A_SECOND * seconds))
    texts = [sound.text, sound.title, *(each.symbol for each in sound.emissions)]

    def fill(figure: Any, fonts: Fonts) -> None:
        above, below = figure.subplots(2, sharex=True, height_ratios=(3, 2))
        _spectrogram(above, sound)
        _emitted(below, sound, fonts)
        below.set_xlim(0, seconds)
        title = written(sound.title, fonts) or "spectrogram, and where each symbol was emitted"
        above.set_title(title, loc="left", fontsize=9, parse_math=False)
        below.set_xlabel(f"seconds\n{written(sound.text, fonts) or '(no text)'}", parse_math=False)

    draw(path, (width, 3.8), texts, fill)


def _spectrogram(panel: Any, sound: Sound) -> None:
    frames, channels = sound.features.shape
    if frames:
        values = np.ma.masked_invalid(np.asarray(sound.features, np.float64).T)
        extent = (0, frames * sound.frame_s, -0.5, channels - 0.5)
        panel.imshow(values, origin="lower", aspect="auto", cmap="magma", extent=extent, interpolation="nearest")
    panel.set_ylabel("channel")


def _emitted(panel: Any, sound: Sound, fonts: Fonts) -> None:
    if sound.probabilities is not None:
        _curves(panel, sound)
    else:
        panel.vlines([_middle(each.step, sound) for each in sound.emissions], 0, 1, color="tab:blue", linewidth=1)
    above = Counter[int]()
    for place, each in enumerate(sound.emissions):
        height = 1.04 + LINE * above[each.step]
        above[each.step] += 1
        text = label(each.symbol, place, fonts, longest=12)
        panel.text(_middle(each.step, sound), height, text, ha="center", va="bottom", fontsize=8, parse_math=False)
    highest = 1.1 + LINE * max(above.values(), default=1)
    panel.set(ylim=(0, highest), yticks=(0, 1), ylabel="probability" if sound.probabilities is not None else "emitted")


def _curves(panel: Any, sound: Sound) -> None:
    probabilities = np.asarray(sound.probabilities, np.float64)
    times = (np.arange(len(probabilities)) + 0.5) * sound.step_s
    for symbol, curve in enumerate(probabilities.T):
        if symbol == sound.blank:
            panel.plot(times, curve, color="grey", linewidth=0.8, linestyle=":")
        elif (curve > FAINT).any():
            panel.plot(times, curve, linewidth=1.2)


def _middle(step: int, sound: Sound) -> float:
    return (step + 0.5) * sound.step_s


def _last(sound: Sound) -> int:
    return max((each.step for each in sound.emissions), default=-1)


def _seconds(sound: Sound) -> float:
    """Return how long the picture is: all frames, all steps, and whatever was emitted."""
    steps = 0 if sound.probabilities is None else len(sound.probabilities)
    return max(max(1, len(sound.features)) * sound.frame_s, max(steps, _last(sound) + 1) * sound.step_s)


def _check(sound: Sound) -> None:
    for name, values in (("features", sound.features), ("probabilities", sound.probabilities)):
        if values is not None and np.ndim(values) != 2:
            raise ConfigError(name, f"shape {np.shape(values)}", "Two axes: steps, and numbers of a step")
    for name, seconds in (("frame_s", sound.frame_s), ("step_s", sound.step_s)):
        if not seconds > 0:
            raise ConfigError(name, f"{seconds} was given", "Seconds, more than 0")
    if sound.probabilities is not None and _last(sound) >= len(sound.probabilities):
        raise ConfigError("emissions", f"step {_last(sound)}", f"There are {len(sound.probabilities)}, counted from 0")
