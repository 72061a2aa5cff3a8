"""Every synthetic task: what all of them promise, then that each draws what its paper says."""

import math
from typing import get_args, get_type_hints

import pytest
import torch
from torch.nn import functional as F

from ostinato import ConfigError
from ostinato.data.tasks import TASKS, SequenceTask
from ostinato.data.tasks.reber import SYMBOLS
from ostinato.training.config import Exercise

every_task = pytest.mark.parametrize("name", TASKS)
MANY = 4000


def made(name: str, length: int | None = None) -> SequenceTask:
    return TASKS[name](TASKS[name].default_length if length is None else length)


def drawn(name: str, count: int = MANY, seed: int = 0, length: int | None = None):
    return made(name, length).draw(count, torch.Generator().manual_seed(seed))


def perfect(task: SequenceTask, sequences) -> torch.Tensor:
    """Return outputs that say what is asked for, all but certain of it."""
    if sequences.possible is not None:
        return 40.0 * sequences.possible
    if task.target == "classes":
        return 40.0 * F.one_hot(sequences.targets, task.output_size)
    return 80.0 * (sequences.targets - 0.5) if task.target == "bits" else sequences.targets


# what all tasks promise


@every_task
def test_shapes_are_those_the_task_states(name):
    task, found = made(name), drawn(name, 7)
    steps = len(found.inputs)
    assert found.inputs.shape == (steps, 7, task.input_size)
    assert found.inputs.dtype == torch.float32
    assert found.targets.shape == ((steps, 7) if task.target == "classes" else (steps, 7, task.output_size))
    assert (found.counted.shape, found.counted.dtype) == ((steps, 7), torch.bool)
    assert found.counted.any(0).all()


@every_task
def test_the_same_seed_draws_the_same_sequences_and_another_seed_others(name):
    first, again, other = drawn(name, 64), drawn(name, 64), drawn(name, 64, seed=1)
    assert torch.equal(first.inputs, again.inputs)
    assert torch.equal(first.targets, again.targets)
    assert first.inputs.shape != other.inputs.shape or not torch.equal(first.inputs, other.inputs)


@every_task
def test_without_a_generator_torchs_own_draws(name):
    with torch.random.fork_rng():
        torch.manual_seed(5)
        found = made(name).draw(8)
        torch.manual_seed(5)
        assert torch.equal(found.inputs, made(name).draw(8).inputs)


@every_task
def test_outputs_that_are_right_are_no_mistakes_and_others_are(name):
    task, sequences = made(name), drawn(name, 50)
    outputs = perfect(task, sequences)
    assert not task.mistakes(outputs, sequences).any()
    assert task.mistakes(-outputs - 1, sequences).any(0).all()


@every_task
def test_nothing_is_asked_beyond_a_sequences_length(name):
    found = drawn(name, 200)
    if found.lengths is None:
        return
    assert not found.counted[torch.arange(len(found.inputs))[:, None] >= found.lengths].any()


@every_task
def test_a_length_that_is_too_short_is_refused(name):
    with pytest.raises(ConfigError, match="It is a whole number from"):
        TASKS[name](TASKS[name].least_length - 1)
    TASKS[name](TASKS[name].least_length).draw(20)


def test_the_command_line_names_every_task():
    (names,) = [kind for kind in get_args(get_type_hints(Exercise, include_extras=True)["task"]) if get_args(kind)]
    assert set(get_args(names)) == set(TASKS)


@pytest.mark.parametrize("name", ["adding", "adding-1997", "temporal-order", "temporal-order-3", "copying-bits"])
def test_chance_is_what_the_best_constant_output_costs(name):
    task, found = made(name), drawn(name)
    targets = found.targets[found.counted]
    if task.target == "numbers":
        best = targets.mean(0).expand(targets.shape)
    else:
        best = torch.zeros(len(targets), task.output_size)
    assert float(task.loss(best, targets)) / task.numbers(targets) == pytest.approx(task.chance, rel=0.05)


# each task as published


def test_adding_marks_one_number_in_each_half_and_asks_for_their_sum():
    numbers, marks = drawn("adding", length=31).inputs.unbind(-1)
    assert set(marks.unique().tolist()) == {0.0, 1.0}
    assert (marks[:15].sum(0) == 1).all()
    assert (marks[15:].sum(0) == 1).all()
    found = drawn("adding", length=31)
    torch.testing.assert_close(found.targets[-1, :, 0], (numbers * marks).sum(0))
    assert (float(numbers.min()) >= 0, float(numbers.max()) <= 1) == (True, True)


def test_adding_marks_every_place_as_often():
    marks = drawn("adding", 20_000, length=20).inputs[..., 1].mean(1)
    torch.testing.assert_close(marks, torch.full((20,), 0.1), rtol=0, atol=0.01)


def test_adding_of_1997_marks_the_ends_and_two_numbers_between():
    found = drawn("adding-1997")
    numbers, marks = found.inputs.unbind(-1)
    row = torch.arange(MANY)
    assert set(found.lengths.tolist()) == set(range(100, 111))
    assert (marks[found.lengths - 1, row] == -1).all()
    assert ((marks == 1).sum(0) == 2).all()
    assert (marks[:10].eq(1).sum(0) >= 1).all()
    assert not marks[50:].eq(1).any()
    assert set(marks[0].tolist()) == {-1.0, 1.0}
    wanted = 0.5 + (numbers * (marks == 1)).sum(0) / 4
    torch.testing.assert_close(found.targets[found.lengths - 1, row, 0], wanted)


def test_adding_of_1997_counts_a_marked_first_number_as_zero():
    found = drawn("adding-1997")
    first_marked = found.inputs[0, :, 1] == 1
    assert 0.08 < first_marked.float().mean() < 0.17  # a tenth, and where it was still free
    assert not found.inputs[0, first_marked, 0].any()


@pytest.mark.parametrize(("name", "windows"), [("temporal-order", [(10, 20), (50, 60)]),
                                               ("temporal-order-3", [(10, 20), (33, 43), (66, 76)])])  # fmt: skip
def test_temporal_order_places_its_symbols_where_the_paper_does(name, windows):
    found = drawn(name)
    symbols = found.inputs.argmax(-1)
    marked = (symbols == 4) | (symbols == 5)
    assert (marked.sum(0) == len(windows)).all()
    assert (symbols[0] == 6).all()
    assert (symbols[found.lengths - 1, torch.arange(MANY)] == 7).all()
    assert set(found.lengths.tolist()) == set(range(100, 111))
    for begin, end in windows:
        assert set(marked[begin : end + 1].float().argmax(0).tolist()) == set(range(end - begin + 1))
        assert (marked[begin : end + 1].sum(0) == 1).all()


@pytest.mark.parametrize("name", ["temporal-order", "temporal-order-3"])
def test_the_class_of_a_temporal_order_is_read_from_its_symbols(name):
    found = drawn(name)
    symbols = found.inputs.argmax(-1).T
    orders = [[int(s) - 4 for s in row if s in (4, 5)] for row in symbols[:300]]
    classes = [sum(bit << k for k, bit in enumerate(reversed(order))) for order in orders]
    assert found.targets[-1, :300].tolist() == classes
    counts = torch.bincount(found.targets[-1], minlength=made(name).output_size) / MANY
    torch.testing.assert_close(counts, torch.full_like(counts, 1 / len(counts)), rtol=0.2, atol=0)


def strings_of(found) -> list[str]:
    """Return the strings that were drawn, with the last symbol, which is only a target."""
    symbols = found.inputs.argmax(-1)
    return [
        "".join(SYMBOLS[s] for s in [*symbols[:n, k].tolist(), int(found.targets[n - 1, k])])
        for k, n in enumerate(found.lengths.tolist())
    ]


INNER = {
    0: {"B": 1}, 1: {"T": 2, "P": 3}, 2: {"S": 2, "X": 4}, 3: {"T": 3, "V": 5}, 4: {"X": 3, "S": 6},
    5: {"P": 4, "V": 6}, 6: {"E": None},
}  # fmt: skip
"""The grammar of the paper's figure 3, node by node."""


def is_embedded_reber(text: str) -> bool:
    node = 0
    for symbol in text[2:-2]:
        if node is None or symbol not in INNER[node]:
            return False
        node = INNER[node][symbol]
    return node is None and text[0] == "B" and text[1] in "TP" and text[-2:] == text[1] + "E"


def test_embedded_reber_draws_strings_of_the_grammar():
    whole = [text for text in strings_of(drawn("embedded-reber", 1000)) if len(text) < 50]
    assert len(whole) > 990
    assert all(is_embedded_reber(text) for text in whole)
    assert {text[1] for text in whole} == {"T", "P"}


def test_embedded_reber_takes_each_way_half_of_the_time():
    inner = [text[2:] for text in strings_of(drawn("embedded-reber"))]
    assert sum(text[1] == "T" for text in inner) / MANY == pytest.approx(0.5, abs=0.03)
    after_t = [text[2] for text in inner if text[1] == "T"]
    assert after_t.count("S") / len(after_t) == pytest.approx(0.5, abs=0.04)


def test_of_embedded_reber_one_string_in_thousands_is_cut():
    # the chance of more than 49 symbols, summed over the grammar's nodes
    inside, longer = {0: 1.0}, 1.0
    for _ in range(45):  # B, T or P before, and T or P, E after
        following: dict = {}
        for node, share in inside.items():
            for after in INNER[node].values():
                following[after] = following.get(after, 0.0) + share / len(INNER[node])
        longer -= following.pop(None, 0.0)
        inside = following
    lengths = drawn("embedded-reber", 40_000).lengths
    assert longer < 1 / 2000
    assert float((lengths >= 49).float().mean()) == pytest.approx(longer, abs=4 * math.sqrt(longer / 40_000) + 1e-4)


def test_every_possible_symbol_of_embedded_reber_must_stand_above_the_others():
    task, found = made("embedded-reber"), drawn("embedded-reber", 30)
    outputs = found.possible.float()
    assert not task.mistakes(outputs, found).any()
    outputs[1, 0, int(found.possible[1, 0].float().argmin())] = 2.0
    assert task.mistakes(outputs, found).nonzero().tolist() == [[1, 0]]
    assert (found.possible.sum(-1)[found.counted] <= 2).all()
    assert found.possible.gather(2, found.targets[..., None])[..., 0][found.counted].all()


def test_noise_free_lag_has_two_sequences():
    found = drawn("noise-free-lag", 200, length=20)
    whole = torch.cat([found.inputs.argmax(-1), found.targets[-1:]])
    assert whole.shape == (21, 200)
    assert len(whole.unique(dim=1).T) == 2
    assert (whole[0] == whole[-1]).all()
    assert set(whole[0].tolist()) == {19, 20}
    assert whole[1:-1, 0].tolist() == list(range(19))


def test_random_filler_is_random_between_equal_ends():
    found = drawn("random-filler", length=20)
    whole = torch.cat([found.inputs.argmax(-1), found.targets[-1:]])
    assert (whole[0] == whole[-1]).all()
    assert set(whole[1:-1].unique().tolist()) == set(range(19))
    counts = torch.bincount(whole[1:-1].flatten()) / whole[1:-1].numel()
    torch.testing.assert_close(counts, torch.full((19,), 1 / 19), rtol=0.1, atol=0)


def test_of_random_filler_only_the_last_symbol_must_be_right():
    task, found = made("random-filler"), drawn("random-filler", 20)
    outputs = perfect(task, found)
    outputs[:-1] = 0.0
    assert not task.mistakes(outputs, found).any()


def test_copying_asks_for_the_letters_after_the_mark():
    found = drawn("copying", 50, length=30)
    symbols = found.inputs.argmax(-1)
    assert symbols.shape == (50, 50)
    assert torch.equal(found.targets[-10:], symbols[:10])
    assert (symbols[39] == 9).all()
    assert (symbols[10:39] == 8).all()
    assert (symbols[40:] == 8).all()
    assert (found.targets[:-10] == 8).all()
    assert int(symbols[:10].max()) == 7


def test_the_chance_of_copying_is_the_published_baseline():
    assert made("copying", 1000).chance == pytest.approx(0.0204, abs=5e-5)


def test_copying_bits_waits_and_asks_for_the_pattern():
    found = drawn("copying-bits", 30)
    assert len(found.inputs) == 48
    assert torch.equal(found.targets[-20:], found.inputs[:20, :, :7])
    assert not found.inputs[20:, :, :7].any()
    assert (found.inputs[..., 8].sum(0) == 20).all()
    assert (found.inputs[19, :, 7] == 1).all()
    assert found.inputs[:20, :, :7].mean() == pytest.approx(0.5, abs=0.03)
