"""The layers' door: batch-first, unbatched, packed and jagged inputs become (T, B, D) with lengths, and go back."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from ostinato._errors import ConfigError

Sequences = Tensor | PackedSequence
Leave = Callable[[Tensor], Sequences]


def enter(inputs: Sequences, lengths: Tensor | None, batch_first: bool) -> tuple[Tensor, Tensor | None, Leave]:
    """Return (inputs (T, B, D), lengths, the function that gives outputs (T, B, O) the form of the inputs).

    ConfigError where lengths are given beside a form that has its own.
    """
    carries_lengths = isinstance(inputs, PackedSequence) or inputs.is_nested
    if carries_lengths and lengths is not None:
        raise ConfigError(
            "lengths",
            "given beside a packed or jagged input",
            "Such an input has its own lengths",
            "Leave lengths out",
        )
    if isinstance(inputs, PackedSequence):
        padded, own = pad_packed_sequence(inputs)
        return padded, own, lambda outputs: _packed_like(inputs, outputs)
    if inputs.is_nested:
        return _from_jagged(inputs)
    if batch_first:
        return inputs.transpose(0, 1), lengths, lambda outputs: outputs.transpose(0, 1)
    return inputs, lengths, lambda outputs: outputs


def _packed_like(packed: PackedSequence, outputs: Tensor) -> PackedSequence:
    batch = outputs.shape[1]
    order = torch.arange(batch) if packed.sorted_indices is None else packed.sorted_indices
    index = torch.cat([t * batch + order[:n] for t, n in enumerate(packed.batch_sizes.tolist())])
    data = outputs.flatten(0, 1).index_select(0, index.to(outputs.device))
    return PackedSequence(data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices)


def _from_jagged(inputs: Tensor) -> tuple[Tensor, Tensor, Leave]:
    if inputs.layout != torch.jagged:
        raise ConfigError(
            "inputs",
            "a nested tensor of strided layout",
            "The jagged layout is read",
            "Build it with layout=torch.jagged",
        )
    offsets: Tensor = inputs.offsets()  # type: ignore[attr-defined]
    lengths = offsets.diff()
    batch, steps = len(lengths), int(lengths.max()) if len(lengths) else 0
    rows = torch.repeat_interleave(torch.arange(batch, device=offsets.device), lengths)
    times = torch.arange(len(rows), device=offsets.device) - offsets[:-1].repeat_interleave(lengths)
    index = times * batch + rows
    values = inputs.values()
    padded = values.new_zeros(steps * batch, values.shape[-1]).index_copy(0, index, values).view(steps, batch, -1)

    def leave(outputs: Tensor) -> Tensor:
        return torch.nested.nested_tensor_from_jagged(outputs.flatten(0, 1).index_select(0, index), offsets)

    return padded, lengths, leave
