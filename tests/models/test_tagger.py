"""The tagger: rows do not see each other, padding changes nothing, and what it says is what its scores say."""

import pytest
import torch

from ostinato import ConfigError
from ostinato.layers.crf import Allowed
from ostinato.layers.words import Words
from ostinato.models.tagged import UNSEEN, TaggedFrames, TaggedWords
from ostinato.models.tagger import Tagger

LENGTHS = [5, 0, 2, 3]
TAGS = 4
VOCABULARY = ["ab", "abc", "b", "ca", "cab", "a"]


def words(lengths=LENGTHS, seed=0) -> TaggedWords:
    """Sentences drawn word by word; padding is what the model must not read."""
    generator = torch.Generator().manual_seed(seed)
    there = torch.arange(max(lengths))[:, None] < torch.tensor(lengths)
    kind = torch.randint(len(VOCABULARY), there.shape, generator=generator)
    letters = torch.zeros(len(VOCABULARY), 3, dtype=torch.long)
    for k, word in enumerate(VOCABULARY):
        letters[k, : len(word)] = torch.tensor([ord(c) - ord("a") + 1 for c in word])
    spans = torch.tensor([len(word) for word in VOCABULARY])
    numbers = torch.where(kind < 4, kind + 1, 0)  # the last two are unknown
    tags = torch.randint(TAGS, there.shape, generator=generator)
    return TaggedWords(
        torch.where(there, numbers, 0),
        torch.where(there[..., None], letters[kind], 0),
        torch.where(there, spans[kind], 0),
        torch.where(there, kind, -1),
        torch.where(there, tags, UNSEEN),
        torch.tensor(lengths),
    )


def frames(lengths=LENGTHS, seed=0) -> TaggedFrames:
    batch = words(lengths, seed)
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(*batch.targets.shape, 3, generator=generator)
    return TaggedFrames(inputs, batch.targets, batch.lengths)


def tagger(reads="words", **values) -> Tagger:
    torch.manual_seed(0)
    source = Words([9, 5, 2, 1], 3, embedding_size=4, character_size=3, character_units=2) if reads == "words" else 3
    values = {"hidden_size": 5, "crf": True, **values}
    return Tagger(TAGS, source, "gru", **values).eval()


def batch_for(reads, *arguments):
    return words(*arguments) if reads == "words" else frames(*arguments)


def rows(batch, order):
    return type(batch)(*(part[order] if part.dim() == 1 else part[:, order] for part in batch))


def row(batch, k):
    """One row by itself, without padding."""
    length = int(batch.lengths[k])
    return type(batch)(*(p[k : k + 1] if p.dim() == 1 else p[:length, k : k + 1] for p in batch))


KINDS = pytest.mark.parametrize(
    ("reads", "crf", "bidirectional"),
    [("words", True, True), ("words", False, True), ("frames", True, True), ("frames", False, False)],
)


@KINDS
def test_a_batch_has_the_loss_of_its_rows_one_by_one(reads, crf, bidirectional):
    model, batch = tagger(reads, crf=crf, bidirectional=bidirectional), batch_for(reads)
    nats, counts = model.losses(model(batch)[0], batch)
    alone = [model.losses(model(row(batch, k))[0], row(batch, k)) for k in range(4)]
    torch.testing.assert_close(nats, torch.cat([a for a, _ in alone]), rtol=1e-5, atol=1e-6)
    assert counts.tolist() == [int(c) for _, c in alone] == LENGTHS
    total, count, _ = model.loss(batch)
    torch.testing.assert_close(total, nats.sum())
    assert count == model.count(batch) == 10


@KINDS
def test_a_permuted_batch_has_permuted_tags(reads, crf, bidirectional):
    model, batch = tagger(reads, crf=crf, bidirectional=bidirectional), batch_for(reads)
    order = torch.tensor([2, 0, 3, 1])
    straight, permuted = model.tag(batch), model.tag(rows(batch, order))
    there = torch.arange(5)[:, None] < torch.tensor(LENGTHS)[order]
    assert torch.equal(straight.tags[:, order][there], permuted.tags[there])
    torch.testing.assert_close(straight.confidence[:, order][there], permuted.confidence[there])


@KINDS
def test_every_parameter_learns(reads, crf, bidirectional):
    model, batch = tagger(reads, crf=crf, bidirectional=bidirectional).train(), batch_for(reads)
    model.loss(batch)[0].backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert all(p.grad.abs().sum() > 0 for p in model.parameters())


def test_it_learns_its_sentences_by_heart():
    model, batch = tagger(hidden_size=16).train(), words()
    optimizer = torch.optim.Adam(model.parameters(), 0.05)
    for _ in range(60):
        optimizer.zero_grad()
        nats, count, _ = model.loss(batch)
        (nats / count).backward()
        optimizer.step()
    there = torch.arange(5)[:, None] < batch.lengths
    assert torch.equal(model.eval().tag(batch).tags[there], batch.targets[there])


def test_one_direction_reads_in_pieces_what_it_reads_whole():
    model, batch = tagger(bidirectional=False), words()
    whole, _ = model(batch)
    first, state = model(batch.steps(0, 2))
    rest, _ = model(batch.steps(2, 5), state)
    there = torch.arange(5)[:, None] < batch.lengths
    torch.testing.assert_close(torch.cat([first, rest])[there], whole[there])


def test_two_directions_carry_no_state_on():
    model = tagger()
    assert model(words())[1] is None
    assert model.initial_state(4) is None
    assert len(tagger(bidirectional=False).initial_state(4)) == 1


def test_words_spelled_alike_are_read_once_and_alike():
    model, batch = tagger(), words()
    seen = []
    model.words.spelling.register_forward_hook(lambda module, inputs, outputs: seen.append(inputs[0].shape))
    read = model.words(batch)
    distinct = len(batch.spelling.unique())
    assert seen[0][1] == distinct < batch.spelling.numel()
    alike = batch.spelling == batch.spelling[0, 0]
    assert all(torch.equal(vector, read[0, 0]) for vector in read[alike])


def test_a_word_is_read_from_either_end():
    """The characters of each word by itself, beside the readings of all words at once."""
    model, batch = tagger(), words()
    outputs = model.words(batch)[..., 4:]
    letters, span = batch.letters[1, 0], int(batch.spans[1, 0])
    alone, _ = model.words.spelling(model.words.characters(letters[:span])[:, None])
    torch.testing.assert_close(outputs[1, 0], torch.cat([alone[-1, 0, :2], alone[0, 0, 2:]]))


def test_rare_words_are_read_as_unknown_while_learning_and_frequent_ones_seldom():
    torch.manual_seed(0)
    layer = Words([1000, 1], 3, embedding_size=2, character_units=0, unknown=1.0)
    batch = words([20000])._replace(inputs=torch.tensor([[1, 2]] * 10000).reshape(-1, 1))
    read = layer.train()(batch)
    unknown = (read == layer.embedding.weight[0]).all(-1).flatten().view(-1, 2).float().mean(0)
    torch.testing.assert_close(unknown, torch.tensor([1 / 1001, 1 / 2]), atol=0.02, rtol=0)
    assert not (layer.eval()(batch) == layer.embedding.weight[0]).all(-1).any()


@pytest.mark.parametrize(("without", "size"), [({"embedding_size": 0}, 4), ({"character_units": 0}, 4)])
def test_words_may_be_read_by_their_numbers_or_their_characters_alone(without, size):
    layer = Words([4, 3, 2, 1], 3, **{"embedding_size": 4, "character_size": 3, "character_units": 2, **without})
    assert layer(words()).shape == (5, 4, size)


def test_an_unseen_tag_is_not_counted_by_a_softmax_and_its_row_not_by_a_chain():
    batch = words()
    spoilt = batch._replace(targets=batch.targets.index_put((torch.tensor(0), torch.tensor(0)), torch.tensor(UNSEEN)))
    alone, chain = tagger(crf=False), tagger()
    assert (alone.count(spoilt), chain.count(spoilt)) == (9, 5)
    nats, counts = chain.losses(chain(spoilt)[0], spoilt)
    assert counts.tolist() == [0, 0, 2, 3]
    assert nats[0] == 0
    torch.testing.assert_close(nats[2:], chain.losses(chain(batch)[0], batch)[0][2:])
    assert alone.loss(spoilt)[1] == 9


def test_confidence_is_the_share_of_all_sequences_that_have_the_tag():
    model, batch = tagger(), words()
    model.chain.transitions.data.normal_(generator=torch.Generator().manual_seed(3))
    found = model.tag(batch)
    marginals = model.chain.marginals(model(batch)[0], batch.lengths)
    assert float(found.confidence[0, 0].detach()) == float(marginals[0, 0, found.tags[0, 0]])


def test_what_is_forbidden_is_never_said():
    allowed = Allowed(torch.tensor([True, False, True, True]), ~torch.eye(TAGS, dtype=torch.bool), torch.ones(TAGS) > 0)
    tags = tagger(allowed=allowed).tag(words([40])).tags[:, 0]
    assert tags[0] != 1
    assert (tags[1:] != tags[:-1]).all()


def test_dropout_is_for_learning_alone():
    model, batch = tagger(dropout=0.5), words()
    assert torch.equal(model(batch)[0], model(batch)[0])
    model.train()
    assert not torch.equal(model(batch)[0], model(batch)[0])


def test_variational_dropout_is_the_same_at_every_step():
    model = tagger("frames", dropout=0.5, variational=True, crf=False).train()
    ones = model._dropped(torch.ones(6, 2, 5))
    assert torch.equal(ones, ones[:1].expand(6, -1, -1))
    assert (ones == 0).any()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tagger(dropout=1.0), "dropout: 1.0 was given"),
        (lambda: Tagger(0, 3), "tags: 0 was given"),
        (lambda: Words([1], 3, embedding_size=0, character_units=0), "One of both is above 0"),
        (lambda: Words([1], 3, unknown=-1), "unknown: -1 was given"),
        (lambda: Words([1], 3, character_size=0), "character_size: 0 was given"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
