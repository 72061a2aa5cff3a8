"""Transcribers: what is stacked, what padding changes (nothing), what does not fit, and writing as frames come."""

import itertools

import pytest
import torch

from ostinato._errors import ConfigError
from ostinato.models.baselines.steps import Hidden
from ostinato.models.ctc import CtcHead, steps_needed
from ostinato.models.transcriber import Transcriber, Utterances, stacked


def transcriber(**settings):
    torch.manual_seed(0)
    return Transcriber(6, 4, **{"cell": "gru", "blank": 0, "hidden_size": 5, "stack": 2, **settings}).eval()


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    lengths = torch.tensor([9, 4, 7])
    frames = torch.randn(9, 3, 4, generator=generator) * (torch.arange(9)[:, None] < lengths)[..., None]
    targets = torch.tensor([[1, 5, 2], [2, 0, 2], [3, 0, 4]])
    return Utterances(frames, lengths, targets, torch.tensor([3, 1, 3]))


def alone(batch, row):
    steps, symbols = int(batch.lengths[row]), int(batch.target_lengths[row])
    return Utterances(
        batch.inputs[:steps, row : row + 1],
        batch.lengths[row : row + 1],
        batch.targets[:symbols, row : row + 1],
        batch.target_lengths[row : row + 1],
    )


def test_frames_are_stacked_in_their_order():
    frames = torch.arange(10.0).reshape(5, 1, 2)
    expected = [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 0, 0]]
    assert stacked(frames, 3)[:, 0].tolist() == expected
    assert stacked(frames, 1) is frames


@pytest.mark.parametrize("bidirectional", [True, False])
def test_a_batch_is_its_rows_one_by_one(batch, bidirectional):
    model = transcriber(bidirectional=bidirectional, num_layers=2)
    together = model.losses(model.encode(batch.inputs, batch.lengths), batch)
    each = [model.loss(alone(batch, row)) for row in range(3)]
    torch.testing.assert_close(together, torch.stack([nats for nats, _, _ in each]))
    assert [count for _, count, _ in each] == [3, 1, 3]
    assert model.count(batch) == 7


def test_what_stands_behind_a_target_changes_nothing(batch):
    model = transcriber()
    other = batch._replace(targets=torch.where(torch.arange(3)[:, None] < batch.target_lengths, batch.targets, 4))
    assert torch.equal(model.loss(batch)[0], model.loss(other)[0])


def test_every_direction_takes_a_gradient(batch):
    model = transcriber().train()
    model.loss(batch)[0].backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


@pytest.mark.parametrize("symbols", list(itertools.product([1, 2], repeat=3)))
def test_steps_needed_are_those_of_the_shortest_path(symbols):
    head = CtcHead(3, 3, 0)
    targets, lengths = torch.tensor(symbols)[:, None], torch.tensor([3])
    needed = int(steps_needed(targets, lengths))
    for steps in range(1, 8):
        scores = head.log_probabilities(torch.zeros(steps, 1, 3))
        nats = torch.nn.functional.ctc_loss(scores, targets.T, torch.tensor([steps]), lengths, reduction="none")
        assert bool(nats.isfinite()) == (steps >= needed)


def test_a_text_longer_than_its_sound_allows_is_not_counted_and_moves_nothing(batch):
    model = transcriber()
    short = batch._replace(targets=torch.ones(3, 3, dtype=torch.int64), target_lengths=torch.tensor([3, 3, 3]))
    assert model.fits(short).tolist() == [True, False, False]
    nats = model.losses(model.encode(short.inputs, short.lengths), short)
    assert nats[1:].tolist() == [0, 0]
    assert model.count(short) == 3
    nats[1:].sum().backward()
    assert all(p.grad is None or not p.grad.any() for p in model.parameters())


def test_noise_is_added_only_while_learning(batch):
    model = transcriber(noise=0.5)
    assert torch.equal(model.loss(batch)[0], model.loss(batch)[0])
    model.train()
    assert not torch.equal(model.loss(batch)[0], model.loss(batch)[0])


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
@pytest.mark.parametrize("cell", ["gru", "lstm", "elman"])
def test_writing_as_frames_come_is_writing_from_the_whole(cell, size):
    model = transcriber(cell=cell, bidirectional=False, num_layers=2, stack=3)
    frames = torch.randn(50, 4, generator=torch.Generator().manual_seed(2))
    stream = model.stream()
    written = [symbol for start in range(0, 50, size) for symbol in stream.push(frames[start : start + size])]
    written += stream.finish()
    path = model.head.log_probabilities(model.encode(frames[:, None]).outputs)[:, 0].argmax(-1).tolist()
    expected = [symbol for symbol, _ in itertools.groupby(path) if symbol]
    assert written == expected
    assert expected


def test_steps_can_be_read_by_themselves(batch):
    model = transcriber(alone=lambda width: Hidden(width, 7))
    outputs = model.encode(batch.inputs, batch.lengths).outputs
    later = batch.inputs.clone()
    later[4:] += 1
    assert torch.equal(model.encode(later, batch.lengths).outputs[:2], outputs[:2])
    assert model.plans() == ["none (each step is read by itself)"]
    assert model.initial_state(3) is None
    assert model.stream().push(batch.inputs[:, 0]) is not None


def test_a_stream_without_frames_writes_nothing():
    stream = transcriber(bidirectional=False).stream()
    assert stream.push(torch.zeros(0, 4)) == []
    assert stream.finish() == []


def test_what_is_read_backwards_is_not_streamed():
    with pytest.raises(ConfigError, match="--directions 1"):
        transcriber().stream()


def test_a_state_is_carried_where_frames_are_read_forward(batch):
    model = transcriber(bidirectional=False)
    whole = model.encode(batch.inputs[:4], None).outputs
    first = model.encode(batch.inputs[:2], None)
    second = model.encode(batch.inputs[2:4], None, first.state)
    torch.testing.assert_close(torch.cat([first.outputs, second.outputs]), whole)
    assert torch.equal(model.advance(batch)[0], model.loss(batch)[2][0])
    assert transcriber().initial_state(3) is None


@pytest.mark.parametrize("settings", [{"symbols": 1}, {"blank": 6}, {"blank": -1}, {"stack": 0}, {"noise": -0.1}])
def test_impossible_sizes_are_refused(settings):
    with pytest.raises(ConfigError):
        Transcriber(**{"symbols": 6, "input_size": 4, "hidden_size": 5, **settings})
