"""Noisy copying: a sequence that the model is to write by itself, under scheduled sampling (arXiv:1506.03099)."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from ostinato.data.tasks.sequence_task import Sequences, SequenceTask, uniform

LETTERS, KEY = 16, 5
NOISE = 0.6
"""Chance that the letter heard is drawn anew."""


class NoisyCopy(SequenceTask):
    """Say a round of five letters again and again, for `length` steps, from a place in it that is hard to hear.

    Five different letters of sixteen are read; then the round goes on from a place drawn by chance. At each step the
    right letter is heard, but three times in five one is drawn in its stead, and the letter said before is read. While
    what is read is right, the round follows from it and the ear is of no use; a model that reads what it said itself,
    and said a wrong letter at first, has to hear where it is. It is tested on what it says by itself, at twice the
    length. Right is the letter with the highest score.

    Not published: an instance of what Bengio et al. describe.
    """

    input_size = 2 * LETTERS
    output_size = LETTERS
    target: ClassVar = "classes"
    default_length = 12
    feeds_back: ClassVar = True
    goal = ("errors", 0.0)

    def draw(self, count: int, generator: Generator | None = None) -> Sequences:
        """Return one-hot letters heard and letters said before, (T, B, 32), and the letter to say at each step."""
        key = torch.rand(LETTERS, count, generator=generator).argsort(0)[:KEY]
        place = uniform(0, KEY - 1, (count,), generator) + torch.arange(self.length)[:, None]
        letters = torch.cat([key, key.gather(0, place % KEY)])
        steps = len(letters)
        wrong = torch.rand(steps, count, generator=generator) < NOISE
        heard = torch.where(wrong, uniform(0, LETTERS - 1, (steps, count), generator), letters)
        before = F.one_hot(letters.roll(1, 0), LETTERS)
        before[0] = 0
        counted, fed = self._from(KEY, letters), self._from(KEY + 1, letters)
        inputs = torch.cat([F.one_hot(heard, LETTERS), before], -1).float()
        return Sequences(inputs, letters, counted, possible=F.one_hot(letters, LETTERS).bool(), fed=fed)

    @property
    def chance(self) -> float:
        """A letter at random."""
        return math.log(LETTERS)

    @staticmethod
    def _from(step: int, like: Tensor) -> Tensor:
        """Return bool (T, B), true from a step on."""
        return (torch.arange(len(like)) >= step)[:, None].expand(like.shape).contiguous()
