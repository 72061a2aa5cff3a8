"""How the next symbol is chosen: greedy, or drawn after temperature, top-k, top-p and min-p, in this order.

scores → divide by the temperature → softmax
       → top-k: keep the k most probable
       → top-p: of these, keep the most probable until they hold p of what top-k left (Holtzman et al.,
                2020, arXiv:1904.09751)
       → min-p: drop what has less than min_p times the probability of the best (Nguyen et al., 2024,
                arXiv:2407.01082)
       → draw
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ostinato._errors import ConfigError, RunError

if TYPE_CHECKING:
    from torch import Generator, Tensor

Step = Callable[["Tensor", Any], tuple["Tensor", Any]]


@dataclass(frozen=True)
class Sampling:
    """How to choose among scores; ConfigError for a value that is not possible."""

    temperature: float = 1.0
    """Above 0; scores are divided by it: below 1 is bolder on the likely, above 1 more varied."""
    top_k: int | None = None
    """Keep the k most probable symbols; equal ones by their number, lowest first."""
    top_p: float | None = None
    """Keep the fewest symbols that hold this share of the probability, 0 < p ≤ 1."""
    min_p: float | None = None
    """Keep symbols with at least this share of the best one's probability, 0 ≤ p ≤ 1."""
    greedy: bool = False
    """Take the best symbol, of equal ones the lowest number; the fields above are not used."""

    def __post_init__(self):
        number = 0 < self.temperature < math.inf
        _check("temperature", self.temperature, number, "a number above 0", "For the best symbol use greedy")
        if self.top_k is not None:
            number = isinstance(self.top_k, int) and self.top_k >= 1
            _check("top_k", self.top_k, number, "a whole number from 1", "Leave it out to keep all symbols")
        if self.top_p is not None:
            number = 0 < self.top_p <= 1
            _check("top_p", self.top_p, number, "a number above 0, at most 1", "1 keeps all symbols")
        if self.min_p is not None:
            _check("min_p", self.min_p, 0 <= self.min_p <= 1, "a number from 0 to 1", "0 keeps all symbols")


def _check(name: str, value: Any, is_possible: bool, possible: str, advice: str) -> None:
    if isinstance(value, bool) or not is_possible:
        raise ConfigError(name, f"{value!r}", f"Possible: {possible}", advice)


def choose(scores: Tensor, sampling: Sampling, generator: Generator | None = None) -> Tensor:
    """Return one symbol a row, (B,) int64, for scores (B, V): log-probabilities up to a constant.

    The same seed of `generator` gives the same symbols; it may live on another device than the scores (the
    draw is made on its own). A score of -inf is never chosen. Raises RunError for NaN, for +inf, and when no
    score is finite.
    """
    import torch

    best = _best(scores)
    if sampling.greedy:
        numbers = torch.arange(scores.shape[-1], device=scores.device)
        # `argmax` promises nothing about equal scores; the lowest number is the same on every device.
        return torch.where(scores == best, numbers, scores.shape[-1]).amin(-1)
    probabilities, symbols = distribution(scores, sampling)
    if generator is not None:
        probabilities = probabilities.to(generator.device)
    drawn = torch.multinomial(probabilities, 1, generator=generator).to(scores.device)
    return symbols.gather(-1, drawn).squeeze(-1)


def distribution(scores: Tensor, sampling: Sampling) -> tuple[Tensor, Tensor]:
    """Return the probabilities (B, V) that `choose` draws from, and the symbols (B, V) they belong to.

    Where a filter is set they are sorted, the most probable first.
    """
    import torch

    # The difference to the best is finite at every temperature, and bfloat16 is too coarse to add up.
    scaled = (scores - _best(scores)).float() / sampling.temperature
    probabilities = scaled.softmax(-1)
    if sampling.top_k is None and sampling.top_p is None and not sampling.min_p:
        return probabilities, torch.arange(scores.shape[-1], device=scores.device).expand_as(scores)
    probabilities, symbols = probabilities.sort(dim=-1, descending=True, stable=True)
    if sampling.top_k is not None:
        probabilities[..., sampling.top_k :] = 0
        probabilities /= probabilities.sum(-1, keepdim=True)
    if sampling.top_p is not None and sampling.top_p < 1:
        before = torch.nn.functional.pad(probabilities.cumsum(-1)[..., :-1], (1, 0))
        probabilities = probabilities.masked_fill(before >= sampling.top_p, 0)
    if sampling.min_p:
        least = sampling.min_p * probabilities[..., :1]
        probabilities = probabilities.masked_fill(probabilities < least, 0)
    return probabilities / probabilities.sum(-1, keepdim=True), symbols


def _best(scores: Tensor) -> Tensor:
    best = scores.amax(-1, keepdim=True)
    if not best.isfinite().all():  # NaN anywhere in a row makes its maximum NaN
        raise RunError(
            "the model's scores",
            "NaN, or no finite one" if not (best == math.inf).any() else "an infinite one",
            "Scores are finite numbers, or -inf for what must not be chosen",
            "The training has diverged: use an earlier checkpoint, or a lower learning rate",
        )
    return best


def generate(
    step: Step,
    state: Any,
    prompt: Tensor,
    *,
    sampling: Sampling,
    length: int,
    generator: Generator | None = None,
    stop_ids: Iterable[int] = (),
    never_ids: Sequence[int] = (),
) -> Iterator[Tensor]:
    """Read `prompt`, then draw up to `length` symbols and yield each as it is drawn, (B,) int64.

    `step(symbols (B,), state) -> (scores (B, V), state)`; `prompt` is (T,) or (T, B) int64 with T ≥ 1 (a
    long one is quicker read in one piece beforehand: pass the state before its last symbol, and that symbol).
    A row that drew one of `stop_ids` goes on yielding it, and the end comes when all rows have. `never_ids`
    are not drawn.
    Raises ConfigError for an empty prompt or a negative length.
    """
    if prompt.ndim not in (1, 2) or prompt.shape[0] == 0:
        got = f"a tensor of shape {tuple(prompt.shape)}"
        raise ConfigError("prompt", got, "Possible: (T,) or (T, B), T from 1", "Start with the boundary symbol")
    if length < 0:
        raise ConfigError("length", f"{length}", "Possible: a whole number from 0")
    prompt = prompt.reshape(prompt.shape[0], -1)
    return _generate(step, state, prompt, sampling, length, generator, tuple(stop_ids), list(never_ids))


def _generate(step, state, prompt, sampling, length, generator, stop_ids, never_ids) -> Iterator[Tensor]:
    import torch

    stops = torch.tensor(stop_ids, dtype=torch.int64, device=prompt.device)
    symbols, stopped = prompt[-1], torch.zeros_like(prompt[-1], dtype=torch.bool)
    for earlier in prompt[:-1]:
        with torch.no_grad():
            _, state = step(earlier, state)
    for _ in range(length):
        # Around the step alone: a generator would leave its mode on in the caller's code.
        with torch.no_grad():
            scores, state = step(symbols, state)
            if never_ids:
                scores = scores.index_fill(-1, torch.tensor(never_ids, device=scores.device), -math.inf)
            symbols = torch.where(stopped, symbols, choose(scores, sampling, generator).to(symbols.device))
            stopped = stopped | torch.isin(symbols, stops)
        yield symbols
        if stopped.all():
            return


def until_stop(pieces: Iterable[str], stops: Sequence[str]) -> Iterator[str]:
    """Pass on `pieces` of a text until one of `stops` is complete in it; the stop itself is left out.

    A stop may span pieces: text that could still begin one is withheld until that is decided, and given at
    the end. Of several stops complete at the same character the longest counts. Nothing is asked of `pieces`
    after a stop. Raises ConfigError for an empty stop.
    """
    stops = [stops] if isinstance(stops, str) else list(stops)
    if "" in stops:
        raise ConfigError("stop", "an empty text", "A stop is a text of at least one character", "Leave it out")
    return _until_stop(pieces, stops)


def _until_stop(pieces: Iterable[str], stops: Sequence[str]) -> Iterator[str]:
    held = ""
    for piece in pieces:
        held += piece
        found = [(place + len(stop), place) for stop in stops if (place := held.find(stop)) >= 0]
        if found:
            _, start = min(found)
            if start:
                yield held[:start]
            return
        kept = max((_overlap(held, stop) for stop in stops), default=0)
        if kept < len(held):
            yield held[: len(held) - kept]
        held = held[len(held) - kept :]
    if held:
        yield held


def _overlap(text: str, stop: str) -> int:
    """Return how many characters at the end of `text` begin `stop`, short of all of it."""
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)
