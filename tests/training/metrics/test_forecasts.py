"""Figures of forecasts: equal to those of another library, whatever the groups they come in."""

import numpy as np
import pandas as pd
import pytest
from utilsforecast import losses

from ostinato.training.metrics.forecasts import LEVELS, ForecastFigures, naive_error

DRAW = np.random.default_rng(4)
TRUTH = DRAW.normal(size=(6, 5, 1))
SAMPLES = DRAW.normal(size=(301, 6, 5, 1)) * 1.3
HISTORY = DRAW.normal(size=(40, 5, 1)).cumsum(0)
ERRORS = np.stack([naive_error(HISTORY[:, b], 4) for b in range(5)])


@pytest.fixture(scope="module")
def ours():
    figures = ForecastFigures()
    for rows in (slice(0, 2), slice(2, 5)):
        figures.add(TRUTH[:, rows], SAMPLES[:, :, rows], scale=np.full((1, 1), 2.0), naive_error=ERRORS[rows])
    return figures.figures()


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Return the same forecasts as the other library reads them: a row a step."""
    items = np.tile(np.arange(5), (6, 1))
    quantiles = {f"q{level}": np.quantile(SAMPLES, level, axis=0)[..., 0].ravel() for level in LEVELS}
    steps = np.repeat(np.arange(6), 5)
    columns = {"unique_id": items.ravel(), "ds": steps, "y": TRUTH[..., 0].ravel(), **quantiles}
    return pd.DataFrame({**columns, "mean": SAMPLES.mean(0)[..., 0].ravel()})


def over_items(found: pd.DataFrame, model: str) -> float:
    return float(found[model].mean())


def test_errors_of_mean_and_median(ours, table):
    assert ours["mse"] == pytest.approx(over_items(losses.mse(table, ["mean"]), "mean"))
    assert ours["mae"] == pytest.approx(over_items(losses.mae(table, ["q0.5"]), "q0.5"))
    assert ours["scaled_mse"] == pytest.approx(ours["mse"] / 4)
    assert ours["scaled_mae"] == pytest.approx(ours["mae"] / 2)


def test_mase(ours, table):
    history = pd.DataFrame({
        "unique_id": np.repeat(np.arange(5), 40), "ds": np.tile(np.arange(40), 5), "y": HISTORY[..., 0].T.ravel()
    })  # fmt: skip
    found = losses.mase(table, ["q0.5"], seasonality=4, train_df=history)
    assert ours["mase"] == pytest.approx(over_items(found, "q0.5"))


def test_a_figure_without_data_is_left_out():
    constant, figures = np.ones((3, 1, 1)), ForecastFigures()
    figures.add(constant, constant[None] + 0.5, naive_error=naive_error(constant[:, 0], 1)[None])
    assert figures.figures() == {"mse": 0.25, "mae": 0.5}


def test_quantile_loss(ours, table):
    found = [over_items(losses.quantile_loss(table, {"m": f"q{level}"}, q=level), "m") for level in LEVELS]
    assert ours["quantile_loss"] == pytest.approx(2 * np.mean(found))


@pytest.mark.parametrize(("share", "low", "high"), [(50, 0.25, 0.75), (80, 0.1, 0.9), (95, 0.025, 0.975)])
def test_coverage(ours, table, share, low, high):
    inside = table.y.between(table[f"q{low}"], table[f"q{high}"]).mean()
    assert ours[f"coverage_{share}"] == pytest.approx(inside)


def test_crps_is_the_mean_of_all_quantile_losses(ours):
    levels = (np.arange(2000) + 0.5) / 2000
    figures = ForecastFigures(levels)
    figures.add(TRUTH, SAMPLES)
    assert ours["crps"] == pytest.approx(figures.figures()["quantile_loss"], rel=0.02)


def test_a_point_has_no_spread():
    figures = ForecastFigures()
    figures.add(TRUTH, SAMPLES[:1])
    assert set(figures.figures()) == {"mse", "mae"}


def test_a_series_that_never_changes_is_left_out_of_mase():
    figures = ForecastFigures()
    figures.add(np.ones((2, 2, 1)), np.zeros((1, 2, 2, 1)), naive_error=np.array([[0.0], [0.5]]))
    assert figures.figures()["mase"] == 2
    assert naive_error(np.ones((3, 1)), 4).tolist() == [0.0]
