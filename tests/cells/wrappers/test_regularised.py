"""The regularisers that layers and models know by name."""

import pytest
import torch
from wrapped import ROWS, STEPS, Joined, numbers

import ostinato
from ostinato import ConfigError, LanguageModel, Recurrent, Zoneout
from ostinato.cells.wrappers.regularised import Regularisers
from ostinato.training.config import Model
from ostinato.training.trained import build_model

ALL = {"norm": "rms", "weight_drop": 0.3, "recurrent_dropout": 0.2, "zoneout": 0.1}


def names(cell) -> list[str]:
    """Return what stands around what, from the outside in."""
    found = [type(cell).__name__]
    while hasattr(cell, "inner"):
        cell = cell.inner
        found.append(type(cell).__name__)
    return found


def test_each_has_its_place_around_the_cell():
    layer = Recurrent("lstm", 3, 4, 2, initial_state="learned", bidirectional=True, **ALL)
    order = ["Zoneout", "RecurrentDropout", "DropConnect", "RMSNorm", "LearnedInitialState", "LSTM"]
    assert all(names(cell) == order for each in layer.layers for cell in each)
    outputs, state = layer(numbers(STEPS, ROWS, 3, dtype=torch.float32), lengths=torch.tensor([3, 7, 0, 1]))
    assert outputs.shape == (STEPS, ROWS, 8)
    assert len(state) == 4


def test_without_any_the_cell_is_bare():
    cell = ostinato.GRU(3, 4)
    assert Regularisers().around(cell) is cell


def test_a_cell_that_is_made_takes_them_too():
    cell = ostinato.GRU(3, 4)
    assert names(Recurrent(cell, zoneout=0.1).layers[0][0]) == ["Zoneout", "GRU"]


def test_anything_else_is_put_around_each_cell_by_a_function():
    layer = Recurrent("gru", 3, 4, 2, wrap=lambda cell: Zoneout(cell, {"h": 0.2}), norm="layer")
    assert [names(each[0]) for each in layer.layers] == [["Zoneout", "LayerNorm", "GRU"]] * 2


def test_a_language_model_learns_with_all_of_them():
    torch.manual_seed(0)
    model = LanguageModel(7, "lstm", hidden_size=5, dropout=0.2, variational=True, highway=True, **ALL)
    tokens = torch.randint(0, 7, (6, 2))
    scores, _ = model(tokens)
    scores.sum().backward()
    assert [n for n, p in model.named_parameters() if p.grad is None] == []
    model.eval()
    assert torch.equal(model(tokens)[0], model(tokens)[0])


def test_the_settings_of_a_run_name_them():
    settings = Model(cell="gru", num_layers=1, hidden_size=5, variational=True, **ALL)
    assert names(build_model(7, settings).recurrent.layers[0][0])[:-1] == [
        "Zoneout", "RecurrentDropout", "DropConnect", "RMSNorm",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"norm": "leyer"}, r"norm: 'leyer' was given\. Known are none, layer, rms\. Did you mean 'layer'\?"),
        ({"norm": None}, r"norm: None was given"),
        ({"zoneout": 1.5}, r"Zoneout rate: 1\.5 was given"),
        ({"weight_drop": -1}, r"DropConnect share: -1 was given"),
        ({"recurrent_dropout": 2}, r"RecurrentDropout share: 2 was given"),
        ({"residual": True, "highway": True}, r"highway: residual=True beside it"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        Recurrent("lstm", 4, 4, 2, **settings)


def test_what_a_cell_cannot_have_says_what_it_can():
    with pytest.raises(ConfigError, match=r"no value is called g or n.*They name no value besides their states"):
        Recurrent("elman", 3, 4, recurrent_dropout=0.1)
    with pytest.raises(ConfigError, match="Joined is a plain cell"):
        Recurrent(Joined, 3, 4, norm="layer")
