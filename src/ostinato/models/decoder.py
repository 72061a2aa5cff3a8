"""`Decoder`: writes symbols one after the other, from a vector, from a memory it looks at, or from both.

    state = begin(context)
    for t in range(T):
        h, state = cell([embedding(symbol_t), context, fed], state)
        seen, weights = attention(h, memory)
        features = tanh(W [h, seen])
        scores of symbol_{t+1} = V features + b

Where nothing of a step is fed to the next but the state, all steps of a right answer are run at once by the fused
engine, and looked from at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from ostinato._errors import ConfigError
from ostinato.cells.cell import State
from ostinato.layers.attention import Attention, Keys, Memory
from ostinato.layers.recurrent import Recurrent
from ostinato.layers.stack import check_share, check_size, dropped
from ostinato.models.language_model import tie

WAYS = ("state", "input", "bias")


class Writing(NamedTuple):
    """What a decoder carries from step to step, R rows first; None is what it has not."""

    recurrent: State
    output: Tensor | None
    """Last output of the layers (R, H), from which the next step looks."""
    fed: Tensor | None
    """Last features (R, F), which the next step reads."""
    weights: Tensor | None
    """Where it looked last (R, S)."""
    coverage: Tensor | None
    """The sum of all weights (R, S)."""


class Given(NamedTuple):
    """What all steps are given."""

    context: Tensor
    """(B, C)."""
    keys: Keys | None
    copies: Tensor | None
    """(B, S)."""

    def of(self, rows: Tensor) -> Given:
        """Return what the rows of these numbers (b,) are given."""
        return pytree.tree_map(lambda part: part[rows] if isinstance(part, Tensor) else part, self)


class Steps(NamedTuple):
    """What the scores of steps (…) are made of."""

    features: Tensor
    """(…, F)."""
    weights: Tensor | None
    """(…, S)."""
    copies: Tensor | None
    """(…, S)."""
    share: Tensor | None
    """Before a sigmoid, the share (…, 1) that is written and not copied."""

    def at(self, where: Tensor) -> Steps:
        """Return the steps at which a mask (…) is true."""
        return Steps(*(part if part is None else part[where] for part in self))  # type: ignore[arg-type]


class Decoder(nn.Module):
    """Write symbols with any cell.

    >>> decoder = Decoder(30, "gru", context_size=6, memory_size=6, hidden_size=8, attention="general")
    >>> given = decoder.given(torch.zeros(2, 6), Memory(torch.zeros(2, 5, 6)))
    >>> decoder(torch.zeros(7, 2, dtype=torch.int64), given).shape
    torch.Size([7, 2, 30])

    context_size   of the vector C that is written from.
    memory_size    of each place E that is looked at, with attention.
    context        how the vector comes in, by names joined with +: "state" (the first state is tanh(W c)), "input"
                   (c beside the symbol at every step), "bias" (W c added to the embedded symbol); "all" of them.
    attention      "none", "dot", "general", "additive" or "location", as `layers.attention` says.
    attend         "after" a step, from its output (Luong et al., 2015), or "before" it, from the output before, and the
                   step reads what is seen (Bahdanau et al., 2014).
    input_feeding  the next step reads the features too (Luong et al., 2015, section 3.3).
    coverage       attention sees the sum of its weights so far.
    copy           mix the scores with the weights of what is looked at, as symbols (See et al., 2017, equation 9).
    tied           use one matrix to read and to score symbols.
    dropout        of symbols, between layers and of the features, while learning.
    values         further keywords of `Recurrent` and of the cell.

    Raises ConfigError for sizes and names that do not fit.
    """

    def __init__(
        self,
        vocabulary_size: int,
        cell: Any = "lstm",
        *,
        context_size: int,
        memory_size: int | None = None,
        embedding_size: int = 256,
        hidden_size: int = 256,
        num_layers: int = 1,
        context: str = "state",
        attention: str = "none",
        attend: Literal["after", "before"] = "after",
        input_feeding: bool = False,
        coverage: bool = False,
        copy: bool = False,
        tied: bool = False,
        dropout: float = 0.0,
        **values: Any,
    ):
        super().__init__()
        self.ways = _ways(context)
        _check(attention, memory_size, {"input_feeding": input_feeding, "coverage": coverage, "copy": copy}, attend)
        check_share("dropout", dropout)
        check_size("embedding_size", embedding_size)
        self.vocabulary_size, self.dropout, self.attend = vocabulary_size, dropout, attend
        self.variational, self.feeds = values.get("variational", False), input_feeding
        looks = attention != "none"
        seen = (memory_size or 0) if looks else 0
        features = embedding_size if tied else hidden_size
        width = embedding_size + context_size * ("input" in self.ways)
        width += seen * (attend == "before") + features * input_feeding
        self.embedding = nn.Embedding(vocabulary_size, embedding_size)
        self.recurrent = Recurrent(cell, width, hidden_size, num_layers, dropout=dropout, **values)
        size = self.recurrent.output_size
        self.attention = Attention(attention, size, seen, coverage=coverage) if looks else None
        if "bias" in self.ways:
            self.bias = nn.Linear(context_size, embedding_size, bias=False)
        if "state" in self.ways:
            self.begin = nn.Linear(context_size, sum(leaf.shape[1] for leaf in self._leaves(1)))
        joins = looks or features != size
        self.features = nn.Linear(size + seen, features) if joins else None
        self.feature_size = features
        self.scores = nn.Linear(features, vocabulary_size)
        self.share = nn.Linear(size + seen + embedding_size, 1) if copy else None
        if tied:
            tie(self.scores, self.embedding)
        if self.steps_alone:
            _check_alike(values)

    def given(self, context: Tensor, memory: Memory | None = None) -> Given:
        """Make ready what all steps are given: the vector (B, C), and the memory where there is attention."""
        if self.attention is None:
            return Given(context, None, None)
        if memory is None:
            raise ConfigError("memory", "none was given", "Attention looks at one", "Pass it, or attention='none'")
        if self.share is not None and memory.copies is None:
            raise ConfigError(
                "memory", "no copies in it", "A decoder that copies is told what each place is written as"
            )
        return Given(context, self.attention.keys(memory), memory.copies if self.share is not None else None)

    def forward(self, tokens: Tensor, given: Given) -> Tensor:
        """Return the scores (T, B, V) of the symbol after each of `tokens` (T, B)."""
        return self.score(self.read(tokens, given))

    def read(self, tokens: Tensor, given: Given) -> Steps:
        """Return what scores are made of, for right symbols `tokens` (T, B) read one after the other."""
        embedded, state = self._embedded(tokens), self.initial_state(given)
        if not self.steps_alone:
            return self._at_once(embedded, state, given)
        steps = []
        for symbol in embedded:
            step, state = self._step(symbol, state, given)
            steps.append(step)
        columns = zip(*steps, strict=True)
        return Steps(*(None if column[0] is None else torch.stack(column) for column in columns))  # type: ignore[arg-type]

    def score(self, steps: Steps) -> Tensor:
        """Return the scores (…, V): log-probabilities where symbols are copied, otherwise up to a constant."""
        scores = self.scores(self._dropped(steps.features))
        if steps.share is None:
            return scores
        assert steps.weights is not None
        assert steps.copies is not None
        share = torch.sigmoid(steps.share.float())
        mixed = share * scores.float().softmax(-1)
        mixed = mixed.scatter_add(-1, steps.copies.expand_as(steps.weights), (1 - share) * steps.weights.float())
        return mixed.clamp(min=torch.finfo(torch.float32).tiny).log()

    def stepper(self, given: Given) -> tuple[Stepper, Writing]:
        """Return a step for `ostinato.decoding`, and the state before the first."""
        return Stepper(self, given), self.initial_state(given)

    def step(self, tokens: Tensor, state: Writing, given: Given) -> tuple[Tensor, Writing]:
        """Read symbols (R,), R a multiple of B with the rows of a context side by side; return the scores (R, V)."""
        made, state = self._step(self._embedded(tokens), state, given)
        return self.score(made), state

    @property
    def steps_alone(self) -> bool:
        """Whether a step needs what the one before gave, so that they cannot be run at once."""
        looks_back = self.attention is not None and (self.attention.looks_back or self.attend == "before")
        return self.feeds or looks_back

    def initial_state(self, given: Given) -> Writing:
        """Return the state before the first step."""
        rows, zeros = len(given.context), given.context.new_zeros
        recurrent = self.recurrent.initial_state(rows)
        if "state" in self.ways:
            parts = iter(torch.tanh(self.begin(given.context)).split([leaf.shape[1] for leaf in self._leaves(1)], -1))
            recurrent = pytree.tree_map(lambda leaf: leaf + next(parts) if _moves(leaf) else leaf, recurrent)
        if self.attention is None or given.keys is None:
            return Writing(recurrent, None, None, None, None)
        places = zeros(rows, given.keys.values.shape[1])
        return Writing(
            recurrent,
            self._begun(recurrent, zeros) if self.attend == "before" else None,
            zeros(rows, self.feature_size) if self.feeds else None,
            places,
            places if self.attention.covered is not None else None,
        )

    def plans(self) -> list[str]:
        """Return, for each layer, the engine that runs it and why."""
        alone = ", step by step: each reads what the one before saw" if self.steps_alone else ""
        return [plan + alone for plan in self.recurrent.plans()]

    def _at_once(self, embedded: Tensor, state: Writing, given: Given) -> Steps:
        inputs = self._inputs(embedded, given)
        outputs, _ = self.recurrent(inputs, state.recurrent)
        if self.attention is None:
            return self._made(outputs, None, embedded, None, given)
        assert given.keys is not None
        seen, weights = self.attention(outputs.transpose(0, 1), given.keys)
        return self._made(outputs, seen.transpose(0, 1), embedded, weights.transpose(0, 1), given)

    def _step(self, embedded: Tensor, state: Writing, given: Given) -> tuple[Steps, Writing]:
        """Take one step of R rows."""
        seen = weights = None
        if self.attention is not None and self.attend == "before":
            assert state.output is not None
            seen, weights = self._look(state.output, state, given)
        read = [self._inputs(embedded[None], given)[0]]
        read += [] if seen is None else [seen]
        read += [] if state.fed is None else [state.fed]
        outputs, recurrent = self.recurrent(torch.cat(read, -1)[None], state.recurrent)
        output = outputs[0]
        if self.attention is not None and self.attend == "after":
            seen, weights = self._look(output, state, given)
        made = self._made(output, seen, embedded, weights, given)
        return made, Writing(
            recurrent,
            None if state.output is None else output,
            None if state.fed is None else made.features,
            weights,
            None if state.coverage is None or weights is None else state.coverage + weights,
        )

    def _look(self, output: Tensor, state: Writing, given: Given) -> tuple[Tensor, Tensor]:
        assert self.attention is not None
        assert given.keys is not None

        def grouped(values: Tensor | None) -> Tensor | None:
            return None if values is None else values.unflatten(0, (len(given.context), -1))

        queries = output.unflatten(0, (len(given.context), -1))
        seen, weights = self.attention(queries, given.keys, grouped(state.weights), grouped(state.coverage))
        return seen.flatten(0, 1), weights.flatten(0, 1)

    def _inputs(self, embedded: Tensor, given: Given) -> Tensor:
        """Return what the first layer reads of symbols (T, R, E) and of the vector."""
        if not {"input", "bias"} & self.ways:
            return embedded
        context = given.context.repeat_interleave(embedded.shape[1] // len(given.context), 0)
        if "bias" in self.ways:
            embedded = embedded + self.bias(context)
        if "input" in self.ways:
            embedded = torch.cat([embedded, context.expand(len(embedded), -1, -1)], -1)
        return embedded

    def _made(
        self, output: Tensor, seen: Tensor | None, embedded: Tensor, weights: Tensor | None, given: Given
    ) -> Steps:
        joined = output if seen is None else torch.cat([output, seen], -1)
        features = output if self.features is None else torch.tanh(self.features(joined))
        if self.share is None:
            return Steps(features, weights, None, None)
        assert given.copies is not None
        assert weights is not None
        rows = weights.shape[-2] // len(given.copies)
        copies = given.copies.repeat_interleave(rows, 0).expand_as(weights)
        return Steps(features, weights, copies, self.share(torch.cat([joined, embedded], -1)))

    def _embedded(self, tokens: Tensor) -> Tensor:
        return self._dropped(self.embedding(tokens))

    def _dropped(self, values: Tensor) -> Tensor:
        if not (self.training and self.dropout):
            return values
        return dropped(values, self.dropout, self.variational and values.dim() == 3)

    def _leaves(self, rows: int) -> list[Tensor]:
        return [leaf for leaf in pytree.tree_leaves(self.recurrent.initial_state(rows)) if _moves(leaf)]

    def _begun(self, recurrent: Any, zeros: Callable[..., Tensor]) -> Tensor:
        """Return what is looked from before the first step: the first state of the last layer, where the size fits."""
        first = pytree.tree_leaves(recurrent[-1])[0]
        size = self.recurrent.output_size
        return first if first.shape[1:] == (size,) else zeros(len(first), size)


class Stepper(NamedTuple):
    """A decoder's step with all it is given: `step(symbols (R,), state) -> (scores (R, V), state)`."""

    decoder: Decoder
    given: Given

    def __call__(self, tokens: Tensor, state: Writing) -> tuple[Tensor, Writing]:
        return self.decoder.step(tokens, state, self.given)

    def narrowed(self, rows: Tensor) -> Stepper:
        """Return the step of these contexts (b,) alone."""
        return self._replace(given=self.given.of(rows))


def _moves(leaf: Tensor) -> bool:
    """Whether a part of a state can be begun from a vector."""
    return leaf.dim() == 2 and leaf.is_floating_point()


def _ways(context: str) -> set[str]:
    names: set[str] = set(WAYS) if context == "all" else {name.strip() for name in context.split("+")}
    if not names <= set(WAYS):
        raise ConfigError("context", f"'{context}'", f"Possible: {', '.join(WAYS)}, joined by +, or all")
    return names


def _check_alike(values: dict[str, Any]) -> None:
    """Refuse what is to be drawn once for all steps where each is a call of its own."""
    for name in ("variational", "weight_drop"):
        if values.get(name):
            got = f"{values[name]} with steps that read what the one before saw"
            raise ConfigError(name, got, "It is drawn once for all steps of a call, and each is one", "Leave it out")


def _check(attention: str, memory_size: int | None, asked: dict[str, bool], attend: str) -> None:
    if attend not in ("after", "before"):
        raise ConfigError("attend", f"'{attend}'", "Possible: after, before")
    if attention == "none":
        for name, value in asked.items():
            if value:
                raise ConfigError(name, "without attention", "It needs attention", "Use `attention='general'`")
    elif memory_size is None:
        raise ConfigError("memory_size", "none was given", "Attention looks at places of that size")
    if asked["input_feeding"] and attend == "before":
        raise ConfigError("input_feeding", "with `attend='before'`", "Such a step reads what is seen", "Leave it out")
