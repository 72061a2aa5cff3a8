"""What every synthetic task is: sequences from a generator, what is to be said of them, and when that is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from ostinato._errors import ConfigError


class Sequences(NamedTuple):
    """`B` sequences of at most `T` steps."""

    inputs: Tensor
    """(T, B, D)."""
    targets: Tensor
    """Classes (T, B), int64; or numbers or bits (T, B, O)."""
    counted: Tensor
    """Bool (T, B): where an output is asked for."""
    lengths: Tensor | None = None
    """(B,), where the sequences differ in length."""
    possible: Tensor | None = None
    """Bool (T, B, O), where several classes are right: all of them must score above all others."""
    fed: Tensor | None = None
    """Bool (T, B), of a task that feeds back: where the last inputs are the symbol before, which may be the model's."""

    def steps(self, first: int, last: int) -> Sequences:
        """Return steps [first, last) of all sequences; some may be over before, and then have no steps left."""
        possible = None if self.possible is None else self.possible[first:last]
        lengths = None if self.lengths is None else (self.lengths - first).clamp(0, last - first)
        fed = None if self.fed is None else self.fed[first:last]
        part = self.inputs[first:last], self.targets[first:last], self.counted[first:last]
        return Sequences(*part, lengths, possible, fed)


@dataclass(frozen=True)
class SequenceTask:
    """A task. Subclasses set the sizes, and draw sequences as the paper says."""

    length: int
    """What the task's docstring says it counts."""

    input_size: ClassVar[int]
    output_size: ClassVar[int]
    target: ClassVar[Literal["classes", "numbers", "bits"]]
    default_length: ClassVar[int]
    least_length: ClassVar[int] = 1
    tolerance: ClassVar[float] = 0.5
    """Absolute error of an output (of classes and bits: of its probability) from which on it is wrong."""
    feeds_back: ClassVar[bool] = False
    """Whether it is tested on what the model writes, reading its own symbols, at twice the length."""
    goal: ClassVar[tuple[str, float]] = ("wrong", 1 / 2560)
    """Figure and value at or below which the task counts as solved."""

    def __post_init__(self):
        if isinstance(self.length, bool) or not isinstance(self.length, int) or self.length < self.least_length:
            name = type(self).__name__
            raise ConfigError(f"task {name}", f"length {self.length}", f"It is a whole number from {self.least_length}")

    def draw(self, count: int, generator: Generator | None = None) -> Sequences:
        """Return `count` sequences; the same state of the generator (None: torch's own) gives the same ones."""
        raise TypeError(f"{type(self).__name__} does not define draw(count, generator)")

    def tested(self) -> SequenceTask:
        """Return the task of which sequences are kept to validate: itself, or where it feeds back, twice as long."""
        return type(self)(2 * self.length) if self.feeds_back else self

    @property
    def chance(self) -> float:
        """The loss of the best output that looks at no input."""
        raise TypeError(f"{type(self).__name__} does not define chance")

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the summed loss of outputs (N, O) that were asked for: nats, or squared errors."""
        if self.target == "classes":
            return F.cross_entropy(outputs, targets, reduction="sum")
        if self.target == "bits":
            return F.binary_cross_entropy_with_logits(outputs, targets, reduction="sum")
        return F.mse_loss(outputs, targets, reduction="sum")

    def numbers(self, targets: Tensor) -> int:
        """Return how many numbers that loss sums over."""
        return targets.numel()

    def mistakes(self, outputs: Tensor, sequences: Sequences) -> Tensor:
        """Return bool (T, B): where an output (T, B, O) that was asked for is wrong."""
        if sequences.possible is not None:
            right, wrong = sequences.possible, ~sequences.possible
            worst = outputs.masked_fill(~right, torch.inf).amin(-1)
            return (worst <= outputs.masked_fill(~wrong, -torch.inf).amax(-1)) & sequences.counted
        targets = sequences.targets
        if self.target == "classes":
            outputs, targets = outputs.softmax(-1), F.one_hot(targets, self.output_size).to(outputs)
        elif self.target == "bits":
            outputs = outputs.sigmoid()
        return ((outputs - targets).abs() >= self.tolerance).any(-1) & sequences.counted


def last_steps(lengths: Tensor, steps: int) -> Tensor:
    """Return bool (T, B), true at the last step of each sequence."""
    return torch.arange(steps)[:, None] == lengths - 1


def uniform(low: int, high: int, shape: tuple[int, ...], generator: Generator | None) -> Tensor:
    """Return whole numbers from `low` to `high`, both among them."""
    return torch.randint(low, high + 1, shape, generator=generator)
