"""`HiddenMarkov`: a chain of hidden states, each with outputs of its own, fitted by Baum and Welch's algorithm.

Rabiner (1989, Proceedings of the IEEE 77); equation numbers are his. With a_ij the chance of state j after i, π_i that
of beginning in i, and b_i(x) of the frame x in state i:

    α_1(i) = π_i b_i(x_1),   α_t(j) = Σ_i α_t-1(i) a_ij b_j(x_t)          (19), (20)
    β_T(i) = 1,              β_t(i) = Σ_j a_ij b_j(x_t+1) β_t+1(j)         (24), (25)

Both are scaled at each step by c_t = p(x_t | x_1 … x_t-1), so that log p(x) = Σ log c_t and nothing underflows.
Outputs of a state are bits that are independent, b_i(x) = Π_d p_id^x_d (1 - p_id)^(1 - x_d), or one symbol, p_ix.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ostinato._errors import ConfigError, DataError, did_you_mean

OUTPUTS = ("bits", "symbol")
TINY = torch.finfo(torch.float64).tiny
AT_ONCE = 1 << 23
"""Numbers (T · B · K) that a pass holds in one tensor: 64 MB."""


class Expected(NamedTuple):
    """How often, by the model as it stands, all that happened was expected to: sums over time and rows."""

    starts: Tensor
    """Beginnings in each state (K,)."""
    moves: Tensor
    """Moves from state to state (K, K)."""
    visits: Tensor
    """Frames in each state (K,)."""
    on: Tensor
    """Outputs in each state (K, D)."""
    nats: Tensor
    """-log p of everything."""


class HiddenMarkov(nn.Module):
    """A hidden Markov model of frames (T, B, D) of 0 and 1, in float64.

    >>> model = HiddenMarkov(3, states=2, outputs="symbol")
    >>> model.log_likelihood(torch.eye(3)[:, None], torch.tensor([3])).exp().item() * 27
    1.0

    outputs  "bits": any of the D may be 1; "symbol": exactly one of them is.

    Raises ConfigError for sizes and names that do not fit.
    """

    def __init__(self, size: int, states: int = 64, *, outputs: str = "bits"):
        super().__init__()
        for name, number in (("size", size), ("states", states)):
            if number < 1:
                raise ConfigError(name, f"{number} was given", "A size is at least 1")
        if outputs not in OUTPUTS:
            near = did_you_mean(outputs, OUTPUTS)
            raise ConfigError("outputs", f"'{outputs}'", f"Possible: {', '.join(OUTPUTS)}", near)
        self.size, self.states, self.outputs = size, states, outputs
        self._share = 0.5 if outputs == "bits" else 1 / size
        self.start: Tensor
        self.moves: Tensor
        self.on: Tensor
        self.register_buffer("start", torch.full((states,), 1 / states, dtype=torch.float64))
        self.register_buffer("moves", torch.full((states, states), 1 / states, dtype=torch.float64))
        self.register_buffer("on", torch.full((states, size), self._share, dtype=torch.float64))

    def fit(
        self,
        sequences: Sequence[Tensor],
        *,
        iterations: int = 50,
        smoothing: float = 1.0,
        smoothing_moves: float | None = None,
        held_out: Sequence[Tensor] = (),
        generator: torch.Generator | None = None,
    ) -> list[float]:
        """Fit to sequences (T, D), and return the nats a frame before each iteration.

        smoothing        frames that each state is thought to have seen beside its own: of all outputs' mean, in which
                         one more frame, of even chances, keeps possible what was never on, or always.
        smoothing_moves  moves from each state beside its own, to states as they are frequent; None is one for 16
                         states. On chorales, of 256 states: 16 are 0.04 nats a frame better than 4.
        held_out         sequences that decide which iteration is kept; without them it is the last. Their nats are
                         what is returned then.

        Raises ConfigError for numbers below these, DataError for no frames, or for frames of other numbers.
        """
        beside = self.states / 16 if smoothing_moves is None else smoothing_moves
        if iterations < 1 or smoothing < 0 or beside < 0:
            got = f"iterations={iterations}, smoothing={smoothing}, smoothing_moves={beside:g}"
            raise ConfigError("HiddenMarkov.fit", got, "Iterations are at least 1, smoothing is not below 0")
        self._check([*sequences, *held_out])
        frames = torch.cat([one.to(self.on) for one in sequences])
        mean = (frames.sum(0) + self._share) / (len(frames) + 1)
        self._begin(frames, mean, generator)
        found, best = [], None
        for _ in range(iterations):
            expected = self._expect(sequences)
            nats = self.nats(held_out) if held_out else float(expected.nats) / len(frames)
            found.append(nats)
            if held_out and nats <= min(found):
                best = {name: value.clone() for name, value in self.state_dict().items()}
            self._maximise(expected, mean, smoothing, beside)
        if best is not None and self.nats(held_out) > min(found):
            self.load_state_dict(best)
        return found

    def nats(self, sequences: Sequence[Tensor]) -> float:
        """Return -log p a frame, over all sequences (T, D)."""
        self._check(sequences)
        total = sum(float(self.log_likelihood(*batch).sum()) for batch in self._batches(sequences))
        return -total / sum(len(one) for one in sequences)

    def log_likelihood(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Return log p (B,) of each row of frames (T, B, D)."""
        return self.score(frames, lengths)[0].sum(0)

    def score(self, frames: Tensor, lengths: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return log p of each frame (T, B) after those before it, 0 beyond a row's length, and the state (B, K).

        The state is the chance of each hidden state at the next frame; None is the beginning.
        """
        chances = self.initial_state(frames.shape[1]) if state is None else state
        logs, scales = self._outputs(frames)
        there = self._there(frames, lengths)
        found = []
        for likely, scale, own in zip(logs.exp(), scales, there, strict=True):
            joint = chances * likely
            total = joint.sum(-1, keepdim=True)
            found.append(torch.where(own, total.squeeze(-1).log() + scale, 0.0))
            chances = torch.where(own[:, None], (joint / total.clamp(min=TINY)) @ self.moves, chances)
        return torch.stack(found) if found else scales, chances

    def predict(self, state: Tensor) -> Tensor:
        """Return the chance (B, D) of each output at the next frame."""
        return state @ self.on

    def sample(self, state: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return a next frame (B, D) drawn for each row."""
        hidden = torch.multinomial(state, 1, generator=generator).squeeze(-1)
        if self.outputs == "symbol":
            drawn = torch.multinomial(self.on[hidden], 1, generator=generator).squeeze(-1)
            return nn.functional.one_hot(drawn, self.size).to(self.on)
        return torch.bernoulli(self.on[hidden], generator=generator)

    def initial_state(self, batch_size: int) -> Tensor:
        """Return the state before the first frame."""
        return self.start.expand(batch_size, -1)

    def _outputs(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Return log b (T, B, K) less its greatest over states, and that (T, B)."""
        read, on = frames.to(self.on), self.on.clamp(min=TINY)
        logs = read @ on.log().T
        if self.outputs == "bits":
            logs = logs + (1 - read) @ (1 - self.on).clamp(min=TINY).log().T
        scales = logs.amax(-1)
        return logs - scales[..., None], scales

    def _there(self, frames: Tensor, lengths: Tensor) -> Tensor:
        return torch.arange(frames.shape[0], device=frames.device)[:, None] < lengths.to(frames.device)

    def _expect(self, sequences: Sequence[Tensor]) -> Expected:
        parts = [self._expect_of(*batch) for batch in self._batches(sequences)]
        return Expected(*(torch.stack(column).sum(0) for column in zip(*parts, strict=True)))

    def _expect_of(self, frames: Tensor, lengths: Tensor) -> Expected:
        """Go forward and backward over a batch, and add up γ (27) and ξ (37)."""
        logs, scales = self._outputs(frames)
        likely, there = logs.exp(), self._there(frames, lengths)
        # the last steps of a short row are not there: they change nothing, forwards or backwards
        likely = torch.where(there[..., None], likely, 1.0)
        forward, totals = torch.empty_like(likely), torch.ones_like(scales)
        chances = self.initial_state(frames.shape[1])
        for t in range(len(likely)):
            joint = chances * likely[t]
            totals[t] = joint.sum(-1).clamp(min=TINY)
            forward[t] = joint / totals[t][:, None]
            chances = forward[t] @ self.moves
        after = torch.ones_like(likely)  # β_t c_t+1 … c_T, divided by as much
        for t in range(len(likely) - 1, 0, -1):
            onward = likely[t] * after[t] / totals[t][:, None]
            after[t - 1] = torch.where(there[t][:, None], onward @ self.moves.T, 1.0)
            likely[t] = torch.where(there[t][:, None], onward, 0.0)
        posterior = torch.where(there[..., None], forward * after, 0.0)
        moved = self.moves * (forward[:-1].flatten(0, 1).T @ likely[1:].flatten(0, 1))
        flat, read = posterior.flatten(0, 1), frames.to(self.on).flatten(0, 1)
        nats = -torch.where(there, totals.log() + scales, 0.0).sum()
        return Expected(posterior[0].sum(0), moved, flat.sum(0), flat.T @ read, nats)

    def _maximise(self, expected: Expected, mean: Tensor, smoothing: float, smoothing_moves: float) -> None:
        """Set each chance to the share that was expected (40a to 40c), smoothed."""
        usual = smoothing_moves * expected.visits / expected.visits.sum()
        self.start.copy_((expected.starts + usual) / (expected.starts.sum() + smoothing_moves))
        self.moves.copy_(_shares(expected.moves + usual))
        seen = expected.on + smoothing * mean
        visits = expected.visits[:, None] + smoothing
        self.on.copy_(_shares(seen) if self.outputs == "symbol" else (seen / visits.clamp(min=TINY)).clamp(0, 1))

    def _begin(self, frames: Tensor, mean: Tensor, generator: torch.Generator | None) -> None:
        """Begin each state at a frame that was drawn, mixed with the mean of all."""
        drawn = torch.randint(len(frames), (self.states,), generator=generator)
        self.on.copy_(0.5 * frames[drawn] + 0.5 * mean)
        noise = torch.rand(self.moves.shape, dtype=torch.float64, generator=generator)
        self.moves.copy_(_shares(1 + noise))
        self.start.fill_(1 / self.states)

    def _batches(self, sequences: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield sequences of about one length side by side: frames (T, B, D) and lengths (B,)."""
        ordered = sorted(sequences, key=len)
        while ordered:
            rows = max(1, AT_ONCE // max(1, len(ordered[-1]) * self.states))
            batch, ordered = ordered[-rows:], ordered[:-rows]
            yield nn.utils.rnn.pad_sequence(batch), torch.tensor([len(one) for one in batch])

    def _check(self, sequences: Sequence[Tensor]) -> None:
        if not sum(len(one) for one in sequences):
            raise DataError("the frames", "there are none", "Chances are counted from at least one")
        for number, one in enumerate(sequences, start=1):
            if one.dim() != 2 or one.shape[1] != self.size:
                got = f"shape {tuple(one.shape)}"
                raise DataError(f"sequence {number}", got, f"Frames are (T, {self.size})")
            if not ((one == 0) | (one == 1)).all():
                raise DataError(f"sequence {number}", "a number other than 0 and 1", "Outputs are on or off")
            if self.outputs == "symbol" and not (one.sum(-1) == 1).all():
                raise DataError(f"sequence {number}", "a frame without, or with several symbols", "Each has one")


def _shares(numbers: Tensor) -> Tensor:
    """Return rows that sum to 1; where there is nothing, equal shares."""
    totals = numbers.sum(-1, keepdim=True)
    return torch.where(totals > 0, numbers / totals.clamp(min=TINY), 1 / numbers.shape[-1])
