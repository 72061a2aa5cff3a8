"""Several processes in one run: each reads its share of the rows, and all take the same step.

After the gradient of its own rows, a process adds it to those of the others, once and as one row of numbers. A network
that is unrolled over time knows no gradient before the last: there is nothing to send earlier.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, distributed, nn

from ostinato._errors import RunError
from ostinato.training.gradient import Backward, Learns, State, Window, map_state
from ostinato.training.gradient.method import Around

_GONE = ("Connection closed by peer", "Connection reset by peer", "Broken pipe")
"""What gloo says, in a RuntimeError, when another process is gone."""


class Processes:
    """The processes of a run. Every method but `share` and `stream` is called by all of them at the same moment."""

    def __init__(self, accelerator: Accelerator):
        self.count, self.rank, self.device = accelerator.num_processes, accelerator.process_index, accelerator.device

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes and prints."""
        return self.rank == 0

    def share(self, rows: int) -> tuple[int, int]:
        """Return which of `rows` rows are this process': first, and one after the last."""
        each = rows // self.count
        return self.rank * each, (self.rank + 1) * each

    def most(self, *flags: int) -> tuple[int, ...]:
        """Return of each flag the largest that a process has."""
        if self.count == 1:
            return flags
        found = torch.tensor(flags, dtype=torch.int64)
        distributed.all_reduce(found, distributed.ReduceOp.MAX)
        return tuple(found.tolist())

    def told(self, value: Any, source: int = 0) -> Any:
        """Return what the process `source` has as `value`: anything that JSON can hold."""
        if self.count == 1:
            return value
        content = torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8)
        size = torch.tensor(len(content))
        distributed.broadcast(size, source)
        content = content if self.rank == source else torch.empty(int(size), dtype=torch.uint8)
        distributed.broadcast(content, source)
        return json.loads(bytes(content.tolist()))

    def first_found(self, value: Any) -> Any:
        """Return the value of the first process that has one; None where none has."""
        (found,) = self.most(0 if value is None else self.count - self.rank)
        return self.told(value, self.count - found) if found else None

    def gathered(self, state: State) -> State:
        """Return the rows of all processes, in order."""
        return state if self.count == 1 else map_state(self._gathered, state)

    def begin_alike(self, model: nn.Module) -> None:
        """Give every process the weights of the first."""
        if self.count > 1:
            for tensor in model.state_dict().values():
                distributed.broadcast(tensor, 0)

    def add_up(self, parameters: Iterable[nn.Parameter], nats: Tensor, count: int) -> tuple[Tensor, int]:
        """Replace each gradient by its mean over processes, weighted by their counts; return the sums of both.

        A gradient that some process has not (it has counted no symbol) counts there as zero.
        """
        learned = [p for p in parameters if p.requires_grad]
        total, *having = self._sums(count, *(p.grad is not None for p in learned))
        found, weight = [p for p, n in zip(learned, having, strict=True) if n], count / max(1, total)
        parts = [torch.zeros_like(p) if p.grad is None else p.grad * weight for p in found]
        numbers = torch.cat([*map(torch.flatten, parts), nats.reshape(1).float()])
        distributed.all_reduce(numbers)
        *gradients, summed = numbers.split([*(p.numel() for p in found), 1])
        for parameter, gradient in zip(found, gradients, strict=True):
            parameter.grad = gradient.view_as(parameter)
        return summed[0], total

    @contextmanager
    def stream(self, seed: int, step: int) -> Iterator[None]:
        """Draw by chance inside as no other process does, and leave torch's generator the same in all of them."""
        if self.count == 1:
            yield
            return
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(((seed * 1_000_003 + step) * 65_537 + self.rank) % 2**63)
            yield

    def _sums(self, *counts: int) -> list[int]:
        found = torch.tensor(counts, dtype=torch.int64)
        distributed.all_reduce(found)
        return found.tolist()

    def _gathered(self, leaf: Tensor) -> Tensor:
        parts = [torch.empty_like(leaf) for _ in range(self.count)]
        distributed.all_gather(parts, leaf.contiguous())
        return torch.cat(parts)


@contextmanager
def others_lost(processes: Processes, folder: Path) -> Iterator[None]:
    """Turn what fails because another process is gone into a RunError."""
    try:
        yield
    except RuntimeError as error:
        gone = isinstance(error, distributed.DistError) or any(said in str(error) for said in _GONE)
        if processes.count == 1 or not gone:
            raise
        kept = "What was saved is kept"
        raise RunError(str(folder), "another process of this run has ended", kept, "Go on with --resume") from None


@dataclass(frozen=True)
class Shared(Around):
    """A gradient method whose rows lie in several processes: each takes it of its own, then they add them up."""

    processes: Processes

    def accumulate(
        self, model: Learns, segment: Any, window: Window, state: State, backward: Backward
    ) -> tuple[Tensor, int, State]:
        """Set the gradient of the mean over the rows of all processes; returns their loss and count, and the own state.

        A process with more symbols weighs more: g = Σ count_r g_r / Σ count_r.
        """
        assert isinstance(model, nn.Module)
        nats, count, state = self.method.accumulate(model, segment, window, state, backward)
        return *self.processes.add_up(model.parameters(), nats, count), state
