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
    if not isinstance(inputs, Tensor | PackedSequence):
        given = f"{type(inputs).__name__}, not a tensor"
        raise ConfigError("inputs", given, "Inputs are a tensor, a PackedSequence or a jagged nested tensor")
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
        return turn("inputs", inputs), lengths, lambda outputs: outputs.transpose(0, 1)
    return inputs, lengths, lambda outputs: outputs


def turn(name: str, value: Tensor) -> Tensor:
    """Return (T, B, …) for (B, T, …); ConfigError where there are no two axes to turn."""
    if not isinstance(value, Tensor) or value.dim() < 2:
        got = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
        raise ConfigError(name, got, "With batch_first its first axes are (B, T): rows, steps")
    return value.transpose(0, 1)


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
    if inputs.dim() != 3 or not isinstance(inputs.shape[1], torch.SymInt):
        raise ConfigError("inputs", f"shape {tuple(inputs.shape)}", "A jagged input is (B, T, D), ragged in T")
    offsets: Tensor = inputs.offsets()  # type: ignore[attr-defined]
    values: Tensor = inputs.values()
    lengths: Tensor | None = inputs.lengths()  # type: ignore[attr-defined]  # given where rows have gaps between them
    gaps = lengths is not None
    if lengths is None:
        lengths = offsets.diff()
    batch, steps = len(lengths), int(lengths.max()) if len(lengths) else 0
    rows = torch.repeat_interleave(torch.arange(batch, device=offsets.device), lengths)
    ends = lengths.cumsum(0)
    times = torch.arange(len(rows), device=offsets.device) - (ends - lengths)[rows]
    index = times * batch + rows
    if gaps:
        values = values.index_select(0, offsets[:-1][rows] + times)
        offsets = torch.cat([ends.new_zeros(1), ends])
    padded = values.new_zeros(steps * batch, values.shape[-1]).index_copy(0, index, values)

    def leave(outputs: Tensor) -> Tensor:
        return torch.nested.nested_tensor_from_jagged(outputs.flatten(0, 1).index_select(0, index), offsets)

    return padded.view(steps, batch, values.shape[-1]), lengths, leave
