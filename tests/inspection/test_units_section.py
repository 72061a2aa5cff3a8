"""Units on the page: what is found, the coloured text, and that no text of a user gets out of its place."""

import base64
import json
import math
import re
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ostinato.data.vocabulary import Vocabulary
from ostinato.diagnostics.tracking import Unit, Units, states_of, units
from ostinato.inspection import coloured as module
from ostinato.inspection.coloured import Coloured, coloured, shown_steps, strengths
from ostinato.inspection.units import section
from ostinato.models.language_model import LanguageModel

TEXT = 'f(a)\n  g["b"]</script><i>& \n' * 60


class Text(HTMLParser):
    """The symbols of the first coloured text, options, and elements that are there."""

    def __init__(self, markup):
        super().__init__(convert_charrefs=True)
        self.symbols, self.options, self.tags, self._depth, self._open = [], [], [], 0, ""
        self.feed(markup)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self._open = tag
        if tag == "div" and (self._depth or (("class", "read") in attrs and not self.symbols)):
            self._depth += 1
        if tag == "span" and self._depth:
            self.symbols.append("")
        if tag == "option":
            self.options.append("")

    def handle_endtag(self, tag):
        self._open = ""
        self._depth -= tag == "div" and self._depth > 0

    def handle_data(self, data):
        if self._open == "span" and self._depth:
            self.symbols[-1] += data
        elif self._open == "option":
            self.options[-1] += data


def subject_of(text=TEXT, **values):
    torch.manual_seed(0)
    vocabulary = Vocabulary.learn("char", [[TEXT]])
    model = LanguageModel(vocabulary.size, "lstm", hidden_size=6, num_layers=2, **values).eval()
    read = {"symbols": vocabulary.encode(text), "annotations": {}}
    return SimpleNamespace(model=model, trained=SimpleNamespace(vocabulary=vocabulary), **read)


def data_of(markup):
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', markup, re.S)[1])


def array_of(text, kind):
    return np.frombuffer(base64.b64decode(text), kind)


def test_the_text_stands_on_the_page_symbol_by_symbol():
    made = section(subject_of())
    page = Text(made.markup)
    assert [symbol.replace("↵\n", "\n") for symbol in page.symbols] == list(TEXT[-1000:])
    assert "i" not in page.tags
    assert page.tags.count("script") == 2
    assert page.options[-2:] == ["anything: all, in order", "none: the loss of each symbol"]
    assert "bracket depth" in page.options


def test_all_units_are_there_as_bytes():
    subject = subject_of()
    data = data_of(section(subject).markup)
    start = len(TEXT) - 1000
    names, states = states_of(subject.model, subject.symbols[start - 200 :].astype(np.int64))
    assert data["names"] == [str(name) for name in names]
    expected = states[200:].numpy() / np.abs(states[200:].numpy()).max(0)
    colours = array_of(data["states"], np.int8).reshape(24, 1000)
    assert colours == pytest.approx(127 * expected.T, abs=0.51)


def test_correlations_of_all_units_are_there_in_ten_thousandths():
    subject = subject_of()
    pieces = [subject.trained.vocabulary.decode([symbol]) for symbol in subject.symbols]
    found = units(subject.model, subject.symbols, pieces)
    data = data_of(section(subject).markup)
    for name, expected in (("chosen", np.abs(found.chosen)), ("r", found.held_out)):
        assert array_of(data[name], "<i2").reshape(expected.shape) == pytest.approx(10_000 * expected, abs=0.6)


def test_losses_and_chances_are_those_of_the_model():
    subject = subject_of()
    data = data_of(section(subject).markup)
    start = len(TEXT) - 1000
    with torch.no_grad():
        scores, _ = subject.model(torch.from_numpy(subject.symbols[start - 200 :].astype(np.int64))[:, None])
    logs = scores[:, 0].log_softmax(-1)
    symbols = subject.symbols[start:]
    expected = [-float(logs[199 + k, symbol]) for k, symbol in enumerate(symbols)]
    said = [float(re.search(r"cost ([\d.]+) nats", note)[1]) for note in data["notes"]]
    assert said == pytest.approx(expected, abs=0.006)
    assert array_of(data["loss"], np.int8) == pytest.approx(127 * np.array(expected) / max(expected), abs=0.51)
    chances, likely = logs[207].exp().topk(5)
    pairs = zip(map(subject.trained.vocabulary.decode, likely[:, None]), chances.tolist(), strict=True)
    seen = ",  ".join(f"{text} {100 * share:.1f} %" for text, share in pairs).replace("\n", "↵")
    assert data["notes"][7].endswith("Expected after it:  " + re.sub(r" (?= \d)", "␣", seen))


def test_numbers_hold_the_best_units_of_each_track():
    (numbers,) = json.loads(json.dumps(section(subject_of()).data, allow_nan=False))["readings"]
    assert numbers["units"] == 24
    assert numbers["network"] == "recurrent"
    assert "inside a comment" in numbers["not_in_both_halves"]
    best = numbers["tracks"]["bracket depth"]["best"]
    assert len(best) == 5
    assert set(best[0]) == {"network", "layer", "state", "index", "backwards", "r"}


def test_the_table_names_what_is_found_and_what_is_not_there():
    markup = section(subject_of()).markup
    assert '<th scope="row">bracket depth</th><td>layer ' in markup
    assert "Not in both halves of this text: inside a comment" in markup
    assert "24 units were searched on 1,512 symbols" in markup  # a tenth of both lanes is read and not counted


def test_of_a_short_text_there_is_a_sentence():
    subject = subject_of()
    subject.symbols = subject.symbols[:150]
    made = section(subject)
    assert "150 symbols; units are looked for in 200" in made.markup
    assert "150 symbols" in made.data["left_out"]


def found_of(count, tracks=("first",)):
    r = np.linspace(-0.9, 0.5, count * len(tracks)).reshape(len(tracks), count)
    names = tuple(Unit("recurrent", 0, "h", k) for k in range(count))
    return Units(names, tracks, (), r, r / 2, np.zeros(len(tracks)), 100)


def shown_of(pieces, values, **further):
    return Coloured(pieces, [("", len(pieces))], values, [*map(str, range(len(pieces)))], **further)


def test_colours_are_bytes_of_the_largest_value():
    assert strengths(np.array([[0.5, 0], [-1.0, 0], [math.nan, 0]])).tolist() == [[64, 0], [-127, 0], [0, 0]]


def test_no_text_of_a_user_leaves_its_place():
    shown = Coloured(
        ["</script>", "", "\n"], [("<b>", 2), ("", 1)], np.ones((3, 2)), ["</script>", "<!--", "a\nb"], "word"
    )
    markup = coloured(shown, found_of(2, ("<u>",)))
    page = Text(markup)
    assert data_of(markup)["notes"] == ["</script>", "<!--", "a↵b"]
    assert page.symbols == ["</script>", "∅", "↵\n"]
    assert "u" not in page.tags
    assert "&lt;b&gt;" in markup


def test_each_sequence_has_a_line_of_its_own():
    shown = Coloured([*"abcde"], [("good", 2), ("bad", 3)], np.ones((5, 1)), [""] * 5)
    rows = re.findall(r"<div><b>(\w+)</b> (.*?)</div>", coloured(shown, found_of(1)))
    assert [(label, re.sub("<.*?>", "", spans)) for label, spans in rows[:2]] == [("good", "ab"), ("bad", "cde")]


def test_without_anything_that_is_followed_units_stand_in_order():
    markup = coloured(shown_of([*"abc"], np.ones((3, 4))), found_of(4, ()))
    assert "Coloured by layer 1, h, unit 0." in markup
    assert data_of(markup)["r"] == ""


def test_of_very_many_units_those_that_follow_most_are_shown(monkeypatch):
    monkeypatch.setattr(module, "BYTES", 9)
    markup = coloured(shown_of([*"abc"], np.ones((3, 8))), found_of(8))
    assert data_of(markup)["names"] == [f"layer 1, h, unit {k}" for k in (0, 1, 2)]
    assert "3 of the 8 units are here: those that follow most" in markup


def test_the_more_units_the_fewer_steps_are_shown():
    assert [shown_steps(count, 1000) for count in (1, 1500, 3000, 10**6)] == [1000, 1000, 500, 200]
