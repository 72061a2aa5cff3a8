"""Training a forecaster on a person's own series: a whole run, its folder, going on, using it, and what is refused."""

import csv
import io
import json
import signal
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import ostinato
from ostinato import ConfigError, DataError
from ostinato.data.store import Store
from ostinato.training import config
from ostinato.training.config import ForecasterRun
from ostinato.training.forecaster import train, train_forecaster
from ostinato.training.forecaster.parts import write_whole
from ostinato.training.interrupts import StopRequest
from ostinato.training.progress import Silent
from ostinato.training.run_folder import RunFolder, read_tensors

SMALL = {
    "hidden_size": 8, "batch_size": 4, "steps": 12, "context": 24, "horizon": 6, "samples": 20, "threads": 1,
}  # fmt: skip


def hours(count: int, *, start: int = 0, level: float = 20.0) -> list[tuple]:
    """Return rows of a day's wave over so many hours, with noise: time, warmth, whether it is a working hour."""
    draw = np.random.default_rng(7)
    noise = draw.normal(0, 0.3, start + count)
    times = np.datetime64("2024-03-01T00") + np.arange(start + count)
    warm = level + 5 * np.sin(2 * np.pi * np.arange(start + count) / 24) + noise
    busy = (np.arange(start + count) % 24 >= 8) * 1
    rows = zip(times.astype(str), warm.round(3), busy, strict=True)
    return list(rows)[start:]


def write(path, rows, header=("when", "warm", "busy")):
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


@pytest.fixture
def file(tmp_path):
    return write(tmp_path / "house.csv", hours(300))


def begin(folder, file, **settings) -> ForecasterRun:
    known = {"time": "when", "target": "warm"} if str(file).endswith("csv") else {}
    made = config.override(ForecasterRun(), "test", {"file": str(file), **known, **SMALL, **settings})
    return replace(made, out=folder)


def schema(folder) -> dict:
    return json.loads((folder / "schema.json").read_text())


def test_one_call_leaves_a_folder_that_explains_itself(tmp_path, file):
    outcome = train_forecaster(file, out=tmp_path / "run", progress=False, time="when", target="warm", **SMALL)
    folder = RunFolder(tmp_path / "run")
    assert "1 number a step (warm)" in folder.card.read_text()
    found = schema(folder.path)
    assert (found["step"], found["unit"], found["season"], found["cycles"]) == (3600, "seconds", 24, ["hour of day"])
    assert outcome.tested == json.loads((folder.report / "figures.json").read_text())["test"]
    assert outcome.tested.keys() >= {"nats", "mse", "scaled_mse", "mae", "mase", "crps", "quantile_loss", "coverage_80"}
    assert (folder.report / "forecast.png").stat().st_size > 10_000
    _, facts = read_tensors(folder.model, kind="forecaster")
    assert facts["nats"] == outcome.best


def test_the_ends_of_a_series_are_kept_to_validate_and_to_test(tmp_path, file):
    train(begin(tmp_path / "run", file, validation="30", test="0.2", steps=1), Silent())
    parts = {part: Store(tmp_path / "run/state/items" / part) for part in ("train", "valid", "test")}
    steps = {part: store.lengths("values")[0] - store.read("lead", 0)[0] for part, store in parts.items()}
    assert steps == {"train": 210, "valid": 30, "test": 60}
    values = np.array([row[1] for row in hours(300)])
    assert parts["test"].read("values", 0)[:, 0].tolist() == values[300 - 60 - 24 - 1 :].tolist()
    assert schema(tmp_path / "run")["mean"] == [pytest.approx(values[:210].mean())]  # of what is learned from alone


def test_learning_finds_the_wave_of_a_day(tmp_path, file):
    outcome = train(begin(tmp_path / "run", file, hidden_size=16, steps=150, learning_rate=0.01), Silent())
    naive = train(begin(tmp_path / "naive", file, baseline="seasonal-naive"), Silent())
    assert outcome.tested["mse"] < naive.tested["mse"]
    assert outcome.tested["mase"] < 1


def test_a_run_that_was_stopped_comes_to_the_same_bits(tmp_path, file, monkeypatch):
    whole = train(begin(tmp_path / "whole", file, dropout=0.3), Silent())
    monkeypatch.setattr(StopRequest, "__enter__", lambda self: SimpleNamespace(signal=signal.SIGTERM))
    run = begin(tmp_path / "parts", file, dropout=0.3)
    assert train(run, Silent()).step == 1
    monkeypatch.undo()
    finished = train(replace(run, resume=True), Silent())
    assert finished.metrics == whole.metrics
    assert (tmp_path / "parts/model.safetensors").read_bytes() == (tmp_path / "whole/model.safetensors").read_bytes()


def test_series_are_gone_on_with(tmp_path, file):
    train(begin(tmp_path / "run", file), Silent())
    model = ostinato.load(tmp_path / "run")
    ahead = write(tmp_path / "new.csv", hours(40, start=300))
    (table,) = (list(csv.DictReader(io.StringIO("\n".join(model.lines(file=str(ahead)))))),)
    assert [row["time"] for row in table] == [f"2024-03-15 {4 + k:02}:00:00" for k in range(6)]
    assert all(float(row["0.1"]) <= float(row["0.5"]) <= float(row["0.9"]) for row in table)
    (line,) = map(json.loads, model.lines(file=str(ahead), form="jsonl", horizon=3, samples=7))
    assert len(line["mean"]["warm"]) == len(line["quantiles"]["0.5"]["warm"]) == 3
    figures = model.evaluate(ahead)
    assert figures["steps"] == 40
    assert figures["forecasts"] == 2


def test_a_part_begins_with_all_that_its_first_forecast_reads(tmp_path, file):
    train(begin(tmp_path / "run", file, lags="1,24", head="point", test="60"), Silent())
    model = ostinato.load(tmp_path / "run")
    origins = model.origins(Store(tmp_path / "run/state/items/test"), every=6)
    (forecast,) = model.predict(_series(write(tmp_path / "known.csv", hours(240)), item=None))
    assert np.allclose(model.forecast_from(origins, np.array([0]))[1][0, :, 0], forecast.mean, atol=1e-5)


def test_forecasts_of_arrays_follow_from_their_seed(tmp_path, file):
    train(begin(tmp_path / "run", file, calendar=False), Silent())
    table = write(tmp_path / "plain.csv", [(row[1],) for row in hours(60)], header=("v",))
    train(begin(tmp_path / "plain", table, time=None, target="v", season=24), Silent())
    model = ostinato.load(tmp_path / "plain")
    series = [np.arange(30.0), np.arange(7.0)[:, None]]
    one, two = list(model.predict(iter(series), seed=3))
    again = list(model.predict(series, seed=3))
    assert np.array_equal(one.samples, again[0].samples)
    assert (one.mean.shape, one.samples.shape, one.times[:2]) == ((6, 1), (20, 6, 1), ["31", "32"])
    assert all(np.diff(list(forecast.quantiles.values()), axis=0).min() >= 0 for forecast in (one, two))
    with pytest.raises(DataError, match="2 numbers a step"):
        next(model.predict([np.ones((5, 2))]))
    with pytest.raises(DataError, match="no finite numbers"):
        next(model.predict([np.array([1.0, np.nan])]))
    for name, number in (("horizon", -1), ("horizon", 0), ("samples", 0)):
        with pytest.raises(ConfigError, match=name):
            next(model.predict(series, **{name: number}))
    (lone,) = model.predict(series[:1], samples=1)
    assert all(np.array_equal(level, lone.samples[0]) for level in lone.quantiles.values())
    heading, *lines = model.lines(["1 2 3"], samples=1)
    assert {line.count(",") for line in lines} == {heading.count(",")}


def test_values_that_a_head_cannot_say_are_refused_in_use_as_in_training(tmp_path, file):
    train(begin(tmp_path / "run", file, target="busy", head="negative-binomial", calendar=False, steps=1), Silent())
    ahead = write(tmp_path / "new.csv", [(row[0], row[1], -2) for row in hours(30)])
    model = ostinato.load(tmp_path / "run")
    for ask in (lambda: list(model.lines(file=str(ahead))), lambda: model.evaluate(ahead)):
        with pytest.raises(DataError, match="-2 at step 1 of column busy"):
            ask()


def test_covariates_of_steps_to_come_are_asked_for(tmp_path, file):
    train(begin(tmp_path / "run", file, covariates="busy"), Silent())
    model = ostinato.load(tmp_path / "run")
    known = [*hours(40), *((f"2024-03-02T{16 + k}", "", 1) for k in range(4))]
    path = write(tmp_path / "new.csv", known)
    assert len(list(model.lines(file=str(path), horizon=4))) == 5
    with pytest.raises(DataError, match="busy of all 6 steps are needed"):
        list(model.lines(file=str(path)))


@pytest.mark.parametrize(("scaling", "higher"), [("item", 5e8), ("none", 5.0)])
def test_large_and_small_series_are_read_alike(tmp_path, scaling, higher):
    rows = [
        (name, time, warm) for name, level in (("a", 0.0), ("b", higher)) for time, warm, _ in hours(100, level=level)
    ]
    path = write(tmp_path / "two.csv", rows, header=("item", "when", "warm"))
    settings = {"item": "item", "scaling": scaling}
    outcome = train(begin(tmp_path / "run", path, **settings), Silent())
    assert np.isfinite(outcome.tested["nats"])
    forecasts = {one.item: one for one in ostinato.load(tmp_path / "run").predict(_series(path))}
    assert set(forecasts) == {"a", "b"}
    if scaling == "item":  # their waves are those of one another, moved
        assert np.allclose(forecasts["b"].mean - higher, forecasts["a"].mean, atol=3)


def _series(path, item="item"):
    from ostinato.data.series import Columns, open_series

    return open_series(path, Columns(item=item, time="when", target=("warm",)))


@pytest.mark.parametrize(
    "settings",
    [
        {"head": "point", "loss": "huber"},
        {"head": "student-t", "changes": True},
        {"head": "mixture", "components": 2, "lags": "1,24"},
        {"target": "busy", "head": "negative-binomial"},
        {"target": "busy", "head": "bernoulli"},
        {"target": "busy", "head": "negative-binomial", "select": "mse"},
        {"horizon": 40},
        {"target": "busy", "head": "nade", "head_size": 3},
        {"target": "warm,busy", "direct": False},
        {"select": "mse", "origins": 2, "every": 5},
        {"baseline": "last-value"},
        {"baseline": "hmm", "target": "busy", "states": 2},
        {"cell": "h' = exp(-softplus(k) * dt) * h + tanh(W @ x + b)"},
        {"validation": "0", "test": "0", "first": 100},
        {"k1": 8, "gradient": "truncated"},
    ],
)
def test_every_setting_trains_and_is_used(tmp_path, file, settings):
    outcome = train(begin(tmp_path / "run", file, **settings), Silent())
    assert all(np.isfinite(value) for value in outcome.tested.values())
    lines = list(ostinato.load(tmp_path / "run").lines(file=str(file), horizon=2))
    assert len(lines) == 1 + 2 * len(schema(tmp_path / "run")["targets"])


def test_piano_rolls_are_learned_by_their_parts(tmp_path):
    draw = np.random.default_rng(0)
    pieces = [[[60, 60 + int(k)] for k in draw.integers(1, 5, 20)] for _ in range(6)]
    path = tmp_path / "rolls.json"
    path.write_text(json.dumps({"train": pieces[:4], "valid": pieces[4:5], "test": pieces[5:]}))
    outcome = train(begin(tmp_path / "run", path, dropout=0.5), Silent())
    assert outcome.tested == {"nats": outcome.tested["nats"], "steps": 20}
    assert "head: nade" in (tmp_path / "run/config.yaml").read_text()
    chain = train(begin(tmp_path / "hmm", path, baseline="hmm", states=3), Silent())
    assert np.isfinite(chain.tested["nats"])
    for name in ("run", "hmm"):
        (forecast,) = ostinato.load(tmp_path / name).predict([np.zeros((3, 88))], horizon=4, samples=5)
        assert set(np.unique(forecast.samples)) <= {0.0, 1.0}
    with pytest.raises(ConfigError, match="seasonal-naive of frames of bits"):
        train(begin(tmp_path / "naive", path, baseline="seasonal-naive"), Silent())


def test_the_time_between_steps_is_read_where_it_varies(tmp_path):
    draw = np.random.default_rng(1)
    times = draw.exponential(1.0, 200).cumsum().round(4)
    path = write(tmp_path / "gaps.csv", zip(times, np.sin(times), strict=True), header=("t", "v"))
    settings = {"time": "t", "target": "v"}
    train(begin(tmp_path / "run", path, **settings), Silent())
    assert schema(tmp_path / "run")["reads_gaps"] is True
    train(begin(tmp_path / "dt", path, cell="h' = exp(-dt) * h + tanh(W @ x + b)", **settings), Silent())
    assert schema(tmp_path / "dt")["reads_gaps"] is False


def test_second_files_validate_and_test(tmp_path, file):
    other = write(tmp_path / "other.csv", hours(60, start=300))
    run = begin(tmp_path / "run", file, validation=str(other), test=str(other))
    outcome = train(run, Silent())
    assert outcome.tested["steps"] == 60
    write(other, [(1, 2)], header=("when", "cold"))
    with pytest.raises(DataError, match="no column 'warm'"):
        train(replace(run, out=tmp_path / "again"), Silent())


def test_no_forecast_of_another_file_sees_what_comes(tmp_path, file):
    train(begin(tmp_path / "run", file, scaling="item", head="point", season=2, steps=2), Silent())
    model, rows = ostinato.load(tmp_path / "run"), hours(60)
    moved = [(time, warm + 1e6 * (k >= 40), busy) for k, (time, warm, busy) in enumerate(rows)]
    means, errors = [], []
    for name, given in (("as.csv", rows), ("moved.csv", moved)):
        store = _whole(tmp_path, name, given, model)
        asked, drawn = model.forecast_from(model.origins(store, every=1), np.arange(5))
        means.append(drawn)
        errors.append(asked.naive)
    assert np.array_equal(*means)
    assert np.array_equal(*errors)
    values = np.array([[warm] for _, warm, _ in rows])
    (forecast,) = model.predict(_series(write(tmp_path / "start.csv", rows[:24]), item=None))
    assert np.allclose(means[0][0, :, 0], forecast.mean)  # of 24 rows, a context
    assert errors[0][0] == pytest.approx(np.abs(values[2:24] - values[:22]).mean())
    assert model.evaluate(tmp_path / "as.csv")["steps"] == 60 - 12  # half a context tells the scale


def _whole(folder, name, rows, model) -> Store:
    return write_whole(folder / f"{name} items", _series(write(folder / name, rows), item=None), model.encoder)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"lags": "1,day"}, "--lags: '1,day'"),
        ({"lags": "0"}, "--lags"),
        ({"horizon": 0}, "--horizon"),
        ({"context": -1}, "--context"),
        ({"validation": "1.5"}, "--validation: '1.5'"),
        ({"test": "-1"}, "--test: '-1'"),
        ({"test": "no-such.csv"}, "no such file"),
        ({"head": "negative-binomial"}, "negative-binomial says counts: 0, 1, 2, …"),
        ({"head": "nade"}, "nade says bits, 0 or 1"),
        ({"target": "busy", "head": "nade", "changes": True}, "Changes are of numbers"),
        ({"select": "mse", "horizon": 40}, "no forecast of 40 steps fits"),
        ({"target": "cold"}, "no column 'cold'"),
        *(({"gradient": method}, f"--gradient: {method}") for method in ("rtrl", "snap", "uoro", "kf-rtrl", "e-prop")),
        ({"validation": "200", "test": "100"}, "nothing is left to learn from"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_a_folder_exists(tmp_path, file, settings, said):
    with pytest.raises(ostinato.OstinatoError, match=said):
        train(begin(tmp_path / "run", file, **settings), Silent())
    assert not (tmp_path / "run").exists()
