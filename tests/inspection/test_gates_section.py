"""The distributions of gates on the page, and what is said of them."""

import json
from types import SimpleNamespace

import pytest
import torch

import ostinato
from ostinato.data.lanes import Segment
from ostinato.inspection.gates import section
from ostinato.models.language_model import LanguageModel


def subject_of(cell, **values):
    torch.manual_seed(0)
    model, tokens = LanguageModel(9, cell, hidden_size=6, **{"num_layers": 1, **values}), torch.randint(9, (21, 4))
    return SimpleNamespace(model=model, batch=Segment(tokens[:-1], tokens[1:], None))


def test_each_layer_has_a_picture_and_time_constants_have_one():
    made = section(subject_of("lstm", num_layers=2))
    assert [p.name for p in made.pictures] == ["gates-recurrent-1", "gates-recurrent-2", "gates-time-constants"]
    assert made.pictures[0].caption.startswith("Layer 1. Of i, f, g and o none is at one end for more than 10 %")
    assert "With f at the mean and nothing new coming in, c falls to 37 % (1/e) within" in made.pictures[0].caption
    assert "i, f, g, o, c′, h′" in made.pictures[0].alt
    assert made.summary.startswith(
        "No quantity is at one end for more than 10 % of its values. Judged by its mean gate"
    )
    numbers = json.loads(json.dumps(made.data, allow_nan=False))
    assert len(numbers["layers"][1]["quantities"][0]["means"]) == 6


def test_a_gate_that_is_shut_is_named():
    subject = subject_of("lstm")
    with torch.no_grad():
        subject.model.recurrent.layers[0][0].b_f.fill_(-9)
        subject.model.recurrent.layers[0][0].b_i.fill_(9)
    made = section(subject)
    assert "Near 0 (below 0.05): 100 % of f. Near 1 (above 0.95): 100 % of i." in made.pictures[0].caption
    assert made.summary.startswith("Most saturated: 100 % of i of layer 1 is near 1.")


def test_units_that_are_never_on_are_counted():
    subject = subject_of("elman-relu")
    with torch.no_grad():
        subject.model.recurrent.layers[0][0].b.fill_(-99)
    caption = section(subject).pictures[0].caption
    assert "At 0: 100 % of h′." in caption
    assert "6 of 6 units of h′ are 0 at every step" in caption


def test_a_state_that_nothing_leaves_lasts_for_ever():
    made = section(subject_of("z = sigmoid(b)\nh' = z * h + W @ x", initialisers={"b": 99.0}))
    assert "no end of steps" in made.pictures[0].caption
    assert made.data["layers"][0]["kept"][0]["time_constants"] == [None] * 6


def test_a_plain_cell_shows_its_states_and_says_so():
    made = section(subject_of("mc-lstm"))
    assert [p.name for p in made.pictures] == ["gates-recurrent-1"]
    assert "no names: these are its states" in made.pictures[0].caption


def test_many_quantities_are_named_though_not_drawn():
    assert "Not drawn, but in the numbers: " in section(subject_of("hyper-lstm")).pictures[0].caption


def test_values_that_are_no_numbers_are_counted():
    subject = subject_of("gru")
    with torch.no_grad():
        subject.model.recurrent.layers[0][0].b_n[0] = torch.nan
    made = section(subject)
    assert "values are not finite and are left out" in made.pictures[0].caption
    assert json.dumps(made.data, allow_nan=False)


@pytest.mark.parametrize("cell", ["leaky", "unitary", "slstm", "lru", "linear"])
def test_any_cell_has_a_section(cell):
    made = section(subject_of(cell))
    assert made.pictures[0].png.startswith(b"\x89PNG")


def test_a_wrapped_cell_names_what_it_adds():
    subject = subject_of("lstm", zoneout=0.2)
    assert isinstance(subject.model.recurrent.layers[0][0], ostinato.Zoneout)
    assert "c_made′" in section(subject).pictures[0].alt
