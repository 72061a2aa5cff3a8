"""What a model reads while it learns: chances as published, a coin a symbol, its own draws, and the same bits again."""

import math

import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional as F

from ostinato import ConfigError, LanguageModel, train_language_model
from ostinato.data.lanes import Segment
from ostinato.data.tasks import TASKS
from ostinato.decoding.feeding import feed
from ostinato.models.sequence_task import SequenceTaskModel, score
from ostinato.training.config import Training
from ostinato.training.feedback import Decay, Fed, in_groups, usual_constant
from ostinato.training.gradient import Full, Truncated, Window
from ostinato.training.sequence_task import train_task

STEPS, ROWS, SYMBOLS = 12, 5, 7
TASK = {"hidden_size": 8, "length": 4, "batch_size": 4, "steps": 4, "validate_every": 2, "test_sequences": 8,
        "cell": "gru", "tracker": "none", "progress": False}  # fmt: skip


@pytest.fixture
def model() -> LanguageModel:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return LanguageModel(SYMBOLS, "gru", hidden_size=6, num_layers=2, dropout=0.5)


@pytest.fixture
def segment() -> Segment:
    symbols = torch.randint(SYMBOLS, (STEPS + 1, ROWS), generator=torch.Generator().manual_seed(1))
    return Segment(symbols[:-1], symbols[1:], None)


@pytest.fixture(autouse=True)
def _seeded():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        yield


# the chance of the right symbol (section 2.4)


@pytest.mark.parametrize("step", [0, 1, 10, 500, 100_000])
def test_chances_are_those_of_the_paper(step):
    assert Decay("linear", 1e-3).at(step) == max(0.0, 1 - 1e-3 * step)
    assert Decay("exponential", 0.99).at(step) == pytest.approx(0.99**step)
    k = 50.0
    assert Decay("inverse-sigmoid", k).at(step) == pytest.approx(k / (k + math.exp(min(700, step / k))))


@pytest.mark.parametrize("decay", ["linear", "exponential", "inverse-sigmoid"])
@pytest.mark.parametrize("steps", [10, 2000, 10**6])
def test_unless_told_one_symbol_in_two_is_right_after_half_of_the_steps(decay, steps):
    chance = Decay(decay, usual_constant(decay, steps))
    assert chance.at(steps // 2) == pytest.approx(0.5, abs=1e-6)
    assert chance.at(0) > chance.at(steps // 2) > chance.at(steps)


def test_a_chance_does_not_fall_below_the_least():
    assert Decay("linear", 0.1, least=0.25).at(1000) == 0.25


@pytest.mark.parametrize(
    ("decay", "constant", "words"),
    [
        ("linear", 0.0, "above 0"),
        ("exponential", 1.0, "between 0 and 1"),
        ("exponential", 0.0, "between 0 and 1"),
        ("inverse-sigmoid", 0.5, "1 or more"),
        ("inverse-sigmoid", math.inf, "1 or more"),
    ],
)
def test_a_constant_that_is_none_of_a_decay_is_refused(decay, constant, words):
    with pytest.raises(ConfigError, match=f"Of {decay} decay it is {words}"):
        Decay(decay, constant)
    with pytest.raises(ConfigError, match="It is a chance, from 0 to 1"):
        Decay("linear", 1.0, least=1.5)


# what is read


def test_with_certainty_what_is_right_is_read(model, segment):
    fed, _ = feed(model, segment, None, None, chance=1.0)
    assert torch.equal(fed.inputs, segment.inputs)
    assert fed.targets is segment.targets


def test_a_free_model_reads_what_its_own_steps_write(model, segment):
    fed, draws = feed(model, segment, None, None, chance=0.0, greedy=True)
    model.eval()
    token, state = segment.inputs[0], None
    for t in range(STEPS):
        assert torch.equal(fed.inputs[t], token)
        with torch.no_grad():
            scores, state = model.step(token, state)
        token = scores.argmax(-1)
        assert torch.equal(draws[t], token)


def test_draws_follow_the_model_s_scores(model):
    symbols = torch.full((1, 20_000), 2)
    _, draws = feed(model, Segment(symbols, symbols, None), None, None, chance=0.5)
    with torch.no_grad():
        expected = model.eval()(symbols[:, :1])[0][0, 0].softmax(-1)
    shares = F.one_hot(draws[0], SYMBOLS).float().mean(0)
    assert (shares - expected).abs().max() < 0.015


def test_a_coin_is_tossed_for_each_symbol(model):
    symbols = torch.full((STEPS, 3000), SYMBOLS - 1)
    fed, draws = feed(model, Segment(symbols, symbols, None), None, None, chance=0.75)
    own = fed.inputs[1:] != symbols[1:]
    drawn_otherwise = (draws[:-1] != symbols[1:]).float().mean()
    assert abs(float(own.float().mean() / drawn_otherwise) - 0.25) < 0.02
    assert own.float().mean(0).std() > 0  # within a row as well as across rows
    assert torch.equal(fed.inputs[1:][own], draws[:-1][own])


def test_a_draw_of_the_segment_before_is_read_first(model, segment):
    before = (segment.inputs[0] + 1) % SYMBOLS
    assert torch.equal(feed(model, segment, None, before, chance=0.0)[0].inputs[0], before)
    assert torch.equal(feed(model, segment, None, None, chance=0.0)[0].inputs[0], segment.inputs[0])


def test_a_document_begins_with_what_is_right(model, segment):
    reset = torch.zeros(STEPS, ROWS, dtype=torch.bool)
    reset[5, 2] = True
    segment = segment._replace(inputs=segment.inputs * 0 + 6, reset=reset)
    fed, _ = feed(model, segment, None, None, chance=0.0)
    assert fed.inputs[5, 2] == 6
    assert (fed.inputs[1:] != 6).any()


def test_nothing_is_dropped_while_the_model_writes_and_it_learns_on_as_before(model, segment):
    model.train()
    once, again = (feed(model, segment, None, None, chance=0.0, greedy=True)[0].inputs for _ in range(2))
    assert torch.equal(once, again)
    assert model.training


# the gradient


def test_the_gradient_is_that_of_the_right_symbols_after_what_was_read(segment):
    model = LanguageModel(SYMBOLS, "gru", hidden_size=6, num_layers=1)
    way = Fed(Full(), lambda step: 0.3)
    torch.manual_seed(7)
    nats, count, _ = way.accumulate(model, segment, next(way.windows(STEPS, 0)), None, torch.Tensor.backward)
    torch.manual_seed(7)
    read, _ = feed(model, segment, None, None, chance=0.3)
    assert not torch.equal(read.inputs, segment.inputs)
    loss = F.cross_entropy(model(read.inputs)[0].flatten(0, 1), segment.targets.flatten())
    expected = torch.autograd.grad(loss, list(model.parameters()))
    assert float(nats) == pytest.approx(float(loss.detach()) * count, rel=1e-6)  # float32
    for parameter, other in zip(model.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, other, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("k1", "k2"), [(4, 4), (3, 7), (5, 2)])
def test_a_stream_in_windows_reads_its_own_symbols_across_their_borders(model, segment, k1, k2):
    state, reads = None, []

    class Watched(Truncated):
        def accumulate(self, model, segment, window, state, backward):
            reads.append((window, segment.inputs))
            return super().accumulate(model, segment, window, state, backward)

    way = Fed(Watched(k1, k2), lambda step: 0.0)
    model.eval()
    for window in way.windows(STEPS, 0):
        piece = Segment(*(p if p is None else p[window.position : window.position + window.length] for p in segment))
        carried = None if state is None else state[1]
        _, _, state = way.accumulate(model, piece, window, state, lambda loss: None)
        first = reads[-1][1][0]
        assert torch.equal(first, piece.inputs[0] if carried is None else carried)
    assert len(reads) == way.updates(STEPS)


def test_windows_know_how_many_steps_were_taken_before_them():
    way = Fed(Truncated(4, 4), lambda step: 1.0)
    numbers = [w.step for epoch in range(3) for w in way.windows(STEPS, epoch)]
    assert numbers == list(range(3 * way.updates(STEPS)))
    bare = [Window(w.position, w.length, w.learned, w.reach, w.following) for w in way.windows(STEPS, 1)]
    assert bare == list(Truncated(4, 4).windows(STEPS, 1))


@pytest.mark.parametrize("gradient", ["rtrl", "snap", "uoro", "kf-rtrl", "e-prop"])
def test_a_gradient_that_travels_with_the_state_reads_what_is_right(gradient):
    with pytest.raises(ConfigError, match=f"free was given with --gradient {gradient}"):
        in_groups(Training(gradient=gradient, feedback="free"))


# runs


@pytest.mark.parametrize("gradient", ["truncated", "full", "randomized", "checkpointed"])
@pytest.mark.parametrize("feedback", ["scheduled", "free"])
def test_a_language_model_learns_from_what_it_reads_itself(tmp_path, text, small, gradient, feedback):
    settings = small | {"steps": 3, "validate_every": 3, "gradient": gradient, "feedback": feedback}
    fed = train_language_model(text, out=tmp_path / "fed", **settings)
    taught = train_language_model(text, out=tmp_path / "taught", **settings | {"feedback": "teacher"})
    assert fed.step == 3
    assert fed.best != taught.best


@pytest.mark.parametrize(("decay", "constant"), [("linear", None), ("exponential", None), ("inverse-sigmoid", 4.0)])
def test_a_run_that_goes_on_tosses_the_same_coins(tmp_path, text, small, decay, constant):
    settings = small | {
        "feedback": "scheduled", "decay": decay, "decay_constant": constant, "warmup": 0, "final_fraction": 1.0,
        "least_teaching": 0.1,
    }  # fmt: skip
    if constant is None:
        settings["decay_constant"] = usual_constant(decay, 12)
    whole = train_language_model(text, out=tmp_path / "whole", **settings).folder
    train_language_model(text, out=tmp_path / "cut", **settings | {"steps": 6})
    cut = train_language_model(out=tmp_path / "cut", resume=True, steps=12, progress=False).folder
    one, other = (load_file(folder / "state/last.safetensors") for folder in (whole, cut))
    assert one.keys() == other.keys()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


def test_a_task_that_feeds_back_is_tested_on_what_the_model_says_at_twice_the_length():
    task = TASKS["noisy-copy"](4)
    model = SequenceTaskModel(task, "gru", hidden_size=8).eval()
    sequences = task.tested().draw(6, torch.Generator().manual_seed(0))
    assert len(sequences.inputs) == 5 + 8
    letters, heard, wrong = sequences.targets, sequences.inputs[..., :16], 0
    before, state = None, None
    for t in range(13):
        said = F.one_hot(letters[t - 1] if t <= 5 else before, 16).float() if t else torch.zeros(6, 16)
        with torch.no_grad():
            outputs, state = model(torch.cat([heard[t], said], -1)[None], state)
        before = outputs[0].argmax(-1)
        wrong += int((before != letters[t]).sum()) if t >= 5 else 0
    assert score(model, sequences)["errors"] == pytest.approx(wrong / 48)


def test_a_noisy_copy_says_its_round_from_a_place_in_it():
    sequences = TASKS["noisy-copy"](10).draw(2000, torch.Generator().manual_seed(0))
    letters = sequences.targets
    assert all(len(set(column.tolist())) == 5 for column in letters[:5].T[:50])
    assert torch.equal(letters[5:10], letters[10:15])
    starts = (letters[:5] == letters[5]).float().mean(1)
    assert (starts - 0.2).abs().max() < 0.04
    heard = sequences.inputs[..., :16].argmax(-1)
    assert abs(float((heard == letters).float().mean()) - (0.4 + 0.6 / 16)) < 0.01
    assert torch.equal(sequences.inputs[1:, :, 16:].argmax(-1), letters[:-1])
    assert sequences.fed.sum(0).unique().tolist() == [9]


def test_a_task_that_feeds_nothing_back_says_which_do(tmp_path):
    with pytest.raises(ConfigError, match=r"the task Adding feeds nothing back. Those that do: noisy-copy"):
        train_task("adding", out=tmp_path / "run", feedback="scheduled", **TASK)
    assert not (tmp_path / "run").exists()


def test_a_task_is_learned_from_what_the_model_says_itself(tmp_path):
    bests = []
    for feedback in ("teacher", "scheduled", "free"):
        bests.append(train_task("noisy-copy", out=tmp_path / feedback, feedback=feedback, **TASK).best)
    assert len(set(bests)) == 3


def test_a_piece_of_a_sequence_is_fed_as_in_the_whole():
    task = TASKS["noisy-copy"](6)
    model, sequences = SequenceTaskModel(task, "gru", hidden_size=8), task.draw(20)
    whole, draws = feed(model, sequences, None, None, chance=0.0, greedy=True)
    _, state = model.read(whole.steps(0, 7))
    piece, _ = feed(model, sequences.steps(7, 11), state, draws[6], chance=0.0, greedy=True)
    assert torch.equal(piece.inputs, whole.inputs[7:])
    assert torch.equal(feed(model, sequences.steps(7, 11), state, draws[6], chance=1.0)[0].inputs, sequences.inputs[7:])


@pytest.mark.parametrize(
    "more",
    [
        {"gradient": "truncated", "k1": 4},
        {"accumulate": 2},
        {"accumulate": 2, "ar": 1.0},
        {"gradient": "full", "tar": 1.0},
    ],
)
def test_feeding_goes_with_windows_and_groups_of_rows(tmp_path, more):
    assert train_task("noisy-copy", out=tmp_path / "run", feedback="scheduled", **TASK, **more).step == 4


@pytest.mark.parametrize(
    ("feedback", "said"),
    [
        ("teacher", []),
        ("scheduled", ["reads   its own symbols by inverse-sigmoid decay: 50% are right ones at step 2"]),
        ("free", ["reads   its own symbols only"]),
    ],
)
def test_a_run_says_what_it_reads(tmp_path, text, small, feedback, said, capsys):
    train_task("noisy-copy", out=tmp_path / "task", feedback=feedback, **TASK | {"progress": True})
    settings = small | {"steps": 4, "progress": True, "feedback": feedback}
    train_language_model(text, out=tmp_path / "text", **settings)
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("reads")] == said * 2
