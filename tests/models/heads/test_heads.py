"""Heads: what they say sums to one, samples follow it, quantiles rise, and each agrees with a reference."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import stats

from ostinato import ConfigError
from ostinato.models.heads import HEADS

BITS = torch.tensor(list(itertools.product([0.0, 1.0], repeat=8)))
LEVELS = (0.025, 0.1, 0.5, 0.9, 0.975)
WITH_QUANTILES = ["gaussian", "student-t", "negative-binomial", "mixture"]


def head(name: str, size: int = 1, **keywords):
    torch.manual_seed(3)
    made = HEADS[name](4, size, **keywords).double()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(2)
    return made


def features(rows: int = 1):
    return torch.randn(rows, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(5))


def nats(made, seen, targets) -> float:
    return float(made.loss(seen, targets).detach())


def density(made, seen, values):
    """Return the density of each of `values` (N, D) for one row of features."""
    return torch.stack([-made.loss(seen, value[None]) for value in values]).exp().detach()


@pytest.mark.parametrize("name", ["gaussian", "student-t", "mixture"])
def test_a_density_integrates_to_one(name):
    made, seen = head(name), features()
    grid = torch.linspace(-400, 400, 40_001, dtype=torch.float64)
    total = torch.trapezoid(density(made, seen, grid[:, None][::4]), grid[::4])
    assert float(total) == pytest.approx(1, abs=1e-4)


def test_probabilities_of_counts_sum_to_one():
    counts = torch.arange(3000, dtype=torch.float64)[:, None]
    assert float(density(head("negative-binomial"), features(), counts).sum()) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("name", ["bernoulli", "nade"])
def test_probabilities_of_all_frames_sum_to_one(name):
    made, seen = head(name, 8), features()
    assert float(density(made, seen, BITS.double()).sum()) == pytest.approx(1, abs=1e-12)


def test_nade_is_what_its_equations_say():
    made, seen = head("nade", 8, hidden_size=5), features(3)
    frames = BITS[[200, 37, 255]].double()
    b, c = made.b(seen), made.c(seen)
    expected = 0.0
    for n in range(3):
        for d in range(8):
            h = torch.sigmoid(c[n] + frames[n, :d] @ made.W[:d])
            p = float(torch.sigmoid(b[n, d] + made.V[d] @ h).detach())
            expected -= math.log(p if frames[n, d] else 1 - p)
    assert nats(made, seen, frames) == pytest.approx(expected, rel=1e-12)


def test_nade_of_silence_and_of_no_rows():
    made = head("nade", 8)
    assert nats(made, features(2), torch.zeros(2, 8, dtype=torch.float64)) > 0
    assert nats(made, features(0), torch.zeros(0, 8, dtype=torch.float64)) == 0


def test_nade_samples_follow_its_probabilities():
    made, seen = head("nade", 3), features()
    frames = torch.tensor(list(itertools.product([0.0, 1.0], repeat=3)), dtype=torch.float64)
    p = density(made, seen, frames)
    many = made.sample(seen.expand(100_000, 4), torch.Generator().manual_seed(1))
    drawn = torch.bincount((many @ torch.tensor([4.0, 2.0, 1.0], dtype=torch.float64)).long(), minlength=8) / 100_000
    assert ((drawn - p).abs() <= 3 * (p * (1 - p) / 100_000).sqrt()).all()


@pytest.mark.parametrize("name", [*WITH_QUANTILES, "bernoulli"])
def test_samples_have_the_mean_of_the_distribution(name):
    made, seen = head(name), features()
    drawn = made.sample(seen.expand(40_000, 4), torch.Generator().manual_seed(1))
    error = float((drawn.mean() - made.mean(seen)).abs().detach())
    assert error <= 3 * float(drawn.std()) / 200


@pytest.mark.parametrize("name", ["gaussian", "student-t", "mixture"])
def test_a_share_of_samples_lies_below_each_quantile(name):
    made, seen = head(name), features()
    drawn = made.sample(seen.expand(20_000, 4), torch.Generator().manual_seed(2))
    below = torch.stack([(drawn <= q).double().mean() for q in made.quantiles(seen, LEVELS).detach()])
    levels = torch.tensor(LEVELS, dtype=torch.float64)
    assert ((below - levels).abs() <= 3 * (levels * (1 - levels) / 20_000).sqrt()).all()


@pytest.mark.parametrize("name", WITH_QUANTILES)
def test_quantiles_rise_with_their_level(name):
    found = head(name, 3).quantiles(features(50), LEVELS)
    assert found.shape == (5, 50, 3)
    assert (found.diff(dim=0) >= 0).all()


def test_the_quantiles_of_counts_are_those_of_scipy():
    made, seen = head("negative-binomial"), features()
    mean, shape = made.mean(seen).item(), made.distribution(seen).base_dist.total_count.item()
    reference = stats.nbinom(shape, shape / (shape + mean))
    assert made.quantiles(seen, [0.3, 0.9]).flatten().tolist() == reference.ppf([0.3, 0.9]).tolist()
    assert float(density(made, seen, torch.tensor([[2.0]]))) == pytest.approx(reference.pmf(2))


@pytest.mark.parametrize("shape", [-50.0, 0.0, 50.0])
def test_counts_that_outgrow_all_numbers_stay_counts(shape):
    made, seen = head("negative-binomial"), features(5000)
    with torch.no_grad():
        made.parts.bias.copy_(torch.tensor([1000.0, shape]))
        drawn = made.sample(seen, torch.Generator().manual_seed(0))
    assert torch.isfinite(drawn).all()
    assert drawn.min() >= 0
    assert torch.isfinite(made.loss(seen, drawn))


def test_a_mixture_is_the_sum_of_its_components():
    made, seen = head("mixture", 2, components=3), features()
    value = np.array([0.3, -0.7])
    with torch.no_grad():
        shares, columns = made._parts(seen)
    each = [stats.norm(columns.loc[0, k], columns.scale[0, k]).pdf(value).prod() for k in range(3)]
    expected = sum(float(p) * density for p, density in zip(shares.probs[0], each, strict=True))
    assert float(density(made, seen, torch.tensor(value)[None])) == pytest.approx(expected)


@pytest.mark.parametrize(("loss", "expected"), [("squared", 9.25), ("absolute", 3.5), ("huber", 2.625)])
def test_the_losses_of_a_point(loss, expected):
    made = head("point", 2, loss=loss)
    targets = made.mean(features()) + torch.tensor([[3.0, -0.5]])
    assert nats(made, features(), targets) == pytest.approx(expected)
    assert torch.equal(made.sample(features()), made.mean(features()))


@pytest.mark.parametrize("name", sorted(HEADS))
def test_samples_follow_from_their_generator_alone(name):
    made, seen = head(name, 3), features(4)
    before = torch.get_rng_state()
    one, two = (made.sample(seen, torch.Generator().manual_seed(8)) for _ in range(2))
    assert torch.equal(one, two)
    assert torch.equal(before, torch.get_rng_state())
    assert made.sample(seen).shape == (4, 3)


@pytest.mark.parametrize("name", sorted(HEADS))
def test_a_head_learns_what_it_is_shown(name):
    made, seen = head(name, 2), features(64)
    targets = (seen[:, :2] > 0).double()
    optimizer = torch.optim.Adam(made.parameters(), 0.02)
    before = nats(made, seen, targets)
    for _ in range(60):
        made.loss(seen, targets).backward()
        optimizer.step()
        optimizer.zero_grad()
    assert nats(made, seen, targets) < before - 10


def test_what_has_no_closed_form_is_said():
    with pytest.raises(ConfigError, match="Draw samples"):
        head("nade", 4).mean(features())
    with pytest.raises(ConfigError, match="Draw samples"):
        head("point").quantiles(features(), [0.5])


@pytest.mark.parametrize(
    ("name", "keywords"),
    [("mixture", {"components": 0}), ("nade", {"hidden_size": 0}), ("point", {"loss": "cubed"})],
)
def test_impossible_settings_are_refused(name, keywords):
    with pytest.raises(ConfigError, match=next(iter(keywords))):
        HEADS[name](4, 2, **keywords)


def test_impossible_sizes_and_levels_are_refused():
    with pytest.raises(ConfigError, match="size"):
        HEADS["gaussian"](4, 0)
    with pytest.raises(ConfigError, match="between 0 and 1"):
        head("gaussian").quantiles(features(), [1.0])
