"""Whether a program gives what the step gives that it was read from: values and gradients, of one row and of several.

A graph does not say everything: a backward of one's own (`torch.autograd.Function`) is not in it, nor what the step
does for a single row only, nor what it decides by dice that Python throws.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ostinato.cells.reading.rows import Unreadable
from ostinato.cells.reading.step import Reading
from ostinato.cells.reading.tracing import Traced, drawn, undisturbed
from ostinato.equations.torch_reader import compile_torch


def check_agreement(reading: Reading, traced: Traced) -> None:
    """Take one step both ways, with random numbers; Unreadable where they differ by more than rounding."""
    with undisturbed(traced.like.device.type):
        _check(reading, traced)


def _check(reading: Reading, traced: Traced) -> None:
    cell = traced.step.cell
    own = [p for p in cell.parameters() if p.requires_grad]
    run = compile_torch(reading.fused, reading.numbers)
    for rows in (1, 2):
        x, leaves, times = drawn(cell, traced.leaves.values(), traced.like, rows)
        inputs = [t.requires_grad_() for t in (x, *leaves, *times)]
        output, after = traced.step(x, leaves, times)
        wanted = [output, *reading.parts(after)]
        states = zip((s.name for s in reading.fused.states), reading.parts(leaves), strict=True)
        dt = {"dt": times[0].unsqueeze(-1)} if times else {}
        found = run({"x": x, **dict(states), **dt, **reading.tensors(cell)})
        if not _are_close(found, wanted):
            raise Unreadable("its step does something else than the operations it is made of, for one row or at random")
        if not _are_close(_gradients(found, [*inputs, *own]), _gradients(wanted, [*inputs, *own])):
            raise Unreadable("its gradients are not those of its operations, as with a backward of one's own")


def _gradients(values: Sequence[Tensor], inputs: Sequence[Tensor]) -> list[Tensor]:
    source = torch.Generator().manual_seed(0)
    weighted = [(v * torch.rand(v.shape, generator=source).to(v)).sum() for v in values if v.requires_grad]
    found: Sequence[Tensor | None] = [None] * len(inputs)
    if weighted:  # tensors of the cell may be made of others, once for all gradients
        found = torch.autograd.grad(weighted, inputs, allow_unused=True, retain_graph=True)
    return [torch.zeros_like(i) if g is None else g for g, i in zip(found, inputs, strict=True)]


def _are_close(found: Sequence[Tensor], wanted: Sequence[Tensor]) -> bool:
    return all(f.shape == w.shape and _is_close(f.detach(), w.detach()) for f, w in zip(found, wanted, strict=True))


def _is_close(found: Tensor, wanted: Tensor) -> bool:
    near = 10 * torch.finfo(wanted.dtype).eps ** 0.5
    found, wanted = found.nan_to_num(nan=1e3), wanted.nan_to_num(nan=1e3)
    return not wanted.numel() or bool((found - wanted).abs().max() <= near * (1 + wanted.abs().max()))
