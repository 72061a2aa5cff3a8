"""The adding problem (Hochreiter and Schmidhuber, 1997, section 5.4; Le, Jaitly and Hinton, 2015, arXiv:1504.00941)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Generator

from ostinato.data.tasks.sequence_task import Sequences, SequenceTask, last_steps, uniform


class Adding(SequenceTask):
    """Add the two numbers that are marked, one in each half of the sequence, at its end (Le et al.).

    A step is a number uniform on 0 to 1, and 1 where it is marked, else 0. `length` is that of every sequence. To say
    1 always is off by 1/6 in the mean square (some papers print 0.1767). Solved: a mean squared error of 0.02.
    """

    input_size = 2
    output_size = 1
    target: ClassVar = "numbers"
    default_length = 150
    least_length = 2
    tolerance = 0.04
    goal = ("mse", 0.02)

    def draw(self, count: int, generator: Generator | None = None) -> Sequences:
        """Return sequences with both marks, and their sum at the last step."""
        steps, half, row = self.length, self.length // 2, torch.arange(count)
        numbers = torch.rand(steps, count, generator=generator)
        marked = torch.zeros(steps, count)
        first = uniform(0, half - 1, (count,), generator)
        second = uniform(half, steps - 1, (count,), generator)
        marked[first, row] = marked[second, row] = 1.0
        targets = torch.zeros(steps, count, 1)
        targets[-1, :, 0] = numbers[first, row] + numbers[second, row]
        counted = torch.zeros(steps, count, dtype=torch.bool)
        counted[-1] = True
        return Sequences(torch.stack([numbers, marked], -1), targets, counted)

    @property
    def chance(self) -> float:
        """The variance of the sum."""
        return 1 / 6


class Adding1997(SequenceTask):
    """Add the two numbers that are marked, one of them early, in sequences of `length` to 1.1 `length` steps (1997).

    A step is a number uniform on ±1 and a mark: 1 at one of the first ten steps and at another of the first
    `length`/2 - 1 still free, -1 at the first and the last step, else 0. Where the first step is the one marked 1, its
    number counts as zero. The target is 0.5 + (X₁ + X₂)/4. Right is an error below 0.04.
    Solved in 1997: 2,000 sequences in a row right and a mean error below 0.01; here at most 1 of 2,560 new ones wrong.
    """

    input_size = 2
    output_size = 1
    target: ClassVar = "numbers"
    default_length = 100
    least_length = 22
    tolerance = 0.04

    def draw(self, count: int, generator: Generator | None = None) -> Sequences:
        """Return sequences of several lengths, with the scaled sum at the last step of each."""
        steps, row = self.length + self.length // 10, torch.arange(count)
        lengths = uniform(self.length, steps, (count,), generator)
        numbers = 2 * torch.rand(steps, count, generator=generator) - 1
        first = uniform(0, 9, (count,), generator)
        second = uniform(0, self.length // 2 - 2, (count,), generator)
        second = second + (second >= first)  # among those still free
        marks = torch.zeros(steps, count)
        marks[0] = marks[lengths - 1, row] = -1.0
        marks[first, row] = marks[second, row] = 1.0
        numbers[0] = torch.where(marks[0] == 1, 0.0, numbers[0])
        total = 0.5 + (numbers[first, row] + numbers[second, row]) / 4
        return Sequences(
            torch.stack([numbers, marks], -1),
            total.expand(steps, count)[..., None],
            last_steps(lengths, steps),
            lengths,
        )

    @property
    def chance(self) -> float:
        """The variance of the target, the rare zero left aside."""
        return 2 / 3 / 16
