"""One answer to a sequence: the same alone and in a batch, whole and in pieces."""

import pytest
import torch
from torch.nn import functional as F

from ostinato import ConfigError
from ostinato.layers.pooling import POOLINGS
from ostinato.models.baselines.encoders import Bag
from ostinato.models.classifier import Classifier, Examples

LENGTHS = torch.tensor([6, 1, 4])


def make(pooling="max", **values):
    torch.manual_seed(0)
    return Classifier(3, "gru", vocabulary_size=11, hidden_size=8, pooling=pooling, **values).eval()


def examples():
    torch.manual_seed(1)
    return Examples(torch.randint(11, (6, 3)), LENGTHS, torch.tensor([0, 2, 1]))


@pytest.mark.parametrize("directions", [False, True])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_batch_has_the_loss_of_its_items_alone(pooling, directions):
    model, batch = make(pooling, bidirectional=directions), examples()
    total, count, _ = model.loss(batch)
    alone = [
        model.loss(Examples(batch.inputs[:n, k : k + 1], batch.lengths[k : k + 1], batch.targets[k : k + 1]))[0]
        for k, n in enumerate(LENGTHS.tolist())
    ]
    assert count == 3
    assert torch.allclose(total, torch.stack(alone).sum(), atol=1e-5)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("cut", [1, 3, 5])
def test_pieces_have_the_loss_of_the_whole(pooling, cut):
    model, batch = make(pooling), examples()
    first, second = batch.steps(0, cut), batch.steps(cut, 6)
    early, counted, state = model.loss(first)
    late, rest, _ = model.loss(second, state)
    assert counted == int((cut >= LENGTHS).sum())
    assert counted + rest == 3
    assert torch.allclose(early + late, model.loss(batch)[0], atol=1e-5)


def test_an_empty_sequence_has_an_answer():
    batch = Examples(torch.zeros(2, 1, dtype=torch.int64), torch.tensor([0]), torch.tensor([1]))
    assert batch.steps(0, 1).ended.tolist() == [True]
    assert batch.steps(1, 2).ended.tolist() == [False]
    assert torch.isfinite(make().loss(batch)[0])


def test_weights_count_a_label_more():
    batch, weights = examples(), torch.tensor([1.0, 2.0, 0.5])
    model = make(weights=weights)
    scores, _ = model(batch.inputs, batch.lengths)
    expected = (F.cross_entropy(scores, batch.targets, reduction="none") * weights[batch.targets]).sum()
    assert torch.allclose(model.loss(batch)[0], expected)


def test_several_labels_are_judged_each_by_itself():
    model, batch = make(answer="labels"), examples()
    targets = torch.tensor([[[1.0, 0, 1], [0, 0, 0], [0, 1, 0]]])
    scores, _ = model(batch.inputs, batch.lengths)
    expected = F.binary_cross_entropy_with_logits(scores, targets[0], reduction="sum")
    assert torch.allclose(model.loss(batch._replace(targets=targets))[0], expected)


def test_numbers_are_learned_by_squared_errors():
    model, batch = make(answer="numbers"), examples()
    scores, _ = model(batch.inputs, batch.lengths)
    loss, _, _ = model.loss(batch._replace(targets=torch.zeros(1, 3, 3)))
    assert torch.allclose(loss, scores.square().mean(-1).sum())


def test_frames_are_read_as_they_are():
    model = Classifier(2, input_size=5, hidden_size=4)
    assert model(torch.randn(7, 3, 5), LENGTHS)[0].shape == (3, 2)


def test_dropped_symbols_are_read_as_unknown_ones_and_only_while_learning():
    model, tokens = make(symbol_dropout=0.5, unknown=0), torch.full((40, 5), 7)
    assert torch.equal(model.read(tokens), model.embedding(tokens))
    read = model.train().read(tokens)
    unknown = (read == model.embedding.weight[0]).all(-1)
    assert 60 < int(unknown.sum()) < 140
    assert torch.equal(read[~unknown], model.embedding(tokens)[~unknown])


def test_a_baseline_stands_in_place_of_the_recurrence():
    model = make(encoder=Bag)
    batch = examples()
    assert model.initial_state(3) is None
    assert model.plans() == ["none (a baseline without recurrence)"]
    assert not hasattr(model, "recurrent")
    assert model(batch.inputs, batch.lengths)[0].shape == (3, 3)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"outputs": 0, "vocabulary_size": 3}, "outputs: 0 was given"),
        ({"outputs": 2}, "It reads symbols or frames"),
        ({"outputs": 2, "vocabulary_size": 3, "input_size": 3}, "It reads symbols or frames"),
        ({"outputs": 2, "vocabulary_size": 3, "answer": "lable"}, "Did you mean 'label'"),
        ({"outputs": 2, "vocabulary_size": 3, "pooling": "lst"}, "Did you mean 'last'"),
        ({"outputs": 2, "vocabulary_size": 3, "symbol_dropout": 0.1}, "with an unknown symbol"),
    ],
)
def test_what_does_not_fit_is_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        Classifier(**values)
