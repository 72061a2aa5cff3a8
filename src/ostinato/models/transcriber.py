"""`Transcriber`: frames of sound into a text of its own length, by a loss that needs no alignment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from ostinato._errors import ConfigError
from ostinato.cells.cell import State
from ostinato.decoding.ctc import Prior
from ostinato.decoding.prefixes import Transcripts
from ostinato.layers.recurrent import Recurrent
from ostinato.layers.stack import dropped
from ostinato.models.ctc import CtcHead


class Utterances(NamedTuple):
    """Utterances side by side."""

    inputs: Tensor
    """Frames (T, B, D), zero behind a row's end."""
    lengths: Tensor
    """Frames of each row (B,)."""
    targets: Tensor
    """Symbols of what is said (U, B), int64, anything behind a row's end."""
    target_lengths: Tensor
    """Symbols of each row (B,)."""


class Encoded(NamedTuple):
    """What an encoder makes of frames."""

    outputs: Tensor
    """(T, B, E), T being the stacked frames."""
    lengths: Tensor
    """Steps of each row (B,)."""
    state: State
    """After the last step; None where frames are read backwards too."""


class Streaming(Protocol):
    """Writes symbols as steps of an encoder come."""

    def push(self, outputs: Tensor) -> list[int]:
        """Return the symbols that steps (t, 1, E) add."""
        ...


class Head(Protocol):
    """What writes symbols from an encoder's steps."""

    def losses(self, outputs: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
        """Return the nats (B,) of targets (U, B), 0 of a row whose target does not fit."""
        ...

    def fits(self, lengths: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
        """Return bool (B,): whether targets can be written in so many steps."""
        ...

    def write(
        self, outputs: Tensor, lengths: Tensor, *, width: int, n_best: int, prior: Prior | None, bonus: float
    ) -> Transcripts:
        """Return the symbols found in outputs (T, B, E): the `n_best` of `width` that are kept side by side."""
        ...

    def stream(self) -> Streaming:
        """Return what writes symbols as steps come."""
        ...


class Transcriber(nn.Module):
    """Read frames, some side by side, run any cell over them, and write symbols by a head: CTC unless told.

    >>> model = Transcriber(12, 40, "gru", blank=0, hidden_size=8, stack=3)
    >>> frames = torch.zeros(10, 2, 40)
    >>> encoded = model.encode(frames, torch.tensor([10, 4]))
    >>> encoded.outputs.shape, encoded.lengths
    (torch.Size([4, 2, 16]), tensor([4, 2]))

    symbols   how many there are, the blank among them.
    blank     the number of the blank, which no text contains.
    stack     frames that follow each other and are read as one step; zeros after the last.
    noise     deviation of what is added to frames while learning (Graves et al., 2006, section 5.1).
    dropout   between layers and before the head, while learning; with `variational` alike at all steps.
    head      makes what stands in place of CTC from the encoder's size: `lambda size: TransducerHead(size, …)`.
    alone     makes a module (T, B, D) → (T, B, E) with `output_size` that reads each step by itself, in place of the
              recurrence.
    values    further keywords of `Recurrent` and of the cell.

    Raises ConfigError for sizes that do not fit.
    """

    def __init__(
        self,
        symbols: int,
        input_size: int,
        cell: Any = "lstm",
        *,
        blank: int = 0,
        hidden_size: int = 128,
        num_layers: int = 1,
        bidirectional: bool = True,
        stack: int = 1,
        noise: float = 0.0,
        dropout: float = 0.0,
        head: Callable[[int], nn.Module] | None = None,
        alone: Callable[[int], nn.Module] | None = None,
        **values: Any,
    ):
        super().__init__()
        _check(symbols, blank, stack, noise)
        self.stack, self.noise = stack, noise
        self.dropout, self.variational = dropout, values.get("variational", False)
        width = input_size * stack
        self.alone: Any = None if alone is None else alone(width)
        if alone is None:
            self.recurrent = Recurrent(
                cell, width, hidden_size, num_layers, bidirectional=bidirectional, dropout=dropout, **values
            )
        size: int = (self.alone or self.recurrent).output_size
        self.head: Any = CtcHead(size, symbols, blank) if head is None else head(size)

    def encode(self, inputs: Tensor, lengths: Tensor | None = None, state: State = None) -> Encoded:
        """Return what the head reads, by `forward`, which runs in the precision of a run."""
        return self(inputs, lengths, state)

    def forward(self, inputs: Tensor, lengths: Tensor | None = None, state: State = None) -> Encoded:
        """Read frames (T, B, D), those of a row beyond its length being zero; from `state`, those that follow it."""
        if lengths is None:
            lengths = torch.full((inputs.shape[1],), inputs.shape[0], device=inputs.device)
        steps, read = self.steps(lengths), self.read(inputs)
        if self.alone is not None:
            outputs, state = self.alone(read), None
        else:
            outputs, state = self.recurrent(read, state, lengths=steps)
        if self.training and self.dropout:
            outputs = dropped(outputs, self.dropout, self.variational)
        return Encoded(outputs, steps, state if self.reads_forward else None)

    def steps(self, lengths: Tensor) -> Tensor:
        """Return how many steps (B,) so many frames are read in."""
        return (lengths + self.stack - 1) // self.stack

    @property
    def reads_forward(self) -> bool:
        """Whether a step depends on nothing after it."""
        return self.alone is not None or not self.recurrent.bidirectional

    def read(self, inputs: Tensor) -> Tensor:
        """Return what the first layer reads, (⌈T / stack⌉, B, stack · D)."""
        if self.training and self.noise:
            inputs = inputs + self.noise * torch.randn_like(inputs)
        return stacked(inputs, self.stack)

    def inputs(self, batch: Utterances) -> Tensor:
        """Return what the first layer reads of a batch."""
        return self.read(batch.inputs)

    def loss(self, batch: Utterances, state: State = None) -> tuple[Tensor, int, State]:
        """Return (the nats summed over all symbols, how many these are, the state after the batch)."""
        encoded = self.encode(batch.inputs, batch.lengths, state)
        return self.losses(encoded, batch).sum(), self.count(batch), encoded.state

    def losses(self, encoded: Encoded, batch: Utterances) -> Tensor:
        """Return the nats (B,) of each text, 0 of one that does not fit."""
        return self.head.losses(encoded.outputs, encoded.lengths, batch.targets, batch.target_lengths)

    def count(self, batch: Utterances) -> int:
        """Return how many symbols the loss of the batch sums: those of the texts that fit."""
        return int(batch.target_lengths[self.fits(batch)].sum())

    def fits(self, batch: Utterances) -> Tensor:
        """Return bool (B,): whether a text can be written in the steps of its sound."""
        return self.head.fits(self.steps(batch.lengths), batch.targets, batch.target_lengths)

    def advance(self, batch: Utterances, state: State = None) -> State:
        """Return the state after the batch."""
        return self.encode(batch.inputs, batch.lengths, state).state

    def initial_state(self, batch_size: int) -> State:
        """Return the state before the first step, None where none is carried on."""
        carried = self.alone is None and not self.recurrent.bidirectional
        return self.recurrent.initial_state(batch_size) if carried else None

    def plans(self) -> list[str]:
        """Return, for each layer, the engine that runs it and why."""
        return ["none (each step is read by itself)"] if self.alone is not None else self.recurrent.plans()

    def stream(self) -> FrameStream:
        """Return what writes symbols as frames come. Raises ConfigError where frames are read backwards too."""
        return FrameStream(self)


class FrameStream:
    """A transcriber in use on one utterance, its state carried: the same symbols as from the whole, as they come."""

    def __init__(self, model: Transcriber):
        if not model.reads_forward:
            got, advice = "a model of two directions", "Train one with --directions 1"
            raise ConfigError("stream", got, "What is read backwards begins at its end", advice)
        self._model, self._state, self._writer = model, model.initial_state(1), model.head.stream()
        self._waiting: Tensor | None = None

    @torch.no_grad()
    def push(self, frames: Tensor) -> list[int]:
        """Return the symbols that frames (t, D) add; those that do not fill a step wait for others."""
        waiting = frames if self._waiting is None else torch.cat([self._waiting, frames])
        whole = len(waiting) - len(waiting) % self._model.stack
        self._waiting = waiting[whole:]
        return self._write(waiting[:whole])

    @torch.no_grad()
    def finish(self) -> list[int]:
        """Return the symbols that the frames left over add; nothing comes after them."""
        waiting, self._waiting = self._waiting, None
        return [] if waiting is None else self._write(waiting)

    def _write(self, frames: Tensor) -> list[int]:
        if not len(frames):
            return []
        encoded = self._model.encode(frames[:, None], None, self._state)
        self._state = encoded.state
        return self._writer.push(encoded.outputs)


def stacked(frames: Tensor, count: int) -> Tensor:
    """Return `count` frames side by side in each step, zeros after the last: (T, B, D) → (⌈T / count⌉, B, count · D).

    >>> stacked(torch.tensor([1.0, 2.0, 3.0]).reshape(3, 1, 1), 2)[:, 0].tolist()
    [[1.0, 2.0], [3.0, 0.0]]
    """
    if count == 1:
        return frames
    steps, rows, width = frames.shape
    missing = -steps % count
    padded = torch.cat([frames, frames.new_zeros(missing, rows, width)]) if missing else frames
    return padded.unflatten(0, (-1, count)).transpose(1, 2).flatten(2)


def _check(symbols: int, blank: int, stack: int, noise: float) -> None:
    if symbols < 2 or not 0 <= blank < symbols:
        got = f"{symbols} symbols, of which the blank is number {blank}"
        raise ConfigError("symbols", got, "There is at least one beside the blank, whose number is one of them")
    if stack < 1:
        raise ConfigError("--stack", f"{stack} was given", "It is a whole number from 1")
    if not 0 <= noise < float("inf"):
        raise ConfigError("--noise", f"{noise:g} was given", "It is 0 or more, and finite")
