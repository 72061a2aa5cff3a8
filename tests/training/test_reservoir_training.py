"""Fitting a reservoir from settings: its folder, its figures, and what is refused."""

import json
from dataclasses import replace

import pytest

from ostinato import ConfigError
from ostinato.training import config
from ostinato.training.config import ReservoirRun
from ostinato.training.progress import Silent
from ostinato.training.reservoir import train
from ostinato.training.run_folder import read_tensors

SMALL = {"hidden_size": 40, "steps": 400, "washout": 100, "threads": 1}
JAEGER = {"leak": 0.44, "decay": 0.9, "spectral_radius": 0.79, "input_scale": 0.56}


def fitted(folder, **settings):
    run = config.override(ReservoirRun(), "test", {**SMALL, **settings})
    return train(replace(run, out=folder), Silent())


def test_a_small_reservoir_predicts_the_series_better_than_its_mean(tmp_path):
    figures = fitted(tmp_path / "run", hidden_size=80, steps=900, ridge=1e-9, keywords=JAEGER).figures
    assert figures["nrmse84"] < 0.8
    assert figures["fitted_mse"] < 1e-5


def test_the_memory_of_an_orthogonal_linear_reservoir_is_nearly_its_size(tmp_path):
    settings = {"cell": "echo-state-linear", "bias": False, "initialisers": "orthogonal", "steps": 1500}
    figures = fitted(tmp_path / "run", series="memory-capacity", keywords={"spectral_radius": 0.9}, **settings).figures
    assert 0.8 < figures["share"] <= 1.0


def test_what_was_reached_stands_in_the_folder(tmp_path):
    found = fitted(tmp_path / "run", keywords=JAEGER)
    assert json.loads((found.folder / "metrics.jsonl").read_text())["nrmse84"] == found.figures["nrmse84"]
    tensors, facts = read_tensors(found.folder / "model.safetensors", kind="reservoir")
    assert facts["nrmse84"] == found.figures["nrmse84"]
    assert tensors["readout"].shape == (1, 42)
    assert "leak: 0.44" in (found.folder / "config.yaml").read_text()


def test_the_same_seed_gives_the_same_figures(tmp_path):
    first, second = (fitted(tmp_path / str(k), seed=3).figures for k in range(2))
    assert first == second


def test_there_is_nothing_to_go_on_with(tmp_path):
    with pytest.raises(ConfigError, match="a readout is solved for at once"):
        train(ReservoirRun(out=tmp_path / "run", resume=True), Silent())


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"steps": 100}, "the washout ends before"),
        ({"keywords": {"sparsity": 2.0}}, "share from 0"),
        ({"steps": 0}, "greater than 0"),
    ],
)
def test_what_is_not_possible_leaves_no_folder(tmp_path, settings, said):
    with pytest.raises(ConfigError, match=said):
        fitted(tmp_path / "run", **settings)
    assert list(tmp_path.iterdir()) == []
