"""What a run shows while it learns: a live line on a terminal, plain aligned lines where output is piped."""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass
from typing import Protocol, TextIO

PLAIN_EVERY_S = 10.0


@dataclass(frozen=True)
class Figures:
    """The figures of a moment. `loss` is the mean training loss since the last validation.

    `bits_per_character` is given of a text. `unit` is what is counted in `read` and `read_per_s`; `endless` says that
    there are no epochs.
    """

    step: int
    steps: int
    epoch: float
    loss: float
    bits_per_character: float | None
    norm: float
    read_per_s: float
    seconds_left: float
    unit: str = "symbols"
    read: int = 0
    endless: bool = False
    horizon: str | None = None
    """Steps back that 99 % of a gradient lies within; None where that is not measured."""


class Display(Protocol):
    """Where a run is shown."""

    def say(self, text: str) -> None:
        """Show lines that stay."""
        ...

    def update(self, figures: Figures) -> None:
        """Show the figures of a moment."""
        ...

    def validated(self, figures: Figures, scores: dict[str, float], words: str, best: bool, sample: str) -> None:
        """Show the scores of a validation, which `words` says in a line, and a sample of text."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was found."""
        ...


class Silent:
    """Shows nothing."""

    def say(self, text: str) -> None:
        """Say nothing."""

    def update(self, figures: Figures) -> None:
        """Show nothing."""

    def validated(self, figures: Figures, scores: dict[str, float], words: str, best: bool, sample: str) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Do nothing."""


class Plain:
    """One aligned line about every ten seconds and at each validation."""

    def __init__(self, stream: TextIO):
        self._stream = stream
        self._said_at = -math.inf
        self._headed = False

    def say(self, text: str) -> None:
        """Print the text."""
        print(text, file=self._stream, flush=True)

    def update(self, figures: Figures) -> None:
        """Print a line when the last is ten seconds old."""
        if time.monotonic() - self._said_at >= PLAIN_EVERY_S:
            self._line(figures, "")

    def validated(self, figures: Figures, scores: dict[str, float], words: str, best: bool, sample: str) -> None:
        """Print a line with the validation's score, then the sample."""
        self._line(figures, f"  {words}{_mark(best)}")
        if sample:
            self.say(_indented(sample))

    def close(self) -> None:
        """Do nothing."""

    def _line(self, figures: Figures, tail: str) -> None:
        if not self._headed:
            self._headed = True
            self.say(heading(figures))
        self._said_at = time.monotonic()
        self.say(row(figures) + tail)


class Live:
    """A live line with a bar, by rich; validations and samples scroll by above it."""

    def __init__(self):
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self._console = Console(highlight=False)
        self._progress = Progress(
            TextColumn("step {task.completed}/{task.total}"),
            BarColumn(bar_width=12),
            TextColumn("{task.description}"),
            console=self._console,
            auto_refresh=False,
        )
        self._task = self._progress.add_task("", total=None, visible=False)

    def say(self, text: str) -> None:
        """Print the text above the live line."""
        self._console.print(text, markup=False, soft_wrap=True)

    def update(self, figures: Figures) -> None:
        """Refresh the live line."""
        if not self._progress.live.is_started:
            self._progress.start()
        self._progress.update(
            self._task,
            completed=figures.step,
            total=figures.steps,
            visible=True,
            description=_described(figures),
            refresh=True,
        )

    def validated(self, figures: Figures, scores: dict[str, float], words: str, best: bool, sample: str) -> None:
        """Print the validation's score and the sample, and refresh the live line."""
        self.update(figures)
        place = f"{figures.read:,} {figures.unit}" if figures.endless else f"epoch {figures.epoch:.2f}"
        self.say(f"step {figures.step}, {place}: loss {shown(figures.loss, '.4f')},  {words}{_mark(best)}")
        if sample:
            self._console.print(_indented(sample), markup=False, soft_wrap=True, style="dim")

    def close(self) -> None:
        """Stop the live line."""
        if self._progress.live.is_started:
            self._progress.stop()


def make_display(stream: TextIO | None = None) -> Display:
    """Return a live display on a terminal, plain lines elsewhere."""
    if stream is None and sys.stdout.isatty():
        return Live()
    return Plain(stream or sys.stdout)


def heading(figures: Figures) -> str:
    """Return what stands above `row`."""
    return "".join(f"{name:>{width}}" for name, width, _ in _columns(figures)) + "  validation"


def row(figures: Figures) -> str:
    """Return the figures as one aligned line under `heading`; a figure too long for its column moves the others."""
    return "".join(f" {text:>{width - 1}}" for _, width, text in _columns(figures))


def _columns(figures: Figures) -> list[tuple[str, int, str]]:
    """Return the name, width and text of each column."""
    bits, speed = figures.bits_per_character, f"{figures.unit}/s"
    return [
        ("step", 12, f"{figures.step}/{figures.steps}"),
        (figures.unit, 10, f"{figures.read:,}") if figures.endless else ("epoch", 8, f"{figures.epoch:.2f}"),
        ("loss", 8, shown(figures.loss, ".4f")),
        *([] if bits is None else [("bits/char", 10, shown(bits, ".4f"))]),
        ("norm", 7, f"{figures.norm:.2f}"),
        *([] if figures.horizon is None else [("horizon", 9, figures.horizon)]),
        (speed, len(speed) + 1, f"{figures.read_per_s:,.0f}"),
        ("left", 9, duration(figures.seconds_left)),
    ]


def _described(figures: Figures) -> str:
    known = figures.bits_per_character is not None and math.isfinite(figures.bits_per_character)
    bits = f"{figures.bits_per_character:.3f} bits/char  " if known else ""
    horizon = "" if figures.horizon is None else f"horizon {figures.horizon}  "
    return (
        f"loss {shown(figures.loss, '.3f')}  {bits}norm {figures.norm:.2f}  {horizon}"
        f"{figures.read_per_s:,.0f} {figures.unit}/s  {duration(figures.seconds_left)} left"
    )


def shown(number: float, form: str) -> str:
    """Return a mean as text; a dash where there is nothing yet to take it of.

    >>> shown(0.25, ".3f"), shown(math.nan, ".3f")
    ('0.250', '-')
    """
    return "-" if math.isnan(number) else format(number, form)


def duration(seconds: float) -> str:
    """Return seconds as h:mm:ss.

    >>> duration(3725)
    '1:02:05'
    """
    if not math.isfinite(seconds):
        return "?"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"


def _mark(best: bool) -> str:
    return ", the best so far" if best else ""


def of_a_text(scores: dict[str, float]) -> str:
    """Return the scores of a text as a line shows them.

    >>> of_a_text({"nats": 1.25, "bits_per_character": 1.8})
    '1.2500 nats, 1.8000 bits/char'
    """
    return f"{scores['nats']:.4f} nats, {scores['bits_per_character']:.4f} bits/char"


def of_a_task(scores: dict[str, float]) -> str:
    """Return the scores of a task as a line shows them.

    >>> of_a_task({"mse": 0.0123, "errors": 0.5, "wrong": 0.25, "sequences": 8})
    'mse 0.01230, 2 of 8 wrong'
    """
    name = next(iter(scores))
    sequences = int(scores["sequences"])
    return f"{name} {scores[name]:.5f}, {round(scores['wrong'] * sequences):,} of {sequences:,} wrong"


def _indented(sample: str) -> str:
    printable = "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in sample)
    return "\n".join("    | " + line for line in printable.splitlines())
