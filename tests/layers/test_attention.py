"""Attention: energies by their equations, places beyond a row's end, coverage."""

import pytest
import torch

from ostinato import ConfigError
from ostinato.layers.attention import ATTENTIONS, Attention, Memory


def looked(kind, coverage=False, size=6, memory=6, **given):
    torch.manual_seed(0)
    attention = Attention(kind, size, memory, coverage=coverage).double()
    values, lengths = torch.randn(3, 5, memory, dtype=torch.float64), torch.tensor([5, 1, 3])
    queries = torch.randn(3, 2, size, dtype=torch.float64)
    last = torch.rand(3, 2, 5, dtype=torch.float64)
    return attention, queries, values, attention(queries, attention.keys(Memory(values, lengths)), last, 2 * last), last


@pytest.mark.parametrize("kind", ATTENTIONS)
def test_weights_are_shares_of_a_rows_own_places(kind):
    _, _, values, (seen, weights), _ = looked(kind)
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, 2, dtype=torch.float64))
    assert weights[1, :, 1:].eq(0).all()
    assert weights[2, :, 3:].eq(0).all()
    torch.testing.assert_close(seen, torch.einsum("bns,bse->bne", weights, values))


def energy(attention, query, place, last, number, coverage):
    """Return an energy by its equation, for one query and one place."""
    if attention.kind == "dot":
        return query @ place / len(query) ** 0.5
    if attention.kind == "general":
        return query @ (attention.key.weight @ place) / len(query) ** 0.5
    total = attention.query.weight @ query + attention.query.bias + attention.key.weight @ place
    if attention.kind == "location":
        kernel = attention.filters.weight[:, 0]
        padded = torch.nn.functional.pad(last, (kernel.shape[1] // 2, kernel.shape[1] // 2))
        total = total + attention.location.weight @ (kernel @ padded[number : number + kernel.shape[1]])
    if attention.covered is not None:
        total = total + attention.covered.weight[:, 0] * coverage[number]
    return attention.energy.weight[0] @ torch.tanh(total)


@pytest.mark.parametrize(
    ("kind", "coverage"), [*((kind, False) for kind in ATTENTIONS), ("additive", True), ("location", True)]
)
def test_weights_are_those_of_the_equations(kind, coverage):
    attention, queries, values, (_, weights), last = looked(kind, coverage)
    energies = torch.stack(
        [energy(attention, queries[0, 1], values[0, j], last[0, 1], j, 2 * last[0, 1]) for j in range(5)]
    )
    torch.testing.assert_close(weights[0, 1], energies.softmax(0))


def test_a_row_without_a_place_is_finite():
    attention = Attention("additive", 3, 4)
    seen, _ = attention(torch.zeros(1, 1, 3), attention.keys(Memory(torch.zeros(1, 2, 4), torch.tensor([0]))))
    assert seen.isfinite().all()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kind": "genral"}, "general"),
        ({"kind": "dot", "memory_size": 5}, "equal sizes"),
        ({"kind": "dot", "coverage": True}, "additive"),
    ],
)
def test_what_does_not_fit_is_refused(settings, said):
    with pytest.raises(ConfigError, match=said):
        Attention(**{"query_size": 4, "memory_size": 4, **settings})
