"""What the page says of how states answer a push."""

import json

import numpy as np
import pytest
from small_runs import trained

from ostinato.diagnostics.response import Response
from ostinato.inspection import response


def test_all_layers_are_drawn_in_one_picture_and_their_numbers_are_kept(tmp_path):
    found = response.section(trained(tmp_path, hidden_size=6, num_layers=2, cell="lstm"))
    assert [picture.name for picture in found.pictures] == ["state-response"]
    numbers = json.loads(json.dumps(found.data, allow_nan=False))["layers"]
    assert [(layer["layer"], layer["start"], len(layer["median"])) for layer in numbers] == [(0, 5, 15), (1, 5, 15)]
    assert numbers[0]["median"][0] == pytest.approx(1, abs=1e-3)
    assert found.pictures[0].caption.startswith(found.summary)
    assert "in layer 1, " in found.summary
    assert "in layer 2, " in found.summary


@pytest.mark.parametrize(("cell", "size"), [("elman", 1), ("lru", 6), ("h' = W @ x", 3)])
def test_any_cell_has_the_section(tmp_path, cell, size):
    found = response.section(trained(tmp_path, hidden_size=size, num_layers=1, cell=cell))
    assert len(found.pictures) == 1
    json.dumps(found.data, allow_nan=False)


@pytest.mark.parametrize(
    ("ratios", "said"),
    [
        (0.1 ** np.arange(5.0), "in layer 1, less than 1 % after 2 steps"),
        (0.9 ** np.arange(5.0), "66 % after 4 steps, the last seen here"),
        (2.0 ** np.arange(5.0), "16 times as much after 4 steps: it grows"),
        (np.array([1.0, np.inf]), "beyond all numbers"),
        (np.ones(1), "no step follows"),
    ],
)
def test_what_a_response_means_is_said(ratios, said):
    assert said in response.in_words([Response("", 0, False, 0, ratios[:, None], 1e-6)])


def test_a_curve_ends_where_rounding_hides_what_is_left():
    found = Response("", 0, False, 0, (0.1 ** np.arange(8.0))[:, None], 2e-5)
    assert "Curves end where less than 0.002 % is left" in response.picture_of([found], "windows").caption
    assert response.ended(found.median, found.floor)[4:] == pytest.approx([1e-4, 1e-5, np.nan, np.nan], nan_ok=True)
