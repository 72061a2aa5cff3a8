"""Transducers: what every alignment writes, summed one by one; greedy in a loop of its own, whole and in pieces."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import ostinato
from ostinato._errors import ConfigError, RunError
from ostinato.decoding.transducer import Transducer, transducer_beam, transducer_greedy, transducer_greedy_stream

seeds = st.integers(0, 2**31)
SYMBOLS, HISTORIES = 3, 4**5


class Table:
    """Scores drawn at random for each frame and history; the frame is its number, the history a number to base 4."""

    def __init__(self, seed, frames, rows, blank=0, low=0.0):
        draw = torch.Generator().manual_seed(seed)
        self.scores = torch.randn(frames * rows, HISTORIES, SYMBOLS, generator=draw, dtype=torch.float64) * 2
        self.scores[torch.rand(self.scores.shape, generator=draw) < low] = -math.inf
        self.frames = torch.arange(frames * rows).view(frames, rows, 1)
        state = {"history": torch.zeros(rows, dtype=torch.int64)}
        start = torch.full((rows,), blank)
        self.blank = blank
        self.transducer = Transducer(self.predict, self.join, state, start, blank)

    def predict(self, symbols, state):
        history = (state["history"] * 4 + symbols + 1) % HISTORIES
        return history[:, None].double(), {"history": history}

    def join(self, frames, features):
        return self.scores[frames[:, 0], features[:, 0].long()]

    def log_p(self, frame, row, sequence):
        history = 0
        for symbol in (self.blank, *sequence):
            history = (history * 4 + symbol + 1) % HISTORIES
        number = int(self.frames[frame, row])
        return self.scores[number, history].log_softmax(-1).nan_to_num(nan=-math.inf, neginf=-math.inf).tolist()


def every(table, row, frames, limit, frame=0, sequence=()):
    """Return the probability of everything that alignments write, walking through them all."""
    if frame == frames:
        return {sequence: 1.0}
    values, sums = table.log_p(frame, row, sequence), {}
    for symbol, value in enumerate(values):
        if symbol == table.blank:
            rest = every(table, row, frames, limit, frame + 1, sequence)
        elif len(sequence) < limit:
            rest = every(table, row, frames, limit, frame, (*sequence, symbol))
        else:
            continue
        for text, probability in rest.items():
            sums[text] = sums.get(text, 0.0) + math.exp(value) * probability
    return sums


def written(found, row):
    return [
        (tuple(found.tokens[row, n, : found.lengths[row, n]].tolist()), found.scores[row, n].item())
        for n in range(found.scores.shape[1])
        if found.scores[row, n] > -math.inf
    ]


def assert_ranked(got, expected):
    assert [text for text, _ in got] == [text for text, _ in expected]
    for (_, ours), (_, theirs) in zip(got, expected, strict=True):
        assert math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9)


@given(seeds, st.integers(1, 3), st.integers(1, 3), st.integers(0, 2), st.sampled_from([0.0, 0.3]))
def test_a_wide_beam_sums_over_every_alignment(seed, steps, limit, blank, low):
    table, lengths = Table(seed, steps, 2, blank, low), torch.tensor([steps, steps - 1])
    found = transducer_beam(table.transducer, table.frames, lengths, width=60, n_best=40, max_length=limit)
    for row, length in enumerate(lengths.tolist()):
        sums = {text: math.log(p) for text, p in every(table, row, length, limit).items() if p > 0}
        expected = sorted(sums.items(), key=lambda one: -one[1])
        assert_ranked(written(found, row), expected if length else [((), 0.0)])


@given(seeds, st.integers(1, 3))
def test_a_beam_that_wants_one_result_stops_no_sooner_than_it_is_the_best(seed, steps):
    table = Table(seed, steps, 2)
    one = transducer_beam(table.transducer, table.frames, width=60, max_length=3)
    all_ = transducer_beam(table.transducer, table.frames, width=60, n_best=30, max_length=3)
    for row in range(2):
        assert_ranked(written(one, row), written(all_, row)[:1])


@given(seeds, st.integers(1, 6), st.integers(1, 4))
def test_without_a_limit_there_are_as_many_symbols_as_frames(seed, width, steps):
    table = Table(seed, steps, 2)
    free = transducer_beam(table.transducer, table.frames, width=width)
    assert torch.equal(
        free.tokens, transducer_beam(table.transducer, table.frames, width=width, max_length=steps).tokens
    )
    assert free.lengths.max() <= steps


def plain_greedy(table, row, frames, most):
    sequence, times, total = (), [], 0.0
    for frame in range(frames):
        for count in range(most + 1):
            values = table.log_p(frame, row, sequence)
            possible = range(SYMBOLS) if count < most else [table.blank]
            symbol = max(possible, key=values.__getitem__)
            total += values[symbol]
            if symbol == table.blank:
                break
            sequence, times = (*sequence, symbol), [*times, frame]
    return sequence, times, total


@given(seeds, st.integers(1, 3), st.integers(0, 2))
def test_greedy_takes_the_best_of_each_step(seed, most, blank):
    table, lengths = Table(seed, 4, 3, blank), torch.tensor([4, 0, 2])
    found = transducer_greedy(table.transducer, table.frames, lengths, max_symbols=most)
    for row, length in enumerate(lengths.tolist()):
        sequence, times, total = plain_greedy(table, row, length, most)
        assert_ranked(written(found, row), [(sequence, total)])
        assert found.times[row, 0, : len(times)].tolist() == times


@given(seeds, st.integers(1, 6), st.sampled_from([0.0, 0.3]))
def test_a_batch_gives_what_its_rows_give_one_by_one(seed, width, low):
    table, lengths = Table(seed, 3, 3, low=low), torch.tensor([1, 3, 0])
    found = transducer_beam(table.transducer, table.frames, lengths, width=width, n_best=width, max_length=4)
    for row, length in enumerate(lengths.tolist()):
        own = table.transducer._replace(
            state={"history": torch.zeros(1, dtype=torch.int64)}, start=torch.zeros(1).long()
        )
        frames = table.frames[:length, row : row + 1]
        alone = transducer_beam(own, frames, width=width, n_best=width, max_length=4)
        assert_ranked(written(found, row), written(alone, 0))


@given(seeds, st.lists(st.integers(0, 3), max_size=5))
def test_a_stream_in_pieces_writes_what_the_whole_writes(seed, sizes):
    table, heard = Table(seed, sum(sizes), 2), None
    tokens, times = [[], []], [[], []]
    for piece in table.frames.split(sizes) if sizes else ():
        found, heard = transducer_greedy_stream(table.transducer, piece, None, heard, max_symbols=2)
        for row in range(2):
            tokens[row] += found.tokens[row, 0, : found.lengths[row, 0]].tolist()
            times[row] += found.times[row, 0, : found.lengths[row, 0]].tolist()
    whole = transducer_greedy(table.transducer, table.frames, max_symbols=2)
    for row in range(2):
        assert whole.tokens[row, 0, : whole.lengths[row, 0]].tolist() == tokens[row]
        assert whole.times[row, 0, : whole.lengths[row, 0]].tolist() == times[row]


def test_times_are_those_of_an_alignment_that_writes_the_symbols():
    table = Table(5, 4, 3)
    found = transducer_beam(table.transducer, table.frames, width=20, n_best=10, max_length=4)
    times = torch.where(found.times < 0, 4, found.times)
    assert (times.diff(dim=-1) >= 0).all()
    assert torch.equal(found.times >= 0, torch.arange(found.times.shape[-1]) < found.lengths[..., None])


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_a_cells_own_state_follows_its_hypothesis(name):
    torch.manual_seed(0)
    cell, embedding, head = ostinato.Recurrent(name, 4, 6), torch.nn.Embedding(5, 4), torch.nn.Linear(6, 5)
    frames = torch.randn(4, 3, 6)

    def predict(symbols, state):
        outputs, state = cell(embedding(symbols)[None], state)
        return outputs[0], state

    def join(heard, features):
        return head(torch.tanh(heard + features)) * 2

    transducer = Transducer(predict, join, cell.initial_state(3), torch.zeros(3, dtype=torch.int64))
    found = transducer_beam(transducer, frames, width=100, max_length=2)
    for row in range(3):
        total = -math.inf
        text = found.tokens[row, 0, : found.lengths[row, 0]]
        outputs, _ = cell(embedding(torch.cat([torch.zeros(1).long(), text]))[:, None])
        log_p = join(frames[:, None, row], outputs[:, 0]).log_softmax(-1).detach()  # (T, U + 1, V)
        alpha = {(0, 0): 0.0}
        for t in range(4):
            for u in range(len(text) + 1):
                ways = [alpha[t - 1, u] + log_p[t - 1, u, 0].item()] if t else []
                ways += [alpha[t, u - 1] + log_p[t, u - 1, text[u - 1]].item()] if u else []
                if ways:
                    alpha[t, u] = math.log(sum(map(math.exp, ways)))
        total = alpha[3, len(text)] + log_p[3, len(text), 0].item()
        assert math.isclose(found.scores[row, 0].item(), total, rel_tol=1e-5)


def test_no_rows_and_no_frames_write_nothing():
    none = Table(0, 3, 0)
    assert transducer_beam(none.transducer, none.frames, n_best=2).tokens.shape == (0, 2, 0)
    assert transducer_greedy(none.transducer, none.frames).tokens.shape == (0, 1, 0)
    silent = Table(0, 0, 2)
    for search in (transducer_beam, transducer_greedy):
        found = search(silent.transducer, silent.frames)
        assert found.lengths.tolist() == [[0], [0]]
        assert found.scores.tolist() == [[0.0], [0.0]]


@pytest.mark.parametrize("search", [transducer_beam, transducer_greedy])
def test_a_row_without_a_possible_symbol_is_left_empty(search):
    table = Table(0, 3, 2)
    table.scores[table.frames[1, 0]] = -math.inf
    found = search(table.transducer, table.frames)
    assert found.scores[0].tolist() == [-math.inf]
    assert found.lengths[0].tolist() == [0]
    assert found.scores[1].isfinite().all()


@pytest.mark.parametrize("search", [transducer_beam, transducer_greedy])
@pytest.mark.parametrize(("value", "said"), [(math.nan, "NaN"), (math.inf, "infinite")])
def test_scores_that_are_no_numbers_are_refused(search, value, said):
    table = Table(0, 3, 2)
    table.scores[0] = value
    with pytest.raises(RunError, match=f"{said}.*diverged"):
        search(table.transducer, table.frames)


@pytest.mark.parametrize(
    ("search", "given", "said"),
    [
        (transducer_beam, {"width": 0}, "width: 0"),
        (transducer_beam, {"n_best": 9}, "n_best: 9. Possible: at most the width, 5"),
        (transducer_beam, {"max_length": 0}, "max_length: 0"),
        (transducer_greedy, {"max_symbols": 0}, "max_symbols: 0"),
        (transducer_greedy, {"lengths": torch.tensor([4, 1])}, "lengths: [4, 1]. One for each of 2 rows, from 0 to 3"),
        (transducer_greedy, {"frames": torch.zeros(3, 2)}, "frames: frames of shape (3, 2) and starts of shape (2,)"),
        (transducer_greedy, {"frames": torch.zeros(3, 5, 1)}, "frames: frames of shape (3, 5, 1)"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(search, given, said):
    table = Table(0, 3, 2)
    with pytest.raises(ConfigError) as error:
        search(**{"transducer": table.transducer, "frames": table.frames, **given})
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"blank": 7}, "blank: 7. The symbols are 0 to 2"),
        ({"join": lambda frames, features: torch.zeros(1, 3)}, "join: scores of shape (1, 3). Of 2 symbols"),
        ({"predict": lambda symbols, state: (torch.zeros(1, 3), state)}, "step: outputs of shape (1, 3). Of 2 symbols"),
    ],
)
def test_a_transducer_that_does_not_fit_is_refused_by_name(changed, said):
    table = Table(0, 3, 2)
    with pytest.raises(ConfigError) as error:
        transducer_greedy(table.transducer._replace(**changed), table.frames)
    assert said in str(error.value)
