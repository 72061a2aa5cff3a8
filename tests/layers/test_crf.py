"""The chain of tags beside a count of all sequences, and beside another library's."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato import ConfigError
from ostinato.layers.crf import CRF, Allowed


def numbers(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def chances(*shape, seed):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) < 0.7


def drawn(tags: int, seed: int = 0, constrained: bool = False) -> CRF:
    """A chain whose tables are drawn; tag 0 is always allowed everywhere, so that every length has a sequence."""
    allowed = None
    if constrained:
        allowed = Allowed(*(chances(*shape, seed=seed) for shape in ((tags,), (tags, tags), (tags,))))
        allowed.starts[0] = allowed.ends[0] = True
        allowed.transitions[0, :1] = True
    crf = CRF(tags, allowed).double()
    for k, parameter in enumerate(crf.parameters()):
        parameter.data = numbers(*parameter.shape, seed=seed * 10 + k)
    return crf


def every_sequence(crf: CRF, scores: torch.Tensor, length: int) -> dict[tuple[int, ...], float]:
    """The score of each allowed sequence of one row, summed number by number, as the first lines of the file say."""
    found, start, between, end = {}, *(table.detach() for table in (crf.start, crf.transitions, crf.end))
    for tags in itertools.product(range(scores.shape[-1]), repeat=length):
        pairs = list(itertools.pairwise(tags))
        if tags and not (crf.allowed_starts[tags[0]] and crf.allowed_ends[tags[-1]]):
            continue
        if not all(crf.allowed_transitions[pair] for pair in pairs):
            continue
        score = sum(float(scores[t, tag]) for t, tag in enumerate(tags))
        score += sum(float(between[pair]) for pair in pairs)
        found[tags] = score + (float(start[tags[0]] + end[tags[-1]]) if tags else 0.0)
    return found


def log_sum(scores) -> float:
    return float(torch.logsumexp(torch.tensor(list(scores), dtype=torch.float64), 0))


CASES = st.tuples(
    st.integers(1, 4), st.lists(st.integers(0, 5), min_size=1, max_size=3), st.integers(0, 1000), st.booleans()
)


@settings(max_examples=60, deadline=None)
@given(CASES)
def test_the_partition_is_the_sum_over_all_sequences(case):
    tags, lengths, seed, constrained = case
    crf, scores = drawn(tags, seed, constrained), numbers(5, len(lengths), tags, seed=seed + 1)
    found = crf.log_partition(scores, torch.tensor(lengths))
    wanted = [log_sum(every_sequence(crf, scores[:, k], n).values()) for k, n in enumerate(lengths)]
    torch.testing.assert_close(found.tolist(), wanted, rtol=1e-12, atol=1e-10)


@settings(max_examples=60, deadline=None)
@given(CASES)
def test_the_best_sequence_is_the_best_of_all(case):
    tags, lengths, seed, constrained = case
    crf, scores = drawn(tags, seed, constrained), numbers(5, len(lengths), tags, seed=seed + 1)
    best, score = crf.best(scores, torch.tensor(lengths))
    all_of = [every_sequence(crf, scores[:, k], n) for k, n in enumerate(lengths)]
    wanted = [max(row, key=row.__getitem__) for row in all_of]
    assert [tuple(best[:n, k].tolist()) for k, n in enumerate(lengths)] == wanted
    torch.testing.assert_close(
        score.tolist(), [row[tags] for row, tags in zip(all_of, wanted, strict=True)], rtol=1e-12, atol=1e-10
    )


@settings(max_examples=40, deadline=None)
@given(CASES)
def test_the_score_of_a_sequence_is_what_the_sum_says(case):
    tags, lengths, seed, constrained = case
    crf, scores = drawn(tags, seed, constrained), numbers(5, len(lengths), tags, seed=seed + 1)
    rows = [every_sequence(crf, scores[:, k], n) for k, n in enumerate(lengths)]
    chosen = [sorted(row)[seed % len(row)] for row in rows]
    given = torch.full((5, len(lengths)), -100)  # what stands behind the end is never read
    for k, sequence in enumerate(chosen):
        given[: len(sequence), k] = torch.tensor(sequence, dtype=torch.long)
    found = crf.score(scores, given, torch.tensor(lengths))
    wanted = [row[tags] for row, tags in zip(rows, chosen, strict=True)]
    torch.testing.assert_close(found.tolist(), wanted, rtol=1e-12, atol=1e-10)


@settings(max_examples=30, deadline=None)
@given(CASES)
def test_marginals_are_shares_of_all_sequences(case):
    tags, lengths, seed, constrained = case
    crf, scores = drawn(tags, seed, constrained), numbers(5, len(lengths), tags, seed=seed + 1)
    found = crf.marginals(scores, torch.tensor(lengths))
    wanted = torch.zeros(5, len(lengths), tags, dtype=torch.float64)
    for k, n in enumerate(lengths):
        rows = every_sequence(crf, scores[:, k], n)
        total = log_sum(rows.values())
        for sequence, score in rows.items():
            for t, tag in enumerate(sequence):
                wanted[t, k, tag] += torch.exp(torch.tensor(score - total, dtype=torch.float64))
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-12)


def test_it_agrees_with_pytorch_crf():
    torchcrf = pytest.importorskip("torchcrf", reason="pytorch-crf is not installed")
    ours, other = drawn(6), torchcrf.CRF(6).double()
    other.start_transitions.data, other.end_transitions.data = ours.start.data, ours.end.data
    other.transitions.data = ours.transitions.data
    scores, lengths = numbers(9, 4, 6, seed=7), torch.tensor([9, 1, 5, 8])
    mask = torch.arange(9)[:, None] < lengths
    tags = torch.randint(6, (9, 4), generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(ours(scores, tags, lengths), other(scores, tags, mask, reduction="none"))
    best, _ = ours.best(scores, lengths)
    assert [best[:n, k].tolist() for k, n in enumerate(lengths.tolist())] == other.decode(scores, mask)


@pytest.mark.parametrize("constrained", [False, True])
def test_gradients_are_those_of_differences(constrained):
    crf, scores = drawn(3, 1, constrained), numbers(4, 2, 3, seed=2).requires_grad_()
    lengths = torch.tensor([4, 2])
    tags = crf.best(scores, lengths)[0]
    assert torch.autograd.gradcheck(
        lambda scores, *tables: torch.func.functional_call(
            crf, dict(zip(("start", "transitions", "end"), tables, strict=True)), (scores, tags, lengths)
        ),
        (scores, *(p.detach().clone().requires_grad_() for p in crf.parameters())),
    )


def test_what_is_forbidden_learns_nothing():
    crf = drawn(4, 3, constrained=True)
    crf.log_partition(numbers(5, 2, 4)).sum().backward()
    assert crf.transitions.grad is not None
    assert (crf.transitions.grad[~crf.allowed_transitions] == 0).all()
    assert (~crf.allowed_transitions).any()


def test_padding_changes_nothing_not_even_when_it_is_not_a_number():
    crf, scores, lengths = drawn(3), numbers(5, 2, 3), torch.tensor([3, 0])
    spoilt = torch.where(torch.arange(5)[:, None, None] < lengths[:, None], scores, torch.nan).requires_grad_()
    torch.testing.assert_close(crf.log_partition(spoilt, lengths), crf.log_partition(scores, lengths))
    torch.testing.assert_close(crf.best(spoilt, lengths), crf.best(scores, lengths))


def test_no_path_at_all_is_finite_in_float32():
    none = Allowed(torch.ones(2, dtype=torch.bool), torch.zeros(2, 2, dtype=torch.bool), torch.ones(2).bool())
    crf = CRF(2, none)
    scores = torch.randn(6, 3, 2).requires_grad_()
    loss = -crf(scores, torch.zeros(6, 3, dtype=torch.long)).sum()
    loss.backward()
    assert scores.grad is not None
    assert scores.grad.isfinite().all()


def test_nothing_to_tag_has_one_sequence():
    crf = drawn(3)
    assert crf.log_partition(numbers(0, 2, 3)).tolist() == [0, 0]
    assert crf.best(numbers(0, 2, 3))[0].shape == (0, 2)
    assert crf.marginals(numbers(0, 2, 3)).shape == (0, 2, 3)
    assert crf(numbers(3, 0, 3), torch.zeros(3, 0, dtype=torch.long)).shape == (0,)


def test_marginals_are_given_where_nothing_is_to_be_learned():
    crf, scores = drawn(3), numbers(4, 2, 3)
    with torch.inference_mode():
        torch.testing.assert_close(crf.marginals(scores).sum(-1), torch.ones(4, 2).double())


@pytest.mark.parametrize(
    ("scores", "tags", "lengths", "message"),
    [
        ((4, 2, 2), (4, 2), None, r"scores: shape \(4, 2, 2\). Scores are \(T, B, 3\)"),
        ((4, 2, 3), (3, 2), None, r"tags: shape \(3, 2\). Of these scores it is \(4, 2\)"),
        ((4, 2, 3), (4, 2), [5, 1], r"lengths: \[5, 1\]. One for each of 2 rows, from 0 to 4"),
        ((4, 2, 3), (4, 2), [1], "One for each of 2 rows"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(scores, tags, lengths, message):
    lengths = None if lengths is None else torch.tensor(lengths)
    with pytest.raises(ConfigError, match=message):
        CRF(3)(torch.zeros(scores), torch.zeros(tags, dtype=torch.long), lengths)


def test_constraints_are_as_large_as_the_tags():
    with pytest.raises(ConfigError, match=r"Of 3 tags they are \[\[3\], \[3, 3\], \[3\]\]"):
        CRF(3, Allowed(torch.ones(2), torch.ones(2, 2), torch.ones(2)))
    with pytest.raises(ConfigError, match="at least one tag"):
        CRF(0)
