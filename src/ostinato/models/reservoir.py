"""`ReservoirModel`: a recurrent network that is never trained, and a linear readout in closed form (Jaeger, 2001)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ostinato._errors import ConfigError
from ostinato.cells.catalogue import build_cell
from ostinato.cells.cell import State
from ostinato.unroll import unroll

NUMBERS_AT_ONCE = 1 << 22  # features held at a time: 32 MB


class ReservoirModel(nn.Module):
    """Drive a reservoir, read it with a matrix that `fit` solves for, and let it run on its own output.

    >>> model = ReservoirModel(1, 50, 1, leak=0.5)
    >>> series = torch.sin(torch.arange(400.0, dtype=torch.float64) / 5)[:, None, None]
    >>> _ = model.fit(series[:-1], series[1:], washout=100)
    >>> model.generate(series[:300], 50).shape
    torch.Size([50, 1, 1])

    The readout sees a constant, the input and the state: y = readout @ [1, x, h]. Numbers are float64: a readout is
    solved for, and the weights that solve it may be large. `values` are keywords of the cell. Feedback from the output
    is an input: the series' own last value, or, from `generate`, what the model said last.
    """

    readout: Tensor

    def __init__(self, input_size: int, hidden_size: int, output_size: int, cell: Any = "echo-state", **values: Any):
        super().__init__()
        self.cell = build_cell(cell, input_size, hidden_size, **{"dtype": torch.float64, **values})
        size = 1 + input_size + self.cell.output_size
        self.register_buffer("readout", torch.zeros(output_size, size, dtype=torch.float64))

    def forward(self, inputs: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Return the outputs (T, B, O) and the state after the last step."""
        features, state = self.features(inputs, state)
        return features @ self.readout.T, state

    @torch.no_grad()
    def features(self, inputs: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Return what the readout sees (T, B, 1 + D + H), and the state after the last step."""
        hidden, state = unroll(self.cell, inputs, state)
        return torch.cat([torch.ones_like(hidden[..., :1]), inputs, hidden], -1), state

    def fit(
        self,
        inputs: Tensor,
        targets: Tensor,
        *,
        washout: int = 0,
        ridge: float | tuple[float, ...] = 0.0,
        validation: tuple[Tensor, Tensor] | None = None,
    ) -> dict[float, float]:
        """Solve for the readout; return the mean squared error of each ridge, on `validation` where it is given.

        inputs      (T, B, D); targets (T, B, O). They are read in pieces: a long series needs no memory of its states.
        washout     first steps that are not fitted, while the state forgets where it started.
        ridge       penalty on squared weights, relative to what the readout sees (see `LeastSquares`); of several the
                    one with the least error is kept. 0 is plain least squares.
        validation  inputs and targets that follow those fitted, and choose between ridges.
        """
        ridges = ridge if isinstance(ridge, tuple) else (ridge,)
        if not ridges or min(ridges) < 0:
            raise ConfigError("ridge", f"{ridge} was given", "It is 0 or more, or several such numbers")
        if inputs.shape[:2] != targets.shape[:2] or not 0 <= washout < len(inputs):
            got = f"inputs {tuple(inputs.shape)}, targets {tuple(targets.shape)}, washout {washout}"
            raise ConfigError("fit", got, "Both have the same steps and rows, and the washout ends before they do")
        squares = LeastSquares()
        state: State = None
        _, state = self._read(inputs[:washout], state)
        at_once = self._steps_at_once(inputs)
        for x, y in zip(inputs[washout:].split(at_once), targets[washout:].split(at_once), strict=True):
            features, state = self.features(x, state)
            squares.add(features.flatten(0, 1), y.flatten(0, 1))
        solutions = {penalty: squares.solve(penalty) for penalty in ridges}
        errors = {penalty: squares.error(weights) for penalty, weights in solutions.items()}
        if validation is not None:
            features, _ = self.features(validation[0], state)
            errors = {p: float((features @ w.T - validation[1]).square().mean()) for p, w in solutions.items()}
        self.readout.copy_(solutions[min(errors, key=errors.__getitem__)])
        return errors

    @torch.no_grad()
    def generate(self, inputs: Tensor, steps: int, state: State = None) -> Tensor:
        """Read `inputs` (T, B, D) as given, then go on for `steps`, each output (B, D) being the next input.

        Returns the outputs (steps, B, D); the first is the one after the last input.
        """
        if len(self.readout) != inputs.shape[-1]:
            got = f"{len(self.readout)} outputs, {inputs.shape[-1]} inputs"
            raise ConfigError("generate", got, "An output that is fed back is as large as the input")
        output, state = self._read(inputs, state)
        outputs = [output]
        for _ in range(steps - 1):
            output, state = self._read(output[None], state)
            outputs.append(output)
        return torch.stack(outputs)

    def _read(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the output (B, O) after the last of `inputs`, and the state; states before it are not kept."""
        last = inputs.new_zeros(inputs.shape[1], self.readout.shape[1])
        for x in inputs.split(self._steps_at_once(inputs)):
            features, state = self.features(x, state)
            last = features[-1] if len(x) else last
        return last @ self.readout.T, state

    def _steps_at_once(self, inputs: Tensor) -> int:
        return max(1, NUMBERS_AT_ONCE // (max(1, inputs.shape[1]) * self.readout.shape[1]))


class LeastSquares:
    """Least squares over rows that come in pieces: min ‖X w - Y‖² + ridge · n · mean(X²) · ‖w‖².

    Kept is the triangle R of [X, Y] = Q R, from which all ridges follow. Unlike X.T @ X, it does not square the
    condition of X: a reservoir's states are nearly dependent, and what tells them apart lies in the last digits.
    """

    def __init__(self):
        self.triangle: Tensor | None = None
        self.rows = self.columns = 0

    def add(self, features: Tensor, targets: Tensor) -> None:
        """Add rows of X (N, F) and Y (N, O)."""
        rows = torch.cat([features, targets], 1).double()
        if self.triangle is not None:
            rows = torch.cat([self.triangle, rows])
        self.triangle = torch.linalg.qr(rows, mode="r")[1]
        self.rows, self.columns = self.rows + len(features), features.shape[1]

    def solve(self, ridge: float = 0.0) -> Tensor:
        """Return the weights (O, F)."""
        assert self.triangle is not None
        left, right = self.triangle[:, : self.columns], self.triangle[:, self.columns :]
        u, sizes, v = torch.linalg.svd(left, full_matrices=False)
        penalty = ridge * float(sizes.square().mean())
        # directions in which the rows do not differ have no say
        kept = sizes > sizes.max() * torch.finfo(sizes.dtype).eps * max(self.rows, self.columns)
        inverse = torch.where(kept, sizes / (sizes.square() + penalty), 0.0)
        return (v.T @ (inverse[:, None] * (u.T @ right))).T

    def error(self, weights: Tensor) -> float:
        """Return the mean squared error of weights (O, F) over all rows."""
        assert self.triangle is not None
        left, right = self.triangle[:, : self.columns], self.triangle[:, self.columns :]
        return float((left @ weights.T - right).square().sum() / (self.rows * right.shape[1]))


def memory_capacity(
    model: ReservoirModel, steps: int, *, washout: int, generator: torch.Generator | None = None
) -> Tensor:
    """Fit `model`, of one input, to give its last inputs; return how well it does: r² (O,), from one step ago on.

    Inputs are uniform on ±0.5. The readout is fitted on `steps` steps; r², the squared correlation with the input that
    it should give, is measured on as many more. Their sum is the memory capacity, at most the number of units (Jaeger,
    2002, GMD report 152, definition 1 and proposition 2).
    """
    delays = len(model.readout)
    if washout < delays:
        raise ConfigError("washout", f"{washout} steps, for {delays} delays", "It is as long as the longest delay")
    inputs = torch.rand(washout + 2 * steps, 1, 1, dtype=torch.float64, generator=generator) - 0.5
    targets = delayed(inputs[:, 0, 0], delays)[:, None]
    middle = washout + steps
    model.fit(inputs[:middle], targets[:middle], washout=washout)
    state = model._read(inputs[:middle], None)[1]
    return squared_correlation(model(inputs[middle:], state)[0][:, 0], targets[middle:, 0])


def delayed(inputs: Tensor, delays: int) -> Tensor:
    """Return what was read 1 … `delays` steps before each step, (T, K), of inputs (T,); zeros before the first.

    >>> delayed(torch.tensor([1.0, 2.0, 3.0]), 2).tolist()
    [[0.0, 0.0], [1.0, 0.0], [2.0, 1.0]]
    """
    padded = torch.cat([inputs.new_zeros(delays), inputs])
    return padded[:-1].unfold(0, delays, 1).flip(1)


def squared_correlation(found: Tensor, wanted: Tensor) -> Tensor:
    """Return r² (K,) of each column of two (N, K); 0 where one of them is the same throughout."""
    found, wanted = found - found.mean(0), wanted - wanted.mean(0)
    spread = found.square().sum(0) * wanted.square().sum(0)
    return ((found * wanted).sum(0).square() / spread).where(spread > 0, 0.0)
