"""What the page says of steps: their spectra and exponents."""

import json

import numpy as np
import pytest
from small_runs import trained

from ostinato.diagnostics.lyapunov import Exponents
from ostinato.inspection import spectra


def test_each_layer_is_drawn_and_its_numbers_are_kept(tmp_path):
    found = spectra.section(trained(tmp_path, hidden_size=6, num_layers=2, cell="lstm"))
    assert [picture.name for picture in found.pictures] == [
        *(f"spectra-recurrent-{layer}-{what}" for layer in (1, 2) for what in ("eigenvalues", "singular-values")),
        "spectra-lyapunov-exponents",
    ]
    numbers = json.loads(json.dumps(found.data, allow_nan=False))["layers"]
    assert [layer["state_size"] for layer in numbers] == [12, 12]
    assert list(numbers[0]["weights"]) == ["U_i", "U_f", "U_g", "U_o"]
    assert len(numbers[0]["lyapunov"]) == 4
    assert numbers[0]["singular_values"]["high"][0] <= numbers[0]["growth"]


@pytest.mark.parametrize(("cell", "size"), [("indrnn", 6), ("elman", 1), ("lru", 6), ("h' = W @ x", 3)])
def test_any_cell_has_the_section(tmp_path, cell, size):
    found = spectra.section(trained(tmp_path, hidden_size=size, num_layers=1, cell=cell))
    assert len(found.pictures) == 3
    json.dumps(found.data, allow_nan=False)


def test_a_plain_network_has_the_bound_of_its_weights(tmp_path):
    found = spectra.section(trained(tmp_path, hidden_size=6, num_layers=1, cell="elman"))
    (layer,) = found.data["layers"]
    assert layer["growth"] <= layer["growth_of_weights"] * (1 + 1e-6)
    assert "on any data" in found.pictures[1].caption


@pytest.mark.parametrize(
    ("growths", "said"),
    [
        (np.full((16, 2, 1), -0.5), "halves every 1.4 steps"),
        (np.full((16, 2, 1), 0.5), "drives states that differ a little apart along these windows"),
        (np.zeros((16, 2, 1)), "neither parts nor joins"),
        (np.tile([[[-0.9]], [[0.88]]], (8, 2, 1)).repeat(2, 0)[1:-1], "neither parts nor joins"),
        (np.full((16, 2, 1), -np.inf), "keeps no difference"),
    ],
)
def test_what_an_exponent_means_is_said(growths, said):
    words = spectra.in_words(Exponents("", 0, False, growths), "layer 1", "windows")
    assert words.startswith("Layer 1 ")
    assert said in words
