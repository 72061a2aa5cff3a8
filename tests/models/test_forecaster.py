"""The forecaster: pieces and padding change nothing, it runs on what it said, and its spread is that of the process."""

import numpy as np
import pytest
import torch

from ostinato import ConfigError
from ostinato.models.forecaster import Forecaster, Stretch, unscaled
from ostinato.models.heads import HEADS

LAGS = (1, 3)
GAPS = "h' = exp(-softplus(k) * dt) * h + tanh(W @ x + b)"


def model(head: str = "gaussian", size: int = 2, **settings) -> Forecaster:
    torch.manual_seed(1)
    settings = {"lags": LAGS, "covariates": 1, "hidden_size": 6, "engine": "eager", **settings}
    return Forecaster(size, settings.pop("cell", "gru"), head=head, **settings).double()


def stretch(steps: int, rows: int, size: int = 2, *, before: int = 3, covariates: int = 1, bits: bool = False):
    draw = torch.Generator().manual_seed(2)
    values = torch.randn(before + steps, rows, size, generator=draw, dtype=torch.float64)
    scaling = torch.stack([torch.full((rows, size), 0.3), torch.full((rows, size), 2.0)]).double()
    return Stretch(
        (values > 0).double() if bits else values,
        torch.randn(steps, rows, covariates, generator=draw, dtype=torch.float64),
        torch.full((rows,), steps),
        unscaled(rows, size).double() if bits else scaling,
        torch.rand(steps, rows, generator=draw, dtype=torch.float64) + 0.5,
    )


@pytest.mark.parametrize("cell", ["gru", "lstm", GAPS])
def test_reading_in_two_pieces_changes_nothing(cell):
    made, whole = model(cell=cell), stretch(9, 3)
    expected, count, _ = made.loss(whole)
    first, _, state = made.loss(whole.steps(0, 4))
    second, _, _ = made.loss(whole.steps(4, 9), state)
    assert count == 27
    assert torch.allclose(first + second, expected)


def test_padding_changes_nothing():
    made, whole = model(), stretch(9, 3)
    ragged = whole._replace(lengths=torch.tensor([9, 0, 4]))
    alone = [row(whole, 0), row(whole, 2).steps(0, 4)]
    nats, count, _ = made.loss(ragged)
    assert count == made.count(ragged) == 13
    assert torch.allclose(nats, sum(made.loss(part)[0] for part in alone))


def test_steps_that_only_warm_up_bring_no_loss():
    made, whole = model(), stretch(9, 3)
    _, _, state = made.loss(whole.steps(0, 4))
    expected, _, _ = made.loss(whole.steps(4, 9), state)
    warmed = whole._replace(warm=torch.tensor([4, 4, 4]))
    nats, count, _ = made.loss(warmed)
    assert count == 15
    assert torch.allclose(nats, expected)
    assert made.count(warmed.steps(3, 9)) == 15


def row(whole: Stretch, k: int) -> Stretch:
    one = slice(k, k + 1)
    return whole._replace(
        values=whole.values[:, one], covariates=whole.covariates[:, one], lengths=whole.lengths[one],
        scaling=whole.scaling[:, one], dt=whole.dt[:, one],
    )  # fmt: skip


@pytest.mark.parametrize("changes", [False, True])
@pytest.mark.parametrize("cell", ["lstm", GAPS])
def test_a_forecast_is_what_reading_its_own_values_says(cell, changes):
    made = model("point", cell=cell, changes=changes)
    whole = stretch(12, 2, before=made.before)
    history = whole._replace(
        values=whole.values[:-4], covariates=whole.covariates[:-4], lengths=torch.tensor([8, 8]), dt=whole.dt[:-4]
    )
    future = made.forecast(history, horizon=4, covariates=whole.covariates[8:], dt=whole.dt[8:], samples=7)
    assert future.shape == (1, 4, 2, 2)
    values = whole.values.clone()
    for step in range(8, 12):  # without a state: everything is read again for each step
        values[made.before + step] = made.one_step(whole._replace(values=values))[step].detach()
    assert torch.allclose(future[0], values[-4:])


def test_a_forecast_begins_where_each_history_ends():
    made, whole = model("point"), stretch(9, 3)
    ragged = whole._replace(lengths=torch.tensor([9, 5, 0]))
    short = row(whole, 1)
    short = short._replace(values=short.values[:8], covariates=short.covariates[:5], lengths=torch.tensor([5]))
    together, alone = (made.forecast(history, horizon=3) for history in (ragged, short))
    assert torch.allclose(together[:, :, 1:2], alone)


@pytest.mark.parametrize("head", sorted(HEADS))
def test_every_head_learns_and_forecasts(head):
    bits = HEADS[head].support != "numbers"
    made, whole = model(head), stretch(9, 3, bits=bits)
    nats, _, _ = made.loss(whole)
    nats.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in made.parameters())
    future = made.forecast(whole, horizon=2, samples=5, generator=torch.Generator().manual_seed(0))
    assert future.shape == (5 if made.head.draws else 1, 2, 3, 2)
    assert not bits or ((future >= 0) & (future == future.round())).all()


def test_the_values_before_a_series_begins_are_read_as_none():
    made, whole = model(), stretch(5, 2)
    values = whole.values.clone()
    values[:3] = float("nan")
    inputs = made.inputs(whole._replace(values=values))
    assert inputs[0].tolist() == torch.cat([torch.zeros(2, 4), whole.covariates[0]], -1).tolist()


def test_scaling_changes_units_and_nothing_else():
    made, whole = model(), stretch(9, 3)
    other = whole._replace(
        values=whole.values * 100 + 7, scaling=whole.scaling * 100 + torch.tensor([7.0, 0]).view(2, 1, 1)
    )
    assert torch.allclose(made.loss(other)[0], made.loss(whole)[0])
    one, two = (
        made.forecast(part, horizon=4, samples=3, generator=torch.Generator().manual_seed(1)) for part in (whole, other)
    )
    assert torch.allclose(one * 100 + 7, two)


def test_changes_are_the_same_on_any_level():
    made, whole = model(changes=True), stretch(9, 3, before=4)
    higher = whole._replace(values=whole.values + 50)
    assert torch.allclose(made.inputs(higher), made.inputs(whole))
    assert torch.allclose(made.loss(higher)[0], made.loss(whole)[0])
    one, two = (
        made.forecast(part, horizon=4, samples=3, generator=torch.Generator().manual_seed(1))
        for part in (whole, higher)
    )
    assert torch.allclose(one + 50, two)


def autoregression(steps: int, rows: int, share: float, noise: float):
    """Draw x' = share·x + noise·e, begun in its stationary distribution: (steps, rows, 1)."""
    draw = np.random.default_rng(0)
    values = [draw.normal(0, noise / np.sqrt(1 - share**2), rows)]
    for _ in range(steps - 1):
        values.append(share * values[-1] + noise * draw.normal(size=rows))
    return torch.tensor(np.stack(values))[..., None]


def test_the_spread_of_samples_is_that_of_the_process():
    share, noise, rows, horizon = 0.8, 0.5, 4000, 6
    made = Forecaster(1, "gru", hidden_size=2, engine="eager").double()
    with torch.no_grad():  # its head, which sees the last value, is made to say the process itself
        made.head.parts.weight.zero_()[0, -1] = share
        made.head.parts.bias.copy_(torch.tensor([0.0, np.log(np.expm1(noise - 1e-4))]))
    values = autoregression(10 + horizon, rows, share, noise)
    history = Stretch(values[:10], torch.zeros(9, rows, 0).double(), torch.full((rows,), 9), unscaled(rows, 1).double())
    future = made.forecast(history, horizon=horizon, samples=400, generator=torch.Generator().manual_seed(0))
    low, high = future.quantile(torch.tensor([0.1, 0.9]).double(), dim=0)
    covered = ((values[10:] >= low) & (values[10:] <= high)).double().mean((1, 2))
    assert ((covered - 0.8).abs() <= 3 * (0.16 / rows) ** 0.5 + 1 / 400).all()
    exact = noise * ((1 - share ** (2 * torch.arange(1, horizon + 1))) / (1 - share**2)).sqrt()
    assert torch.allclose(future.std(0).mean((1, 2)), exact.double(), rtol=0.01)


def test_a_head_of_ones_own_is_taken():
    own = HEADS["mixture"](6 + 2 * 2 + 1, 2, components=3)
    assert model(own).head is own
    with pytest.raises(ConfigError, match="features"):
        model(HEADS["gaussian"](3, 2))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"lags": ()}, "lags"),
        ({"lags": (0, 1)}, "lags"),
        ({"lags": (2, 2)}, "lags"),
        ({"size": 0}, "size"),
        ({"covariates": -1}, "covariates"),
        ({"head": "normal"}, "Known are bernoulli"),
        ({"head": "nade", "changes": True}, "Changes are of numbers"),
        ({"bidirectional": True}, "forward only"),
        ({"batch_first": True}, "rows"),
    ],
)
def test_impossible_settings_are_refused(settings, said):
    with pytest.raises(ConfigError, match=said):
        Forecaster(**{"size": 1, **settings})


DECAYING = "h' = exp(-softplus(k) * dt) * (U @ h + W @ x)"


def irregular(rows: int, draw: torch.Generator) -> Stretch:
    """Draw a process that forgets with time, dx = -x dt + √2 dw, at irregular times: what is left of x is exp(-dt)."""
    gaps = torch.empty(13, rows).exponential_(1.0, generator=draw) + 0.05
    values = [torch.randn(rows, generator=draw)]
    for gap in gaps[1:]:
        left = torch.exp(-gap)
        values.append(left * values[-1] + (1 - left**2).sqrt() * torch.randn(rows, generator=draw))
    return Stretch(
        torch.stack(values)[..., None], torch.zeros(12, rows, 0), torch.full((rows,), 12), unscaled(rows, 1), gaps[1:]
    )


def error_at_irregular_times(reads_dt: bool) -> float:
    """Return the squared error of a next step beside the least that is possible."""
    torch.manual_seed(0)
    made = Forecaster(1, DECAYING, head="point", direct=False, hidden_size=4, engine="eager")
    optimizer, draw = torch.optim.Adam(made.parameters(), 0.03), torch.Generator().manual_seed(1)
    for _ in range(150):
        batch = irregular(128, draw)
        nats, count, _ = made.loss(batch if reads_dt else batch._replace(dt=None))
        (nats / count).backward()
        optimizer.step()
        optimizer.zero_grad()
    test = irregular(4000, torch.Generator().manual_seed(2))
    nats, count, _ = made.loss(test if reads_dt else test._replace(dt=None))
    least = 1 - torch.exp(-2 * test.dt).mean()
    return float(nats.detach()) / count / float(least)


def test_a_cell_that_reads_the_time_between_steps_comes_to_what_is_possible():
    assert error_at_irregular_times(True) < 1.03
    assert error_at_irregular_times(False) > 1.06
