"""The transducer of a transcriber: what it costs, what it writes, whole and as steps come."""

import itertools
import math

import pytest
import torch

from ostinato import ConfigError
from ostinato.models.transcriber import Transcriber, Utterances
from ostinato.models.transducer import TransducerHead

ENCODER, SYMBOLS, BLANK = 5, 4, 1


def head(seed=0, **settings):
    torch.manual_seed(seed)
    return TransducerHead(ENCODER, SYMBOLS, BLANK, **{"cell": "gru", "hidden_size": 6, **settings}).double().eval()


def steps(length, rows=1, seed=0):
    return 2 * torch.randn(length, rows, ENCODER, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def losses(model, outputs, lengths, targets, behind=BLANK):
    width = max(map(len, targets))
    padded = torch.tensor([[*target, *[behind] * (width - len(target))] for target in targets])
    sizes = torch.tensor([len(target) for target in targets])
    return model.losses(outputs, torch.tensor(lengths), padded.reshape(len(targets), width).long().T, sizes)


@torch.no_grad()
def by_hand(model, outputs, target):
    """Minus the log of a sum over alignments of one row, each score from its own history of symbols."""
    total = []
    for places in itertools.combinations(range(len(outputs) + len(target) - 1), len(target)):
        t, written, log_p = 0, [], 0.0
        for place in range(len(outputs) + len(target)):
            state = model.prediction.initial_state(1)
            for symbol in (BLANK, *written):
                read = torch.zeros(1, 1, model.embedding.embedding_dim, dtype=torch.float64)
                if symbol != BLANK:
                    read = model.embedding.weight[symbol][None, None]
                said, state = model.prediction(read, state)
            both = model.heard(outputs[t]) + model.predicted(said[0, 0])
            scores = both if model.joint == "sum" else model.scores(torch.tanh(both))
            symbol = target[len(written)] if place in places else BLANK
            log_p += float(scores.log_softmax(-1)[symbol])
            written += [symbol] if symbol != BLANK else []
            t += symbol == BLANK
        total.append(log_p)
    return -float(torch.tensor(total, dtype=torch.float64).logsumexp(0))


@pytest.mark.parametrize("target", [[], [0], [2, 2], [3, 0, 3]], ids=str)
@pytest.mark.parametrize("joint", ["tanh", "sum"])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_the_loss_is_a_sum_over_all_alignments_of_what_was_heard_and_written(cell, joint, target):
    model, outputs = head(cell=cell, joint=joint), steps(3)
    found = losses(model, outputs, [3], [target])
    assert found.item() == pytest.approx(by_hand(model, outputs[:, 0], target), abs=1e-10)


@pytest.mark.parametrize("joint", ["tanh", "sum"])
def test_a_batch_is_its_rows_one_by_one_whatever_stands_behind_them(joint):
    model, outputs = head(joint=joint), steps(5, 3)
    lengths, targets = [5, 2, 4], [[0, 2, 2], [], [3]]
    together = losses(model, outputs, lengths, targets, behind=3)
    alone = [losses(model, outputs[:n, k, None], [n], [targets[k]]) for k, n in enumerate(lengths)]
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-12)


@pytest.mark.parametrize("joint", ["tanh", "sum"])
@pytest.mark.parametrize("frames", [1, 2, 4])
def test_a_few_frames_at_once_cost_and_teach_what_all_do(joint, frames):
    given = steps(7, 2), [7, 5], [[0, 2, 3], [2]]
    whole, parts = head(joint=joint), head(joint=joint)
    parts.at_once = frames * 2 * 4 * whole.heard.out_features
    nats = [losses(model, *given) for model in (whole, parts)]
    torch.testing.assert_close(*nats, rtol=0, atol=1e-12)
    for each in nats:
        each.sum().backward()
    for name, parameter in parts.named_parameters():
        torch.testing.assert_close(parameter.grad, whole.get_parameter(name).grad, rtol=0, atol=1e-12)


def test_what_long_sounds_keep_for_the_gradient_is_bounded():
    kept = []
    for at_once in (10**9, 1000):
        model, sizes = head(joint_size=50), {}
        model.at_once = at_once

        def keep(tensor, sizes=sizes):
            storage = tensor.untyped_storage()
            sizes[storage.data_ptr()] = storage.nbytes()  # one tensor is kept for several pieces
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            losses(model, steps(60, 2), [60, 60], [[0, 2, 3, 2] * 3] * 2)
        kept.append(sum(sizes.values()))
    assert kept[1] < kept[0] / 5


def test_a_row_without_a_step_costs_nothing():
    model, outputs = head(), steps(4, 2)
    assert losses(model, outputs, [0, 4], [[2], [2]])[0] == 0
    assert losses(model, outputs[:0], [0, 0], [[2], []]).tolist() == [0, 0]
    assert model.fits(torch.tensor([0, 1]), torch.zeros(9, 2), torch.tensor([9, 9])).tolist() == [False, True]


@pytest.mark.parametrize("joint", ["tanh", "sum"])
def test_every_parameter_takes_a_gradient(joint):
    model = head(joint=joint, num_layers=2)
    losses(model, steps(5, 2), [5, 3], [[0, 2, 3], [2]]).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
    assert not model.embedding.weight.grad[BLANK].any()  # before the first symbol nothing was written: zeros


def test_a_wide_beam_finds_what_the_loss_says():
    model, outputs = head(), steps(3, 2)
    found = model.write(outputs, torch.tensor([3, 2]), width=200, n_best=10)
    for row, steps_ in enumerate((3, 2)):
        texts = [found.tokens[row, k, :n].tolist() for k, n in enumerate(found.lengths[row].tolist())]
        nats = [losses(model, outputs[:steps_, row, None], [steps_], [text]).item() for text in texts]
        torch.testing.assert_close(found.scores[row].tolist(), [-n for n in nats], rtol=0, atol=1e-5)


def test_the_best_at_each_step_is_never_likelier_than_a_beam():
    model = head(joint="sum")
    for seed in range(20):
        outputs, lengths = steps(4, seed=seed), torch.tensor([4])
        greedy, beam = (model.write(outputs, lengths, width=width) for width in (1, 100))
        texts = [found.tokens[0, 0, : int(found.lengths[0, 0])].tolist() for found in (greedy, beam)]
        first, second = (losses(model, outputs, [4], [text]).item() for text in texts)
        assert len(texts[0]) > 4 or second <= first + 1e-5  # a beam writes at most a symbol a step


@pytest.mark.parametrize("cell", ["gru", "lstm", "elman"])
@pytest.mark.parametrize("size", [1, 2, 7, 50])
def test_writing_as_frames_come_is_writing_from_the_whole(cell, size):
    torch.manual_seed(3)
    model = Transcriber(
        SYMBOLS, 4, cell, blank=BLANK, hidden_size=ENCODER, bidirectional=False, stack=3,
        head=lambda width: TransducerHead(width, SYMBOLS, BLANK, cell, hidden_size=8),
    ).eval()  # fmt: skip
    model.head.scores.bias.data[BLANK] = 0  # so that it writes without having learned
    frames = 3 * torch.randn(50, 4, generator=torch.Generator().manual_seed(2))
    stream = model.stream()
    written = [symbol for start in range(0, 50, size) for symbol in stream.push(frames[start : start + size])]
    written += stream.finish()
    encoded = model.encode(frames[:, None])
    whole = model.head.write(encoded.outputs, encoded.lengths)
    assert written == whole.tokens[0, 0, : int(whole.lengths[0, 0])].tolist()
    assert written


def test_it_learns_to_write_what_it_hears():
    torch.manual_seed(0)
    model = Transcriber(
        SYMBOLS, SYMBOLS, "gru", blank=BLANK, hidden_size=16, bidirectional=False,
        head=lambda width: TransducerHead(width, SYMBOLS, BLANK, "gru", hidden_size=16, joint_size=16),
    )  # fmt: skip
    targets = torch.tensor(list(itertools.product([0, 2, 3], repeat=3))).T
    frames = torch.nn.functional.one_hot(targets, SYMBOLS).float().repeat_interleave(2, 0)
    rows = targets.shape[1]
    batch = Utterances(frames, torch.full((rows,), 6), targets, torch.full((rows,), 3))
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    for _ in range(120):
        loss, symbols, _ = model.loss(batch)
        optimizer.zero_grad()
        (loss / symbols).backward()
        optimizer.step()
    encoded = model.eval().encode(batch.inputs, batch.lengths)
    for width in (1, 4):
        found = model.head.write(encoded.outputs, encoded.lengths, width=width)
        assert torch.equal(found.tokens[:, 0, :3], targets.T)
        assert (found.lengths == 3).all()
    assert loss.item() / symbols < 0.2


@pytest.mark.parametrize("joint", ["tanh", "sum"])
def test_what_has_learned_nothing_writes_little(joint):
    model, outputs = head(joint=joint), steps(60, 8)
    found = model.write(outputs / 10, torch.full((8,), 60))
    assert found.lengths.sum() < 60  # not ten symbols a step, which take a first validation long to write


def test_dropout_is_drawn_only_while_learning():
    model, given = head(dropout=0.5), (steps(4), [4], [[2, 3]])
    assert torch.equal(losses(model, *given), losses(model, *given))
    model.train()
    assert not torch.equal(losses(model, *given), losses(model, *given))


def test_a_language_model_and_a_bonus_are_for_ctc():
    model, outputs = head(), steps(2)
    with pytest.raises(ConfigError, match="a language model beside a transducer"):
        model.write(outputs, torch.tensor([2]), width=2, prior=object())
    with pytest.raises(ConfigError, match=r"a bonus of 0.5\. Its prediction network is one"):
        model.write(outputs, torch.tensor([2]), bonus=0.5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"joint": "tan"}, r"joint: 'tan'. Possible: tanh, sum. Did you mean 'tanh'?"),
        ({"bidirectional": True}, "A prediction network reads what is written, forward"),
        ({"embedding_size": 0}, "embedding_size: 0 was given"),
        ({"joint_size": 0}, "joint_size: 0 was given"),
        ({"dropout": 1.5}, "dropout"),
        ({"hidden_size": 0}, "hidden_size"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        head(**settings)


def test_sums_are_certain_only_together():
    """The joint of eq. 12: the probability is a product of what both say, made to sum to one."""
    model, outputs = head(joint="sum"), steps(1)
    heard, predicted = model.heard(outputs)[0], model.predict(torch.zeros(0, 1).long(), torch.tensor([0]))[0]
    wanted = heard.exp() * predicted.exp()
    found = model.join(heard, predicted).softmax(-1)
    torch.testing.assert_close(found, wanted / wanted.sum(-1, keepdim=True))
    assert math.isclose(losses(model, outputs, [1], [[]]).item(), -math.log(found[0, BLANK].item()), rel_tol=1e-12)
