"""A model that remembers all it read, and every sequence it can write, one by one in plain Python."""

import copy
import itertools
import math
from typing import NamedTuple

import torch


class Model:
    """Scores drawn at random for each history: the state is the history itself, as a number to the base V + 1."""

    def __init__(self, symbols, length, seed, rows=1, low=None):
        self.symbols, self.rows = symbols, rows
        self.calls = []
        """How many rows each call was for."""
        draw = torch.Generator().manual_seed(seed)
        size = (rows, (symbols + 1) ** (length + 1), symbols)
        self.scores = torch.randn(size, generator=draw, dtype=torch.float64) * 2
        if low is not None:
            self.scores[torch.rand(size, generator=draw) < low] = -math.inf

    def step(self, symbols, state):
        history = state["history"] * (self.symbols + 1) + symbols + 1
        row = torch.arange(len(symbols)) // (len(symbols) // self.rows)
        return self.scores[row, history % self.scores.shape[1]], {"history": history}

    def narrowed(self, rows):
        """Return the model of some rows alone."""
        some = copy.copy(self)
        some.rows, some.scores = len(rows), self.scores[rows]
        return some

    def __call__(self, symbols, state):
        self.calls.append(self.rows)
        return self.step(symbols, state)

    def start(self):
        return torch.zeros(self.rows, dtype=torch.int64), {"history": torch.zeros(self.rows, dtype=torch.int64)}

    def log_p(self, row, sequence):
        """Return log P of each symbol of a sequence, the start 0 before it."""
        found, history = [], 0
        for before, symbol in itertools.pairwise((0, *sequence)):
            history = history * (self.symbols + 1) + before + 1
            log_p = self.scores[row, history % self.scores.shape[1]].log_softmax(-1)
            found.append(log_p.nan_to_num(nan=-math.inf, neginf=-math.inf)[symbol].item())
        return found

    def weights(self, row, sequence, places):
        """Return what the model attends to before each symbol and the end."""
        return [attention(torch.tensor([before]), places)[0] for before in (0, *sequence)]


def attention(symbols, places):
    """Return weights (R, S) that depend on the last symbol read."""
    weights = (symbols[:, None] + 1.0) * (torch.arange(places) + 1.0)
    return weights.sin().double().mul(3).softmax(-1)


class Written(NamedTuple):
    tokens: tuple
    score: float
    log_prob: float


def sequences(symbols, end, least, most):
    """Return every sequence of so many symbols other than the end."""
    others = [symbol for symbol in range(symbols) if symbol != end]
    return [found for size in range(least, most + 1) for found in itertools.product(others, repeat=size)]


def every(model, row, end, settings, limit=None, prefix=(), places=None, of=None):
    """Return all that a row may become under the settings, the best first."""
    prefix = tuple(prefix)[: [*prefix, end].index(end) + 1]
    limit = settings.max_length if limit is None else min(limit, settings.max_length)
    limit = max(limit, len(prefix), settings.min_length)
    found = []
    for tokens in sequences(model.symbols, end, settings.min_length, limit):
        if any(want not in (-1, got) for want, got in itertools.zip_longest(prefix, (*tokens, end), fillvalue=-1)):
            continue
        size = settings.no_repeat_ngram
        grams = [tokens[i : i + size] for i in range(len(tokens) - size + 1)] if size else []
        repeats = {gram for k, gram in enumerate(grams) if gram in grams[:k]}
        if repeats or set(tokens) & set(settings.never):
            continue
        log_prob = sum(model.log_p(row, (*tokens, end)))
        score = log_prob / ((5 + len(tokens) + 1) / 6) ** settings.length_penalty
        if settings.coverage_penalty:
            total = sum(model.weights(row, tokens, places))[:of]
            score += settings.coverage_penalty * sum(math.log(min(float(x), 1.0)) for x in total)
        found.append(Written(tokens, score, log_prob))
    return sorted((one for one in found if one.score > -math.inf), key=lambda one: -one.score)


def written(found, row):
    """Return the sequences that a search found for a row, in Python's numbers."""
    kept = [n for n in range(found.scores.shape[1]) if found.scores[row, n] > -math.inf]
    return [
        Written(
            tuple(found.tokens[row, n, : found.lengths[row, n]].tolist()),
            found.scores[row, n].item(),
            found.log_probs[row, n].item(),
        )
        for n in kept
    ]


def assert_same(got, expected):
    """Compare two ranked lists; sequences of equal scores cannot be told apart, and are not drawn here."""
    assert [one.tokens for one in got] == [one.tokens for one in expected]
    for ours, theirs in zip(got, expected, strict=True):
        assert math.isclose(ours.score, theirs.score, rel_tol=1e-9, abs_tol=1e-12)
        assert math.isclose(ours.log_prob, theirs.log_prob, rel_tol=1e-9, abs_tol=1e-12)
