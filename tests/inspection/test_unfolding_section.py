"""Which cells of a model the page draws, and which layers it says that they are."""

from types import SimpleNamespace

import pytest
from torch import nn

import ostinato
from ostinato.inspection import unfolding


def drawn(**networks):
    """Return the section of a model of these networks."""
    return unfolding.section(SimpleNamespace(model=nn.ModuleDict(networks)))


def starts(section):
    return [picture.caption.partition(". ")[0] for picture in section.pictures]


def test_layers_that_are_drawn_alike_are_drawn_once_above_each_other():
    found = drawn(recurrent=ostinato.Recurrent("lstm", 8, 8, num_layers=3))
    assert starts(found) == ["3 layers of lstm"]
    assert [picture.name for picture in found.pictures] == ["unfolding-recurrent"]
    assert "are used at every step, by each layer and direction its own." in found.pictures[0].caption


def test_layers_of_other_sizes_have_drawings_of_their_own():
    found = drawn(recurrent=ostinato.Recurrent("gru", 3, [8, 8, 8, 5]))
    assert starts(found) == ["Layers 1 to 3: 3 layers of gru", "Layer 4: one layer of gru"]
    assert [picture.name for picture in found.pictures] == [f"unfolding-recurrent-{first}" for first in (1, 4)]
    numbers = [(n["first"], n["layers"], n["input"], n["output"]) for n in found.data["networks"]]
    assert numbers == [(0, 3, 3, 8), (3, 1, 8, 5)]


def test_a_stack_whose_first_layer_reads_another_size_is_one_drawing():
    found = drawn(recurrent=ostinato.Recurrent("gru", 3, 8, num_layers=3))
    assert starts(found) == ["3 layers of gru"]
    assert (
        "The same 312 numbers are used at every step, by each layer and direction its own, 432 above the first."
        in found.pictures[0].caption
    )


def test_two_directions_of_a_cell_are_drawn_once():
    found = drawn(recurrent=ostinato.Recurrent("gru", 8, 8, bidirectional=True))
    assert starts(found) == ["One layer of gru, in both directions"]
    assert found.pictures[0].svg.count("→") > 0


def test_networks_of_other_cells_are_drawn_each_and_equal_ones_once():
    gru, other = (ostinato.Recurrent("gru", 4, 4) for _ in range(2))
    found = drawn(encoder=gru, decoder=other, last=ostinato.Recurrent("lstm", 4, 4))
    assert starts(found) == ["Encoder: one layer of gru; decoder: one layer of gru", "Last: one layer of lstm"]
    assert found.summary == "Encoder: one layer of gru. Decoder: one layer of gru. Last: one layer of lstm."
    assert len(found.data["networks"]) == 3


def test_equal_cells_of_networks_of_other_forms_are_drawn_once_as_of_the_first():
    both, one = ostinato.Recurrent("gru", 4, 4, bidirectional=True), ostinato.Recurrent("gru", 4, 4)
    (picture,) = drawn(encoder=both, decoder=one).pictures
    assert picture.caption.startswith("Encoder: one layer of gru, in both directions; decoder: one layer of gru. From")
    assert picture.caption.endswith("Its first three steps are drawn as of the encoder.")
    assert "←" in picture.svg


@pytest.mark.parametrize("cell", ["h' = tanh(W @ x + U @ h)", "clockwork"])
def test_a_cell_alone_has_one(cell):
    made = ostinato.cell(cell, 3, 4) if "=" in cell else ostinato.CATALOGUE[cell].build(3, 4)
    (picture,) = drawn(cell=made).pictures
    assert picture.caption.startswith("One layer of ")
