"""What a tagger is compared with: tags counted by word, and steps read one by one."""

import pytest
import torch
from tests.models.test_tagger import frames, words

from ostinato import ConfigError
from ostinato.models.baselines.most_frequent_tag import MostFrequentTag
from ostinato.models.baselines.steps import Hidden, Itself
from ostinato.models.tagger import Tagger


def test_a_word_has_the_tag_it_most_often_had_and_an_unknown_one_that_of_all():
    model, batch = MostFrequentTag(tags=4, words=4), words([40, 7])
    model.add_batch(batch)
    pairs = [
        (int(word), int(tag))
        for word, tag, n in zip(batch.inputs.T.flatten(), batch.targets.T.flatten(), range(80), strict=True)
        if n % 40 < (40, 7)[n // 40]
    ]
    found = model.tag(batch)
    for step, row in ((0, 0), (5, 1), (30, 0)):
        word = int(batch.inputs[step, row])
        tags = [tag for other, tag in pairs if other == word or not word]
        assert tags.count(int(found.tags[step, row])) == max(map(tags.count, range(4)))
        share = (tags.count(int(found.tags[step, row])) + 1) / (len(tags) + 4)
        assert float(found.confidence[step, row]) == pytest.approx(share)


def test_a_word_that_was_never_counted_is_unknown():
    model = MostFrequentTag(tags=2, words=2)
    model.add(torch.tensor([1]), torch.tensor([1]))
    scores, _ = model(words([3])._replace(inputs=torch.tensor([[0], [1], [2]])))
    assert torch.equal(scores[0], scores[2])


def test_frames_have_the_most_frequent_tag_of_all():
    model, batch = MostFrequentTag(tags=4), frames([30])
    model.add_batch(batch)
    assert (model.tag(batch).tags == batch.targets.flatten().mode().values).all()


def test_nats_are_those_of_the_counts():
    model, batch = MostFrequentTag(tags=4, words=4), words()
    model.add_batch(batch)
    scores, _ = model(batch)
    nats, counts = model.losses(scores, batch)
    assert counts.tolist() == [5, 0, 2, 3]
    there = torch.arange(5)[:, None] < batch.lengths
    wanted = -scores[there].gather(-1, batch.targets[there][:, None]).sum()
    torch.testing.assert_close(nats.sum(), wanted)


@pytest.mark.parametrize("alone", [Itself, Hidden])
def test_a_step_alone_does_not_see_those_around_it(alone):
    torch.manual_seed(0)
    model, batch = Tagger(4, 3, alone=alone).eval(), frames()
    changed = batch._replace(inputs=batch.inputs.index_fill(0, torch.tensor([1]), 9.0))
    before, after = model(batch)[0], model(changed)[0]
    assert torch.equal(before[0], after[0])
    assert torch.equal(before[2:], after[2:])
    assert not torch.equal(before[1], after[1])
    assert model.initial_state(3) is None
    assert model.plans() == ["none (each step is read by itself)"]


def test_a_hidden_layer_has_units():
    with pytest.raises(ConfigError, match="hidden_size: 0 was given"):
        Hidden(3, 0)
