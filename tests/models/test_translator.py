"""A translator: a batch has the loss of its pairs alone, however they are padded and ordered; it learns to copy."""

import pytest
import torch

from ostinato.models.decoder import Decoder
from ostinato.models.encoder import Encoder
from ostinato.models.translator import NOTHING, Pairs, Translator

SETTINGS = [
    {"attention": "none", "context": "all"},
    {"attention": "general"},
    {"attention": "additive", "attend": "before"},
    {"attention": "location", "input_feeding": True},
    {"attention": "additive", "coverage": True, "copy": True},
]
ids = ["-".join(map(str, s.values())) for s in SETTINGS]
PAIRS = [([3, 4, 5], [6, 7]), ([3], []), ([9, 8, 7, 6, 5], [1, 2, 3, 4]), ([2, 2], [2])]


def model(cell="lstm", **settings):
    torch.manual_seed(0)
    encoder = Encoder(cell, vocabulary_size=11, embedding_size=5, hidden_size=6)
    decoder = Decoder(11, cell, context_size=12, memory_size=12, embedding_size=5, hidden_size=7, **settings)
    return Translator(encoder, decoder)


def beside(rows, fill):
    longest = max(map(len, rows))
    return torch.tensor([row + [fill] * (longest - len(row)) for row in rows]).T


def batch(pairs):
    sources = [[*source, 0] for source, _ in pairs]
    return Pairs(
        beside(sources, 0),
        torch.tensor([len(source) for source in sources]),
        beside([[0, *target] for _, target in pairs], 0),
        beside([[*target, 0] for _, target in pairs], NOTHING),
        beside(sources, 0),
    )


@pytest.mark.parametrize("settings", SETTINGS, ids=ids)
def test_a_batch_has_the_loss_of_its_pairs_alone(settings):
    translator = model(**settings).eval()
    together, count, _ = translator.loss(batch(PAIRS))
    alone = [translator.loss(batch([pair])) for pair in PAIRS]
    torch.testing.assert_close(together, sum(nats for nats, _, _ in alone))
    assert count == sum(n for _, n, _ in alone) == sum(len(target) + 1 for _, target in PAIRS)


@pytest.mark.parametrize("settings", SETTINGS, ids=ids)
def test_the_loss_is_that_of_the_scores(settings):
    translator = model(**settings).eval()
    pairs = batch(PAIRS)
    scores = translator(pairs).log_softmax(-1)
    there = pairs.right != NOTHING
    expected = -scores.gather(-1, pairs.right.clamp(min=0)[..., None])[..., 0][there].sum()
    torch.testing.assert_close(translator.loss(pairs)[0], expected)


@pytest.mark.parametrize("settings", SETTINGS, ids=ids)
def test_every_parameter_of_both_sides_learns(settings):
    translator = model(**settings)
    translator.loss(batch(PAIRS))[0].backward()
    assert [name for name, value in translator.named_parameters() if value.grad is None] == []


def test_smoothing_is_of_learning_alone():
    translator = model(attention="general")
    plain = translator.eval().loss(batch(PAIRS))[0]
    translator.smoothing = 0.2
    assert translator.loss(batch(PAIRS))[0] == plain
    assert translator.train().loss(batch(PAIRS))[0] != plain


def test_it_learns_to_turn_sequences_round():
    torch.manual_seed(0)
    translator = model("gru", attention="general")
    optimizer = torch.optim.Adam(translator.parameters(), 0.02)
    sources = torch.randint(1, 11, (64, 3)).tolist()
    pairs = batch([(source, source[::-1]) for source in sources])
    for _ in range(150):
        optimizer.zero_grad()
        nats, count, _ = translator.loss(pairs)
        (nats / count).backward()
        optimizer.step()
    assert nats / count < 0.2
