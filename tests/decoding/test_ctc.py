"""CTC: what paths write, summed over every path there is, alone and with a language model, whole and in pieces."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.decoding.brute_force import Model

from ostinato._errors import ConfigError, RunError
from ostinato.decoding.ctc import Prior, ctc_beam, ctc_best_path, ctc_best_path_stream

seeds = st.integers(0, 2**31)


def frames(seed, steps, rows, symbols, sharp=2.0, low=0.0):
    draw = torch.Generator().manual_seed(seed)
    scores = torch.randn(steps, rows, symbols, generator=draw, dtype=torch.float64) * sharp
    scores[torch.rand(scores.shape, generator=draw) < low] = -math.inf
    return scores.log_softmax(-1).nan_to_num(nan=-math.inf, neginf=-math.inf)


def collapsed(path, blank):
    """Return what a path writes, and the frames its symbols begin at."""
    found = [
        (symbol, time)
        for time, (before, symbol) in enumerate(itertools.pairwise((blank, *path)))
        if symbol not in (before, blank)
    ]
    return tuple(symbol for symbol, _ in found), tuple(time for _, time in found)


def every(log_p, blank):
    """Return the log-probability of everything that paths through (T, V) write, and the frames of its best path."""
    sums, best = {}, {}
    values = log_p.tolist()
    for path in itertools.product(range(log_p.shape[1]), repeat=len(values)):
        score = sum(frame[symbol] for frame, symbol in zip(values, path, strict=True))
        if score > -math.inf:
            text, times = collapsed(path, blank)
            sums[text] = sums.get(text, 0.0) + math.exp(score)
            best[text] = max(best.get(text, (-math.inf, None)), (score, times))
    return {text: math.log(total) for text, total in sums.items()}, {text: times for text, (_, times) in best.items()}


def written(found, row):
    return [
        (tuple(found.tokens[row, n, : found.lengths[row, n]].tolist()), found.scores[row, n].item())
        for n in range(found.scores.shape[1])
        if found.scores[row, n] > -math.inf
    ]


def assert_ranked(got, expected):
    expected = sorted(expected.items(), key=lambda one: -one[1])[: len(got)]
    assert [text for text, _ in got] == [text for text, _ in expected]
    for (_, ours), (_, theirs) in zip(got, expected, strict=True):
        assert math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9)


@given(seeds, st.integers(1, 5), st.integers(0, 2), st.sampled_from([0.0, 0.3]))
def test_a_wide_beam_sums_over_every_path(seed, steps, blank, low):
    log_p = frames(seed, steps, 2, 3, low=low)
    lengths = torch.tensor([steps, steps - 1])
    found = ctc_beam(log_p, lengths, blank=blank, width=150, n_best=100)
    for row, length in enumerate(lengths.tolist()):
        sums, best = every(log_p[:length, row], blank)
        got = written(found, row)
        assert len(got) == len(sums)
        assert_ranked(got, sums)
        for n, (text, _) in enumerate(got):
            assert tuple(found.times[row, n, : len(text)].tolist()) == best[text]
            assert (found.times[row, n, len(text) :] == -1).all()


@given(seeds, st.integers(1, 5), st.sampled_from([0.0, 0.4, 1.3]), st.sampled_from([0.0, -0.5, 1.0]), st.booleans())
def test_a_language_model_and_a_bonus_change_the_order(seed, steps, weight, bonus, ends):
    log_p, model = frames(seed, steps, 2, 3), Model(3, 6, seed, rows=1)
    _, state = Model(3, 6, seed, rows=2).start()
    end = 0 if ends else None
    prior = Prior(model.step, state, torch.zeros(2, dtype=torch.int64), weight, end)
    found = ctc_beam(log_p, width=150, n_best=20, prior=prior, bonus=bonus)
    for row in range(2):
        sums, _ = every(log_p[:, row], 0)
        for text in sums:
            likely = sum(model.log_p(0, (*text, 0) if ends else text))
            sums[text] += weight * likely + bonus * len(text)
        assert_ranked(written(found, row), sums)


def test_a_prior_without_weight_is_not_asked():
    log_p = frames(0, 4, 2, 3)
    prior = Prior(None, None, torch.zeros(2, dtype=torch.int64), 0.0)
    assert torch.equal(ctc_beam(log_p, prior=prior).tokens, ctc_beam(log_p).tokens)


@given(seeds, st.integers(1, 8), st.integers(2, 5))
def test_the_best_path_is_that_of_each_frames_best_symbol(seed, steps, symbols):
    log_p = frames(seed, steps, 3, symbols)
    lengths = torch.tensor([steps, steps // 2, 0])
    found = ctc_best_path(log_p, lengths, blank=1)
    for row, length in enumerate(lengths.tolist()):
        path = [max(range(symbols), key=frame.__getitem__) for frame in log_p[:length, row].tolist()]
        text, times = collapsed(path, 1)
        assert tuple(found.tokens[row, 0, : found.lengths[row, 0]].tolist()) == text
        assert tuple(found.times[row, 0, : found.lengths[row, 0]].tolist()) == times
        total = sum(max(frame) for frame in log_p[:length, row].tolist())
        assert math.isclose(found.scores[row, 0].item(), total, abs_tol=1e-9)


@given(seeds, st.integers(2, 6))
def test_a_wide_beam_writes_nothing_less_probable_than_the_best_path(seed, steps):
    log_p = frames(seed, steps, 1, 3, sharp=0.7)
    sums, _ = every(log_p[:, 0], 0)
    best, beam = (written(found, 0)[0][0] for found in (ctc_best_path(log_p), ctc_beam(log_p, width=600)))
    assert sums[beam] >= sums[best]


@given(seeds, st.integers(1, 8), st.sampled_from([0.0, 0.4]))
def test_a_batch_gives_what_its_rows_give_one_by_one(seed, width, low):
    log_p, lengths = frames(seed, 7, 4, 4, low=low), torch.tensor([7, 0, 3, 6])
    found = ctc_beam(log_p, lengths, width=width, n_best=width)
    for row, length in enumerate(lengths.tolist()):
        alone = ctc_beam(log_p[:length, row : row + 1], width=width, n_best=width)
        assert len(written(alone, 0)) == len(written(found, row))
        assert_ranked(written(alone, 0), dict(written(found, row)))


def test_a_narrow_beam_adds_up_no_more_than_there_is():
    log_p = frames(3, 5, 1, 3, sharp=0.5)
    sums, _ = every(log_p[:, 0], 0)
    for text, score in written(ctc_beam(log_p, width=4, n_best=4), 0):
        assert score <= sums[text] + 1e-12


def test_probability_spread_over_paths_wins_over_the_best_path():
    # Two frames, blank 0.6 and a 0.4: the path of blanks has 0.36, those that write a have 0.64.
    log_p = torch.tensor([[[0.6, 0.4]]] * 2).log()
    assert ctc_best_path(log_p).lengths.tolist() == [[0]]
    found = ctc_beam(log_p)
    assert found.tokens.tolist() == [[[1]]]
    torch.testing.assert_close(found.scores.exp(), torch.tensor([[0.64]]))


@given(seeds, st.lists(st.integers(0, 4), max_size=5), st.integers(1, 3))
def test_a_stream_in_pieces_writes_what_the_whole_writes(seed, sizes, rows):
    log_p = frames(seed, sum(sizes), rows, 3)
    heard, tokens, times = None, [[] for _ in range(rows)], [[] for _ in range(rows)]
    for piece in log_p.split(sizes) if sizes else ():
        found, heard = ctc_best_path_stream(piece, None, heard)
        for row in range(rows):
            tokens[row] += found.tokens[row, 0, : found.lengths[row, 0]].tolist()
            times[row] += found.times[row, 0, : found.lengths[row, 0]].tolist()
    whole = ctc_best_path(log_p)
    for row in range(rows):
        assert whole.tokens[row, 0, : whole.lengths[row, 0]].tolist() == tokens[row]
        assert whole.times[row, 0, : whole.lengths[row, 0]].tolist() == times[row]


def test_rows_of_a_stream_may_have_pieces_of_different_lengths():
    log_p = frames(1, 6, 2, 3)
    first, heard = ctc_best_path_stream(log_p[:4], torch.tensor([4, 2]))
    rest = torch.stack([log_p[4:6, 0], log_p[2:4, 1]], 1)
    second, _ = ctc_best_path_stream(rest, None, heard)
    for row, length in enumerate([6, 4]):
        whole = ctc_best_path(log_p[:length, row : row + 1])
        parts = [found.tokens[row, 0, : found.lengths[row, 0]] for found in (first, second)]
        assert torch.equal(torch.cat(parts), whole.tokens[0, 0])


def test_frames_in_which_nothing_is_possible_write_nothing():
    log_p = torch.full((3, 1, 4), -math.inf)
    found = ctc_beam(log_p, width=3, n_best=2)
    assert found.lengths.tolist() == [[0, 0]]
    assert found.scores.tolist() == [[-math.inf] * 2]
    assert ctc_best_path(log_p).scores.tolist() == [[-math.inf]]


def test_no_rows_and_no_frames_write_nothing():
    assert ctc_beam(torch.zeros(5, 0, 3), n_best=2).tokens.shape == (0, 2, 0)
    assert ctc_beam(torch.zeros(0, 2, 3)).lengths.tolist() == [[0], [0]]
    assert ctc_best_path(torch.zeros(0, 2, 3)).lengths.tolist() == [[0], [0]]


def test_frames_of_low_precision_are_added_in_a_higher_one():
    log_p = torch.full((600, 1, 2), -math.log(2)).bfloat16()
    expected = float(log_p[0, 0, 0]) * 600
    assert math.isclose(ctc_best_path(log_p).scores.item(), expected, rel_tol=1e-5)
    assert ctc_beam(log_p).scores.dtype == torch.float32


@pytest.mark.parametrize("search", [ctc_best_path, ctc_beam])
@pytest.mark.parametrize(("value", "said"), [(math.nan, "NaN"), (math.inf, "infinite")])
def test_log_probabilities_that_are_no_numbers_are_refused(search, value, said):
    log_p = torch.zeros(3, 2, 4)
    log_p[1, 1, 2] = value
    with pytest.raises(RunError, match=f"{said}.*diverged"):
        search(log_p)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"log_probs": torch.zeros(2, 3)}, "log_probs: shape (2, 3). (T, B, V)"),
        ({"blank": 4}, "blank: 4. The symbols are 0 to 3"),
        ({"lengths": torch.tensor([1, 9])}, "lengths: [1, 9]. One for each of 2 rows, from 0 to 3"),
        ({"width": 0}, "width: 0"),
        ({"width": 2.5}, "width: 2.5"),
        ({"n_best": 11}, "n_best: 11. Possible: at most the width, 10"),
        ({"bonus": math.nan}, "bonus: nan"),
        ({"prior": Prior(None, None, torch.zeros(2), -1.0)}, "weight: -1.0. Possible: a number from 0"),
        (
            {"prior": Prior(lambda s, state: (torch.zeros(len(s), 9), state), None, torch.zeros(2))},
            "prior: scores of 9 symbols. The frames have 4, the blank among them",
        ),
        (
            {"prior": Prior(lambda s, state: (torch.zeros(1, 4), state), None, torch.zeros(2))},
            "step: scores of shape (1, 4). Of 2 symbols",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_name(given, said):
    with pytest.raises(ConfigError) as error:
        ctc_beam(**{"log_probs": torch.zeros(3, 2, 4), **given})
    assert said in str(error.value)
