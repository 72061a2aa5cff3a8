"""The page of scores over texts: read by an HTML parser, as a browser would."""

import math
from html.parser import HTMLParser

import pytest

from ostinato.training.metrics.spans import Passage, Span, write_spans


class Reader(HTMLParser):
    """Collects the text of paragraphs, and of each coloured step its style, note and text."""

    def __init__(self, page: str):
        super().__init__()
        self.tags, self.text, self.steps = [], "", []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "i":
            self.steps.append([dict(attrs)["style"], dict(attrs)["title"], ""])
        if tag == "p":
            self.text = ""

    def handle_data(self, data):
        self.text += data
        if self.steps and self.tags[-1] == "i" and not self.steps[-1][2]:
            self.steps[-1][2] = data


def read(tmp_path, spans, labels=("good", "bad")) -> Reader:
    write_spans(tmp_path / "page.html", "Scores", [Passage("one <b>", spans)], labels)
    return Reader((tmp_path / "page.html").read_text(encoding="utf-8"))


def test_a_text_is_shown_as_it_is_whatever_it_holds(tmp_path):
    spans = [Span("<script>x</script> ", "good", 0.9), Span('& "q"\n', "bad", 0.1), Span("唐", "bad", math.nan)]
    page = read(tmp_path, spans)
    assert page.text.strip("\n") == '<script>x</script> & "q"\n唐'
    assert not {"script", "b", "link", "img"} & set(page.tags)


def test_a_step_is_coloured_by_its_label_as_strongly_as_its_score(tmp_path):
    _, _, first, second, third = read(
        tmp_path, [Span("a", "good", 0.5), Span("b", "bad", 1.0, "so <it> is"), Span("c", "good", 7.0)]
    ).steps
    assert first == ["background:hsl(0 75% 50% / 0.300)", "good 0.500", "a"]
    assert second == ["background:hsl(138 75% 50% / 0.600)", "so <it> is", "b"]
    assert third[0] == "background:hsl(0 75% 50% / 0.600)"


@pytest.mark.parametrize("span", [Span("x", "good", math.nan), Span("x", "other", 1.0)])
def test_a_step_without_score_or_known_label_has_no_colour(tmp_path, span):
    assert [step[2] for step in read(tmp_path, [span]).steps] == ["good", "bad"]  # the legend's alone


def test_what_utf8_cannot_hold_is_replaced(tmp_path):
    assert read(tmp_path, [Span("\ud800", "good", 1.0)]).steps[-1][2] == "?"


def test_a_mistake_is_underlined(tmp_path):
    write_spans(tmp_path / "page.html", "Tags", [Passage("one", [Span("a", "good", 0.5, wrong=True)])], ["good"])
    assert '<i class="wrong" style=' in (tmp_path / "page.html").read_text(encoding="utf-8")
