"""Long time lags without and with noise (Hochreiter and Schmidhuber, 1997, section 5.2, tasks 2a and 2b)."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from ostinato.data.tasks.sequence_task import Sequences, SequenceTask, uniform


class NoiseFreeLag(SequenceTask):
    """Task 2a: predict each next symbol of x a₁ … x or of y a₁ … y; the last can be known from the first alone.

    `length` is p: p - 1 symbols stand between, and there are p + 1 in all. Right is an error below 0.25 of each
    symbol's probability, at every step. Solved in 1997: 10,000 sequences in a row right; here none of 2,560 wrong.
    """

    target: ClassVar = "classes"
    default_length = 100
    least_length = 2
    tolerance = 0.25
    goal = ("wrong", 0.0)

    @property
    def input_size(self) -> int:  # type: ignore[override]
        """One of each symbol."""
        return self.length + 1

    @property
    def output_size(self) -> int:  # type: ignore[override]
        """One of each symbol."""
        return self.length + 1

    def draw(self, count: int, generator: Generator | None = None) -> Sequences:
        """Return sequences without their last symbol, and at each step the next one."""
        ends = self.length - 1 + uniform(0, 1, (1, count), generator)
        string = torch.cat([ends, self.between(count, generator), ends])
        inputs = F.one_hot(string[:-1], self.input_size).float()
        return Sequences(inputs, string[1:], torch.ones(self.length, count, dtype=torch.bool))

    def between(self, count: int, generator: Generator | None) -> Tensor:
        """Return the symbols that stand between, (p - 1, count): here the same in every sequence."""
        return torch.arange(self.length - 1)[:, None].expand(-1, count)

    @property
    def chance(self) -> float:
        """The first end alone is not known: one bit, shared among all steps."""
        return math.log(2) / self.length


class RandomFiller(NoiseFreeLag):
    """Task 2b: as 2a, with random symbols between, which nothing predicts; only the last symbol must be right."""

    def between(self, count: int, generator: Generator | None) -> Tensor:
        """Return symbols at random."""
        return uniform(0, self.length - 2, (self.length - 1, count), generator)

    def mistakes(self, outputs: Tensor, sequences: Sequences) -> Tensor:
        """Return bool (T, B), true only where the last output is wrong."""
        wrong = super().mistakes(outputs, sequences)
        wrong[:-1] = False
        return wrong

    @property
    def chance(self) -> float:
        """What nothing predicts, and one bit."""
        return (math.log(2) + (self.length - 1) * math.log(self.length - 1)) / self.length
