"""The Mackey-Glass series: the rule written out, what is known of it, and a file of others where it is there."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ostinato import ConfigError
from ostinato.data.tasks.mackey_glass import mackey_glass

OTHERS = Path(__file__).parents[4] / "shared/data/forecasting/MackeyGlass_t17.txt"


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_it_is_heuns_rule_written_out():
    begin = 0.5 + float(torch.rand(1, generator=seeded(0), dtype=torch.float64))
    values = [begin] * 171
    for _ in range(400):
        slope = 0.2 * values[-171] / (1 + values[-171] ** 10) - 0.1 * values[-1]
        guess = values[-1] + 0.1 * slope
        values.append(values[-1] + 0.05 * (slope + 0.2 * values[-170] / (1 + values[-170] ** 10) - 0.1 * guess))
    found = mackey_glass(40, washout=0, generator=seeded(0))
    np.testing.assert_allclose(found[:, 0], values[170:-10:10], rtol=1e-12)


def test_a_longer_washout_begins_later():
    late = mackey_glass(20, 2, washout=60, generator=seeded(1))
    early = mackey_glass(50, 2, washout=30, generator=seeded(1))
    torch.testing.assert_close(late, early[30:], rtol=0, atol=0)


def test_rows_begin_apart_and_stay_apart():
    series = mackey_glass(300, 2, generator=seeded(2))
    assert float((series[:, 0] - series[:, 1]).abs().max()) > 0.3


def test_a_short_delay_settles():
    assert float(mackey_glass(100, delay=2, generator=seeded(3)).std()) < 1e-6


def test_it_is_spread_as_the_series_others_use():
    if not OTHERS.exists():
        pytest.skip(f"{OTHERS.name} is not here")
    others = np.loadtxt(OTHERS)
    series = (mackey_glass(10_000, generator=seeded(4)) - 1).tanh()[:, 0].numpy()
    assert series.std() == pytest.approx(others.std(), rel=0.01)
    parts = np.linspace(0.05, 0.95, 10)
    np.testing.assert_allclose(np.quantile(series, parts), np.quantile(others, parts), atol=0.02)


@pytest.mark.parametrize(("values", "said"), [((0, 1), "steps: 0"), ((5, 0), "rows: 0")])
def test_a_series_of_nothing_is_refused(values, said):
    with pytest.raises(ConfigError, match=said):
        mackey_glass(*values)
