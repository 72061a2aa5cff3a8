"""`KneserNey`: the n-gram language model that recurrent ones are measured against, as tables of numbers.

Interpolated, with three discounts: what Chen and Goodman (1998, TR-10-98) call modified, after Kneser and Ney (1995,
ICASSP). Of a word w after the words h, with h' = h without its first word:

    P(w | h) = max(c(h w) - D(c), 0) / Σ_v c(h v)  +  γ(h) P(w | h')
    γ(h)     = Σ_v D(c(h v)) / Σ_v c(h v)                                               what was taken off
    P(w | h) = P(w | h') where h never occurs; below one word stands 1 / V

c(h w) counts how often h w occurs where h has order - 1 words, and for shorter h how many different words stand before
h w: a word that follows one other word only is not frequent anywhere else. An n-gram at the start of a
document has no word before it, and its own count stands.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ostinato._errors import ConfigError, DataError
from ostinato.models.baselines.contexts import contexts
from ostinato.models.language_model import Segment

NOTHING = -1
"""The key, and the number, of an n-gram that never occurs."""
LONGEST = 20
"""Symbols of an n-gram: all contexts of a symbol are looked up one by one, so that time grows with the square."""
FALLBACK = 0.5
"""The discount where no n-gram occurs exactly once, so that nothing says how large it should be."""


class Table(NamedTuple):
    """The n-grams of one order, sorted: all that follow a context stand together."""

    keys: NDArray
    """Number of the context among the n-grams one shorter · (V + 1) + the last word (N,)."""
    discounted: NDArray
    """max(c - D, 0) / Σ c (N,)."""
    left: NDArray
    """γ of each context, (number of n-grams one shorter,); 1 where nothing follows it."""


class KneserNey(nn.Module):
    """Scores of the next symbol from the last `order` - 1, within a document.

    The state is those symbols, (B, order - 1), and V where there is none. Without tables every symbol is as likely.

    Raises ConfigError for sizes that do not fit.
    """

    def __init__(self, vocabulary_size: int, order: int = 5):
        super().__init__()
        if vocabulary_size < 1:
            raise ConfigError("vocabulary_size", f"{vocabulary_size} was given", "A size is at least 1")
        if not 1 <= order <= LONGEST:
            raise ConfigError("order", f"{order} was given", f"It is from 1 to {LONGEST}")
        self.vocabulary_size, self.order = vocabulary_size, order
        for k in range(1, order + 1):
            self.register_buffer(f"keys{k}", torch.full((1,), NOTHING))
            self.register_buffer(f"discounted{k}", torch.zeros(1, dtype=torch.float64))
            self.register_buffer(f"left{k}", torch.ones(1, dtype=torch.float64))

    def fit(self, tokens: NDArray, boundary: int) -> None:
        """Count the n-grams of a stream, whose documents start with `boundary`. Raises DataError for no symbols."""
        if len(tokens) < 2:
            raise DataError("the text", f"{len(tokens)} symbols", "N-grams are counted from two on")
        for k, table in enumerate(tables(tokens, self.vocabulary_size, boundary, self.order), start=1):
            for name, numbers in zip(("keys", "discounted", "left"), table, strict=True):
                self.register_buffer(f"{name}{k}", torch.from_numpy(numbers))

    def make_room(self, tensors: dict[str, Tensor]) -> None:
        """Take the sizes of these tensors, by name, so that they can be loaded."""
        for name, buffer in list(self.named_buffers()):
            if name in tensors:
                self.register_buffer(name, torch.zeros(tensors[name].shape, dtype=buffer.dtype))

    def probability(self, context: Tensor, symbols: Tensor) -> Tensor:
        """Return P (N,) of `symbols` (N,) after `context` (N, order - 1), or after one (1, order - 1)."""
        found = torch.full(symbols.shape, 1.0 / self.vocabulary_size, dtype=torch.float64, device=symbols.device)
        for k in range(1, self.order + 1):
            keys, discounted, left = self._table(k)
            before = self._number(context[:, self.order - k :])
            place, known = _look_up(keys, before * (self.vocabulary_size + 1) + symbols)
            known &= before >= 0
            of_context = torch.where(before >= 0, left[before.clamp(min=0)], 1.0)
            found = found * of_context + torch.where(known, discounted[place], 0.0)
        return found

    def forward(self, tokens: Tensor, state: Tensor | None = None, *, reset: Tensor | None = None):
        """Return the context (T, B, order - 1) of the symbol after each of `tokens` (T, B), and the state."""
        return contexts(tokens, state, reset, self.order - 1, self.vocabulary_size)

    def loss(self, segment: Segment, state: Tensor | None = None) -> tuple[Tensor, int, Tensor]:
        """Return (the sum of nats over the segment, how many symbols were predicted, the state after it)."""
        context, after = self(segment.inputs, state, reset=segment.reset)
        probability = self.probability(context.flatten(0, 1), segment.targets.flatten())
        return -probability.log().sum(), segment.targets.numel(), after

    def count(self, segment: Segment) -> int:
        """Return how many symbols of the segment are predicted."""
        return segment.targets.numel()

    def step(self, token: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return log P (B, V) of the symbol after `token` (B,), and the state."""
        context, after = self(token[None], state)
        symbols = torch.arange(self.vocabulary_size, device=token.device)
        rows = [self.probability(row[None], symbols) for row in context[0]]
        return torch.stack(rows).log(), after

    def initial_state(self, batch_size: int) -> Tensor:
        """Return the state before the first symbol: there was none."""
        return torch.full((batch_size, self.order - 1), self.vocabulary_size, device=self.keys1.device)  # type: ignore[call-overload]

    def plans(self) -> list[str]:
        """Return that there is nothing to run over time."""
        return ["none (a baseline without recurrence)"]

    def _table(self, k: int) -> tuple[Tensor, Tensor, Tensor]:
        return getattr(self, f"keys{k}"), getattr(self, f"discounted{k}"), getattr(self, f"left{k}")

    def _number(self, words: Tensor) -> Tensor:
        """Return the number (N,) of each n-gram (N, k) among those of its order, -1 where it never occurs."""
        number = torch.zeros(len(words), dtype=torch.int64, device=words.device)
        for k, word in enumerate(words.unbind(1), start=1):
            place, known = _look_up(self._table(k)[0], number * (self.vocabulary_size + 1) + word)
            number = torch.where(known & (number >= 0), place, NOTHING)
        return number


def _look_up(keys: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Return where each number stands among sorted ones, and whether it is there."""
    place = torch.searchsorted(keys, wanted).clamp(max=len(keys) - 1)
    return place, keys[place] == wanted


def tables(tokens: NDArray, vocabulary_size: int, boundary: int, order: int) -> list[Table]:
    """Return the tables of orders 1 to `order` of a stream (N,)."""
    tokens = np.asarray(tokens, np.int64)
    numbers = _numbered(tokens, vocabulary_size, boundary, order)
    found = []
    for k, (keys, _) in enumerate(numbers, start=1):
        size = 1 if k == 1 else len(numbers[k - 2][0])
        found.append(_table(keys, keys // (vocabulary_size + 1), _counts(k, numbers, tokens, boundary), size))
    return found


def _numbered(tokens: NDArray, vocabulary_size: int, boundary: int, order: int) -> list[tuple[NDArray, NDArray]]:
    """Return for each order the sorted keys of its n-grams, and the number of the one that ends at each place, or -1.

    An n-gram lies within a document: a boundary is its first symbol, or its last, the document's end.
    """
    number, found = np.zeros(len(tokens), np.int64), []
    for k in range(1, order + 1):
        if k > 1:
            ends = number if k == 2 else np.where(tokens == boundary, -1, number)
            number = np.concatenate([[-1], ends[:-1]])
        there = number >= 0
        keys, places = np.unique(number[there] * (vocabulary_size + 1) + tokens[there], return_inverse=True)
        number[there] = places
        found.append((keys, number.copy()))
    return found


def _counts(k: int, numbers: list[tuple[NDArray, NDArray]], tokens: NDArray, boundary: int) -> NDArray:
    """Return c of each n-gram of order k: how often it occurs, or what different symbols stand before it."""
    keys, ending = numbers[k - 1]
    if k == len(numbers):
        return np.bincount(ending[ending >= 0], minlength=len(keys))
    longer = numbers[k][1]
    one_of_each = np.unique(longer[longer >= 0], return_index=True)[1]
    counts = np.bincount(ending[longer >= 0][one_of_each], minlength=len(keys))
    if k > 1:
        begins = np.concatenate([np.zeros(k - 1, bool), tokens == boundary])[: len(tokens)]
        counts += np.bincount(ending[begins & (ending >= 0)], minlength=len(keys))
    return counts


def _table(keys: NDArray, contexts: NDArray, counts: NDArray, size: int) -> Table:
    """Return the table of n-grams with these counts, whose contexts are numbers below `size`."""
    if len(keys) == 0:  # the text is shorter
        return Table(np.array([NOTHING]), np.zeros(1), np.ones(max(size, 1)))
    discounts = np.array([0.0, *_discounts(counts)])[np.minimum(counts, 3)]
    totals = np.bincount(contexts, counts, size)
    spread = np.maximum(totals, 1)
    left = np.where(totals > 0, np.bincount(contexts, discounts, size) / spread, 1.0)
    return Table(keys, (counts - discounts) / spread[contexts], left)


def _discounts(counts: NDArray) -> tuple[float, float, float]:
    """Return D of counts 1, 2 and 3 or more, as they estimate it; where they cannot be told apart, one for all.

    They cannot in a small text, where for some number up to 4 there is no n-gram that occurs so often.
    """
    one, two, three, four = (int(number) for number in np.bincount(np.minimum(counts, 5), minlength=6)[1:5])
    if min(one, two, three, four) == 0:
        single = one / (one + 2 * two) if one and two else FALLBACK
        return single, single, single
    share = one / (one + 2 * two)
    found = (1 - 2 * share * two / one, 2 - 3 * share * three / two, 3 - 4 * share * four / three)
    return tuple(min(max(d, 0.0), k) for k, d in enumerate(found, start=1))  # type: ignore[return-value]
