"""Which units of any model follow what stands beside the steps of its sequences, or is known of whole ones.

As in a text (`units`), a unit is chosen by one half and judged by the other; here the halves are of sequences, so that
nothing of one is in both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from ostinato._errors import ConfigError, DataError
from ostinato.diagnostics.halves import Halves
from ostinato.diagnostics.intermediates import state_names
from ostinato.diagnostics.taps import Tap, as_row
from ostinato.diagnostics.tracking import FEWEST, Unit, Units, as_units, without_units
from ostinato.diagnostics.visits import followed
from ostinato.unroll.layout import layout

WHERE = "sequence_units"
FEWEST_WHOLE = 20
"""Sequences of each half, from which on what is known of whole ones is compared."""


def sequence_units(
    model: nn.Module,
    batches: Iterable[Any],
    lengths: ArrayLike,
    tracks: Mapping[str, ArrayLike],
    *,
    whole: Mapping[str, ArrayLike] | None = None,
    network: str | None = None,
    chooses: ArrayLike | None = None,
) -> Units:
    """Return how every unit of a recurrent network follows each track of the sequences that a model reads.

    model     with `loss(batch, state)`, or called with (batch, state).
    batches   what it reads, N sequences in all, some at a time: tensors (T, B, …), or what has such `inputs`.
    lengths   (N,) steps that the network takes of each.
    tracks    by name (T, N), T the longest length; NaN where one has no value.
    whole     by name (N,), of whole sequences: compared with what a unit is worth once it has read all of one, which of
              a backward direction is at the first step. At least 20 sequences of each half are needed.
    network   which `Recurrent` is looked at, as `named_modules` names it; None where the model has one.
    chooses   bool (N,) or (T, N): the half that chooses units; None is every other sequence, from the first.

    Layers run on the eager engine and in evaluation mode; the model is left as it was. Raises DataError where there are
    too few steps, ConfigError for a model without such a network, and for lengths and tracks that do not fit.
    """
    known = _Known.of(lengths, tracks, whole or {}, chooses)
    total, count = int(known.lengths.sum()), len(known.lengths)
    if total < FEWEST:
        raise DataError(WHERE, f"{total} steps", f"Possible: {FEWEST} or more", "Give more sequences, or longer ones")
    of_steps, of_whole, start, names = Halves(total), Halves(count), 0, list[Unit]()
    generator = torch.Generator().manual_seed(0)
    for batch in batches:
        here = slice(start, start + getattr(batch, "inputs", batch).shape[1])
        if here.stop > count:
            raise _other_rows(here.stop, count)
        names, values, ends = _states(model, batch, known.lengths[here], network)
        some = known.rows(here, len(values))
        there = some.there
        order = torch.randperm(int(there.sum()), generator=generator).numpy()  # a readout is fitted to every nth
        taken = values[torch.from_numpy(there)][order]
        of_steps.add(taken, some.tracks[there][order], some.first[there][order])
        of_whole.add(ends, some.whole, some.chooses_whole)
        start = here.stop
    if start != count:
        raise _other_rows(start, count)
    compared = of_steps.compared().beside(of_whole.compared(), known.is_enough)
    return as_units(names, [*tracks, *(whole or {})], compared, total, count)


def sequence_states(
    model: nn.Module, batch: Any, lengths: ArrayLike, network: str | None = None
) -> tuple[list[Unit], Tensor]:
    """Return all units of a network, and what they are worth (T, B, units) at each step of a batch; 0 beyond its end.

    Of a backward direction, a step's values are those of having read from the end to that step.
    """
    names, values, _ = _states(model, batch, np.asarray(lengths, np.int64), network)
    return names, values


@dataclass(frozen=True)
class _Known:
    """What is known of N sequences."""

    lengths: NDArray[np.int64]
    tracks: NDArray[np.float64]
    """(T, N, K)"""
    whole: NDArray[np.float64]
    """(N, W)"""
    first: NDArray[np.bool_]
    """(T, N): whether a step is of the half that chooses."""

    @classmethod
    def of(cls, lengths: ArrayLike, tracks: Mapping, whole: Mapping, chooses: ArrayLike | None) -> _Known:
        steps = np.asarray(lengths, np.int64)
        shape = (int(steps.max(initial=0)), len(steps))
        first = np.arange(shape[1]) % 2 == 0 if chooses is None else np.asarray(chooses, bool)
        if first.shape not in (shape, shape[1:]):
            raise _unlike("chooses", first.shape, shape)
        beside, ends = _stacked("tracks", tracks, shape), _stacked("whole", whole, shape[1:])
        ends[steps == 0] = np.nan  # nothing of it is read
        return cls(steps, beside, ends, np.broadcast_to(first, shape))

    def rows(self, here: slice, steps: int) -> _Known:
        """Return the first steps of some sequences."""
        part = self.lengths[here], self.tracks[:steps, here], self.whole[here]
        return _Known(*part, self.first[:steps, here])

    @property
    def there(self) -> NDArray[np.bool_]:
        """(T, N): the steps that there are."""
        return np.arange(len(self.first))[:, None] < self.lengths

    @property
    def chooses_whole(self) -> NDArray[np.bool_]:
        """(N,): whether the last step of a sequence is of the half that chooses."""
        return self.first[np.maximum(self.lengths - 1, 0), np.arange(len(self.lengths))]

    @property
    def is_enough(self) -> bool:
        """Whether there are enough sequences in both halves to speak of whole ones."""
        chooses = int(self.chooses_whole.sum())
        return min(chooses, len(self.lengths) - chooses) >= FEWEST_WHOLE


def _stacked(name: str, given: Mapping[str, ArrayLike], shape: tuple[int, ...]) -> NDArray[np.float64]:
    values = [np.asarray(track, float) for track in given.values()]
    for track in values:
        if track.shape != shape:
            raise _unlike(name, track.shape, shape)
    return np.stack(values, -1) if values else np.zeros((*shape, 0))


def _unlike(name: str, got: tuple[int, ...], wanted: tuple[int, ...]) -> ConfigError:
    return ConfigError(WHERE, f"{name} of shape {got}", f"Of these lengths it is {wanted}: steps, sequences")


def _other_rows(got: int, count: int) -> ConfigError:
    return ConfigError(WHERE, f"{got} rows in the batches", f"There are {count} lengths", "Pass one for each row")


@torch.no_grad()
def _states(
    model: nn.Module, batch: Any, lengths: NDArray[np.int64], network: str | None
) -> tuple[list[Unit], Tensor, Tensor]:
    """Return the units of a network, their values (T, B, U), and those once a whole sequence is read (B, U)."""
    taps = followed(WHERE, model, batch)
    networks = sorted({tap.network for tap in taps})
    if (network is None and len(networks) > 1) or (network is not None and network not in networks):
        got = "no name" if network is None else f"'{network}'"
        raise ConfigError(WHERE, f"{got} for the network", f"Those that took a step: {', '.join(networks)}", "Name one")
    names, values, ends = list[Unit](), [], []
    last = torch.from_numpy(np.maximum(lengths - 1, 0))
    for tap in taps:
        if network in (None, tap.network):
            for state, found in _unpacked(tap, torch.from_numpy(lengths)):
                names += [Unit(tap.network, tap.layer, state, k, tap.backwards) for k in range(found.shape[-1])]
                values.append(found)
                ends.append(found[0] if tap.backwards else found[last, torch.arange(len(last))])
    if not names:
        raise without_units(WHERE)
    return names, torch.cat(values, -1), torch.cat(ends, -1)


def _unpacked(tap: Tap, lengths: Tensor) -> list[tuple[str, Tensor]]:
    """Return (name, its values (T, B, n)) of the parts of a layer's state, which ran over these lengths, or beyond."""
    taken, longest, rows = sum(len(step.output) for step in tap.steps), int(lengths.max()), len(lengths)
    if taken == int(lengths.sum()):
        order = layout(longest, rows, lengths, tap.backwards, torch.device("cpu"))
    elif taken % rows == 0 and taken // rows >= longest:
        order = layout(taken // rows, rows, None, tap.backwards, torch.device("cpu"))
    else:
        got = f"{taken} steps of layer {tap.layer + 1} of '{tap.network}'"
        raise ConfigError(WHERE, got, f"The lengths of these rows are {int(lengths.sum())} in all", "Pass its own")
    parts = zip(*(step.state for step in tap.steps), strict=True)
    found = [order.unpack(torch.cat([as_row(leaf) for leaf in leaves]).float())[:longest] for leaves in parts]
    return list(zip(state_names(tap), found, strict=True))
