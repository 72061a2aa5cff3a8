"""The search: what it finds against every sequence there is, alone and in a batch, and what it refuses."""

import math
from typing import NamedTuple

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from tests.decoding.brute_force import Model, assert_same, attention, every, written

import ostinato
from ostinato._errors import ConfigError, RunError
from ostinato.decoding.sampling import Sampling
from ostinato.decoding.search import Rows, Search, search

WIDE = {"beam": 200, "n_best": 200, "patience": math.inf}
seeds = st.integers(0, 2**31)


def attends(places):
    def record(state):
        return attention(state["history"] % 4 - 1, places)

    return record


def look(model, settings, end=1, rows=None, **given):
    start, state = model.start()
    return search(model.step, state, start, end, settings, rows, **given)


# A beam wide enough finds all there is.


@given(seeds, st.integers(0, 3), st.integers(0, 2), st.sampled_from([0.0, 0.6, 1.5]), st.sampled_from([None, 0.3]))
def test_a_wide_beam_finds_every_sequence_in_order(seed, most, least, penalty, low):
    settings = Search(**WIDE, min_length=min(least, most), max_length=most, length_penalty=penalty)
    model = Model(4, 3, seed, rows=2, low=low)
    found = look(model, settings)
    for row in range(2):
        assert_same(written(found, row), every(model, row, 1, settings))


@given(seeds, st.sampled_from([0.5, 2.0]), st.integers(1, 5))
def test_coverage_is_scored_over_the_places_of_the_source(seed, penalty, of):
    settings = Search(**WIDE, max_length=3, coverage_penalty=penalty, length_penalty=0.7)
    model = Model(3, 3, seed, rows=2)
    found = look(model, settings, rows=Rows(places=torch.tensor([of, 5])), record=attends(5))
    assert_same(written(found, 0), every(model, 0, 1, settings, places=5, of=of))
    assert_same(written(found, 1), every(model, 1, 1, settings, places=5, of=5))


@given(seeds, st.integers(1, 3))
def test_blocked_sequences_are_not_found_and_all_others_are(seed, size):
    settings = Search(**WIDE, max_length=4, no_repeat_ngram=size)
    model = Model(3, 4, seed, rows=2)
    found = look(model, settings)
    for row in range(2):
        assert_same(written(found, row), every(model, row, 1, settings))


@given(seeds, st.lists(st.lists(st.sampled_from([-1, 0, 1, 2]), max_size=4), min_size=2, max_size=2))
@example(0, [[0, 2, 1], []])
@example(0, [[], []])
def test_prefixes_of_all_lengths_are_forced(seed, prefixes):
    settings = Search(**WIDE, max_length=3)
    model = Model(3, 5, seed, rows=2)
    size = max(map(len, prefixes))
    prefix = torch.tensor([[*one, *[-1] * (size - len(one))] for one in prefixes]).reshape(2, size).long()
    found = look(model, settings, rows=Rows(prefix=prefix))
    for row in range(2):
        forced = tuple(prefixes[row])
        while forced[-1:] == (-1,):
            forced = forced[:-1]
        assert_same(written(found, row), every(model, row, 1, settings, prefix=forced))


def test_what_is_never_to_be_written_is_not():
    settings = Search(**WIDE, max_length=3, never=(0, 3))
    model = Model(4, 3, 0)
    assert_same(written(look(model, settings), 0), every(model, 0, 1, settings))


def test_a_row_has_its_own_longest_length():
    settings = Search(**WIDE, max_length=3)
    model = Model(3, 3, 0, rows=4)
    found = look(model, settings, rows=Rows(limits=torch.tensor([0, 1, 2, 9])))
    for row, limit in enumerate([0, 1, 2, 3]):
        assert_same(written(found, row), every(model, row, 1, settings, limit=limit))


@given(seeds, st.sampled_from([0.0, 1.0]))
def test_waiting_until_no_other_can_win_gives_the_best_of_a_wide_beam(seed, penalty):
    model = Model(3, 4, seed)
    settings = Search(beam=200, patience=math.inf, max_length=4, length_penalty=penalty)
    assert_same(written(look(model, settings), 0), every(model, 0, 1, settings)[:1])


# A beam of its own width.


def plain_beam(model, row, end, settings):
    """Keep the best, step by step, in lists."""
    alive, ended = [((), 0.0)], []
    penalty = lambda length: ((6 + length) / 6) ** settings.length_penalty  # noqa: E731
    for length in range(settings.max_length + 1):
        longer = []
        for tokens, log_prob in alive:
            for symbol, value in enumerate(after(model, row, tokens)):
                if symbol == end or length < settings.max_length:
                    longer.append(((*tokens, symbol), log_prob + value))
        longer = sorted(longer, key=lambda one: -one[1])[: settings.beam]
        ended += [(t[:-1], v / penalty(length)) for t, v in longer if t[-1] == end]
        alive = [one for one in longer if one[0][-1] != end]
        if len(ended) >= settings.patience * settings.beam or not alive:
            break
    return sorted(ended, key=lambda one: -one[1])


def after(model, row, tokens):
    return [model.log_p(row, (*tokens, symbol))[-1] for symbol in range(model.symbols)]


@given(seeds, st.integers(1, 6), st.sampled_from([0.0, 0.8]), st.sampled_from([1.0, 2.0]))
def test_a_narrow_beam_keeps_what_a_plain_one_keeps(seed, beam, penalty, patience):
    settings = Search(beam=beam, max_length=4, length_penalty=penalty, patience=patience)
    model = Model(4, 4, seed, rows=2)
    found = look(model, settings)
    for row in range(2):
        (tokens, score), *_ = plain_beam(model, row, 1, settings)
        assert tuple(found.tokens[row, 0, : found.lengths[row, 0]].tolist()) == tokens
        assert math.isclose(found.scores[row, 0].item(), score, rel_tol=1e-9)


@given(seeds, st.sampled_from([0.0, 1.0]), st.integers(0, 3))
def test_a_beam_of_one_is_greedy(seed, penalty, least):
    model = Model(4, 4, seed, rows=3)
    settings = Search(max_length=4, length_penalty=penalty, min_length=least)
    found = look(model, settings)
    for row in range(3):
        tokens, total = (), 0.0
        while tokens[-1:] != (1,):
            values = after(model, row, tokens)
            possible = [1] if len(tokens) == 4 else [s for s in range(4) if s != 1 or len(tokens) >= least]
            tokens = (*tokens, max(possible, key=values.__getitem__))
            total += values[tokens[-1]]
        (got,) = written(found, row)
        assert got.tokens == tokens[:-1]
        assert math.isclose(got.log_prob, total, rel_tol=1e-9)


@given(seeds, st.integers(1, 6), st.sampled_from([1, 2, 3]), st.sampled_from([0.0, 0.9]))
def test_a_batch_gives_what_its_rows_give_one_by_one(seed, beam, groups, penalty):
    settings = Search(
        beam=beam * groups,
        n_best=beam,
        groups=groups,
        diversity=float(groups > 1),
        max_length=5,
        length_penalty=penalty,
    )
    model = Model(4, 4, seed, rows=4)
    found = look(model, settings)
    for row in range(4):
        alone = model.narrowed(torch.tensor([row]))
        assert_same(written(look(alone, settings), 0), written(found, row))


@given(seeds, st.integers(1, 4), st.sampled_from([1, 2]), st.integers(0, 2), st.sampled_from([1.0, math.inf]))
def test_leaving_out_rows_that_are_done_changes_nothing(seed, beam, groups, ngram, patience):
    settings = Search(
        beam=beam * groups, n_best=beam, groups=groups, no_repeat_ngram=ngram, patience=patience,
        max_length=4, coverage_penalty=0.3,
    )  # fmt: skip
    model = Model(3, 4, seed, rows=6)
    prefix = torch.tensor([[0, 0], [2, 0], [1, -1], [-1, -1], [-1, -1], [-1, -1]])
    rows = Rows(torch.tensor([4, 3, 2, 2, 1, 0]), prefix, torch.tensor([3, 5, 1, 2, 4, 5]))
    start, state = model.start()
    narrowing = search(model, state, start, 1, settings, rows, record=attends(5))
    expected = look(model, settings, rows=rows, record=attends(5))
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(narrowing, expected, strict=True))
    assert model.calls == sorted(model.calls, reverse=True)
    assert model.calls[-1] < 6


def test_sequences_end_with_the_end_symbol_and_scores_fall():
    found = look(Model(4, 6, 3, rows=5), Search(beam=6, n_best=6, max_length=6))
    behind = torch.arange(found.tokens.shape[-1]) >= found.lengths[..., None]
    assert torch.equal(found.tokens == 1, behind)
    assert (found.scores.diff(dim=1) <= 0).all()
    assert found.tokens.shape[-1] == found.lengths.max() + 1


# Groups.


def plain_groups(model, settings, end):
    """Diverse beam search with one hypothesis a group, in lists."""
    alive, ended = [((), 0.0)] * settings.groups, []
    for length in range(settings.max_length + 1):
        taken, following = [], []
        for tokens, log_prob in alive:
            if tokens is None:
                following.append((None, 0.0))
                continue
            values = after(model, 0, tokens)
            possible = range(model.symbols) if length < settings.max_length else [end]
            symbol = max(possible, key=lambda s: values[s] - settings.diversity * taken.count(s))
            taken.append(symbol)
            total = log_prob + values[symbol]
            if symbol == end:
                ended.append((tokens, total))
            following.append((None, 0.0) if symbol == end else ((*tokens, symbol), total))
        alive = following
    return sorted(ended, key=lambda one: -one[1])


@given(seeds, st.integers(2, 4), st.sampled_from([0.0, 0.5, 3.0]))
def test_groups_avoid_what_those_before_them_chose(seed, groups, diversity):
    settings = Search(beam=groups, n_best=groups, groups=groups, diversity=diversity, max_length=4)
    model = Model(4, 4, seed)
    got = written(look(model, settings), 0)
    expected = plain_groups(model, settings, 1)
    assert sorted(one.tokens for one in got) == sorted(tokens for tokens, _ in expected)
    for one, (_, total) in zip(got, expected, strict=True):
        assert math.isclose(one.log_prob, total, rel_tol=1e-9)


def test_diversity_changes_the_first_symbol_of_later_groups():
    model = Model(4, 4, 1)
    alike = look(model, Search(beam=3, n_best=3, groups=3, max_length=4))
    assert len(set(map(tuple, alike.tokens[0].tolist()))) == 1
    apart = look(model, Search(beam=3, n_best=3, groups=3, diversity=100.0, max_length=4))
    assert len(set(apart.tokens[0, :, 0].tolist())) == 3


# Drawing.


def test_draws_have_the_probabilities_of_the_model():
    model = Model(3, 1, 0)
    settings = Search(beam=4000, n_best=4000, max_length=1, sampling=Sampling())
    found = look(model, settings, generator=torch.Generator().manual_seed(0))
    expected = {(): math.exp(model.log_p(0, (1,))[0])}
    expected |= {(s,): math.exp(model.log_p(0, (s,))[0]) for s in (0, 2)}  # the end follows for certain
    got = [one.tokens for one in written(found, 0)]
    for tokens, share in expected.items():
        assert abs(got.count(tokens) / 4000 - share) < 4 * math.sqrt(share * (1 - share) / 4000)


def test_the_same_seed_draws_the_same_and_scores_are_those_of_the_model():
    model = Model(4, 4, 5, rows=3)
    settings = Search(beam=3, n_best=3, max_length=4, sampling=Sampling(temperature=2.0, top_k=3))
    first, second = (look(model, settings, generator=torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(first.tokens, second.tokens)
    for row in range(3):
        for one in written(first, row):
            assert math.isclose(one.log_prob, sum(model.log_p(row, (*one.tokens, 1))), rel_tol=1e-9)


def test_a_draw_of_one_symbol_is_greedy():
    model = Model(4, 4, 5, rows=3)
    drawn = look(model, Search(max_length=4, sampling=Sampling(top_k=1)))
    assert torch.equal(drawn.tokens, look(model, Search(max_length=4)).tokens)


# What is carried along.


class Inner(NamedTuple):
    history: torch.Tensor
    note: None


class Outer(NamedTuple):
    parts: list
    lstm: tuple


def test_a_nested_state_is_reordered_in_all_its_parts():
    model = Model(4, 4, 2, rows=3)
    cell = ostinato.Recurrent("lstm", 5, 6, num_layers=2).eval()
    embedded = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))

    def step(symbols, state):
        scores, plain = model.step(symbols, {"history": state.parts[0].history})
        _, lstm = cell(embedded[symbols][None], state.lstm)
        return scores, Outer([Inner(plain["history"], None)], lstm)

    start, plain = model.start()
    state = Outer([Inner(plain["history"], None)], cell.initial_state(3))
    settings = Search(beam=5, n_best=3, max_length=4)
    found = search(step, state, start, 1, settings, record=lambda state: state.lstm[1].h)
    assert torch.equal(found.tokens, look(model, settings).tokens)
    for row in range(3):
        for n in range(3):
            length = int(found.lengths[row, n])
            read = torch.cat([torch.zeros(1, dtype=torch.int64), found.tokens[row, n, :length]])
            outputs, _ = cell(embedded[read][:, None])
            torch.testing.assert_close(found.recorded[row, n, : length + 1], outputs[:, 0])
            assert not found.recorded[row, n, length + 1 :].any()


@pytest.mark.parametrize("name", ["gru", "lstm"])
def test_a_cells_own_state_gives_each_sequence_the_score_of_reading_it(name):
    torch.manual_seed(0)
    cell, head, embedding = ostinato.Recurrent(name, 8, 16), torch.nn.Linear(16, 7), torch.nn.Embedding(7, 8)

    def step(symbols, state):
        outputs, state = cell(embedding(symbols)[None], state)
        return head(outputs[0]) * 3, state

    begin = cell.initial_state(4)
    found = search(step, begin, torch.tensor([1, 2, 3, 4]), 0, Search(beam=4, n_best=4, max_length=6))
    for row in range(4):
        for n in range(4):
            length = int(found.lengths[row, n])
            read = torch.cat([torch.tensor([row + 1]), found.tokens[row, n, :length]])
            outputs, _ = cell(embedding(read)[:, None])
            scores = (head(outputs[:, 0]) * 3).log_softmax(-1)
            follows = scores.gather(1, found.tokens[row, n, : length + 1, None]).sum()
            torch.testing.assert_close(found.log_probs[row, n], follows.detach())


def test_what_is_recorded_is_that_of_each_symbol():
    model = Model(3, 4, 7, rows=2)
    found = look(model, Search(beam=4, n_best=4, max_length=4), record=attends(6))
    for row in range(2):
        for n in range(4):
            length = int(found.lengths[row, n])
            expected = model.weights(row, tuple(found.tokens[row, n, :length].tolist()), 6)
            torch.testing.assert_close(found.recorded[row, n, : length + 1], torch.stack(expected))


# When to stop.


def test_a_row_that_is_done_is_not_waited_for():
    calls = []

    def step(symbols, state):
        calls.append(len(symbols))
        scores = torch.full((len(symbols), 3), -10.0)
        scores[:, 1 if len(calls) == 3 else 2] = 0.0
        return scores, state

    found = search(step, None, torch.zeros(2, dtype=torch.int64), 1, Search(max_length=50))
    assert calls == [2, 2, 2]
    assert found.lengths.tolist() == [[2], [2]]


def test_no_time_is_spent_on_what_cannot_win():
    calls = []

    def step(symbols, state):
        calls.append(len(symbols))
        return torch.tensor([-1.0, 3.0, -1.0]).expand(len(symbols), 3), state

    search(step, None, torch.zeros(1, dtype=torch.int64), 1, Search(beam=4, patience=math.inf, max_length=50))
    assert len(calls) == 1


# Rows in which nothing is possible, and scores that are none.


@pytest.mark.parametrize("sampling", [None, Sampling()])
@pytest.mark.parametrize("beam", [1, 3])
def test_a_row_without_a_possible_symbol_is_left_empty(beam, sampling):
    def step(symbols, state):
        scores = torch.zeros(len(symbols), 4)
        scores[: len(symbols) // 2] = -math.inf
        return scores, state

    settings = Search(beam=beam, max_length=3, sampling=sampling)
    found = search(step, None, torch.zeros(2, dtype=torch.int64), 1, settings)
    assert found.scores[0].tolist() == [-math.inf]
    assert found.lengths[0].tolist() == [0]
    assert found.scores[1].isfinite().all()


@pytest.mark.parametrize(("value", "said"), [(math.nan, "NaN"), (math.inf, "infinite")])
def test_scores_that_are_no_numbers_are_refused(value, said):
    def step(symbols, state):
        scores = torch.zeros(len(symbols), 4)
        scores[-1, 2] = value
        return scores, state

    with pytest.raises(RunError, match=f"{said}.*diverged"):
        search(step, None, torch.zeros(2, dtype=torch.int64), 1, Search(beam=2))


def test_scores_of_low_precision_are_added_in_a_higher_one():
    def step(symbols, state):
        return torch.zeros(len(symbols), 3, dtype=torch.bfloat16), state

    found = search(step, None, torch.zeros(1, dtype=torch.int64), 1, Search(min_length=60, max_length=60))
    torch.testing.assert_close(found.scores, torch.tensor([[61 * -math.log(3)]]))


def test_the_scores_of_the_step_are_left_as_they_are():
    table = torch.zeros(4)

    def step(symbols, state):
        return table.expand(len(symbols), 4).clone().log_softmax(-1) if not len(table) else table[None], state

    search(step, None, torch.zeros(1, dtype=torch.int64), 1, Search(min_length=2, max_length=4, no_repeat_ngram=1))
    assert not table.any()


def test_no_rows_give_no_sequences():
    found = search(None, None, torch.zeros(0, dtype=torch.int64), 1, Search(beam=3, n_best=2))
    assert found.tokens.shape == (0, 2, 1)
    assert found.scores.shape == (0, 2)


# Settings.


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"beam": 0}, "beam: 0. Possible: a whole number from 1"),
        ({"beam": 2.0}, "beam: 2.0"),
        ({"n_best": 2}, "n_best: 2. Possible: at most the beam, 1. Take `beam=2`"),
        ({"beam": True}, "beam: True"),
        ({"length_penalty": -1.0}, "length_penalty: -1.0. Possible: a number from 0"),
        ({"length_penalty": math.nan}, "length_penalty: nan"),
        ({"coverage_penalty": "much"}, "coverage_penalty: 'much'"),
        ({"no_repeat_ngram": -1}, "no_repeat_ngram: -1"),
        ({"beam": 4, "groups": 3}, "groups: 3. Possible: a number that divides the beam, 4"),
        ({"diversity": 1.0}, "diversity: 1.0. Possible: 0 without `groups`"),
        ({"patience": 0}, "patience: 0"),
        ({"never": (-1,)}, "never: -1. Possible: a whole number from 0"),
        ({"min_length": 5, "max_length": 4}, "max_length: 4. Possible: a whole number from 5. `min_length` is 5"),
        ({"beam": 2, "groups": 2, "sampling": Sampling()}, "groups: 2. Possible: 1 beside sampling"),
    ],
)
def test_a_setting_that_is_not_possible_is_refused_by_name(wrong, said):
    with pytest.raises(ConfigError) as error:
        Search(**wrong)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"end": 9}, "end: 9. The model's symbols are 0 to 3"),
        ({"settings": Search(never=(1,))}, "never: 1, the end. Possible: other symbols"),
        ({"settings": Search(never=(7,))}, "never: 7. The model's symbols are 0 to 3"),
        ({"settings": Search(coverage_penalty=1.0)}, "coverage_penalty: 1.0 without `record`"),
        ({"start": torch.zeros(1, 2)}, "start: a tensor of shape"),
        ({"rows": Rows(limits=torch.ones(3, dtype=torch.int64))}, "limits: torch.int64 of shape (3,), least 1. Whole"),
        ({"rows": Rows(limits=torch.tensor([-1, 1]))}, "limits: torch.int64 of shape (2,), least -1"),
        ({"rows": Rows(prefix=torch.tensor([1, 2]))}, "prefix: torch.int64 of shape (2,)"),
        ({"rows": Rows(prefix=torch.tensor([[7], [0]]))}, "prefix: symbol 7. The last symbol is 3"),
        ({"rows": Rows(places=torch.tensor([1.0, 2.0]))}, "places: torch.float32"),
        (
            {"state": torch.zeros(3), "settings": Search(beam=2)},
            "state: a tensor of shape (3,). Its tensors have 2",
        ),
        ({"state": torch.zeros(4, 2), "settings": Search(beam=2)}, "state: a tensor of shape (4, 2)"),
        ({"state": torch.zeros(()), "settings": Search(beam=2)}, "state: a tensor of shape ()"),
        ({"step": lambda symbols, state: (torch.zeros(1, 4), state)}, "step: scores of shape (1, 4). Of 2 symbols"),
    ],
)
def test_what_does_not_fit_the_search_is_refused_by_name(given, said):
    whole = {
        "step": lambda symbols, state: (torch.zeros(len(symbols), 4), state),
        "state": None,
        "start": torch.zeros(2, dtype=torch.int64),
        "end": 1,
        **given,
    }
    with pytest.raises(ConfigError) as error:
        search(**whole)
    assert said in str(error.value)
