"""The loss of CTC as a transcriber takes it, beside a sum over every path."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.models.ctc import CtcHead

SYMBOLS, BLANK, SIZE = 3, 1, 5
LETTERS = st.sampled_from([0, 2])


def head(seed=0):
    torch.manual_seed(seed)
    return CtcHead(SIZE, SYMBOLS, BLANK).double()


def steps(length, rows=1, seed=0):
    return 2 * torch.randn(length, rows, SIZE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def spelled(path) -> tuple[int, ...]:
    return tuple(symbol for symbol, _ in itertools.groupby(path) if symbol != BLANK)


def over_all_paths(model, outputs, target) -> float:
    """The probability of `target` in outputs (T, E): each path that spells it, step by step."""
    probabilities = torch.softmax(outputs @ model.scores.weight.T + model.scores.bias, -1).tolist()
    paths = itertools.product(range(SYMBOLS), repeat=len(outputs))
    return math.fsum(
        math.prod(row[symbol] for row, symbol in zip(probabilities, path, strict=True))
        for path in paths
        if spelled(path) == tuple(target)
    )


def losses(model, outputs, lengths, targets):
    """The nats of each row; what stands behind a target is another symbol each time."""
    width = max(map(len, targets))
    padded = torch.tensor([[*target, *[0, 2, 1, 0, 2, 1][: width - len(target)]] for target in targets])
    sizes = torch.tensor([len(target) for target in targets])
    return model.losses(outputs, torch.tensor(lengths), padded.reshape(len(targets), width).long().T, sizes)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 6), st.lists(LETTERS, max_size=4)), min_size=1, max_size=3), st.integers(0, 1000)
)
def test_the_loss_is_a_sum_over_all_paths(rows, seed):
    model, outputs = head(seed), steps(6, len(rows), seed)
    found = losses(model, outputs, [length for length, _ in rows], [target for _, target in rows])
    for k, (length, target) in enumerate(rows):
        probability = over_all_paths(model, outputs[:length, k].detach(), target)
        wanted = -math.log(probability) if probability else 0.0  # what no path spells is not learned
        torch.testing.assert_close(found[k].item(), wanted, rtol=0, atol=1e-10)


@pytest.mark.parametrize("target", [[], [0], [0, 0], [2, 2, 2], [0, 2, 2, 0]], ids=str)
def test_repeats_and_silence_are_summed_too(target):
    model, outputs = head(), steps(6)
    wanted = -math.log(over_all_paths(model, outputs[:, 0].detach(), target))
    torch.testing.assert_close(losses(model, outputs, [6], [target]).item(), wanted, rtol=0, atol=1e-10)


def test_the_probabilities_of_all_texts_sum_to_one():
    model, outputs = head(), steps(3)
    texts = [text for size in range(4) for text in itertools.product([0, 2], repeat=size)]
    fitting = [text for text in texts if model.fits(torch.tensor([3]), torch.tensor(text)[:, None], len(text))]
    total = sum(math.exp(-losses(model, outputs, [3], [text]).item()) for text in fitting)
    assert len(fitting) < len(texts)
    assert total == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(("length", "target"), [(1, [0, 2]), (2, [0, 0]), (4, [2, 2, 2]), (0, [0])])
def test_what_no_path_spells_costs_nothing_and_moves_nothing(length, target):
    model, outputs = head(), steps(5).requires_grad_()
    loss = losses(model, outputs, [length], [target])
    loss.sum().backward()
    assert loss.tolist() == [0]
    assert outputs.grad is not None
    assert not outputs.grad.any()
    assert over_all_paths(model, outputs[:length, 0].detach(), target) == 0


def test_gradients_are_those_of_differences():
    model, outputs = head(), steps(5, 3).requires_grad_()
    targets = [[0, 0], [], [2, 0, 2]]
    assert torch.autograd.gradcheck(lambda x: losses(model, x, [5, 3, 4], targets), outputs)
