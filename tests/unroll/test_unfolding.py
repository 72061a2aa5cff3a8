"""The picture of a cell: its step where it has equations, its first three steps always."""

from xml.etree import ElementTree

import pytest

from ostinato import CATALOGUE, ConfigError, EquationError
from ostinato.unroll.unfolding import unfolding

SVG = "{http://www.w3.org/2000/svg}"


def texts(picture: str) -> list[str]:
    root = ElementTree.fromstring(picture)
    return ["".join(text.itertext()).replace("\u200b", "") for text in root.iter(f"{SVG}text")]


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_cell_of_the_catalogue_is_drawn(name):
    said = texts(unfolding(name, 4, 4))
    assert "The first three steps" in said
    assert any(line.startswith("One step") for line in said) == bool(CATALOGUE[name].equations)
    assert {"x1 4", "x2 4", "x3 4"} <= set(said)


def test_a_picture_is_the_same_every_time():
    assert unfolding("gru", 5, 6) == unfolding("gru", 5, 6)


def test_sizes_are_named_once_and_stand_beside_each_value():
    said = texts(unfolding("lstm", 5, 6))
    assert "One step, D = 5, H = 6" in said
    assert {"input at t (D)", "from t − 1 (H)"} <= set(said)
    assert "D" not in said  # nothing else has the size of the input
    assert {"x1 5", "y3 6", "h0 6", "c3 6"} <= set(said)


def test_a_state_with_an_index_of_its_own_has_the_step_beside_it():
    assert {"h1 (0) 4", "h2 (3) 4"} <= set(texts(unfolding("clockwork", 4, 4)))


def test_a_name_of_the_catalogue_is_written_in_full():
    longest = max(CATALOGUE, key=len)
    assert texts(unfolding(longest, 4, 4)).count(longest) == 3


def test_layers_stand_above_each_other_and_both_directions_beside():
    one = texts(unfolding("elman", 4, 4, layers=2))
    two = texts(unfolding("elman", 4, 4, layers=2, both_ways=True, name="mine"))
    assert one.count("layer 2") == 3
    assert two.count("layer 2 ←") == two.count("layer 1 →") == 3
    assert two.count("mine") == 12
    assert {"h4 4", "h0 4"} <= set(two)


def test_boxes_of_steps_stand_apart():
    picture = ElementTree.fromstring(unfolding("mc-lstm", 4, 4, layers=3, both_ways=True))
    placed = [tuple(map(float, g.get("data-box").split())) for g in picture.iter(f"{SVG}g") if g.get("data-box")]
    assert len(placed) == 18
    for k, (a, b, c, d) in enumerate(placed):
        assert not [p for p in placed[:k] if a < p[0] + p[2] and p[0] < a + c and b < p[1] + p[3] and p[1] < b + d]


def test_equations_and_wrapped_cells_are_drawn():
    from ostinato import Zoneout

    said = texts(unfolding("h' = tanh(W @ x + U @ h)", 4, 4))
    assert "U @" in said
    zoned = texts(unfolding(Zoneout(CATALOGUE["elman"].build(4, 4), 0.1), name="elman"))
    assert any(line.startswith("One step") for line in zoned)


@pytest.mark.parametrize(("cell", "error"), [("lstn", ConfigError), ("h' = tanh(", EquationError)])
def test_what_is_no_cell_is_said(cell, error):
    with pytest.raises(error):
        unfolding(cell)
