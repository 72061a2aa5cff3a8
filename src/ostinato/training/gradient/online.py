"""Gradients that travel forward with the state: nothing of the past is stored, and weights may change at every step.

With s the state and θ the parameters, the influence J_t = ds_t/dθ follows from the one before,

    J_t = (∂s_t/∂s_{t-1}) J_{t-1} + ∂s_t/∂θ            (Williams and Zipser, 1989, doi:10.1162/neco.1989.1.2.270)

and the loss of step t adds ∂L_t/∂θ + (∂L_t/∂s_{t-1}) J_{t-1} to the gradient. Methods differ in what they keep of J.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ostinato._errors import ConfigError
from ostinato.cells.wrappers.gradient_clip import GradientClip
from ostinato.training.config import above_zero
from ostinato.training.gradient.method import Backward, Learns, State, Window, cut, leaves_of, map_state, whole


class Influence(Protocol):
    """What a method keeps of J, as a nested tuple of tensors that a checkpoint can hold."""

    def begin(self, steps: RowSteps) -> State:
        """Return the influence of the parameters on the initial state."""
        ...

    def credit(self, kept: State, credit: Tensor, steps: RowSteps) -> dict[str, Tensor]:
        """Return what the loss adds to each parameter's gradient, given ∂L/∂s (B, N) of the state that `kept` is of."""
        ...

    def follow(self, kept: State, steps: RowSteps, segment: Any, state: Tensor) -> State:
        """Return the influence after the step that `segment` holds; `state` (B, N) is the one before it."""
        ...

    def over_window(self, kept: State, steps: RowSteps, segment: Any, state: State) -> State | None:
        """Return the influence after all steps of `segment` at once, `state` before them; None where it goes by steps.

        Where it is given, back-propagation within the window and the influence before it are the whole gradient.
        """
        ...


class Choice(ABC):
    """Which influence is kept depends on the model."""

    @abstractmethod
    def choose(self, steps: RowSteps) -> Influence:
        """Return what fits the model."""


@dataclass(frozen=True)
class Online:
    """A forward-mode method: one update every `k1` steps, each with the gradient of the mean loss of its steps."""

    influence: Influence | Choice
    k1: int = 1

    def __post_init__(self):
        above_zero("k1", self.k1)

    def updates(self, lane_length: int) -> int:
        """The lane's length over k1, rounded up."""
        return -(-lane_length // self.k1)

    def period(self, lane_length: int) -> int:
        """k1."""
        return self.k1

    def windows(self, lane_length: int, epoch: int) -> Iterator[Window]:
        """Yield windows of k1 steps, the last one as short as it is."""
        for position in range(0, lane_length, self.k1):
            yield whole(min(self.k1, lane_length - position), position, epoch)

    def carried(self, initial: State, model: Learns, first_step: Callable[[], Any]) -> State:
        """Return the model's own state with the influence of the parameters on it."""
        assert isinstance(model, nn.Module)
        steps = RowSteps(model, first_step())
        return steps.initial, self._influence(steps).begin(steps)

    def accumulate(
        self, model: Learns, segment: Any, window: Window, state: State, backward: Backward
    ) -> tuple[Tensor, int, State]:
        """Add the gradient of the window's loss; the state carried is (the model's, its influence)."""
        assert isinstance(model, nn.Module)
        steps = RowSteps(model, segment)
        influence = self._influence(steps)
        carried, kept = self.carried(None, model, lambda: steps.first) if state is None else state
        total, symbols = segment.inputs.new_zeros((), dtype=torch.float64), model.count(segment)
        # a mean over what all steps of the window count, as in back-propagation over it
        scale = window.length / (max(1, symbols) * self.k1)
        after = influence.over_window(kept, steps, segment, carried)
        if after is not None:
            return self._at_once(model, segment, (carried, kept), after, backward, scale, steps)
        for t in range(window.length):
            steps.place = window.reading, window.position + t
            piece = cut(segment, t, t + 1)
            if getattr(piece, "reset", None) is not None:
                carried, kept = steps.restarted(piece.reset[0], carried, kept, influence.begin(steps))
            piece = without(piece, "reset", "lengths")
            after = None
            if model.count(piece):
                nats, credit, after = self._learned(model, piece, carried, backward, scale)
                total = total + nats
                for name, found in influence.credit(kept, credit, steps).items():
                    add_gradient(steps.learned[name], found)
            kept = influence.follow(kept, steps, piece, flat(leaves_of(carried)))
            with torch.no_grad():
                carried = map_state(Tensor.detach, model.advance(piece, carried) if after is None else after)
        return total, symbols, (carried, kept)

    def _influence(self, steps: RowSteps) -> Influence:
        return self.influence.choose(steps) if isinstance(self.influence, Choice) else self.influence

    def _at_once(
        self, model: Learns, segment: Any, state: State, after: State, backward: Backward, scale: float, steps
    ):
        """Add the gradient of a window whose influence `after` it is known, as `over_window` says."""
        carried, kept = state
        nats, credit, last = self._learned(model, segment, carried, backward, scale)
        for name, found in self._influence(steps).credit(kept, credit, steps).items():
            add_gradient(steps.learned[name], found)
        return nats, model.count(segment), (map_state(Tensor.detach, last), after)

    def _learned(self, model: Learns, piece: Any, carried: State, backward: Backward, scale: float):
        """Add what the loss says of the parameters directly; return (loss, ∂L/∂s (B, N), the state after)."""
        given = map_state(lambda leaf: leaf.detach().requires_grad_(), carried)
        nats, count, after = model.loss(piece, given)
        if count:
            backward(nats * scale)
        credit = flat([torch.zeros_like(g) if g.grad is None else g.grad for g in leaves_of(given)])
        return nats.detach(), credit, after


class RowSteps:
    """A model's step as a function of one row's state and of the parameters, for `torch.func`."""

    def __init__(self, model: nn.Module, segment: Any):
        check_steps(model)
        self.model, self.batch, self.first = model, segment.inputs.shape[1], cut(segment, 0, 1)
        self.place: tuple[int, int] = 0, 0  # reading of the lane, step in it: where chance is drawn from
        self.initial = map_state(Tensor.detach, model.initial_state(self.batch))  # type: ignore[operator]
        self.leaves = leaves_of(self.initial)
        self.width = sum(leaf.shape[1] for leaf in self.leaves)
        self.learned = {name: p for name, p in model.named_parameters() if p.requires_grad}

    @cached_property
    def parameters(self) -> dict[str, nn.Parameter]:
        """The parameters that the state depends on."""
        return self._reaching(self.first)

    @cached_property
    def values(self) -> dict[str, Tensor]:
        """Their values."""
        return {name: p.detach() for name, p in self.parameters.items()}

    @cached_property
    def sizes(self) -> list[int]:
        """How many numbers each has."""
        return [p.numel() for p in self.parameters.values()]

    def __call__(self, parameters: dict[str, Tensor], row: Any, state: Tensor) -> Tensor:
        """Return one row's state (N,) after its step; `row` holds (1,) or (1, D) inputs, `state` is (N,)."""
        one = type(row)(*(None if part is None else part.unsqueeze(1) for part in row))
        return flat(leaves_of(self._advance(parameters, one, self.unflat(state[None]))))[0]

    def rows(self, segment: Any) -> tuple[Any, Any]:
        """Return a segment of one step, and the axes `vmap` takes its rows along."""
        return segment, type(segment)(*(None if part is None else 1 for part in segment))

    def unflat(self, state: Tensor) -> State:
        """Return the model's state from (B, N)."""
        parts = iter(state.split([leaf.shape[1] for leaf in self.leaves], dim=1))
        return map_state(lambda _: next(parts), self.initial)

    def shaped(self, found: Tensor) -> dict[str, Tensor]:
        """Return gradients by name from all of them side by side."""
        parts = found.split(self.sizes)
        return {name: part.view_as(p) for (name, p), part in zip(self.parameters.items(), parts, strict=True)}

    def restarted(self, reset: Tensor, carried: State, kept: State, begun: State) -> tuple[State, State]:
        """Return state and influence with those rows anew where `reset` (B,) is true."""
        anew = [*leaves_of(self.initial), *leaves_of(begun)]
        parts = iter(anew)

        def choose(old: Tensor) -> Tensor:
            new = next(parts)
            return torch.where(reset.view(-1, *[1] * (old.dim() - 1)), new, old)

        return map_state(choose, carried), map_state(choose, kept)

    def begin(self) -> Tensor:
        """Return d(initial state)/dθ (N, P): zero where it is not learned."""

        def initial(parameters: dict[str, Tensor]) -> Tensor:
            return flat(leaves_of(functional_call(_Start(self.model), _below(parameters), (1,))))[0]

        found = torch.func.jacrev(initial)(self.values)
        return torch.cat([found[name].reshape(self.width, -1) for name in self.values], 1)

    def _advance(self, parameters: dict[str, Tensor], segment: Any, state: State) -> State:
        return functional_call(_Advance(self.model), _below(parameters), (segment, state))

    def _reaching(self, segment: Any) -> dict[str, nn.Parameter]:
        """Return the parameters that the state depends on."""
        with torch.enable_grad():
            start = self.model.initial_state(self.batch)  # type: ignore[operator]
            total = sum(leaf.sum() for leaf in [*leaves_of(self.model.advance(segment, start)), *leaves_of(start)])  # type: ignore[operator]
        if not isinstance(total, Tensor) or not total.requires_grad:
            raise ConfigError("gradient", "no parameter reaches the state", "A forward-mode method needs one", "")
        found = torch.autograd.grad(total, list(self.learned.values()), allow_unused=True)
        return {name: p for (name, p), g in zip(self.learned.items(), found, strict=True) if g is not None}


def check_steps(model: nn.Module) -> None:
    """Raise ConfigError for a model whose steps no forward method can follow."""
    _refuse_chance(model)
    _refuse_clips(model)


def _refuse_chance(model: nn.Module) -> None:
    """ConfigError where a step draws by chance: its Jacobian would be another draw's."""
    recurrent: Any = getattr(model, "recurrent", None)
    drops = recurrent is not None and recurrent.dropout > 0 and recurrent.num_layers > 1
    if model.training and (drops or any(getattr(module, "is_random", False) for module in model.modules())):
        got = "dropout between layers" if drops else "dropout, or a cell that draws by chance"
        advice = "Use --dropout 0 and no masks" + (", and --unknown 0" if _forgets_words(model) else "")
        raise ConfigError("gradient", got, "Forward methods need a step that is the same twice", advice)


def _forgets_words(model: nn.Module) -> bool:
    """Whether a word is read as an unknown one by chance."""
    return getattr(getattr(model, "words", None), "is_random", False)


def _refuse_clips(model: nn.Module) -> None:
    """ConfigError where a step clips the gradient: its Jacobian would be clipped, and not what it carries."""
    programs = (getattr(module, "program", None) for module in model.modules())
    by_equation = any(op.fn == "clip_gradient" for program in programs if program is not None for op in program.ops)
    if by_equation or any(isinstance(module, GradientClip) for module in model.modules()):
        raise ConfigError(
            "gradient",
            "a gradient that is clipped inside the recurrence",
            "Forward methods have none that goes back through it",
            "Leave out --clip-inside, or use --gradient truncated",
        )


class _Advance(nn.Module):
    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, segment: Any, state: State) -> State:
        return self.model.advance(segment, state)  # type: ignore[operator]


class _Start(nn.Module):
    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, batch_size: int) -> State:
        return self.model.initial_state(batch_size)  # type: ignore[operator]


def _below(parameters: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"model.{name}": value for name, value in parameters.items()}


def without(segment: Any, *names: str) -> Any:
    """Return a segment with these parts None: a row that is over counts nothing, so its state may run on."""
    return type(segment)(*(None if name in names else getattr(segment, name) for name in segment._fields))


def flat(leaves: Sequence[Tensor]) -> Tensor:
    """Return the tensors (B, n) of a state side by side, (B, N)."""
    return torch.cat(list(leaves), -1)


def add_gradient(parameter: nn.Parameter, found: Tensor) -> None:
    """Add to a parameter's `.grad`."""
    if parameter.grad is None:
        parameter.grad = found.clone()
    else:
        parameter.grad += found
