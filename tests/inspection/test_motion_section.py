"""What the page says of where states go."""

import json

import numpy as np
import pytest

import ostinato
from ostinato.diagnostics.motion import RestingPoint
from ostinato.inspection import motion
from ostinato.inspection.subject import open_subject


@pytest.fixture
def trained(tmp_path):
    def made(**settings):
        (tmp_path / "text.txt").write_text("to be or not to be that is the question " * 60)
        ostinato.train_language_model(
            tmp_path / "text.txt", out=tmp_path / "run", steps=1, sample_length=0, progress=False, **settings
        )
        return open_subject(tmp_path / "run", steps=20, rows=4)

    return made


def test_each_layer_is_drawn_with_its_resting_points(trained):
    found = motion.section(trained(hidden_size=5, num_layers=2, cell="gru"))
    assert [drawn.name for drawn in found.pictures] == [f"state-in-motion-recurrent-{layer}" for layer in (1, 2)]
    for layer in json.loads(json.dumps(found.data, allow_nan=False))["layers"]:
        assert np.shape(layer["paths"]) == (3, 20, 2)
        (point,) = layer["resting_points"]  # before it has learned, a small network has one
        assert point["stable"]
        assert "1 stable" in found.pictures[layer["layer"]].caption


def test_large_layers_are_drawn_without_a_search(trained):
    found = motion.section(trained(hidden_size=motion.SEARCHED + 1, num_layers=1, cell="elman"))
    assert found.data["layers"][0]["resting_points"] is None
    assert "at most 64 numbers" in found.pictures[0].caption


@pytest.mark.parametrize(("cell", "size"), [("indrnn", 1), ("lru", 4), ("h' = 0 * x", 3)])
def test_any_cell_has_the_section(trained, cell, size):
    settings = {"embedding_size": 3} if "=" in cell else {}
    found = motion.section(trained(hidden_size=size, num_layers=1, cell=cell, **settings))
    json.dumps(found.data, allow_nan=False)


def resting(radius, speed=0.0):
    return RestingPoint(np.zeros(1), speed, speed == 0, np.array([radius + 0j]), 1)


@pytest.mark.parametrize(
    ("points", "said"),
    [
        (None, "are searched on this page where"),
        ([], "no place was found"),
        ([resting(2.0)], "(1 unstable): none of those found holds"),
        (
            [resting(0.5), resting(2.0), resting(0.5, 0.01)],
            "(1 stable, 1 unstable, 1 slow): states near the stable one",
        ),
        ([resting(0.5), resting(0.2)], "(2 stable): which of the stable ones"),
    ],
)
def test_what_resting_points_mean_is_said(points, said):
    assert said in motion.in_words(points)
