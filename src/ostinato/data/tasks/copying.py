"""Copying (Hochreiter and Schmidhuber, 1997; Arjovsky, Shah and Bengio, 2016, arXiv:1511.06464, section 4.1)."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Generator
from torch.nn import functional as F

from ostinato.data.tasks.sequence_task import Sequences, SequenceTask, uniform

SYMBOLS, LETTERS = 10, 8
BLANK, MARK = 8, 9


class Copying(SequenceTask):
    """Say ten letters of eight again, after `length` blanks and a mark; until then, say blank (Arjovsky et al.).

    A sequence is 10 letters, `length` - 1 blanks, the mark, 10 blanks. To say blanks, and then letters at random, costs
    10 log 8 / (length + 20) nats a step: several published losses are just that. Right is a probability of more than
    half for the right symbol at every step.
    """

    input_size = SYMBOLS
    output_size = SYMBOLS - 1
    target: ClassVar = "classes"
    default_length = 100

    def draw(self, count: int, generator: Generator | None = None) -> Sequences:
        """Return one-hot sequences and the symbol to say at each step."""
        letters = uniform(0, LETTERS - 1, (10, count), generator)
        steps = self.length + 20
        symbols = torch.full((steps, count), BLANK)
        symbols[:10] = letters
        symbols[-11] = MARK
        targets = torch.full((steps, count), BLANK)
        targets[-10:] = letters
        counted = torch.ones(steps, count, dtype=torch.bool)
        return Sequences(F.one_hot(symbols, SYMBOLS).float(), targets, counted)

    @property
    def chance(self) -> float:
        """Blanks, then letters at random."""
        return 10 * math.log(LETTERS) / (self.length + 20)


class CopyingBits(SequenceTask):
    """Say twenty rows of seven bits again, `length` steps after the last (the copy task of Zucchet's minimal LRU).

    A step is seven bits, a mark of the pattern's end, and a mark while the answer is asked for; the pattern takes 20
    steps, the wait `length`, the answer 20. Solved: 99 % of the bits right (there: 100 % in 2 to 4 epochs).
    """

    input_size = 9
    output_size = 7
    target: ClassVar = "bits"
    default_length = 8
    goal = ("errors", 0.01)

    def draw(self, count: int, generator: Generator | None = None) -> Sequences:
        """Return bits and marks, and the bits to say at the last 20 steps."""
        bits = uniform(0, 1, (20, count, 7), generator).float()
        steps = 40 + self.length
        inputs = torch.zeros(steps, count, self.input_size)
        inputs[:20, :, :7] = bits
        inputs[19, :, 7] = 1.0
        inputs[-20:, :, 8] = 1.0
        targets = torch.zeros(steps, count, 7)
        targets[-20:] = bits
        counted = torch.zeros(steps, count, dtype=torch.bool)
        counted[-20:] = True
        return Sequences(inputs, targets, counted)

    @property
    def chance(self) -> float:
        """A bit costs a bit."""
        return math.log(2)
