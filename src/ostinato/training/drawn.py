"""Sequences of a task as the loop reads them: drawn anew for each reading, whole or window by window."""

from __future__ import annotations

from torch import Generator

from ostinato.data.tasks import Sequences, SequenceTask
from ostinato.training.gradient import Full, Method
from ostinato.training.gradient.method import Around
from ostinato.training.gradient.rows import rows_of


class Drawn:
    """Sequences read whole, drawn from torch's own generator, whose state a checkpoint keeps."""

    length = 1  # of a reading, after which the state is the initial one

    def __init__(self, task: SequenceTask, batch_size: int, rows: tuple[int, int] | None = None):
        self.task, self.rows, self.own = task, batch_size, rows or (0, batch_size)

    def begin(self, reading: int) -> None:
        """Do nothing: what is drawn follows from the generator alone."""

    def segment(self, position: int, length: int) -> Sequences:
        """Return fresh sequences."""
        return rows_of(self.task.draw(self.rows), *self.own)

    def part(self, first: int, last: int) -> Drawn:
        """Return rows [first, last) alone; all are drawn, so that each is the one it is among all."""
        return Drawn(self.task, self.rows, (first, last))


class Readings:
    """Sequences read in windows, those of reading k drawn from (seed, k): a run that goes on in the midst of a reading
    finds the same ones."""

    def __init__(self, task: SequenceTask, batch_size: int, seed: int, rows: tuple[int, int] | None = None):
        self.task, self.rows, self.seed, self.own = task, batch_size, seed, rows or (0, batch_size)
        self.begin(0)

    def begin(self, reading: int) -> None:
        """Draw the sequences of a reading."""
        generator = Generator().manual_seed(hash((self.seed, reading)) % 2**63)
        self.sequences = rows_of(self.task.draw(self.rows, generator), *self.own)
        self.length = self.sequences.inputs.shape[0]

    def segment(self, position: int, length: int) -> Sequences:
        """Return steps of all sequences."""
        return self.sequences.steps(position, min(position + length, self.length))

    def part(self, first: int, last: int) -> Readings:
        """Return rows [first, last) alone; all are drawn, so that each is the one it is among all."""
        return Readings(self.task, self.rows, self.seed, (first, last))


def lanes_of(method: Method, task: SequenceTask, batch_size: int, seed: int) -> Drawn | Readings:
    """Return what a run with this method reads."""
    found = method
    while isinstance(found, Around):
        found = found.method
    return Drawn(task, batch_size) if isinstance(found, Full) else Readings(task, batch_size, seed)
