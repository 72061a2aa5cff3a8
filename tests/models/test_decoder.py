"""A decoder: its steps one by one are those of all at once, a row does not depend on others, copies are counted."""

import pytest
import torch

from ostinato import ConfigError
from ostinato.layers.attention import Memory
from ostinato.models.decoder import Decoder

KINDS = [
    {"context": "state"},
    {"context": "input"},
    {"context": "bias"},
    {"context": "all", "num_layers": 2},
    {"attention": "dot"},
    {"attention": "general", "context": "all"},
    {"attention": "additive", "tied": True, "embedding_size": 5},
    {"attention": "additive", "attend": "before"},
    {"attention": "general", "input_feeding": True},
    {"attention": "location"},
    {"attention": "additive", "coverage": True},
    {"attention": "additive", "coverage": True, "copy": True, "input_feeding": True, "context": "all"},
    {"attention": "general", "copy": True},
]
CELLS = ["gru", "lstm", "elman", "lem"]
ids = ["-".join(f"{k}={v}" for k, v in kind.items()) for kind in KINDS]


def made(cell="gru", rows=3, **settings):
    torch.manual_seed(0)
    decoder = Decoder(
        11, cell, **{"context_size": 4, "memory_size": 6, "hidden_size": 6, "embedding_size": 5, **settings}
    )
    memory = Memory(torch.randn(rows, 5, 6), torch.tensor([5, 2, 4])[:rows], torch.randint(0, 11, (rows, 5)))
    return decoder.eval(), torch.randn(rows, 4), memory


@pytest.mark.parametrize("settings", KINDS, ids=ids)
@pytest.mark.parametrize("cell", CELLS)
def test_steps_one_by_one_are_those_of_all_at_once(settings, cell):
    decoder, context, memory = made(cell, **settings)
    tokens, given = torch.randint(0, 11, (4, 3)), decoder.given(context, memory)
    step, state = decoder.stepper(given)
    scores = []
    for symbol in tokens:
        one, state = step(symbol, state)
        scores.append(one)
    torch.testing.assert_close(torch.stack(scores), decoder(tokens, given), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("settings", KINDS, ids=ids)
def test_hypotheses_side_by_side_are_each_as_if_alone(settings):
    decoder, context, memory = made("lstm", **settings)
    step, state = decoder.stepper(decoder.given(context, memory))
    tokens = torch.randint(0, 11, (6,))
    doubled = torch.utils._pytree.tree_map(lambda leaf: None if leaf is None else leaf.repeat_interleave(2, 0), state)
    scores, after = step(tokens, doubled)
    scores, _ = step(tokens, after)
    for row in range(6):
        one = Memory(*(part[row // 2 : row // 2 + 1] for part in memory))
        alone, begun = decoder.stepper(decoder.given(context[row // 2 : row // 2 + 1], one))
        _, after = alone(tokens[row : row + 1], begun)
        torch.testing.assert_close(alone(tokens[row : row + 1], after)[0][0], scores[row], rtol=1e-4, atol=1e-5)


def test_what_is_copied_and_written_sums_to_one():
    decoder, context, memory = made(attention="general", copy=True)
    scores = decoder(torch.zeros(4, 3, dtype=torch.int64), decoder.given(context, memory))
    torch.testing.assert_close(scores.exp().sum(-1), torch.ones(4, 3))


def test_a_decoder_that_only_copies_writes_what_it_looks_at():
    decoder, context, memory = made(attention="general", copy=True)
    with torch.no_grad():
        decoder.share.weight.zero_()
        decoder.share.bias.fill_(-50.0)
    steps = decoder.read(torch.zeros(1, 3, dtype=torch.int64), decoder.given(context, memory))
    scores = decoder.score(steps)[0].exp()
    expected = torch.zeros(3, 11)
    for row in range(3):
        for place in range(5):
            expected[row, memory.copies[row, place]] += steps.weights[0, row, place]
    torch.testing.assert_close(scores, expected)


def test_every_parameter_learns():
    for settings in KINDS:
        decoder, context, memory = made("lstm", **settings)
        decoder(torch.randint(0, 11, (4, 3)), decoder.given(context, memory)).logsumexp(-1).sum().backward()
        without = [name for name, value in decoder.named_parameters() if value.grad is None]
        assert not without, settings


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"context": "sate"}, "state, input, bias"),
        ({"input_feeding": True}, "needs attention"),
        ({"attention": "general", "memory_size": None}, "memory_size"),
        ({"attention": "general", "attend": "beside"}, "after, before"),
        ({"attention": "general", "attend": "before", "input_feeding": True}, "input_feeding"),
        ({"dropout": 1.5}, "dropout"),
        ({"attention": "location", "variational": True}, "variational"),
        ({"attention": "general", "input_feeding": True, "weight_drop": 0.5}, "weight_drop"),
    ],
)
def test_what_does_not_fit_is_refused(settings, said):
    with pytest.raises(ConfigError, match=said):
        made(**settings)


def test_a_memory_that_is_missing_is_refused():
    decoder, context, _ = made(attention="general")
    with pytest.raises(ConfigError, match="memory"):
        decoder.given(context)
