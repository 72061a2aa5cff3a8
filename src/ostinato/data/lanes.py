"""Lanes: a stream cut into rows read side by side, so that a state carries from one segment to the next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ostinato._errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from ostinato.data.streams import TokenStream


class Segment(NamedTuple):
    """`T` steps of `B` lanes: what a model reads, what it should predict, and where its state starts anew."""

    inputs: Tensor
    """Symbols (T, B), int64."""
    targets: Tensor
    """The symbol after each input (T, B), int64."""
    reset: Tensor | None
    """Bool (T, B): true where the input is a boundary; None where there is none."""

    def steps(self, first: int, last: int) -> Segment:
        """Return steps [first, last) of all lanes."""
        reset = None if self.reset is None else self.reset[first:last]
        return Segment(self.inputs[first:last], self.targets[first:last], reset)


class Lanes:
    """Cuts a stream into `batch_size` contiguous rows read side by side, so that a state carries on.

    Lane `b` reads the symbols from `b * length`; together they read all of the stream but the last few
    symbols that do not fill a step. The loop it stands for:

        state = None
        for position in range(0, lanes.length, T):
            inputs, targets, reset = lanes.segment(position, T)
            state = train_on(inputs, targets, reset, state)

    At position 0 every lane begins with the initial state, whatever it reads, so a boundary there asks for no
    reset: a stream of one document never resets, and may run on engines that cannot.

    Raises ConfigError for a batch size below 1, and when a lane would be shorter than `segment_length`.
    """

    def __init__(self, stream: TokenStream, batch_size: int, *, segment_length: int = 1):
        for name, value in (("batch size", batch_size), ("segment length", segment_length)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ConfigError(name, f"{value!r}", "Possible: a whole number from 1")
        needed = batch_size * segment_length + 1
        if len(stream) < needed:
            raise _too_short(stream, batch_size, segment_length)
        self.stream = stream
        self.batch_size = batch_size
        self.length = (len(stream) - 1) // batch_size
        self.rows = batch_size
        self.first, self.last = 0, batch_size

    def part(self, first: int, last: int) -> Lanes:
        """Return lanes [first, last) alone, each the one it is here."""
        lanes = Lanes(self.stream, self.batch_size)
        lanes.first, lanes.last = self.first + first, self.first + last
        return lanes

    def begin(self, reading: int) -> None:
        """Do nothing: every reading of a text is the same."""

    def segment(self, position: int, length: int) -> Segment:
        """Read `length` steps from step `position`, fewer at the end; ConfigError outside of the lanes."""
        import torch  # here, so that preparing a text does without

        if not 0 <= position < self.length or length < 1:
            got = f"{length} steps from step {position}"
            raise ConfigError("segment", got, f"The lanes have the steps 0 to {self.length - 1}")
        lanes = np.arange(self.first, self.last) * self.length
        rows = self.stream.read(lanes + position, min(length, self.length - position) + 1)
        reset = (rows[:, :-1] == self.stream.boundary).T.copy()
        if position == 0:
            reset[0] = False
        symbols = torch.from_numpy(rows.T.astype(np.int64, order="C"))
        return Segment(symbols[:-1], symbols[1:], torch.from_numpy(reset) if reset.any() else None)

    def segments(self, length: int, start: int = 0) -> Iterator[Segment]:
        """Read all segments of `length` steps from step `start` on, the last one as short as it is."""
        for position in range(start, self.length, length):
            yield self.segment(position, length)


def _too_short(stream: TokenStream, batch_size: int, segment_length: int) -> ConfigError:
    usable = len(stream) - 1
    needed = batch_size * segment_length + 1
    smaller = [f"the batch size to {usable // segment_length}"] if usable >= segment_length else []
    smaller += [f"the segment length to {usable // batch_size}"] if usable >= batch_size else []
    lower = f"Lower {' or '.join(smaller)}" if smaller else "Lower the batch size and the segment length"
    return ConfigError(
        f"the {stream.path.stem} part of the text",
        f"{len(stream)} symbols",
        f"{batch_size} lanes of {segment_length} steps need {needed}",
        f"{lower}, or use more text",
    )
