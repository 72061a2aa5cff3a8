"""The transducer's loss beside a sum over every alignment, and beside its recursion cell by cell."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato import ConfigError
from ostinato.layers.transducer import lattice_loss, transducer_loss

BLANK = 2


def drawn(frames, symbols, size=4, seed=0, dtype=torch.float64):
    """Scores, targets without blank, frames and symbols of rows of these lengths."""
    generator = torch.Generator().manual_seed(seed)
    shape = len(frames), max(frames), max(symbols) + 1, size
    scores = torch.randn(shape, generator=generator, dtype=torch.float64) * 2
    targets = torch.randint(size - 1, (len(frames), max(symbols)), generator=generator)
    return scores.to(dtype), targets + (targets >= BLANK), torch.tensor(frames), torch.tensor(symbols)


def over_all_alignments(scores, target) -> float:
    """The probability of `target`: each order of T blanks and U symbols that ends in a blank, step by step."""
    probabilities, steps = scores.softmax(-1).tolist(), len(scores) + len(target)
    total = []
    for places in itertools.combinations(range(steps - 1), len(target)):
        t = u = 0
        product = 1.0
        for step in range(steps):
            if step in places:
                product *= probabilities[t][u][target[u]]
                u += 1
            else:
                product *= probabilities[t][u][BLANK]
                t += 1
        total.append(product)
    return math.fsum(total)


def cell_by_cell(scores, targets, frames, symbols):
    """The forward recursion in its own words (eq. 16), one cell at a time, for autograd to follow."""
    losses = []
    for row, target, last, length in zip(
        scores.log_softmax(-1), targets, frames.tolist(), symbols.tolist(), strict=True
    ):
        alpha = {}
        for t, u in itertools.product(range(last), range(length + 1)):
            ways = [alpha[t - 1, u] + row[t - 1, u, BLANK]] if t else []
            ways += [alpha[t, u - 1] + row[t, u - 1, target[u - 1]]] if u else []
            alpha[t, u] = torch.stack(ways).logsumexp(0) if ways else row.new_zeros(())
        losses.append(-alpha[last - 1, length] - row[last - 1, length, BLANK])
    return torch.stack(losses)


ROWS = st.lists(st.tuples(st.integers(1, 5), st.integers(0, 4)), min_size=1, max_size=4)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.integers(0, 1000))
def test_the_loss_is_a_sum_over_all_alignments(rows, seed):
    scores, targets, frames, symbols = drawn(*zip(*rows, strict=True), seed=seed)
    found = transducer_loss(scores, targets, frames, symbols, BLANK)
    wanted = [-math.log(over_all_alignments(scores[k, :t], targets[k, :u].tolist())) for k, (t, u) in enumerate(rows)]
    torch.testing.assert_close(found.tolist(), wanted, rtol=0, atol=1e-10)


@settings(max_examples=40, deadline=None)
@given(ROWS, st.integers(0, 1000))
def test_its_gradient_is_that_of_the_recursion(rows, seed):
    scores, targets, frames, symbols = drawn(*zip(*rows, strict=True), seed=seed)
    weights = torch.linspace(1, 2, len(rows), dtype=torch.float64)  # another of each row
    gradients = []
    for loss in (
        lambda s: transducer_loss(s, targets, frames, symbols, BLANK),
        lambda s: cell_by_cell(s, targets, frames, symbols),
    ):
        seen = scores.clone().requires_grad_()
        gradients.append(torch.autograd.grad((loss(seen) * weights).sum(), seen)[0])
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-12)


def test_gradients_are_those_of_differences():
    scores, targets, frames, symbols = drawn((4, 1, 3), (2, 3, 0))
    assert torch.autograd.gradcheck(
        lambda s: transducer_loss(s, targets, frames, symbols, BLANK), scores.requires_grad_()
    )


def test_gradients_of_blank_and_of_the_right_symbol_are_those_of_differences():
    generator = torch.Generator().manual_seed(1)
    both = [(-3 * torch.rand(2, 3, 4, generator=generator, dtype=torch.float64)).requires_grad_() for _ in range(2)]
    frames, symbols = torch.tensor([3, 2]), torch.tensor([1, 3])
    assert torch.autograd.gradcheck(lambda blank, right: lattice_loss(blank, right, frames, symbols), both)


def test_a_batch_is_its_rows_one_by_one():
    scores, targets, frames, symbols = drawn((6, 1, 4, 2), (0, 3, 5, 2))
    together = transducer_loss(scores, targets, frames, symbols, BLANK)
    alone = [
        transducer_loss(scores[k, None, :t, : u + 1], targets[k, None, :u], frames[k, None], symbols[k, None], BLANK)
        for k, (t, u) in enumerate(zip(frames.tolist(), symbols.tolist(), strict=True))
    ]
    assert torch.equal(together, torch.cat(alone))


def test_what_stands_beyond_a_row_changes_nothing_not_even_when_it_is_not_a_number():
    scores, targets, frames, symbols = drawn((4, 2), (1, 3))
    spoilt, other = scores.clone(), targets.clone()
    spoilt[0, :, 2:] = spoilt[1, 2:] = torch.nan
    other[0, 1:] = 10**6
    seen, clean = spoilt.requires_grad_(), scores.requires_grad_()
    losses = [transducer_loss(s, t, frames, symbols, BLANK) for s, t in ((seen, other), (clean, targets))]
    assert torch.equal(*losses)
    gradients = [torch.autograd.grad(loss.sum(), s)[0] for loss, s in zip(losses, (seen, clean), strict=True)]
    assert torch.equal(*gradients)


def test_a_row_that_is_not_a_number_spoils_no_other():
    scores, targets, frames, symbols = drawn((3, 3), (2, 2))
    spoilt = scores.clone()
    spoilt[0, 1, 1] = torch.nan
    seen = spoilt.requires_grad_()
    loss = transducer_loss(seen, targets, frames, symbols, BLANK)
    loss.sum().backward()
    assert loss.isnan().tolist() == [True, False]
    assert seen.grad is not None
    assert seen.grad[1].isfinite().all()


def test_a_target_without_any_probability_has_an_infinite_loss_and_no_gradient():
    blank = torch.full((2, 3, 2), -1.0).requires_grad_()
    right = torch.full((2, 3, 2), -1.0)
    right[0] = -torch.inf
    seen = right.requires_grad_()
    loss = lattice_loss(blank, seen, torch.tensor([3, 3]), torch.tensor([1, 1]))
    assert loss.isinf().tolist() == [True, False]
    loss.sum().backward()
    assert seen.grad is not None
    assert (seen.grad != 0).flatten(1).any(1).tolist() == [False, True]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_long_sounds_are_summed_in_float32_at_least(dtype):
    scores, targets, frames, symbols = drawn((300, 40), (30, 60), size=6, dtype=dtype)
    found = transducer_loss(scores, targets, frames, symbols, BLANK)
    wanted = transducer_loss(scores.double(), targets, frames, symbols, BLANK)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), wanted, rtol=2e-6, atol=0)


def test_no_rows_have_no_losses():
    none = torch.zeros(0, dtype=torch.long)
    assert transducer_loss(torch.zeros(0, 2, 3, 4), torch.zeros(0, 2, dtype=torch.long), none, none).shape == (0,)


@pytest.mark.parametrize(
    ("shape", "targets", "frames", "symbols", "message"),
    [
        ((2, 3, 4), (2, 1), [3, 3], [1, 1], r"scores: shape \(2, 3, 4\). It is rows, frames, symbols \+ 1, vocabulary"),
        ((2, 0, 4, 3), (2, 3), [0, 0], [1, 1], "all but rows at least 1"),
        ((2, 3, 2, 4), (2, 2), [3, 3], [1, 1], r"targets: shape \(2, 2\). Of these scores it is \(2, 1\)"),
        ((2, 3, 2, 4), (2, 1), [3, 0], [1, 1], r"frames: \[3, 0\]. One for each of 2 rows, from 1 to 3"),
        ((2, 3, 2, 4), (2, 1), [3, 4], [1, 1], r"frames: \[3, 4\]"),
        ((2, 3, 2, 4), (2, 1), [3], [1, 1], r"frames: \[3\]"),
        ((2, 3, 2, 4), (2, 1), [3, 3], [1, 2], r"symbols: \[1, 2\]. One for each of 2 rows, from 0 to 1"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(shape, targets, frames, symbols, message):
    with pytest.raises(ConfigError, match=message):
        transducer_loss(
            torch.zeros(shape), torch.zeros(targets, dtype=torch.long), torch.tensor(frames), torch.tensor(symbols), 3
        )


@pytest.mark.parametrize("target", [BLANK, -1, 4])
def test_a_target_that_cannot_be_said_is_refused(target):
    scores, _, frames, symbols = drawn((3,), (1,))
    with pytest.raises(ConfigError, match=f"targets: {target} among them. Numbers from 0 to 3 other than 2"):
        transducer_loss(scores, torch.tensor([[target]]), frames, symbols, BLANK)


def test_a_blank_beyond_the_vocabulary_is_refused():
    scores, targets, frames, symbols = drawn((3,), (1,))
    with pytest.raises(ConfigError, match=r"blank: 4 was given\. It is one of 4 symbols"):
        transducer_loss(scores, targets, frames, symbols, 4)


def test_the_two_probabilities_have_one_shape():
    with pytest.raises(ConfigError, match=r"right: shape \(1, 2, 1\). As that of blank, \(1, 2, 2\)"):
        lattice_loss(torch.zeros(1, 2, 2), torch.zeros(1, 2, 1), torch.tensor([2]), torch.tensor([1]))
