"""Influence balancing: what truncation sees of the one number, and which methods find its best value."""

import json
from dataclasses import replace

import pytest
import torch

from ostinato import ConfigError, gradients
from ostinato.models.influence_balancing import BEST, UNITS, InfluenceBalancing
from ostinato.training import config
from ostinato.training.config import BalancingRun
from ostinato.training.influence_balancing import draw, learn, train
from ostinato.training.progress import Silent
from ostinato.training.run_folder import read_tensors

PUBLISHED = {1: 1.0, 10: 10.0, 20: 16.48, 40: 0.57, 50: -4.75, 400: -6.0}


def run(folder=None, **settings) -> BalancingRun:
    made = config.override(BalancingRun(), "test", {"steps": 200, "threads": 1, **settings})
    return replace(made, out=folder)


def at_rest(theta: float) -> torch.Tensor:
    """Return the state (1, 23) that stays."""
    system = InfluenceBalancing()
    return torch.linalg.solve(torch.eye(UNITS) - system.chain, theta * system.signs)[None]


def test_the_best_number_brings_unit_0_to_its_target():
    assert at_rest(BEST)[0, 0].item() == pytest.approx(1.0)


@pytest.mark.parametrize(("steps", "slope"), PUBLISHED.items())
def test_the_slope_that_truncation_sees_is_the_published_one(steps, slope):
    system, rest = InfluenceBalancing(theta=0.5), at_rest(0.5)
    assert system.effect(steps)[-1] == pytest.approx(slope, abs=0.01)

    def last(states):
        return (states[-1, :, 0] - 1).square().sum() / 2

    found = gradients(system, torch.zeros(steps, 1, 0), last, state=rest).of["theta"].item()
    assert found == pytest.approx((rest[0, 0].item() - 1) * system.effect(steps)[-1])


def test_up_to_40_steps_the_sign_is_wrong():
    effect = InfluenceBalancing().effect(400)
    assert all(slope > 0 for slope in effect[:40])
    assert all(slope < 0 for slope in effect[40:])


@pytest.mark.parametrize(
    "settings",
    [
        {"gradient": "randomized", "k1": 50, "theta": 0.0, "learning_rate": 5e-5, "steps": 3000},
        {"gradient": "rtrl", "k1": 20, "theta": 0.0, "learning_rate": 1.5e-4, "steps": 700},
    ],
    ids=["randomized", "rtrl"],
)
def test_without_bias_the_best_number_is_found(settings):
    path, _ = learn(run(**settings))
    assert path[-1][1] == pytest.approx(BEST, abs=5e-3)


def test_truncation_moves_the_wrong_way_and_diverges(tmp_path):
    found = train(run(tmp_path / "run", gradient="truncated", learning_rate=1e-4, steps=4000, k1=20), Silent())
    assert found.diverged
    assert found.path[-1][0] < 4000
    assert read_tensors(found.folder / "model.safetensors", kind="influence-balancing")[1]["diverged"]


def test_what_was_reached_stands_in_the_folder(tmp_path):
    found = train(run(tmp_path / "run"), Silent())
    lines = [json.loads(line) for line in (found.folder / "metrics.jsonl").read_text().splitlines()]
    assert lines[0] == {"step": 0, "theta": 0.5}
    tensors, facts = read_tensors(found.folder / "model.safetensors", kind="influence-balancing")
    assert tensors["theta"].item() == found.theta == facts["theta"]
    assert "gradient: randomized" in (found.folder / "config.yaml").read_text()


def test_the_way_is_drawn(tmp_path):
    settings = run(tmp_path / "run")
    picture = draw(train(settings, Silent()), settings)
    assert "<svg" in picture.read_text()


def test_seeds_draw_other_windows():
    ways = [learn(run(seed=seed))[0] for seed in (1, 1, 2)]
    assert ways[0] == ways[1] != ways[2]


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"steps": 0}, "greater than 0"), ({"learning_rate": -1.0}, "greater than 0"), ({"seed": -1}, "seed is -1")],
)
def test_settings_that_are_not_possible_are_refused(tmp_path, settings, said):
    with pytest.raises(ConfigError, match=said):
        train(run(tmp_path / "run", **settings), Silent())
    assert not (tmp_path / "run").exists()


def test_there_is_nothing_to_go_on_with(tmp_path):
    with pytest.raises(ConfigError, match="takes seconds"):
        train(replace(run(tmp_path / "run"), resume=True), Silent())
