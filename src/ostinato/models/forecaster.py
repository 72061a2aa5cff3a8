"""`Forecaster`: what comes next in a series, as a distribution, from what came before (Graves, 2013; DeepAR,
Salinas et al., 2020). It learns from the values themselves and runs on its own when it predicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from ostinato._errors import ConfigError
from ostinato.cells.cell import State
from ostinato.layers.recurrent import Recurrent
from ostinato.layers.stack import dropped
from ostinato.models.heads import HEADS, Head


class Stretch(NamedTuple):
    """`T` steps of `B` series, in the units of the series. Step t says values[L + t] from what stands before it."""

    values: Tensor
    """(L + T, B, D): the L steps before the first too, which the lags reach. NaN where the series had not begun."""
    covariates: Tensor
    """(T, B, C): known ahead, those of the step that is said."""
    lengths: Tensor
    """(B,) from 0 to T: steps beyond it are padding."""
    scaling: Tensor
    """(2, B, D): location and scale of each column, as the model reads it."""
    dt: Tensor | None = None
    """(T, B): the time since the step before; None is 1 everywhere."""
    warm: Tensor | None = None
    """(B,): first steps that are read and not learned from; None is none."""

    @property
    def inputs(self) -> Tensor:
        """The steps (T, B, D) themselves."""
        return self.values[len(self.values) - len(self.covariates) :]

    @property
    def counted(self) -> Tensor:
        """Bool (T, B): the steps whose loss counts."""
        steps = torch.arange(len(self.covariates), device=self.lengths.device)[:, None]
        return (steps < self.lengths) & (steps >= (0 if self.warm is None else self.warm))

    def steps(self, first: int, last: int) -> Stretch:
        """Return steps [first, last), with as many before them."""
        before = len(self.values) - len(self.covariates)
        return self._replace(
            values=self.values[first : before + last],
            covariates=self.covariates[first:last],
            lengths=(self.lengths - first).clamp(0, last - first),
            dt=None if self.dt is None else self.dt[first:last],
            warm=None if self.warm is None else (self.warm - first).clamp(min=0),
        )


class Forecaster(nn.Module):
    """Read the last values, what is known of the next step, and say the next values' distribution.

    size        D, numbers of a step.
    covariates  C, numbers known ahead.
    lags        which earlier values a step reads, by how many steps ago; 1 is the last one.
    head        a name of `models.heads.HEADS`, or a head made for `features` numbers.
    changes     numbers are read and said as changes from the last value: a level never seen before is no matter.
    direct      the head sees what the first layer reads beside what the last layer says.
    dropout     between layers and before the head, while training.
    options     keywords of the head: `components` of a mixture, `hidden_size` of NADE, `loss` of a point.
    values      keywords of `Recurrent` and of the cell.

    >>> model = Forecaster(1, hidden_size=8)
    >>> history = Stretch(torch.randn(21, 3, 1), torch.zeros(20, 3, 0), torch.tensor([20, 20, 7]), unscaled(3, 1))
    >>> model.forecast(history, horizon=5, samples=10).shape
    torch.Size([10, 5, 3, 1])

    Raises ConfigError for sizes and settings that do not fit.
    """

    def __init__(
        self,
        size: int,
        cell: Any = "lstm",
        *,
        covariates: int = 0,
        lags: Sequence[int] = (1,),
        head: str | Head = "gaussian",
        direct: bool = True,
        changes: bool = False,
        hidden_size: int | Sequence[int] = 64,
        num_layers: int = 1,
        dropout: float = 0.0,
        options: dict[str, Any] | None = None,
        **values: Any,
    ):
        super().__init__()
        _check(size, covariates, lags, values)
        self.size, self.covariates, self.lags, self.direct = size, covariates, tuple(lags), direct
        self.changes = changes
        input_size = size * len(self.lags) + covariates
        self.recurrent = Recurrent(cell, input_size, hidden_size, num_layers, dropout=dropout, **values)
        self.uses_dt = any(c.uses_dt for layer in self.recurrent.layers for c in layer)  # type: ignore[union-attr]
        self.dropout = dropout
        self.head = _head(head, self.recurrent.output_size + direct * input_size, size, options or {})
        if changes and self.head.support != "numbers":
            raise ConfigError("changes", f"True for {self.head.support}", "Changes are of numbers", "Leave it out")

    @property
    def before(self) -> int:
        """How many steps before the first a stretch holds: L."""
        return max(self.lags) + self.changes

    def loss(self, stretch: Stretch, state: State = None) -> tuple[Tensor, int, State]:
        """Return (the head's loss summed over the steps that count, how many they are, the state after the last)."""
        features, state = self.features(stretch, state)
        counted = stretch.counted
        targets = self._targets(stretch)[counted]
        with self._exactly(features):
            nats = self.head.loss(self._seen(features[counted]), targets)
        return nats, len(targets), state

    def count(self, stretch: Stretch) -> int:
        """Return how many steps count."""
        return int(stretch.counted.sum())

    def inputs(self, stretch: Stretch) -> Tensor:
        """Return what the first layer reads (T, B, I): the values at the lags, scaled, and the covariates."""
        read, steps = self._scaled(stretch.values, stretch.scaling), len(stretch.covariates)
        return self._at_lags(read, steps, stretch.covariates)

    def features(self, stretch: Stretch, state: State = None) -> tuple[Tensor, State]:
        """Return what the head reads at each step (T, B, F), and the state after the last."""
        return self._run(self.inputs(stretch), state, stretch.dt, stretch.lengths)

    def advance(self, stretch: Stretch, state: State = None) -> State:
        """Return the state after the stretch, without what is said."""
        dt = self._dt(stretch.dt, stretch.covariates)
        return self.recurrent(self.inputs(stretch), state, lengths=stretch.lengths, dt=dt)[1]

    def one_step(self, stretch: Stretch) -> Tensor:
        """Return the mean of each step (T, B, D), given all before it. Raises ConfigError where the head knows none."""
        features, _ = self.features(stretch)
        last = self._scaled(stretch.values, stretch.scaling)[self.before - 1 : -1]
        return self._unscaled(self._from(last, self.head.mean(self._seen(features))), stretch.scaling)

    @torch.no_grad()
    def forecast(
        self,
        history: Stretch,
        *,
        horizon: int,
        covariates: Tensor | None = None,
        dt: Tensor | None = None,
        samples: int = 100,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Return `samples` futures (S, H, B, D) of each series, in its units; each step reads what was drawn before it.

        covariates  (H, B, C), those of the steps to come; dt (H, B), the times between them.
        samples     of a head that draws nothing there is one.
        """
        rows, samples = history.values.shape[1], samples if self.head.draws else 1
        if covariates is None:
            covariates = history.covariates.new_zeros(horizon, rows, self.covariates)
        repeated = [_repeat(history.scaling, samples, 1), _repeat(self._last(history), samples, 1)]
        scaling, recent = repeated
        state = pytree.tree_map(lambda part: _repeat(part, samples, 0), self.advance(history))
        futures = []
        for step in range(horizon):
            known = _repeat(covariates[step : step + 1], samples, 1)
            gap = None if dt is None else _repeat(dt[step : step + 1], samples, 1)
            inputs = self._at_lags(torch.cat([recent, recent[-1:]]), 1, known)
            features, state = self._run(inputs, state, gap)
            said = self.head.sample(self._seen(features[0]), generator)
            drawn = self._unscaled(self._from(recent[-1], said), scaling)
            recent = torch.cat([recent[1:], self._scaled(drawn[None], scaling)])
            futures.append(drawn)
        return torch.stack(futures).unflatten(1, (rows, samples)).permute(2, 0, 1, 3)

    def initial_state(self, batch_size: int) -> State:
        """Return the state before the first step."""
        return self.recurrent.initial_state(batch_size)

    def plans(self) -> list[str]:
        """Return, for each layer, the engine that runs it and why."""
        return self.recurrent.plans()

    def _run(
        self, inputs: Tensor, state: State, dt: Tensor | None, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        outputs, state = self.recurrent(inputs, state, lengths=lengths, dt=self._dt(dt, inputs))
        if self.training and self.dropout:
            outputs = dropped(outputs, self.dropout, self.recurrent.variational)
        return torch.cat([outputs, inputs], -1) if self.direct else outputs, state

    def _seen(self, features: Tensor) -> Tensor:
        """Return features as precise as the head, whatever the layers computed in."""
        return features.to(next(self.head.parameters()).dtype)

    @staticmethod
    def _exactly(like: Tensor) -> torch.autocast:
        """Compute a density in full precision: its logarithm is lost in 16 bits."""
        return torch.autocast(like.device.type, enabled=False)

    def _dt(self, dt: Tensor | None, like: Tensor) -> Tensor | None:
        if not self.uses_dt:
            return None
        return like.new_ones(like.shape[:2]) if dt is None else dt

    def _at_lags(self, read: Tensor, steps: int, covariates: Tensor) -> Tensor:
        """Return (T, B, I) from scaled values (L + T, B, D) and the covariates (T, B, C)."""
        first = len(read) - steps
        last = read[first - 1 : first - 1 + steps]
        before = [read[first - lag : first - lag + steps] for lag in self.lags]
        if self.changes:  # the last value itself would be 0: its own change stands for it
            before = [
                last - (read[first - 2 : first - 2 + steps] if lag == 1 else value)
                for lag, value in zip(self.lags, before, strict=True)
            ]
        return torch.cat([*(value.nan_to_num(0.0) for value in before), covariates], -1)

    def _last(self, history: Stretch) -> Tensor:
        """Return the last L values of each row (L, B, D), scaled."""
        at = history.lengths[None] + torch.arange(self.before, device=history.lengths.device)[:, None]
        at = at[..., None].expand(-1, -1, self.size)
        return self._scaled(history.values.gather(0, at), history.scaling)

    def _targets(self, stretch: Stretch) -> Tensor:
        """Return what the head is to say (T, B, D): scaled numbers; of counts and bits, themselves."""
        if self.head.support != "numbers":
            return stretch.inputs
        scaled = self._scaled(stretch.values, stretch.scaling)
        now, last = scaled[self.before :], scaled[self.before - 1 : -1]
        return now - last.nan_to_num(0.0) if self.changes else now

    def _from(self, last: Tensor, said: Tensor) -> Tensor:
        """Return scaled values that the head says, after the last ones."""
        return last.nan_to_num(0.0) + said if self.changes else said

    def _scaled(self, values: Tensor, scaling: Tensor) -> Tensor:
        """Return values (…, B, D) on the scale they are read in. Of counts, the logarithm is scaled."""
        values = torch.log1p(values) if self.head.support == "counts" else values
        return (values - scaling[0]) / scaling[1]

    def _unscaled(self, drawn: Tensor, scaling: Tensor) -> Tensor:
        """Return what the head says (…, B, D) in the units of the series."""
        return drawn * scaling[1] + scaling[0] if self.head.support == "numbers" else drawn


def unscaled(rows: int, size: int) -> Tensor:
    """Return the scaling (2, B, D) that changes nothing."""
    return torch.stack([torch.zeros(rows, size), torch.ones(rows, size)])


def _repeat(part: Tensor, times: int, dimension: int) -> Tensor:
    return part.repeat_interleave(times, dimension)


def _head(head: str | Head, features: int, size: int, options: dict[str, Any]) -> Head:
    if isinstance(head, Head):
        if (head.input_size, head.size) != (features, size):
            got = f"one of {head.input_size} features and {head.size} numbers"
            raise ConfigError("head", got, f"The model gives {features} and {size}")
        return head
    if head not in HEADS:
        raise ConfigError("head", f"'{head}' was given", f"Known are {', '.join(sorted(HEADS))}")
    return HEADS[head](features, size, **options)


def _check(size: int, covariates: int, lags: Sequence[int], values: dict[str, Any]) -> None:
    for name, number, least in (("size", size, 1), ("covariates", covariates, 0)):
        if not isinstance(number, int) or number < least:
            raise ConfigError(name, f"{number} was given", f"It is a whole number, at least {least}")
    if not lags or not all(isinstance(lag, int) and lag > 0 for lag in lags) or len(set(lags)) < len(lags):
        raise ConfigError("lags", f"{list(lags)}", "Different whole numbers from 1, as 1 24 168")
    if values.get("bidirectional"):
        raise ConfigError("bidirectional", "True was given", "A forecaster reads forward only")
    if "batch_first" in values:
        raise ConfigError("batch_first", "it was given", "Series are (T, B, D): steps, rows, numbers")
