"""Gradient methods: which steps they cut a lane into, and that each takes the gradient it stands for."""

import itertools
from collections import namedtuple

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ostinato import ConfigError, LanguageModel
from ostinato.data.streams import Segment
from ostinato.training.config import Training
from ostinato.training.gradient import (
    METHODS,
    Checkpointed,
    EProp,
    Exact,
    Full,
    Kronecker,
    Online,
    Randomized,
    RankOne,
    RealTime,
    SnAp,
    Sparse,
    Truncated,
    detach,
    leaves_of,
    map_state,
    method,
)
from ostinato.training.gradient.checkpointed import Cost, Pieces, fit
from ostinato.training.gradient.method import cut, whole

DIAGONAL = {
    "a vector for a recurrence": "h' = tanh(W @ x + u * h + b)",
    "a gate of the input": "z = sigmoid(W_z @ x + b_z)\nh' = (1 - z) * h + z * (W @ x + b)",
    "two states": """
        f = sigmoid(W_f @ x + v_f * c + b_f)
        c' = f * c + (1 - f) * (W @ x)
        h' = tanh(c') * sigmoid(W_r @ x + v_r * c)
    """,
}


def segment(steps: int, rows: int = 3, seed: int = 0, *, resets: bool = False) -> Segment:
    symbols = torch.randint(7, (steps + 1, rows), generator=torch.Generator().manual_seed(seed))
    reset = (torch.arange(steps)[:, None] * 3 + torch.arange(rows)) % 5 == 0 if resets else None
    return Segment(symbols[:-1], symbols[1:], reset)


def model(cell: str = "gru", num_layers: int = 2, *, embedding: bool = True, **options) -> LanguageModel:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        made = LanguageModel(7, cell, embedding_size=3, hidden_size=4, num_layers=num_layers, **options).double()
    made.embedding.weight.requires_grad_(embedding)
    return made


def gradient(network) -> torch.Tensor:
    return torch.cat([torch.zeros(p.numel()) if p.grad is None else p.grad.flatten() for p in network.parameters()])


def taken(way, network, piece, window=None, state=None) -> tuple[torch.Tensor, tuple]:
    """Return the gradient that a method takes of one window, and what it returned."""
    network.zero_grad()
    result = way.accumulate(network, piece, window or whole(len(piece.inputs)), state, torch.Tensor.backward)
    return gradient(network), result


# where lanes are cut


@given(st.integers(1, 40), st.integers(1, 60), st.integers(0, 400), st.integers(0, 5), st.integers(0, 99))
def test_windows_learn_from_every_step_once_and_their_number_is_known(k1, k2, more, epoch, seed):
    lane, way = k1 + more, Truncated(k1, k2, seed)
    windows = list(way.windows(lane, epoch))
    learned = [s for w in windows for s in range(w.position + w.length - w.learned, w.position + w.length)]
    assert len(windows) == way.updates(lane)
    assert len(set(learned)) == len(learned)
    if k2 >= k1:
        assert learned == list(range(lane))
    for w in windows:
        assert 1 <= w.learned <= k1
        assert w.learned <= w.reach <= min(k2, w.length)
        assert 0 <= w.following <= w.length
    for before, after in itertools.pairwise(windows):
        assert before.position + before.following == after.position
        assert after.position + after.length - before.position - before.length == k1 or after is windows[-1]


def test_a_window_goes_back_k2_steps_wherever_there_are_as_many():
    ends = [(w.position + w.length, w.reach) for w in Truncated(5, 20).windows(400, 0)]
    assert all(reach == min(20, end) for end, reach in ends)


def test_cuts_fall_elsewhere_at_another_reading_and_the_same_at_the_same():
    way = Truncated(16, 16)
    assert list(way.windows(1000, 0)) == list(way.windows(1000, 0))
    assert list(way.windows(1000, 0)) != list(way.windows(1000, 1))


@pytest.mark.parametrize("way", [Full(), Checkpointed()])
def test_a_lane_is_one_window(way):
    assert list(way.windows(50, 0)) == [whole(50)]


def test_a_forward_method_may_learn_at_every_step():
    assert list(Online(Exact()).windows(3, 0)) == [whole(1, 0), whole(1, 1), whole(1, 2)]
    assert Online(Exact(), 4).updates(10) == 3


def test_a_lane_shorter_than_k1_is_refused():
    with pytest.raises(ConfigError, match="k1 is 64, but a lane holds only 20 steps"):
        Truncated(64, 64).updates(20)


# back-propagation


def test_full_takes_the_gradient_of_the_mean_loss():
    network, piece = model(), segment(12)
    nats, count, _ = network.loss(piece)
    (nats / count).backward()
    expected = gradient(network)
    torch.testing.assert_close(taken(Full(), network, piece)[0], expected)


def test_truncated_to_the_whole_length_is_full_to_the_bit():
    network, piece = model(), segment(12)
    assert torch.equal(taken(Truncated(12, 12), network, piece)[0], taken(Full(), network, piece)[0])


def test_a_short_window_weighs_in_proportion_to_its_steps():
    network, piece = model(), segment(4)
    torch.testing.assert_close(taken(Truncated(12, 12), network, piece)[0], taken(Full(), network, piece)[0] * 4 / 12)


@pytest.mark.parametrize(("k1", "k2"), [(1, 5), (5, 20), (20, 20), (7, 3), (6, 9)])
@pytest.mark.parametrize("resets", [False, True], ids=["one document", "documents"])
def test_truncated_gradients_are_the_sum_over_windows_of_gradients_from_detached_states(k1, k2, resets):
    network, lane, way = model(), segment(60, resets=resets), Truncated(k1, k2)
    found, state = 0, None
    windows = list(way.windows(60, 0))
    for window in windows:
        piece = cut(lane, window.position, window.position + window.length)
        added, (_, _, state) = taken(way, network, piece, window, state)
        found = found + added
    expected, ends = 0, [w.position + w.length for w in windows]
    for begin, end in zip([0, *ends], ends, strict=False):
        first = max(0, end - k2)
        with torch.no_grad():  # the weights stay, so a state from the very beginning is the one that was kept
            start = network.advance(cut(lane, 0, first)) if first else None
        network.zero_grad()
        learn = max(begin, first)
        before = network.advance(cut(lane, first, learn), start) if learn > first else start
        nats, count, _ = network.loss(cut(lane, learn, end), before)
        (nats * (end - learn) / (count * k1)).backward()
        expected = expected + gradient(network)
    torch.testing.assert_close(found, expected)


def test_no_gradient_passes_from_one_window_into_the_one_before():
    _, (_, _, state) = taken(Truncated(6, 6), model(), segment(6))
    leaves = leaves_of(state)
    assert leaves
    assert not any(leaf.requires_grad for leaf in leaves)


# cuts at random


@given(st.integers(1, 300), st.integers(1, 6), st.integers(1, 40), st.sampled_from(["geometric", "heavy-tailed"]))
def test_random_windows_read_every_step_once(lane, spacing, more, lengths):
    windows = list(Randomized(spacing + more, lengths, spacing).windows(lane, 0))
    steps = [s for w in windows for s in range(w.position, w.position + w.length)]
    assert steps == list(range(lane))
    assert all(w.position % spacing == 0 for w in windows)


@pytest.mark.parametrize("lengths", ["geometric", "heavy-tailed"])
def test_random_windows_are_as_long_on_average_as_asked(lengths):
    windows = list(Randomized(20, lengths).windows(40_000, 0))
    assert abs(40_000 / len(windows) - 20) < 2


@pytest.mark.parametrize(("lengths", "spacing"), [("geometric", 1), ("heavy-tailed", 1), ("geometric", 2)])
def test_the_mean_over_cuts_is_the_full_gradient(lengths, spacing):
    network, lane = model("elman", 1), segment(6)
    expected, found = taken(Full(), network, lane)[0], 0
    way = Randomized(spacing + 3, lengths, spacing)
    for chance, windows in every_cut(way, 6):
        state, whole_lane = None, 0
        for window in windows:
            piece = cut(lane, window.position, window.position + window.length)
            added, (_, _, state) = taken(way, network, piece, window, state)
            whole_lane = whole_lane + added
        found = found + chance * whole_lane
    torch.testing.assert_close(found * way.mean_length / 6, expected)


def every_cut(way: Randomized, lane: int):
    """Yield (its chance, the windows) of every way the coins can fall."""
    places = list(range(way.spacing, lane, way.spacing))
    for coins in itertools.product([False, True], repeat=len(places)):
        chance, start, since, windows = 1.0, 0, 0, []
        for place, is_cut in zip(places, coins, strict=True):
            since += 1
            hazard = way.distribution.chance(since)
            chance *= hazard if is_cut else 1 - hazard
            if is_cut:
                windows.append(whole(place - start, start))
                start, since = place, 0
        yield chance, [*windows, whole(lane - start, start)]


def test_lengths_that_are_not_known_or_too_short_are_refused():
    with pytest.raises(ConfigError, match="Known are geometric, heavy-tailed"):
        Randomized(10, "even")
    with pytest.raises(ConfigError, match="longer than the spacing"):
        Randomized(4, spacing=4)


# checkpoints


class InPieces(Full):
    """The whole graph at once, run in the pieces of a checkpointed pass."""

    def __init__(self, pieces: Pieces):
        object.__setattr__(self, "pieces", pieces)

    def accumulate(self, model, segment, window, state, backward):
        losses, counts = [], 0
        for first in range(0, window.length, self.pieces.length):
            nats, count, state = model.loss(cut(segment, first, min(first + self.pieces.length, window.length)), state)
            losses.append(nats)
            counts += count
        backward(torch.stack(losses).sum() * (1 / counts))
        return


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_checkpointed_is_full_and_to_the_bit_full_in_the_same_pieces(cell):
    network, piece, way = model(cell, dropout=0.0), segment(50, resets=True), Checkpointed()
    found, (nats, count, _) = taken(way, network, piece)
    assert torch.equal(found, taken(InPieces(way.pieces[50]), network, piece)[0])
    expected, (all_nats, all_count, _) = taken(Full(), network, piece)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(nats, all_nats)
    assert count == all_count


def test_pieces_cut_into_pieces_give_the_same_gradient():
    network, piece = model(dropout=0.0), segment(50)
    way = Checkpointed(pieces={50: Pieces(3, 3, 3)})
    torch.testing.assert_close(taken(way, network, piece)[0], taken(Full(), network, piece)[0])


def test_dropout_is_the_same_when_a_piece_is_computed_again():
    network, piece = model(dropout=0.5), segment(40)
    way = Checkpointed()
    torch.manual_seed(5)
    found, _ = taken(way, network, piece)
    torch.manual_seed(5)
    probed, _ = taken(InPieces(way.pieces[40]), network, piece)
    assert torch.equal(found, probed)


def test_a_lane_that_fits_is_not_cut():
    assert fit(100, Cost(10.0, 4), 1000) == Pieces(100, 1, 0)


def test_without_a_budget_about_the_square_root_of_the_steps_is_kept():
    pieces = fit(10_000, Cost(1.0, 1), None)
    assert pieces == Pieces(100, 100, 1)
    assert pieces.forward_passes == 2


@given(st.integers(1, 100_000), st.floats(1, 1e6), st.integers(1, 10**6), st.integers(1, 10**9))
def test_a_cut_keeps_to_its_budget_or_says_what_is_needed(steps, step, state, memory):
    try:
        pieces = fit(steps, Cost(step, state), memory)
    except ConfigError:
        return  # what it says is tested below
    assert pieces.length * pieces.branches**pieces.depth >= steps
    kept = pieces.depth * (pieces.branches - 1) * state if pieces.depth else 0
    assert kept + pieces.length * step <= memory + pieces.depth * state


def test_a_budget_too_small_is_refused_with_the_least_that_does():
    with pytest.raises(ConfigError, match="bytes are the least"):
        fit(1000, Cost(1000.0, 10), 900)


# forward with the state


@pytest.mark.parametrize("resets", [False, True], ids=["one document", "documents"])
@pytest.mark.parametrize(("cell", "start"), [("gru", "zero"), ("lstm", "zero"), ("elman", "learned")])
def test_real_time_recurrent_learning_is_back_propagation(cell, start, resets):
    network, piece = model(cell, initial_state=start, dropout=0.0), segment(9, resets=resets)
    expected, (nats, count, _) = taken(Full(), network, piece)
    found, (found_nats, found_count, _) = taken(Online(Exact(), 9), network, piece)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(found_nats.to(nats.dtype), nats)
    assert found_count == count


@pytest.mark.parametrize("text", DIAGONAL.values(), ids=DIAGONAL)
@pytest.mark.parametrize("influence", [RealTime(), SnAp(1), EProp(), Sparse(1)], ids=str)
def test_in_a_diagonal_cell_traces_are_back_propagation(text, influence):
    network, piece = model(text, 1, embedding=False), segment(9, resets=True)
    expected, _ = taken(Full(), network, piece)
    torch.testing.assert_close(taken(Online(influence, 9), network, piece)[0], expected, rtol=1e-9, atol=1e-12)


def test_traces_with_a_unit_s_own_weight_are_snap_1():
    network, piece = model("gru", 1, embedding=False), segment(9)
    expected, _ = taken(Online(Sparse(1), 9), network, piece)
    torch.testing.assert_close(taken(Online(SnAp(1), 9), network, piece)[0], expected, rtol=1e-9, atol=1e-12)


def test_a_pattern_of_all_reachable_units_is_the_whole_influence():
    network, piece = model("lstm", dropout=0.0), segment(8)
    expected, _ = taken(Online(Exact(), 8), network, piece)
    torch.testing.assert_close(taken(Online(Sparse(3), 8), network, piece)[0], expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", [RankOne, Kronecker])
def test_a_random_estimate_is_unbiased(kind):
    network, piece = model("elman", 1, embedding=False), segment(5)
    expected, _ = taken(Full(), network, piece)
    drawn = torch.stack([taken(Online(kind(seed), 5), network, piece)[0] for seed in range(60)])
    error = (drawn.mean(0) - expected).abs()
    assert (error <= 4 * drawn.std(0) / len(drawn) ** 0.5 + 1e-12).all()
    assert drawn.std(0).max() > 0


@pytest.mark.parametrize("kind", [RankOne, Kronecker])
def test_every_reading_draws_other_signs_and_the_same_reading_the_same(kind):
    network, piece, way = model("gru", 1, embedding=False), segment(4), Online(kind(), 4)
    windows = [window for reading in (0, 0, 1) for window in way.windows(4, reading)]
    first, again, other = (taken(way, network, piece, window)[0] for window in windows)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_signs_in_windows_are_those_of_the_whole():
    network, piece = model("gru", 1), segment(6)
    expected, _ = taken(Online(RankOne(), 6), network, piece)
    found, state, way = 0, None, Online(RankOne(), 2)
    for window in way.windows(6, 0):
        part = cut(piece, window.position, window.position + window.length)
        added, (_, _, state) = taken(way, network, part, window, state)
        found = found + added / 3
    torch.testing.assert_close(found, expected)


def test_a_gradient_clipped_inside_is_refused_by_methods_that_go_forward():
    with pytest.raises(ConfigError, match="a gradient that is clipped inside the recurrence"):
        taken(Online(Exact()), model("gru", clip_inside=1.0), segment(2))
    with pytest.raises(ConfigError, match="a gradient that is clipped inside the recurrence"):
        taken(Online(Exact()), model("h' = tanh(W @ x + U @ clip_gradient(h, 1) + b)", 1), segment(2))


@pytest.mark.parametrize("joined", ["residual", "highway"])
def test_traces_follow_what_a_third_layer_reads(joined):
    network, piece = model("h' = W @ x + u * h + b", 3, embedding=False, **{joined: True}), segment(1, rows=1)
    _, (_, _, (_, kept)) = taken(Online(EProp(), 1), network, piece)
    read = []
    network.recurrent.observe = lambda seen: read.append(seen.inputs)
    network.loss(piece)
    for (of_state,), inputs in zip(kept, read, strict=True):
        of_matrix = next(trace for trace in of_state if trace.dim() == 3)
        torch.testing.assert_close(of_matrix[0], inputs[0].expand_as(of_matrix[0]))  # dh/dW of a first step is x


def test_influence_is_carried_from_window_to_window():
    network, piece = model("gru", 1), segment(8)
    expected, _ = taken(Online(Exact(), 8), network, piece)
    found, state = 0, None
    for first in range(0, 8, 2):
        added, (_, _, state) = taken(Online(Exact(), 2), network, cut(piece, first, first + 2), None, state)
        found = found + added / 4
    torch.testing.assert_close(found, expected)


def test_a_step_that_draws_by_chance_is_refused():
    with pytest.raises(ConfigError, match="dropout between layers"):
        taken(Online(Exact()), model("gru", dropout=0.2), segment(2))


def test_an_influence_too_large_is_refused_with_its_size():
    with pytest.raises(ConfigError, match=r"Their influence takes .* GiB .*--gradient uoro"):
        taken(Online(RealTime(memory=1000), 4), model(), segment(4))


@pytest.mark.parametrize("influence", [EProp(), Kronecker()], ids=str)
def test_a_model_without_layers_of_cells_is_refused(influence):
    class Plain(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(3))

        def initial_state(self, batch_size):
            return torch.zeros(batch_size, 3)

        def advance(self, segment, state):
            return state * self.weight

    with pytest.raises(ConfigError, match="layers of cells"):
        taken(Online(influence), Plain(), segment(1))


# states and names


def test_a_state_keeps_its_structure():
    pair = namedtuple("pair", "h c")
    state = ((torch.ones(2), pair(torch.ones(1), None)), torch.zeros(3))
    changed = map_state(lambda tensor: tensor + 1, state)
    assert isinstance(changed[0][1], pair)
    assert changed[0][1].c is None
    assert changed[1].tolist() == [1, 1, 1]
    assert not any(leaf.requires_grad for leaf in leaves_of(detach(state)))


@pytest.mark.parametrize("name", METHODS)
def test_every_name_makes_a_method(name):
    assert method(Training(gradient=name)).updates(64) >= 1
