"""What all units together say of a track, against scikit-learn's ridge regression."""

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from ostinato.diagnostics.readout import RIDGES, readout


def halves_of(steps, units, seed=0, missing=False):
    draw = np.random.default_rng(seed)
    x = 3 + draw.normal(size=(2 * steps, units)) * draw.uniform(0.5, 2, units)
    y = np.stack([x[:, :2].sum(1) + draw.normal(size=2 * steps), x[:, 2] + 3 * draw.normal(size=2 * steps)], 1)
    if missing:
        y[::3, 1] = np.nan
    x, y = torch.from_numpy(x).float(), torch.from_numpy(y).float()
    return (x[:steps], y[:steps]), (x[steps:], y[steps:])


def expected(first, second, k, ridge):
    """Return r of scikit-learn's ridge regression on the second half."""
    (x, y), (unseen, truth) = ([part.double().numpy() for part in half] for half in (first, second))
    there, seen = np.isfinite(y[:, k]), np.isfinite(truth[:, k])
    scaler = StandardScaler().fit(x[there])
    fitted = Ridge(alpha=ridge * there.sum()).fit(scaler.transform(x[there]), y[there, k])
    return pearsonr(fitted.predict(scaler.transform(unseen[seen])), truth[seen, k])[0]


@pytest.mark.parametrize("missing", [False, True])
def test_of_many_steps_it_is_that_of_scikit_learn(missing):
    first, second = halves_of(400, 10, missing=missing)
    found = readout(first, second, np.array([0, 1]))
    assert found == pytest.approx([expected(first, second, k, RIDGES[0]) for k in (0, 1)], abs=1e-3)


def test_of_few_steps_a_ridge_is_chosen_within_the_first_half():
    first, second = halves_of(60, 50)
    changed = (second[0], torch.full_like(second[1], torch.nan))
    found = readout(first, second, np.array([0, 1]))
    for k in (0, 1):
        near = [abs(expected(first, second, k, ridge) - found[k]) for ridge in RIDGES]
        assert min(near) < 0.01
    assert found[1] > expected(first, second, 1, RIDGES[0])
    assert np.isnan(readout(first, changed, np.array([0]))).all()


def test_only_the_tracks_that_are_asked_for_are_read():
    first, second = halves_of(200, 5)
    both = readout(first, second, np.array([0, 1]))
    assert readout(first, second, np.array([1])) == pytest.approx(both[1:])
    assert readout(first, second, np.array([], int)).shape == (0,)
