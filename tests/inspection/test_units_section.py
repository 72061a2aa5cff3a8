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
from ostinato.inspection.coloured import Coloured, Reading, coloured_text
from ostinato.inspection.units import MOST, section
from ostinato.models.language_model import LanguageModel

TEXT = 'f(a)\n  g["b"]</script><i>& \n' * 60


class Text(HTMLParser):
    """The symbols of the coloured text, options, and elements that are there."""

    def __init__(self, markup):
        super().__init__(convert_charrefs=True)
        self.symbols, self.options, self.tags, self._inside = [], [], [], ""
        self.feed(markup)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "div" and ("id", "read") in attrs:
            self._inside = "read"
        if tag == "span" and self._inside == "read":
            self.symbols.append("")
        if tag == "option":
            self.options.append("")

    def handle_endtag(self, tag):
        self._inside = "" if tag == "div" else self._inside

    def handle_data(self, data):
        if self._inside == "read" and self.symbols:
            self.symbols[-1] += data
        elif self.tags and self.tags[-1] == "option":
            self.options[-1] += data


def subject_of(text=TEXT, **values):
    torch.manual_seed(0)
    vocabulary = Vocabulary.learn("char", [[TEXT]])
    model = LanguageModel(vocabulary.size, "lstm", hidden_size=6, num_layers=2, **values).eval()
    read = {"symbols": vocabulary.encode(text), "annotations": {}}
    return SimpleNamespace(model=model, trained=SimpleNamespace(vocabulary=vocabulary), **read)


def data_of(markup):
    return json.loads(re.search(r'<script type="application/json" id="read-data">(.*?)</script>', markup, re.S)[1])


def test_the_text_stands_on_the_page_symbol_by_symbol():
    made = section(subject_of())
    page = Text(made.markup)
    assert [symbol.replace("↵\n", "\n") for symbol in page.symbols] == list(TEXT[-1000:])
    assert "i" not in page.tags
    assert page.tags.count("script") == 2
    assert 2 <= len(page.options) <= MOST + 1
    assert page.options[-1].strip() == "loss of each symbol, in nats"


def test_losses_and_chances_are_those_of_the_model():
    subject = subject_of()
    data = data_of(section(subject).markup)
    start = len(TEXT) - 1000
    with torch.no_grad():
        scores, _ = subject.model(torch.from_numpy(subject.symbols[start - 200 :].astype(np.int64))[:, None])
    logs = scores[:, 0].log_softmax(-1)
    symbols = subject.symbols[start:]
    expected = [-float(logs[199 + k, symbol]) for k, symbol in enumerate(symbols[:100])]
    assert data["loss"][:100] == pytest.approx(expected, abs=0.006)
    chances, likely = logs[200:].exp().topk(5)
    assert data["likely"][7] == likely[7].tolist()
    assert data["chances"][7] == pytest.approx((1000 * chances[7]).tolist(), abs=0.6)


def test_numbers_hold_the_best_units_of_each_track():
    numbers = json.loads(json.dumps(section(subject_of()).data, allow_nan=False))
    assert numbers["units"] == 24
    assert "inside a comment" in numbers["not_in_both_halves"]
    best = numbers["tracks"]["bracket depth"]["best"]
    assert len(best) == 5
    assert set(best[0]) == {"network", "layer", "state", "index", "r"}


def test_the_table_names_what_is_found_and_what_is_not_there():
    markup = section(subject_of()).markup
    assert '<th scope="row">bracket depth</th><td>layer ' in markup
    assert "Not in both halves of this text: inside a comment" in markup
    assert "24 units were searched on 1,512 symbols" in markup  # a tenth of both lanes is read and not counted


@pytest.mark.parametrize(
    ("text", "reason"), [(None, "This model reads none"), (TEXT[:150], "150 symbols; units are looked for in 200")]
)
def test_without_text_there_is_a_sentence(text, reason):
    subject = subject_of()
    subject.symbols = None if text is None else subject.symbols[:150]
    made = section(subject)
    assert reason in made.markup
    assert reason in made.data["left_out"]


def test_colours_are_bytes_of_the_largest_value():
    reading = Reading(
        ["a", "", "\n"],
        [Coloured("x", np.array([0.5, -1.0, math.nan]))],
        np.array([math.nan, 1.0, 2.0]),
        np.array([[0], [1], [0]]),
        np.array([[1.0], [0.25], [0.5]]),
        {0: "</script>", 1: " "},
    )
    markup = coloured_text(reading)
    data = data_of(markup)
    assert np.frombuffer(base64.b64decode(data["units"][0]), np.int8).tolist() == [64, -127, 0]
    assert np.frombuffer(base64.b64decode(data["units"][1]), np.int8).tolist() == [0, 64, 127]
    assert data["texts"] == {"0": "</script>", "1": "␣"}
    assert data["loss"] == [None, 1.0, 2.0]
    assert Text(markup).symbols == ["a", "∅", "↵\n"]


def test_a_unit_that_is_always_zero_has_no_colour():
    assert Coloured("x", np.zeros(3)).strengths.tolist() == [0, 0, 0]
