"""Hidden Markov models beside a sum over all paths, and beside hmmlearn."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ostinato import ConfigError, DataError
from ostinato.models.baselines.hidden_markov import HiddenMarkov

STATES, SIZE = 3, 4


def model(outputs: str = "bits", seed: int = 0) -> HiddenMarkov:
    draw = torch.Generator().manual_seed(seed)
    found = HiddenMarkov(SIZE, STATES, outputs=outputs)
    start, moves, on = (
        torch.rand(*s, dtype=torch.float64, generator=draw) for s in ((STATES,), (STATES, STATES), (STATES, SIZE))
    )
    found.start.copy_(start / start.sum())
    found.moves.copy_(moves / moves.sum(1, keepdim=True))
    found.on.copy_(on if outputs == "bits" else on / on.sum(1, keepdim=True))
    return found


def frames(outputs: str, length: int, seed: int = 1) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    if outputs == "symbol":
        return F.one_hot(torch.randint(SIZE, (length,), generator=draw), SIZE).double()
    return (torch.rand(length, SIZE, generator=draw) < 0.4).double()


def likely(found: HiddenMarkov, state: int, frame: torch.Tensor) -> float:
    on = found.on[state]
    return float(on[frame.argmax()]) if found.outputs == "symbol" else float(torch.where(frame > 0, on, 1 - on).prod())


def paths(found: HiddenMarkov, read: torch.Tensor) -> dict[tuple[int, ...], float]:
    """Return p(x, path) of every path of hidden states."""
    return {
        path: math.prod(likely(found, state, frame) for state, frame in zip(path, read, strict=True))
        * float(found.start[path[0]])
        * math.prod(float(found.moves[a, b]) for a, b in itertools.pairwise(path))
        for path in itertools.product(range(STATES), repeat=len(read))
    }


@pytest.mark.parametrize("outputs", ["bits", "symbol"])
@pytest.mark.parametrize("length", [1, 2, 6])
def test_the_likelihood_is_the_sum_over_all_paths(outputs, length):
    found, read = model(outputs), frames(outputs, length)
    expected = math.log(sum(paths(found, read).values()))
    assert found.log_likelihood(read[:, None], torch.tensor([length])).item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("outputs", ["bits", "symbol"])
def test_all_sequences_together_are_certain(outputs):
    found = model(outputs)
    one = (
        torch.eye(SIZE, dtype=torch.float64)
        if outputs == "symbol"
        else torch.tensor(list(itertools.product((0.0, 1.0), repeat=SIZE)), dtype=torch.float64)
    )
    every = torch.stack([torch.stack(pair) for pair in itertools.product(one, repeat=2)], 1)
    total = found.log_likelihood(every, torch.full((every.shape[1],), 2)).exp().sum()
    assert total.item() == pytest.approx(1, abs=1e-12)


def test_rows_are_scored_as_alone_whatever_stands_in_their_padding():
    found, long, short = model(), frames("bits", 7), frames("bits", 3, seed=2)
    both = torch.stack([long, torch.cat([short, torch.ones(4, SIZE, dtype=torch.float64)])], 1)
    together = found.log_likelihood(both, torch.tensor([7, 3]))
    alone = [found.log_likelihood(one[:, None], torch.tensor([len(one)])).item() for one in (long, short)]
    assert together.tolist() == pytest.approx(alone, abs=1e-12)


def test_a_sequence_in_pieces_is_scored_as_in_one():
    found, read = model(), frames("bits", 9)[:, None]
    first, state = found.score(read[:4], torch.tensor([4]))
    second, _ = found.score(read[4:], torch.tensor([5]), state)
    whole = found.score(read, torch.tensor([9]))[0]
    assert torch.allclose(torch.cat([first, second]), whole, atol=1e-12)


def test_a_frame_that_cannot_be_has_no_chance():
    found = HiddenMarkov(2, 2)
    found.on.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    found.start.copy_(torch.tensor([1.0, 0.0]))
    found.moves.copy_(torch.eye(2))
    nats = found.nats([torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])])
    assert nats > 700 / 3


def test_long_sequences_do_not_underflow():
    read = frames("bits", 5000)
    assert math.isfinite(model().log_likelihood(read[:, None], torch.tensor([5000])).item())


@pytest.mark.parametrize("outputs", ["bits", "symbol"])
def test_one_iteration_sets_chances_to_shares_over_all_paths(outputs):
    found = model(outputs)
    sequences = [frames(outputs, 5), frames(outputs, 2, seed=3), frames(outputs, 1, seed=4)]
    start, moves, visits, on = np.zeros(STATES), np.zeros((STATES, STATES)), np.zeros(STATES), np.zeros((STATES, SIZE))
    for read in sequences:
        chances = paths(found, read)
        total = sum(chances.values())
        for path, chance in chances.items():
            start[path[0]] += chance / total
            for a, b in itertools.pairwise(path):
                moves[a, b] += chance / total
            for state, frame in zip(path, read, strict=True):
                visits[state] += chance / total
                on[state] += chance / total * frame.numpy()
    expected = found._expect(sequences)
    assert expected.starts.tolist() == pytest.approx(start.tolist(), abs=1e-12)
    assert np.allclose(expected.moves, moves, atol=1e-12)
    assert np.allclose(expected.visits, visits, atol=1e-12)
    found._maximise(expected, torch.zeros(SIZE, dtype=torch.float64), smoothing=0.0, smoothing_moves=0.0)
    assert np.allclose(found.start, start / 3, atol=1e-12)
    assert np.allclose(found.moves, moves / moves.sum(1, keepdims=True), atol=1e-12)
    assert np.allclose(found.on, on / visits[:, None], atol=1e-12)


def test_likelihood_and_fit_are_those_of_hmmlearn():
    hmmlearn = pytest.importorskip("hmmlearn.hmm", reason="hmmlearn, of the extra `tests`, is not installed")
    found, read = model("symbol"), [frames("symbol", length, seed=length) for length in (40, 13, 25)]
    other = hmmlearn.CategoricalHMM(STATES, n_iter=8, tol=-math.inf, init_params="", implementation="scaling")
    other.n_features = SIZE
    other.startprob_, other.transmat_, other.emissionprob_ = (
        part.numpy().copy() for part in (found.start, found.moves, found.on)
    )
    symbols, lengths = torch.cat(read).argmax(-1)[:, None].numpy(), [len(one) for one in read]
    assert -found.nats(read) * sum(lengths) == pytest.approx(other.score(symbols, lengths), abs=1e-9)
    other.fit(symbols, lengths)
    for _ in range(8):
        found._maximise(
            found._expect(read), torch.full((SIZE,), 0.25, dtype=torch.float64), smoothing=0.0, smoothing_moves=0.0
        )
    assert np.allclose(found.moves, other.transmat_, atol=1e-9)
    assert np.allclose(found.on, other.emissionprob_, atol=1e-9)
    assert np.allclose(found.start, other.startprob_, atol=1e-9)


def drawn(known: HiddenMarkov, rows: int, length: int) -> list[torch.Tensor]:
    """Return sequences of a known model, by walking its states."""
    generator = torch.Generator().manual_seed(5)
    hidden, steps = torch.multinomial(known.start.expand(rows, -1), 1, generator=generator)[:, 0], []
    for _ in range(length):
        steps.append(torch.bernoulli(known.on[hidden], generator=generator))
        hidden = torch.multinomial(known.moves[hidden], 1, generator=generator)[:, 0]
    return list(torch.stack(steps).unbind(1))


def test_what_is_fitted_to_a_known_model_s_frames_is_as_good_as_it():
    known = model()
    known.on.copy_(torch.tensor([[0.9, 0.9, 0.1, 0.1], [0.1, 0.1, 0.9, 0.9], [0.1, 0.9, 0.1, 0.9]]))
    learned, fresh = drawn(known, 60, 50)[:40], drawn(known, 60, 50)[40:]
    found = HiddenMarkov(SIZE, STATES)
    nats = found.fit(learned, iterations=40, generator=torch.Generator().manual_seed(2))
    assert all(later <= earlier + 1e-3 for earlier, later in itertools.pairwise(nats))
    assert found.nats(fresh) == pytest.approx(known.nats(fresh), rel=0.01)


def test_the_iteration_best_on_what_is_held_out_is_kept():
    learned, held = [frames("bits", 12)], [frames("bits", 30, seed=9)]
    found = HiddenMarkov(SIZE, 6)
    nats = found.fit(learned, iterations=15, smoothing=0.01, held_out=held, generator=torch.Generator().manual_seed(0))
    assert nats[-1] > min(nats)
    assert found.nats(held) == pytest.approx(min(nats), abs=1e-9)


@pytest.mark.parametrize(("output", "constant"), [("bits", 0.0), ("bits", 1.0), ("symbol", 0.0)])
def test_an_output_that_training_never_had_costs_a_few_nats(output, constant):
    learned = [frames(output, length, seed=length) for length in (40, 30)]
    if output == "bits":
        learned = [torch.cat([one[:, :3], torch.full((len(one), 1), constant).double()], 1) for one in learned]
        fresh = learned[0].clone()
        fresh[7, 3] = 1 - constant
    else:
        learned = [one[one[:, 3] == 0] for one in learned]
        fresh = learned[0].clone()
        fresh[7] = torch.eye(SIZE).double()[3]
    found = HiddenMarkov(SIZE, 2, outputs=output)
    found.fit(learned, generator=torch.Generator().manual_seed(0))
    more = (found.nats([fresh]) - found.nats([learned[0]])) * len(fresh)
    assert 2 < more < 12


def test_smoothing_adds_frames_of_the_mean_and_moves_to_frequent_states():
    found, mean = model(), torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
    expected = found._expect([frames("bits", 9)])
    found._maximise(expected, mean, smoothing=2.0, smoothing_moves=3.0)
    share = expected.visits / expected.visits.sum()
    assert torch.allclose(found.on, (expected.on + 2 * mean) / (expected.visits[:, None] + 2))
    assert torch.allclose(found.moves, (expected.moves + 3 * share) / (expected.moves.sum(1, keepdim=True) + 3))
    assert torch.allclose(found.start, (expected.starts + 3 * share) / 4)


def test_a_fit_in_small_batches_is_the_same(monkeypatch):
    read = [frames("bits", length, seed=length) for length in (9, 4, 7, 1)]
    whole, parts = HiddenMarkov(SIZE, STATES), HiddenMarkov(SIZE, STATES)
    one = whole.fit(read, iterations=3, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr("ostinato.models.baselines.hidden_markov.AT_ONCE", 30)
    assert parts.fit(read, iterations=3, generator=torch.Generator().manual_seed(0)) == pytest.approx(one, abs=1e-12)
    assert torch.allclose(whole.on, parts.on, atol=1e-12)


@pytest.mark.parametrize("outputs", ["bits", "symbol"])
def test_frames_are_drawn_as_often_as_they_are_predicted(outputs):
    found = model(outputs)
    state = found.score(frames(outputs, 3)[:, None], torch.tensor([3]))[1].expand(20_000, -1)
    samples = found.sample(state, torch.Generator().manual_seed(0))
    error = 3 * (found.predict(state[:1]) * (1 - found.predict(state[:1])) / 20_000).sqrt()
    assert ((samples.mean(0) - found.predict(state[:1])[0]).abs() < error[0] + 1e-9).all()
    assert outputs == "bits" or (samples.sum(-1) == 1).all()


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        ([], "there are none"),
        ([torch.zeros(3, 5)], r"Frames are \(T, 4\)"),
        ([torch.full((2, SIZE), 0.5)], "other than 0 and 1"),
        ([torch.full((2, SIZE), math.nan)], "other than 0 and 1"),
    ],
)
def test_frames_that_cannot_be_are_named(frames, said):
    with pytest.raises(DataError, match=said):
        HiddenMarkov(SIZE, 2).fit(frames)


def test_symbols_are_one_a_frame():
    with pytest.raises(DataError, match="sequence 1: a frame without"):
        HiddenMarkov(SIZE, 2, outputs="symbol").fit([torch.ones(2, SIZE)])


def test_settings_that_cannot_be_are_refused():
    for make, said in (
        (lambda: HiddenMarkov(SIZE, 0), "states: 0"),
        (lambda: HiddenMarkov(SIZE, 2, outputs="bit"), "Did you mean 'bits'"),
        (lambda: HiddenMarkov(SIZE, 2).fit([torch.ones(2, SIZE)], iterations=0), "at least 1"),
        (lambda: HiddenMarkov(SIZE, 2).fit([torch.ones(2, SIZE)], smoothing_moves=-1.0), "not below 0"),
    ):
        with pytest.raises(ConfigError, match=said):
            make()
