"""Sampling: the sets each filter keeps, the probabilities it draws with, and stops across pieces."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ostinato._errors import ConfigError, RunError
from ostinato.decoding.sampling import Sampling, choose, distribution, generate, until_stop

PROBABILITIES = [0.05, 0.4, 0.1, 0.25, 0.2]
SCORES = torch.tensor([PROBABILITIES]).log() + 3.0


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def exact(sampling, scores=SCORES):
    """Return the probability of each symbol, in the symbols' own order."""
    probabilities, symbols = distribution(scores, sampling)
    return torch.zeros_like(probabilities).scatter(-1, symbols, probabilities)


def kept(sampling, scores=SCORES):
    return exact(sampling, scores)[0].nonzero().flatten().tolist()


# Which symbols are kept.


@pytest.mark.parametrize(("k", "symbols"), [(1, [1]), (2, [1, 3]), (3, [1, 3, 4]), (5, [0, 1, 2, 3, 4])])
def test_top_k_keeps_the_k_most_probable(k, symbols):
    assert kept(Sampling(top_k=k)) == symbols


def test_top_k_above_the_number_of_symbols_keeps_all():
    assert kept(Sampling(top_k=99)) == [0, 1, 2, 3, 4]


def test_top_k_of_equal_scores_keeps_the_lowest_numbers():
    assert kept(Sampling(top_k=2), torch.zeros(1, 5)) == [0, 1]


@pytest.mark.parametrize(
    ("p", "symbols"), [(0.01, [1]), (0.39, [1]), (0.41, [1, 3]), (0.7, [1, 3, 4]), (0.99, [0, 1, 2, 3, 4])]
)
def test_top_p_keeps_the_fewest_that_hold_p(p, symbols):
    assert kept(Sampling(top_p=p)) == symbols


def test_top_p_that_is_just_reached_asks_for_no_more():
    scores = torch.tensor([[0.5, 0.25, 0.25]]).log()
    assert kept(Sampling(top_p=0.5), scores) == [0]


def test_top_p_of_one_keeps_all():
    scores = torch.zeros(1, 10_000)
    assert len(kept(Sampling(top_p=1), scores)) == 10_000


@pytest.mark.parametrize(("p", "symbols"), [(0.0, [0, 1, 2, 3, 4]), (0.2, [1, 2, 3, 4]), (0.6, [1, 3]), (1.0, [1])])
def test_min_p_drops_what_is_less_than_its_share_of_the_best(p, symbols):
    assert kept(Sampling(min_p=p)) == symbols


def test_temperature_acts_before_top_p():
    assert kept(Sampling(top_p=0.45)) == [1, 3]
    assert kept(Sampling(top_p=0.45, temperature=0.5)) == [1]


def test_top_p_counts_what_top_k_left():
    # Of 0.4 and 0.25 the first holds 0.615.
    assert kept(Sampling(top_p=0.6)) == [1, 3]
    assert kept(Sampling(top_p=0.6, top_k=2)) == [1]


def test_all_filters_compose():
    probabilities = exact(Sampling(top_k=4, top_p=0.95, min_p=0.55))[0]
    torch.testing.assert_close(probabilities, torch.tensor([0, 0.4, 0, 0.25, 0]) / 0.65)


def test_temperature_sharpens_exactly():
    squared = torch.tensor([PROBABILITIES]) ** 2
    torch.testing.assert_close(exact(Sampling(temperature=0.5)), squared / squared.sum())


@pytest.mark.parametrize("temperature", [1e-30, 1e30])
def test_extreme_temperatures_stay_finite(temperature):
    probabilities = exact(Sampling(temperature=temperature))
    assert probabilities.isfinite().all()
    torch.testing.assert_close(probabilities.sum(), torch.tensor(1.0))


def test_rows_are_filtered_one_by_one():
    scores = torch.cat([SCORES, SCORES.flip(-1)])
    assert exact(Sampling(top_k=1), scores).argmax(-1).tolist() == [1, 3]


def test_half_precision_scores_are_added_up_in_single():
    probabilities, _ = distribution(torch.zeros(1, 30_000, dtype=torch.bfloat16), Sampling(top_p=0.5))
    assert (probabilities > 0).sum() == pytest.approx(15_000, abs=10)


# What is drawn.


@pytest.mark.parametrize(
    "sampling",
    [Sampling(), Sampling(temperature=2.0), Sampling(top_k=3), Sampling(top_p=0.6), Sampling(min_p=0.3)],
    ids=["plain", "temperature", "top_k", "top_p", "min_p"],
)
def test_draws_follow_the_probabilities(sampling):
    draws = 20_000
    counts = choose(SCORES.expand(draws, -1), sampling, seeded()).bincount(minlength=5)
    expected = exact(sampling)[0] * draws
    possible = expected > 0
    assert counts[~possible].sum() == 0
    chi_square = ((counts - expected)[possible] ** 2 / expected[possible]).sum()
    assert chi_square < 18.5  # 4 degrees of freedom: one seed in a thousand


def test_a_score_of_minus_infinity_is_never_drawn():
    scores = torch.tensor([[0.0, -math.inf, 0.0]]).expand(1000, -1)
    assert 1 not in choose(scores, Sampling(), seeded())


def test_the_seed_decides():
    scores = SCORES.expand(100, -1)
    first, again = (choose(scores, Sampling(top_p=0.9), seeded(7)) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, choose(scores, Sampling(top_p=0.9), seeded(8)))


def test_a_draw_leaves_the_scores_alone():
    scores = SCORES.clone()
    choose(scores, Sampling(top_k=2, top_p=0.5, min_p=0.1, temperature=0.7), seeded())
    assert torch.equal(scores, SCORES)


def test_greedy_takes_the_best():
    assert choose(torch.cat([SCORES, SCORES.flip(-1)]), Sampling(greedy=True)).tolist() == [1, 3]


def test_greedy_takes_the_lowest_of_equal_scores():
    scores = torch.tensor([[1.0, 3.0, 3.0, 2.0], [0.0, 0.0, 0.0, 0.0], [-math.inf, -1.0, -2.0, -1.0]])
    assert choose(scores, Sampling(greedy=True)).tolist() == [1, 0, 1]


@pytest.mark.parametrize("greedy", [True, False])
@pytest.mark.parametrize(
    ("row", "got"),
    [
        ([0.0, math.nan, 1.0], "NaN"),
        ([0.0, math.inf, 1.0], "an infinite one"),
        ([-math.inf] * 3, "no finite one"),
    ],
)
def test_scores_that_are_no_numbers_are_an_error(row, got, greedy):
    scores = torch.tensor([[0.0, 0.0, 0.0], row])
    with pytest.raises(RunError, match=rf"the model's scores: .*{got}.*finite numbers.*diverged"):
        choose(scores, Sampling(greedy=greedy), seeded())


@pytest.mark.parametrize(
    ("field", "value", "possible"),
    [
        ("temperature", 0, "above 0. For the best symbol use greedy"),
        ("temperature", -1.0, "above 0"),
        ("temperature", math.nan, "above 0"),
        ("temperature", math.inf, "above 0"),
        ("top_k", 0, "whole number from 1"),
        ("top_k", 2.5, "whole number from 1"),
        ("top_k", True, "whole number from 1"),
        ("top_p", 0.0, "above 0, at most 1"),
        ("top_p", 1.1, "above 0, at most 1"),
        ("min_p", -0.1, "from 0 to 1"),
        ("min_p", math.nan, "from 0 to 1"),
    ],
)
def test_impossible_settings_are_errors(field, value, possible):
    with pytest.raises(ConfigError, match=rf"{field}: {value}.*{possible}"):
        Sampling(**{field: value})


# Generating.


def count_up(symbols, state):
    """Prefer the symbol after the one read, of six; the state counts the steps."""
    scores = torch.nn.functional.one_hot((symbols + 1) % 6, 6).float()
    return scores, (state or 0) + 1


def drawn(step, prompt, **options):
    options = {"sampling": Sampling(greedy=True), "length": 4, **options}
    return [ids.tolist() for ids in generate(step, None, torch.tensor(prompt), **options)]


def test_each_symbol_is_read_before_the_next_is_drawn():
    assert drawn(count_up, [5, 0, 1]) == [[2], [3], [4], [5]]


def test_several_prompts_are_continued_side_by_side():
    assert drawn(count_up, [[0, 3], [1, 4]], length=3) == [[2, 5], [3, 0], [4, 1]]


def test_the_state_is_carried_through_the_prompt_and_the_draws():
    states = []

    def step(symbols, state):
        states.append(state)
        return count_up(symbols, state)

    drawn(step, [1, 2, 3], length=2)
    assert states == [None, 1, 2, 3]


def test_symbols_are_given_as_they_are_drawn():
    symbols = generate(count_up, None, torch.tensor([0]), sampling=Sampling(greedy=True), length=10**9)
    assert [ids.item() for ids in itertools.islice(symbols, 3)] == [1, 2, 3]


def test_a_stop_symbol_ends_the_text():
    assert drawn(count_up, [0], stop_ids=[2, 4]) == [[1], [2]]


def test_a_stopped_row_waits_for_the_others():
    assert drawn(count_up, [[0, 2]], stop_ids=[3]) == [[1, 3], [2, 3], [3, 3]]


def test_symbols_that_are_forbidden_are_not_drawn():
    assert drawn(count_up, [0], never_ids=[1, 0], length=1) == [[2]]


def test_no_symbols_are_drawn_for_length_zero():
    assert drawn(count_up, [0], length=0) == []


def test_generating_records_no_gradient_and_leaves_the_mode_of_the_caller():
    weight = torch.zeros(6, requires_grad=True)
    for ids in generate(
        lambda symbols, state: (weight.expand(1, 6), state),
        None,
        torch.tensor([0]),
        sampling=Sampling(),
        length=2,
        generator=seeded(),
    ):
        assert torch.is_grad_enabled()
        assert not ids.requires_grad


def test_the_same_seed_generates_the_same_text():
    def noisy(symbols, state):
        return torch.zeros(1, 50), state

    first, again = (drawn(noisy, [0], sampling=Sampling(), generator=seeded(3), length=20) for _ in range(2))
    assert first == again


def test_scores_that_are_no_numbers_end_the_text_with_an_error():
    with pytest.raises(RunError, match="NaN"):
        drawn(lambda symbols, state: (torch.full((1, 4), math.nan), state), [0])


@pytest.mark.parametrize("shape", [(0,), (0, 2), (1, 1, 1), ()])
def test_a_prompt_has_at_least_one_step(shape):
    with pytest.raises(ConfigError, match=r"prompt: a tensor of shape .*T from 1.*boundary"):
        generate(count_up, None, torch.zeros(shape, dtype=torch.int64), sampling=Sampling(), length=1)


def test_a_negative_length_is_an_error():
    with pytest.raises(ConfigError, match=r"length: -1.*from 0"):
        generate(count_up, None, torch.tensor([0]), sampling=Sampling(), length=-1)


# Stop texts.


def before_stop(text, stops):
    """Return `text` up to the stop that is complete first, the longest of several, one character at a time."""
    for end in range(1, len(text) + 1):
        found = [stop for stop in stops if text[:end].endswith(stop)]
        if found:
            return text[: end - max(map(len, found))]
    return text


@given(
    text=st.text(alphabet="ab\n", max_size=30),
    cuts=st.lists(st.integers(0, 30), max_size=10),
    stops=st.lists(st.text(alphabet="ab\n", min_size=1, max_size=4), max_size=3),
)
def test_streamed_stops_equal_the_whole_text(text, cuts, stops):
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [text[start:end] for start, end in itertools.pairwise(edges)]
    given_out = list(until_stop(iter(pieces), stops))
    assert "".join(given_out) == before_stop(text, stops)
    assert "" not in given_out


def test_a_stop_may_span_pieces():
    assert list(until_stop(iter(["one ", "E", "N", "D two"]), ["END"])) == ["one "]


def test_withheld_text_is_given_when_it_is_no_stop():
    assert list(until_stop(iter(["a E", "N", "X"]), ["END"])) == ["a ", "ENX"]


def test_withheld_text_is_given_at_the_end():
    assert list(until_stop(iter(["a EN"]), ["END"])) == ["a ", "EN"]


def test_without_stops_pieces_pass_at_once():
    assert list(until_stop(iter(["a", "b"]), [])) == ["a", "b"]


def test_nothing_is_asked_for_after_a_stop():
    pieces = iter(["a END b", "c"])
    assert list(until_stop(pieces, ["END"])) == ["a "]
    assert next(pieces) == "c"


def test_one_text_is_one_stop():
    assert list(until_stop(iter(["a END"]), "END")) == ["a "]


def test_an_empty_stop_is_an_error():
    with pytest.raises(ConfigError, match=r"stop: an empty text.*at least one character"):
        until_stop(iter(["a"]), ["END", ""])
