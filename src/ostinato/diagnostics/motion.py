"""Where states go and where they would rest: trajectories in two directions, fixed points and slow points of a step.

With the input held, a step is a map F. Its fixed points h = F(h), and slow points, where it moves little, organise what
a network does; they are minima of q(h) = ½ ‖F(h) - h‖² (Sussillo and Barak, 2013, Neural Computation 25, equations 2
and 3), found from states that data visit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from ostinato._errors import ConfigError
from ostinato.cells.cell import State
from ostinato.diagnostics.jacobians import jacobian
from ostinato.diagnostics.taps import Tap
from ostinato.diagnostics.visits import Visit, flat, like, longest_path, visited

LARGEST = 256
"""Numbers of a state, up to which fixed points are searched."""
ROUNDS = 60
"""Of the search, at most."""
RESTS, SLOW = 1e-5, 0.1
"""‖F(h) - h‖ of a fixed point at most, and that of a slow one as a share of how far data move a state in a step."""
SAME = 1e-3
"""Points nearer than this share of the spread of visited states are one."""


@dataclass(frozen=True)
class Motion:
    """The states of one layer, read in one direction."""

    network: str
    """Where its `Recurrent` stands in the model, as `named_modules` names it."""
    layer: int
    """From 0."""
    backwards: bool
    states: NDArray[np.float64]
    """(T, B, n): after every step; NaN where a row has ended, or what is no finite number."""
    mean: NDArray[np.float64]
    """(n,)"""
    directions: NDArray[np.float64]
    """(2, n), orthonormal: in which they differ most; zeros where there are fewer."""
    explained: NDArray[np.float64]
    """(2,): shares of their variance."""

    def seen(self, states: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return states (…, n) in the two directions, (…, 2)."""
        return (states - self.mean) @ self.directions.T


@dataclass(frozen=True)
class RestingPoint:
    """A state that a step moves little, or not, while the input is held."""

    state: NDArray[np.float64]
    """(n,)"""
    speed: float
    """‖F(h) - h‖, what a step moves it by."""
    is_fixed: bool
    """Whether that is nothing, so far as is seen; else it is a slow point."""
    eigenvalues: NDArray[np.complexfloating]
    """(n,) of ∂F/∂h there."""
    starts: int
    """From how many visited states it was found."""

    @property
    def is_stable(self) -> bool:
        """Whether states near it come closer: no eigenvalue lies on the unit circle or outside."""
        return bool(abs(self.eigenvalues).max() < 1)


def trajectories(model: nn.Module, batch: Any, state: State = None) -> list[Motion]:
    """Return the states of each layer and direction along data, and the two directions in which they differ most.

    model  with `loss(batch, state)`, or called with (batch, state), and at least one `Recurrent`. Where a layer runs
           several times in one loss, its longest run is kept.

    Raises ConfigError for a model without recurrence, and for states that are not finite.
    """
    return [_motion(tap) for tap in visited("trajectories", model, batch, state)]


def fixed_points(
    model: nn.Module,
    batch: Any,
    state: State = None,
    *,
    network: str | None = None,
    layer: int = 0,
    backwards: bool = False,
    held: str = "mean",
    starts: int = 32,
) -> list[RestingPoint]:
    """Return the fixed and slow points of a layer, the ones found most often first.

    model      with `loss(batch, state)`, or called with (batch, state), and at least one `Recurrent`.
    network    which one, as `named_modules` names it; None for the first that takes steps.
    backwards  the direction of the layer that is searched.
    held       the layer's input meanwhile: "mean" of what the data give it, or "zero".
    starts     visited states that a search starts from.

    Raises ConfigError for a model without recurrence, a layer that is not there, and a state above `LARGEST` numbers.
    """
    if held not in ("mean", "zero"):
        raise ConfigError("fixed_points", f"held='{held}'", "Possible: mean, zero")
    if starts < 1:
        raise ConfigError("fixed_points", f"starts={starts}", "Possible: 1 or more")
    return _resting_points(
        _asked(visited("fixed_points", model, batch, state), network, layer, backwards), held, starts
    )


def _asked(taps: list[Tap], network: str | None, layer: int, backwards: bool) -> Tap:
    """Return the steps of the layer that is asked for. Raises ConfigError where it is not there."""
    names = list(dict.fromkeys(tap.network for tap in taps))
    name = names[0] if network is None else network
    if name not in names:
        possible = ", ".join(repr(each) for each in names)
        raise ConfigError("fixed_points", f"network={network!r}", f"Those that take steps: {possible}")
    own = [tap for tap in taps if tap.network == name and tap.backwards == backwards]
    if not own:
        raise ConfigError(
            "fixed_points", "backwards=True", f"The network '{name}' reads forwards alone", "Leave it out"
        )
    found = {tap.layer: tap for tap in own}
    if layer not in found:
        raise ConfigError("fixed_points", f"layer={layer}", f"Layers: {', '.join(map(str, sorted(found)))}")
    return found[layer]


def _motion(tap: Tap) -> Motion:
    from sklearn.decomposition import PCA

    states = _states(tap)
    seen = states[np.isfinite(states).all(2)]
    if len(seen) == 0:
        raise _not_finite("trajectories", tap)
    spread = bool(seen.var(0).sum() > 0)
    count = min(2, *seen.shape) if spread else 0
    directions, explained = np.zeros((2, seen.shape[1])), np.zeros(2)
    if count:
        found = PCA(count, svd_solver="full").fit(seen)
        directions[:count], explained[:count] = found.components_, found.explained_variance_ratio_
    return Motion(tap.network, tap.layer, tap.backwards, states, seen.mean(0), directions, explained)


def _not_finite(where: str, tap: Tap) -> ConfigError:
    got = f"no state of layer {tap.layer + 1} is finite"
    return ConfigError(where, got, "States along the data are finite numbers", "Pass fewer steps")


@torch.no_grad()
def _states(tap: Tap) -> NDArray[np.float64]:
    """Return the states after every step (T, B, n), NaN where they are not finite."""
    steps = [flat(step.move(step.before)).double().cpu().numpy() for step in longest_path(tap)]
    whole = np.full((len(steps), *steps[0].shape), np.nan)
    for place, values in zip(whole, steps, strict=True):
        place[: len(values)] = np.where(np.isfinite(values), values, np.nan)
    return whole


def _resting_points(tap: Tap, held: str, starts: int) -> list[RestingPoint]:
    size = flat(tap.steps[0].before).shape[1]
    if size > LARGEST:
        got = f"a state of {size} numbers"
        raise ConfigError("fixed_points", got, f"Searched are layers of at most {LARGEST}", "Choose another layer")
    states = _states(tap)
    seen = states[np.isfinite(states).all(2)]
    if len(seen) == 0:
        raise _not_finite("fixed_points", tap)
    taken = seen[np.unique(np.linspace(0, len(seen) - 1, starts).astype(int))]
    found = _held(tap, held, taken)
    ends, speeds = _search(found)
    moved = np.linalg.norm(np.diff(states, axis=0), axis=2)
    slow = max(RESTS, SLOW * float(np.nanmedian(moved))) if np.isfinite(moved).any() else RESTS
    groups = _distinct(ends, speeds, SAME * float(np.linalg.norm(seen.std(0))) + RESTS, slow)
    points = [_point(found, ends, speeds, group) for group in groups]
    return sorted(points, key=lambda point: (-point.starts, point.speed))


def _held(tap: Tap, held: str, starts: NDArray[np.float64]) -> Visit:
    """Return the step with its input held, from states (N, n), in float64."""
    given, step, count = tap.passes[0], tap.steps[0], len(starts)
    inputs = torch.cat([each.inputs for each in tap.passes])  # a decoder may read one step at a time
    x = inputs.mean(0) if held == "mean" else torch.zeros_like(inputs[0])
    dt = None if given.dt is None else torch.cat([each.dt for each in tap.passes if each.dt is not None]).mean()
    dt = None if dt is None else dt.expand(count)
    step_at = given.bound.over(x.expand(count, -1).contiguous(), dt, [count])
    state = pytree.tree_map(lambda leaf: leaf[:1].expand(count, *leaf.shape[1:]).contiguous(), step.before)
    return Visit(
        torch.from_numpy(starts).to(x.device), lambda vectors: flat(step_at(0, like(state, vectors))[1]).double()
    )


@torch.no_grad()
def _search(found: Visit) -> tuple[Tensor, Tensor]:
    """Return where q is least, (N, n), and speeds ‖F(h) - h‖ (N,): by the method of Levenberg and Marquardt.

    h <- h - (A.T A + λ I)^-1 A.T r      A = ∂F/∂h - I, r = F(h) - h; λ falls where q did, and rises where not
    """
    here = found.vectors
    rest = found.move(here) - here
    damping = here.new_ones(len(here), 1, 1)
    eye = torch.eye(here.shape[1], dtype=here.dtype, device=here.device)
    for _ in range(ROUNDS):
        slope = jacobian(Visit(here, found.move)) - eye
        back = slope.mT
        change = torch.linalg.solve(back @ slope + damping * eye, back @ rest[:, :, None])[:, :, 0]
        there = here - change
        ahead = found.move(there) - there
        better = ahead.norm(dim=1) < rest.norm(dim=1)
        here, rest = torch.where(better[:, None], there, here), torch.where(better[:, None], ahead, rest)
        damping = torch.where(better[:, None, None], damping * 0.2, damping * 5).clamp(1e-10, 1e10)
    return here, rest.norm(dim=1)


def _distinct(ends: Tensor, speeds: Tensor, same: float, slow: float) -> list[list[int]]:
    """Return groups of ends that are one point, each with the slowest first; those that are not slow are left out."""
    groups: list[list[int]] = []
    for k in speeds.argsort().tolist():
        if not speeds[k] <= slow:
            continue
        near = [group for group in groups if (ends[k] - ends[group[0]]).norm() <= same]
        near[0].append(k) if near else groups.append([k])
    return groups


def _point(found: Visit, ends: Tensor, speeds: Tensor, group: list[int]) -> RestingPoint:
    # a step's inputs are as many as its rows, so all are computed and one is kept
    slopes = jacobian(Visit(ends, found.move))
    first = group[0]
    speed = float(speeds[first])
    eigenvalues = np.linalg.eigvals(slopes[first].cpu().numpy()) + 0j
    return RestingPoint(ends[first].cpu().numpy(), speed, speed <= RESTS, eigenvalues, len(group))
