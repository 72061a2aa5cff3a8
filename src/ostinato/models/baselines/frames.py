"""A hidden Markov model in a forecaster's place: frames of bits of a series, each given those before it, exactly."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from ostinato.models.baselines.hidden_markov import HiddenMarkov
from ostinato.models.forecaster import Stretch


class HiddenMarkovFrames(nn.Module):
    """A `HiddenMarkov` of bits, fitted and used as a `Forecaster` is.

    seed  of the frames that its states begin at.
    """

    before = 1

    def __init__(self, size: int, states: int = 64, *, seed: int = 0):
        super().__init__()
        self.chain, self.seed = HiddenMarkov(size, states), seed

    def fit(self, stretches: Iterable[Stretch]) -> None:
        """Fit to the pieces of all stretches by Baum and Welch's algorithm."""
        pieces = [one.inputs[: int(n), k] for one in stretches for k, n in enumerate(one.lengths)]
        self.chain.fit([p for p in pieces if len(p)], generator=torch.Generator().manual_seed(self.seed))

    def loss(self, stretch: Stretch, state: Tensor | None = None) -> tuple[Tensor, int, Tensor]:
        """Return (nats summed over the steps that count, how many they are, the state after the last)."""
        found, state = self.chain.score(stretch.inputs, stretch.lengths, state)
        counted = stretch.counted
        return -found[counted].sum(), int(counted.sum()), state

    def count(self, stretch: Stretch) -> int:
        """Return how many steps count."""
        return int(stretch.counted.sum())

    @torch.no_grad()
    def forecast(
        self,
        history: Stretch,
        *,
        horizon: int,
        samples: int = 100,
        generator: torch.Generator | None = None,
        **_: object,
    ) -> Tensor:
        """Return `samples` futures (S, H, B, D), each frame drawn after those drawn before it."""
        state = self.chain.score(history.inputs, history.lengths)[1].repeat_interleave(samples, 0)
        one, frames = torch.ones(len(state), dtype=torch.long, device=state.device), []
        for _step in range(horizon):
            frames.append(self.chain.sample(state, generator))
            state = self.chain.score(frames[-1][None], one, state)[1]
        rows = history.values.shape[1]
        return torch.stack(frames).unflatten(1, (rows, samples)).permute(2, 0, 1, 3).float()

    def initial_state(self, batch_size: int) -> Tensor:
        """Return the state before the first frame."""
        return self.chain.initial_state(batch_size)

    def plans(self) -> list[str]:
        """Return what runs it: nothing recurrent."""
        return ["none (a baseline without recurrence)"]
