"""`SequenceTaskModel`: any cell over a synthetic task's vectors, and one matrix that says what the task asks for."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ostinato._errors import ConfigError
from ostinato.cells.cell import State
from ostinato.data.tasks import TASKS
from ostinato.data.tasks.sequence_task import Sequences, SequenceTask
from ostinato.decoding.feeding import feed
from ostinato.layers.recurrent import Recurrent


class SequenceTaskModel(nn.Module):
    """Read vectors, run any cell over them, and give numbers, or scores of classes or bits, at the steps that count.

    >>> from ostinato.data.tasks import TASKS
    >>> task = TASKS["adding"](length=20)
    >>> model = SequenceTaskModel(task, "gru", hidden_size=8)
    >>> model(task.draw(4).inputs)[0].shape
    torch.Size([20, 4, 1])

    direct  the outputs see the inputs as well as the last layer, as in the networks of 1997.
    values  keywords of `Recurrent` and of the cell.
    """

    def __init__(
        self,
        task: SequenceTask,
        cell: Any = "lstm",
        *,
        hidden_size: int = 64,
        num_layers: int = 1,
        dropout: float = 0.0,
        direct: bool = False,
        **values: Any,
    ):
        super().__init__()
        self.task, self.direct = task, direct
        self.recurrent = Recurrent(cell, task.input_size, hidden_size, num_layers, dropout=dropout, **values)
        self.dropout = nn.Dropout(dropout)
        self.outputs = nn.Linear(self.recurrent.output_size + direct * task.input_size, task.output_size)

    def forward(
        self, inputs: Tensor, state: State = None, *, lengths: Tensor | None = None, at: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Return the outputs (T, B, O), or (N, O) at the steps where `at` (T, B) is true; and the state."""
        hidden, state = self.recurrent(inputs, state, lengths=lengths)
        seen = torch.cat([hidden, inputs], -1) if self.direct else hidden
        return self.outputs(self.dropout(seen if at is None else seen[at])), state

    def loss(self, sequences: Sequences, state: State = None) -> tuple[Tensor, int, State]:
        """Return (the loss summed over what counts, how many numbers it sums, the state after the sequences)."""
        counted = sequences.counted
        outputs, state = self(sequences.inputs, state, lengths=sequences.lengths, at=counted)
        targets = sequences.targets[counted]
        return self.task.loss(outputs.float(), targets), self.task.numbers(targets), state

    def count(self, sequences: Sequences) -> int:
        """Return how many numbers the loss of the sequences sums."""
        return self.task.numbers(sequences.targets[sequences.counted])

    def inputs(self, sequences: Sequences) -> Tensor:
        """Return what the first layer reads, (T, B, D)."""
        return sequences.inputs

    def advance(self, sequences: Sequences, state: State = None) -> State:
        """Return the state after the sequences, without outputs."""
        return self.recurrent(sequences.inputs, state, lengths=sequences.lengths)[1]

    def right(self, sequences: Sequences) -> tuple[Tensor, Tensor | None]:
        """Return the symbols that the task feeds back (T, B), the right ones, and where they may be the model's own.

        Raises ConfigError where the task feeds nothing back.
        """
        if sequences.fed is None:
            feeding = ", ".join(name for name, kind in TASKS.items() if kind.feeds_back)
            got = f"the task {type(self.task).__name__} feeds nothing back"
            raise ConfigError("--feedback", got, f"Those that do: {feeding}", "Leave it out")
        return sequences.inputs[..., self._place].argmax(-1), sequences.fed

    def fed(self, sequences: Sequences, symbols: Tensor) -> Sequences:
        """Return sequences that read `symbols` (T, B) where the task feeds back."""
        assert sequences.fed is not None
        own = F.one_hot(symbols, self.task.output_size).to(sequences.inputs)
        inputs = sequences.inputs.clone()
        inputs[..., self._place] = torch.where(sequences.fed[..., None], own, inputs[..., self._place])
        return sequences._replace(inputs=inputs)

    @property
    def _place(self) -> slice:
        """Where the inputs hold the symbol before."""
        return slice(self.task.input_size - self.task.output_size, None)

    def read(self, sequences: Sequences, state: State = None) -> tuple[Tensor, State]:
        """Return the scores (T, B, V) of each step, and the state."""
        return self(sequences.inputs, state)

    def initial_state(self, batch_size: int) -> State:
        """Return the state before the first step."""
        return self.recurrent.initial_state(batch_size)

    def plans(self) -> list[str]:
        """Return, for each layer, the engine that runs it and why."""
        return self.recurrent.plans()


@torch.no_grad()
def score(model: SequenceTaskModel, sequences: Sequences, at_once: int = 256) -> dict[str, float]:
    """Return the mean loss ("mse" or "nats"), the share of wrong outputs ("errors"), and of sequences ("wrong").

    An output is wrong as the task says; of bits each is judged by itself.
    """
    task = model.task
    total, numbers, wrong, sequences_wrong, outputs_asked = 0.0, 0, 0, 0, 0
    for part in _split(sequences, at_once):
        if part.fed is not None:
            part, _ = feed(model, part, None, None, chance=0.0, greedy=True)
        outputs, _ = model(part.inputs, lengths=part.lengths)
        targets = part.targets[part.counted]
        total += float(task.loss(outputs[part.counted].float(), targets))
        numbers += task.numbers(targets)
        mistakes = task.mistakes(outputs, part)
        sequences_wrong += int(mistakes.any(0).sum())
        if task.target == "bits":
            wrong += int(((outputs > 0) != (part.targets > 0.5))[part.counted].sum())
            outputs_asked += targets.numel()
        else:
            wrong += int(mistakes.sum())
            outputs_asked += len(targets)
    count = sequences.inputs.shape[1]
    loss = "mse" if task.target == "numbers" else "nats"
    return {
        loss: total / numbers,
        "errors": wrong / outputs_asked,
        "wrong": sequences_wrong / count,
        "sequences": count,
    }


def _split(sequences: Sequences, at_once: int) -> list[Sequences]:
    """Return the sequences in groups; the rows of a tensor are its second dimension, of lengths the first."""
    count = sequences.inputs.shape[1]

    def part(value: Any, rows: slice) -> Any:
        return value if value is None else value[rows] if value.dim() == 1 else value[:, rows]

    parts = [slice(k, k + at_once) for k in range(0, count, at_once)]
    return [Sequences(*(part(value, rows) for value in sequences)) for rows in parts]
