"""Units that follow a text, found in networks that were built to have them, and correlations against numpy's."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

import ostinato
from ostinato.diagnostics import units
from ostinato.diagnostics.tracking import WARM, Unit, states_of
from ostinato.models.language_model import LanguageModel

LETTERS = "abc() \n"


def text_of(length, seed=0):
    drawn = np.random.default_rng(seed)
    depth, found = 0, []
    for choice in drawn.random(length):
        letter = (
            "(" if choice < 0.2 and depth < 3 else ")" if choice < 0.4 and depth else "abc \n"[int(choice * 97) % 5]
        )
        depth += (letter == "(") - (letter == ")")
        found.append(letter)
    return "".join(found)


def symbols_of(text):
    return np.array([LETTERS.index(letter) for letter in text])


def model_of(equations, size, **weights):
    """Return a language model that reads letters as they are, with these rows of W, by letter."""
    model = LanguageModel(len(LETTERS), equations, embedding_size=len(LETTERS), hidden_size=size, num_layers=1)
    cell = model.recurrent.layers[0][0]
    with torch.no_grad():
        model.embedding.weight.copy_(torch.eye(len(LETTERS)))
        cell.W.copy_(torch.tensor([[weights[unit].get(letter, 0.0) for letter in LETTERS] for unit in weights]))
    return model


def depth_counter():
    return model_of("h' = h + W @ x", 3, noise={"a": 0.3, "b": -0.3}, depth={"(": -2.0, ")": 2.0}, dead={})


def test_a_unit_that_counts_brackets_is_found():
    text = "(ab(c) b)\n" * 400
    found = units(depth_counter(), symbols_of(text), list(text))
    ((unit, r),) = found.best("bracket depth")
    assert unit == Unit("recurrent", 0, "h", 1)
    assert str(unit) == "layer 1, h, unit 1"
    assert r == pytest.approx(-1)
    assert found.held_out[:, 2].tolist() == [0.0] * len(found.tracks)
    assert found.readout[found.tracks.index("bracket depth")] > 0.9


def test_correlations_are_those_of_numpy_of_each_half():
    torch.manual_seed(0)
    model = LanguageModel(len(LETTERS), "lstm", hidden_size=4, num_layers=2)
    text = text_of(2000)
    mine = np.where(np.arange(2000) % 7 == 0, np.nan, np.random.default_rng(1).normal(size=2000).cumsum())
    found = units(model, symbols_of(text), list(text), annotations={"mine": mine})
    lanes = [slice(0, 1000), slice(1000, 2000)]
    for lane, given in zip(lanes, (found.chosen, found.held_out), strict=True):
        names, values = states_of(model, symbols_of(text)[lane])
        assert [str(n) for n in names[:5]] == [f"layer 1, h, unit {k}" for k in range(4)] + ["layer 1, c, unit 0"]
        counted = ~np.isnan(mine[lane]) & (np.arange(1000) >= WARM)
        expected = [np.corrcoef(v[counted].numpy(), mine[lane][counted])[0, 1] for v in values.T]
        assert given[found.tracks.index("mine")] == pytest.approx(expected, abs=1e-6)
    assert found.symbols == 2 * (1000 - WARM)


def test_states_are_those_of_the_layers_own_run():
    torch.manual_seed(0)
    model = LanguageModel(len(LETTERS), "gru", hidden_size=4, num_layers=1).eval()
    symbols = symbols_of(text_of(600))
    outputs, _ = model.recurrent(model.embedding(torch.from_numpy(symbols)[:, None]))
    assert states_of(model, symbols)[1].numpy() == pytest.approx(outputs[:, 0].detach().numpy(), abs=1e-6)


def test_a_document_begins_with_the_initial_state():
    model = depth_counter()
    symbols = symbols_of("((a\n((a")
    assert states_of(model, symbols)[1][:, 1].tolist() == [-2, -4, -4, -4, -6, -8, -8]
    assert states_of(model, symbols, LETTERS.index("\n"))[1][:, 1].tolist() == [-2, -4, -4, 0, -2, -4, -4]


def test_the_unit_is_chosen_by_the_first_half_and_judged_by_the_second():
    """One unit follows the annotation in the first half alone; of it nothing is left in the second."""
    model = model_of("h' = W @ x", 2, first={"a": 1.0, "b": 0.2}, other={"b": 1.0})
    text = text_of(3000)
    follows = np.array([letter == "a" for letter in text], float)
    follows[1500:] = np.random.default_rng(0).random(1500)
    found = units(model, symbols_of(text), list(text), annotations={"mine": follows})
    ((unit, r),) = found.best("mine")
    assert unit.index == 0
    assert abs(found.chosen[found.tracks.index("mine")][0]) > 0.9
    assert abs(r) < 0.15
    assert abs(found.readout[found.tracks.index("mine")]) < 0.15


def test_a_readout_joins_what_two_units_say():
    model = model_of("h' = W @ x", 2, first={"a": 1.0}, second={"b": 1.0})
    text = text_of(2000)
    both = np.array([{"a": 1.0, "b": -1.0}.get(letter, 0.0) for letter in text])
    found = units(model, symbols_of(text), list(text), annotations={"both": both})
    k = found.tracks.index("both")
    assert found.readout[k] == pytest.approx(1, abs=1e-3)
    assert np.abs(found.held_out[k]).max() < 0.9


def test_tracks_that_do_not_change_in_both_halves_are_named():
    text = "ab c\n" * 140 + "(ab) c\n" * 100
    found = units(depth_counter(), symbols_of(text), list(text), annotations={"none": np.full(len(text), math.nan)})
    assert {"bracket depth", "inside quotes", "upper case", "none"} <= set(found.constant)
    assert "position in line" in found.tracks
    assert found.chosen.shape == found.held_out.shape == (len(found.tracks), 3)


def test_a_text_that_is_too_short_is_refused():
    with pytest.raises(ostinato.DataError, match="150 symbols"):
        units(depth_counter(), symbols_of(text_of(150)), list(text_of(150)))


def test_a_model_without_recurrence_is_refused():
    class Straight(torch.nn.Module):
        def read(self, segment, state=None):
            return segment.inputs, None

    with pytest.raises(ostinato.ConfigError, match="without recurrent layers"):
        units(Straight(), symbols_of(text_of(400)), list(text_of(400)))


def test_a_model_that_reads_no_text_is_refused():
    with pytest.raises(ostinato.ConfigError, match=r"units: a Linear has no `read\(segment, state\)`"):
        units(torch.nn.Linear(2, 2), np.zeros(300, int), ["a"] * 300)


def test_pieces_of_another_count_than_symbols_are_refused():
    with pytest.raises(ostinato.ConfigError, match="units: 10 pieces of text, of 300 symbols"):
        units(LanguageModel(4, "gru", hidden_size=3), np.zeros(300, int), ["a"] * 10)


@pytest.mark.parametrize("form", [list, torch.tensor])
def test_symbols_may_be_a_list_or_a_tensor(form):
    text, model = text_of(400), LanguageModel(128, "gru", hidden_size=3)
    symbols = [ord(character) for character in text]
    assert (units(model, form(symbols), text).chosen == units(model, np.array(symbols), text).chosen).all()


def test_the_model_is_left_as_it_was():
    model = LanguageModel(len(LETTERS), "lstm", hidden_size=4, dropout=0.5)
    before, text = torch.get_rng_state(), text_of(400)
    units(model, symbols_of(text), list(text))
    assert torch.equal(before, torch.get_rng_state())
    assert model.training
    assert type(model.recurrent.layers[0][0]).__name__ == "LSTM"


@pytest.mark.parametrize("cell", ["mc-lstm", "lru", "rglru"])
def test_states_of_any_cell_are_units(cell):
    model, text = LanguageModel(len(LETTERS), cell, hidden_size=4, num_layers=1), text_of(400)
    found = units(model, symbols_of(text), list(text))
    assert len(found.units) == {"mc-lstm": 4, "lru": 8, "rglru": 4}[cell]


def test_the_tracks_of_real_code_are_plausible():
    path = Path(__file__).parents[3] / "shared" / "data" / "char_lm" / "musl_src_c.txt"
    if not path.exists():
        pytest.skip("the C sources of musl are not here")
    from ostinato.diagnostics.tracks import tracks

    found = tracks(path.read_text()[:50_000])
    assert found["bracket depth"].max() < 12
    assert 0.05 < found["inside a comment"].mean() < 0.6
    assert found["inside quotes"].mean() < 0.1
