"""Temporal order (Hochreiter and Schmidhuber, 1997, section 5.6): which came first, long ago?"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Generator
from torch.nn import functional as F

from ostinato.data.tasks.sequence_task import Sequences, SequenceTask, last_steps, uniform

A, D, X, E, B = 0, 3, 4, 6, 7  # of a, b, c, d, X, Y, E, B


class TemporalOrder(SequenceTask):
    """Task 6a: name the order of two symbols, each X or Y, at the end of a sequence of distractors.

    A sequence is E, distractors among a, b, c, d, and B. Its length is `length` to 1.1 `length`; one symbol stands at
    0.1 to 0.2 `length`, the other at 0.5 to 0.6, counted from 0. There are four classes. Right is an error below 0.3 of
    each class's probability. Solved in 1997: 2,000 sequences in a row right and a mean error below 0.1; here at most 1
    of 2,560 new ones wrong.
    """

    input_size = 8
    output_size = 4
    target: ClassVar = "classes"
    default_length = 100
    least_length = 10
    tolerance = 0.3
    places: ClassVar[tuple[int, ...]] = (10, 50)
    """Where the window of each symbol begins, in hundredths of `length`; it is a tenth of `length` long."""

    def draw(self, count: int, generator: Generator | None = None) -> Sequences:
        """Return one-hot sequences with their class at the last step."""
        tenth = self.length // 10
        steps, row = self.length + tenth, torch.arange(count)
        lengths = uniform(self.length, steps, (count,), generator)
        symbols = uniform(A, D, (steps, count), generator)
        symbols[0] = E
        symbols[lengths - 1, row] = B
        classes = torch.zeros(count, dtype=torch.int64)
        for place in self.places:
            begin = place * self.length // 100
            which = uniform(0, 1, (count,), generator)
            symbols[uniform(begin, begin + tenth, (count,), generator), row] = X + which
            classes = 2 * classes + which
        inputs = F.one_hot(symbols, self.input_size).float()
        return Sequences(inputs, classes.expand(steps, count), last_steps(lengths, steps), lengths)

    @property
    def chance(self) -> float:
        """All classes are as likely."""
        return math.log(self.output_size)


class TemporalOrder3(TemporalOrder):
    """Task 6b: the order of three symbols, at 0.1 to 0.2, 0.33 to 0.43 and 0.66 to 0.76 of `length`; eight classes."""

    output_size = 8
    places = (10, 33, 66)
