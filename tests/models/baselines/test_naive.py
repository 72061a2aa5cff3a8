"""The naive forecast: a season ago, with the spread it was wrong by; a hidden Markov model in the same place."""

import pytest
import torch

from ostinato import ConfigError
from ostinato.models.baselines.frames import HiddenMarkovFrames
from ostinato.models.baselines.naive import SeasonalNaive
from ostinato.models.forecaster import Stretch, unscaled


def stretch(values: torch.Tensor, before: int, lengths=None) -> Stretch:
    """Return rows (L + T, B, D), of which the first `before` stand before what is read."""
    steps, rows = len(values) - before, values.shape[1]
    lengths = torch.full((rows,), steps) if lengths is None else lengths
    return Stretch(values, torch.zeros(steps, rows, 0), lengths, unscaled(rows, values.shape[2]))


def test_what_was_a_season_ago_is_said_again_and_again():
    values = torch.arange(9.0)[:, None, None]
    futures = SeasonalNaive(1, 3).forecast(stretch(values, 3), horizon=7, samples=10)
    assert futures.mean(0).flatten().tolist() == pytest.approx([6, 7, 8, 6, 7, 8, 6])


def test_each_history_ends_where_it_ends_and_may_be_shorter_than_a_season():
    values = torch.arange(14.0).view(7, 2, 1)
    values[:3] = float("nan")
    futures = SeasonalNaive(1, 3).forecast(stretch(values, 3, torch.tensor([4, 2])), horizon=2, samples=2)
    assert futures.mean(0)[:, 0, 0].tolist() == [8, 10]
    assert futures.mean(0)[:, 1, 0].tolist() == [7, 7]


@pytest.mark.parametrize("samples", [1, 2, 5])
def test_the_mean_of_its_futures_is_exact(samples):
    futures = SeasonalNaive(1).forecast(stretch(torch.arange(5.0)[:, None, None], 1), horizon=2, samples=samples)
    assert len(futures) == samples
    assert futures.mean(0).flatten().tolist() == pytest.approx([4, 4])


def test_a_season_as_long_as_all_series_is_refused():
    values = torch.arange(14.0).view(7, 2, 1)
    values[:5] = float("nan")
    with pytest.raises(ConfigError, match="--season: 5"):
        SeasonalNaive(1, 5).fit([stretch(values, 5)])


def test_the_spread_is_that_of_its_errors_and_grows_with_seasons():
    walk = torch.randn(4000, 1, 1, generator=torch.Generator().manual_seed(0)).cumsum(0) * 2
    model = SeasonalNaive(1)
    model.fit([stretch(walk, 1)])
    assert float(model.deviation) == pytest.approx(2, rel=0.05)
    futures = model.forecast(stretch(walk, 1), horizon=9, samples=4000, generator=torch.Generator().manual_seed(1))
    assert float(futures[:, 8].std()) == pytest.approx(3 * float(model.deviation), rel=0.05)
    nats, count, _ = model.loss(stretch(walk, 1))
    errors = walk.diff(dim=0).square()
    exact = 0.5 * (errors / model.deviation**2 + (2 * torch.pi * model.deviation**2).log())
    assert count == model.count(stretch(walk, 1)) == 3999
    assert float(nats) == pytest.approx(float(exact.sum()), rel=1e-5)


def test_a_hidden_markov_model_scores_frames_as_it_does_alone():
    frames = torch.bernoulli(torch.full((21, 2, 5), 0.3), generator=torch.Generator().manual_seed(0))
    model = HiddenMarkovFrames(5, states=3)
    given = stretch(frames, 1, torch.tensor([20, 7]))
    model.fit([given])
    nats, count, _ = model.loss(given)
    alone = [frames[1:, 0], frames[1:8, 1]]
    assert count == model.count(given) == 27
    assert float(nats) / count == pytest.approx(model.chain.nats(alone))
    warmed, fewer, _ = model.loss(given._replace(warm=torch.tensor([3, 0])))
    assert fewer == 24
    assert float(warmed) < float(nats)
    assert model.forecast(given, horizon=3, samples=4).shape == (4, 3, 2, 5)
