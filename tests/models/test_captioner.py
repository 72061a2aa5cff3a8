"""The captioner: what is seen reaches each word, questions change what is seen, rows are apart, what cannot be."""

import pytest
import torch
from torch.nn import functional as F

from ostinato._errors import ConfigError
from ostinato.decoding.search import Rows, Search, search
from ostinato.layers.image_encoder import ImageEncoder
from ostinato.layers.seen import BlindSeer, ImageSeer, Questioned, RegionSeer, VectorSeer
from ostinato.models.baselines.unigram import Unigram
from ostinato.models.captioner import NOTHING, Captioner, Views
from ostinato.models.decoder import Decoder
from ostinato.models.encoder import Encoder

SYMBOLS, WORDS = 11, 9
GENERATOR = torch.Generator().manual_seed(0)


def seer_of(kind):
    if kind == "image":
        return ImageSeer(ImageEncoder(12, (4, 6), 7))
    return {"regions": RegionSeer(6, 7), "vector": VectorSeer(6, 7), "blind": BlindSeer(7)}[kind]


def model_of(kind, asks=False, **settings):
    torch.manual_seed(1)
    seer = seer_of(kind)
    question = light = None
    size = seer.vector_size
    if asks:
        question = Encoder("gru", vocabulary_size=WORDS, embedding_size=5, hidden_size=4, bidirectional=False)
        light = Questioned(7, 4, None if seer.region_size is None else 9, seer.region_size)
        size = light.vector_size
    decoder = Decoder(
        SYMBOLS, "gru", context_size=size, memory_size=seer.region_size, embedding_size=5, hidden_size=8, **settings
    )
    return Captioner(seer, decoder, question, light).double().eval()


def views(kind, rows=4, asks=False):
    seen = torch.randn(9 if kind == "regions" else 1, rows, 6, generator=GENERATOR, dtype=torch.float64)
    if kind == "image":
        seen = torch.randint(256, (1, rows, 3, 12, 12), generator=GENERATOR, dtype=torch.uint8)
    symbols = torch.randint(1, SYMBOLS, (5, rows), generator=GENERATOR)
    right = torch.cat([symbols, torch.zeros(1, rows, dtype=torch.int64)])
    for row in range(rows):  # captions of 5, 4, 3, … symbols
        right[6 - row :, row] = NOTHING
        right[5 - row, row] = 0
    inputs = torch.cat([torch.zeros(1, rows, dtype=torch.int64), symbols])
    asked = torch.randint(1, WORDS, (6, rows), generator=GENERATOR) if asks else None
    return Views(inputs, right, seen, asked, torch.tensor([6, 3, 1, 5][:rows]) if asks else None)


def row_of(batch, row):
    first = [
        part if part is None else part[row : row + 1] if part.dim() == 1 else part[:, row : row + 1] for part in batch
    ]
    return Views(*first)


KINDS = [("image", "general"), ("image", "none"), ("regions", "additive"), ("vector", "none"), ("blind", "none")]


@pytest.mark.parametrize("asks", [False, True])
@pytest.mark.parametrize(("kind", "attention"), KINDS)
@pytest.mark.parametrize("context", ["state", "all"])
def test_rows_are_read_as_alone(kind, attention, context, asks):
    model, batch = model_of(kind, asks, attention=attention, context=context), views(kind, asks=asks)
    scores = model(batch)
    for row in range(4):
        torch.testing.assert_close(model(row_of(batch, row))[:, 0], scores[:, row], rtol=0, atol=1e-10)


@pytest.mark.parametrize("asks", [False, True])
@pytest.mark.parametrize(("kind", "attention"), KINDS)
def test_every_symbol_depends_on_what_is_seen_but_of_the_blind(kind, attention, asks):
    model, batch = model_of(kind, asks, attention=attention, context="all"), views(kind, asks=asks)
    other = batch._replace(seen=255 - batch.seen if kind == "image" else -batch.seen)
    moved = (model(other) - model(batch)).abs().amax(-1)
    assert bool((moved > 1e-9).all()) == (kind != "blind")
    assert bool((moved == 0).all()) == (kind == "blind")


@pytest.mark.parametrize(("kind", "attention"), KINDS)
def test_every_symbol_depends_on_the_question_up_to_its_end(kind, attention):
    model, batch = model_of(kind, True, attention=attention, context="all"), views(kind, asks=True)
    assert batch.asked is not None
    changed = batch.asked.clone()
    changed[0] = (changed[0] % (WORDS - 1)) + 1
    moved = (model(batch._replace(asked=changed)) - model(batch)).abs().amax(-1)
    assert (moved > 1e-9).all()
    beyond = batch.asked.clone()
    beyond[3:, 1] = 0
    torch.testing.assert_close(model(batch._replace(asked=beyond)), model(batch), rtol=0, atol=0)


def test_the_loss_is_the_nats_of_each_right_symbol():
    model, batch = model_of("image", attention="general"), views("image")
    log_shares = F.log_softmax(model(batch), -1)
    expected = [
        -log_shares[step, row, batch.right[step, row]]
        for step in range(6)
        for row in range(4)
        if batch.right[step, row] != NOTHING
    ]
    nats, count, state = model.loss(batch)
    assert (count, state) == (len(expected), None)
    torch.testing.assert_close(nats, torch.stack(expected).sum().float())
    assert count == 6 + 5 + 4 + 3


def test_smoothing_is_of_learning_alone():
    model, batch = model_of("vector"), views("vector")
    model.smoothing = 0.2
    plain = model.loss(batch)[0]
    smooth = model.train().loss(batch)[0]
    log_shares = F.log_softmax(model(batch), -1)[batch.right != NOTHING]
    torch.testing.assert_close(plain, model.losses(batch).sum())
    torch.testing.assert_close(smooth, 0.8 * plain - 0.2 * log_shares.mean(-1).sum().float())


@pytest.mark.parametrize(("kind", "attention"), [("image", "general"), ("vector", "none")])
def test_writing_step_by_step_gives_the_scores_of_reading(kind, attention):
    model, batch = model_of(kind, True, attention=attention, context="all"), views(kind, asks=True)
    with torch.no_grad():
        step, state = model.stepper(batch)
        for symbols, expected in zip(batch.inputs, model(batch), strict=True):
            scores, state = step(symbols, state)
            torch.testing.assert_close(scores, expected, rtol=0, atol=1e-10)


def test_a_beam_writes_at_least_as_well_as_the_best_symbol_of_each_step():
    model, batch = model_of("image", attention="general").float(), views("image")
    start = torch.zeros(4, dtype=torch.int64)
    best = [
        search(*model.stepper(batch), start, 0, Search(beam=beam, max_length=4), Rows()).scores[:, 0]
        for beam in (1, SYMBOLS**2)
    ]
    assert (best[1] >= best[0] - 1e-6).all()


@pytest.mark.parametrize("asks", [False, True])
@pytest.mark.parametrize(("kind", "attention"), KINDS)
def test_every_weight_learns(kind, attention, asks):
    model = model_of(kind, asks, attention=attention, context="all").train()
    model.loss(views(kind, asks=asks))[0].backward()
    still = {name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.abs().sum()}
    of_nothing = {"in_its_light.seen.weight", "decoder.begin.weight", "decoder.bias.weight"}  # weights times zeros
    assert still <= (of_nothing if kind == "blind" else set())


def test_regions_in_the_light_of_a_question_are_scaled_and_shifted():
    light = Questioned(3, 2, 4, 5).double()
    vector, regions = (torch.randn(*size, dtype=torch.float64) for size in ((2, 3), (2, 4, 5)))
    question = torch.randn(2, 2, dtype=torch.float64)
    found = light((vector, regions), question)
    for row in range(2):
        scale = 1 + light.scaled.weight @ question[row] + light.scaled.bias
        shift = light.shifted.weight @ question[row] + light.shifted.bias
        seen = torch.stack([torch.relu(scale * region + shift) for region in regions[row]])
        both = torch.tanh(light.whole.weight @ seen.reshape(-1) + light.whole.bias)
        torch.testing.assert_close(found.regions[row], seen)
        torch.testing.assert_close(found.vector[row], torch.cat([vector[row], question[row], both]))


def test_a_vector_in_the_light_of_a_question_is_their_product_too():
    light = Questioned(3, 2, None, None).double()
    vector, question = (torch.randn(1, size, dtype=torch.float64) for size in (3, 2))
    found = light((vector, None), question)
    both = torch.tanh(light.seen(vector)) * torch.tanh(light.asked(question))
    torch.testing.assert_close(found.vector, torch.cat([vector, question, both], -1))
    assert found.regions is None


def test_attention_without_regions_is_refused():
    with pytest.raises(ConfigError, match="memory"):
        model_of("vector", attention="general")


def test_a_unigram_model_counts_symbols_and_the_end():
    batch = views("vector", rows=2)
    model = Unigram(SYMBOLS)
    model.add_batch(batch)
    right = [int(symbol) for symbol in batch.right.flatten() if symbol != NOTHING]
    shares = torch.tensor([(1 + right.count(symbol)) / (SYMBOLS + len(right)) for symbol in range(SYMBOLS)])
    torch.testing.assert_close(model.log_shares().exp(), shares)
    torch.testing.assert_close(model.losses(batch).sum(), -sum(shares[symbol].log() for symbol in right))
    assert model.count(batch) == len(right)
    step, state = model.stepper(batch)
    assert (step(torch.zeros(3, dtype=torch.int64), state)[0].argmax(-1) == shares.argmax()).all()
