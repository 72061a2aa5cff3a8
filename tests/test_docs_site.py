"""The site of `make docs`: pages made from cells, links that lead somewhere, nothing fetched from elsewhere."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import pytest
from docs.site.cell_page import USE, page
from docs.site.conf import as_mathml
from docs.site.papers import linked
from docs.site.pictures import draw_reach, draw_response, draw_unfolding, reach
from docs.site.speeds import measured
from tests.catalogue import EQUATION_CELLS

from ostinato import CATALOGUE, EquationCell
from ostinato.cells.description import Description
from ostinato.equations.latex import latex

BUILD = """
import socket, sys
def refuse(*arguments): raise OSError("there is no network here")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
from docs.site.__main__ import main
sys.exit(main(sys.argv[1:]))
"""
ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Return the folder of a site with the pages of two cells, built where there is no network."""
    out = tmp_path_factory.mktemp("docs") / "site"
    command = [sys.executable, "-c", BUILD, "lstm", "elman", "--out", str(out)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert built.returncode == 0, built.stdout + built.stderr
    return out


class Tags(HTMLParser):
    """What a page names and refers to."""

    def __init__(self, path: Path):
        super().__init__()
        self.names, self.links, self.fetched = set(), [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.names.add(given.get("id"))
        if "src" in given or tag == "link":
            self.fetched.append(given.get("src") or given.get("href"))
        elif "href" in given:
            self.links.append(given["href"])


def test_each_cell_has_a_page_and_each_family_an_index(site):
    pages = {str(path.relative_to(site / "cells")) for path in (site / "cells").rglob("*.html")}
    assert pages == {"foundations/index.html", "foundations/elman.html", "gated/index.html", "gated/lstm.html"}


def test_a_page_holds_what_is_known_of_a_cell(site):
    text = (site / "cells" / "gated" / "lstm.html").read_text()
    for said in (
        "<math",
        "sigmoid(W_i @ x",
        "Unfolding",
        "4 H × D",
        "132,096 parameters",
        "full, nonlinear in the state",
        "<img",
    ):
        assert said in text


def test_the_pages_kept_by_hand_are_there(site):
    for path in (
        "README",
        "CHANGELOG",
        "docs/log",
        "docs/sequences",
        "docs/design/0001-state-and-time",
        "benchmarks/README",
    ):
        assert (site / f"{path}.html").exists()


def test_links_between_pages_lead_somewhere(site):
    pages = {path: Tags(path) for path in site.rglob("*.html")}
    lost = []
    for path, tags in pages.items():
        for link in (*tags.links, *tags.fetched):
            parts = urlsplit(link)
            if not parts.scheme:
                target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
                names = pages[target].names if target in pages and parts.fragment else {parts.fragment}
                lost += [(path.name, link)] * (not target.exists() or parts.fragment not in names)
    assert lost == []


def test_nothing_is_fetched_from_elsewhere(site):
    fetched = [(path.name, link) for path in site.rglob("*.html") for link in Tags(path).fetched]
    assert [pair for pair in fetched if urlsplit(pair[1]).netloc] == []
    for style in site.rglob("*.css"):
        assert not re.search(r"(@import|url\()\s*['\"]?(https?:)?//", style.read_text())


def test_a_cell_that_does_not_exist_suggests_the_nearest():
    command = [sys.executable, "-m", "docs.site", "lstn"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert "Did you mean 'lstm'?" in ended.stderr


@pytest.mark.parametrize("name", EQUATION_CELLS)
def test_the_equations_of_every_cell_become_mathml(name):
    mathml = as_mathml(latex(CATALOGUE[name].build(8, 8).program))
    assert "\\" not in mathml
    assert not [e.text for e in ElementTree.fromstring(mathml).iter() if (e.text or "") == "&"]


@pytest.mark.parametrize("draw", [draw_unfolding, draw_response, draw_reach])
def test_a_picture_is_the_same_every_time(draw, tmp_path):
    for path in (tmp_path / "one.svg", tmp_path / "two.svg"):
        draw("elman", path)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


def test_the_gradient_of_the_last_input_is_the_measure_of_the_others():
    assert reach("elman")[0] == 1.0
    assert reach("elman")[59] < reach("lstm")[59] < 1e-3


class Used(EquationCell):
    """The vanilla network.

    Its weights are few.

    Use it where a short memory is enough (arXiv:1402.1128).
    """

    equations = "h' = tanh(W @ x + U @ h + b)"


def test_a_page_says_when_to_use_a_cell_where_its_class_does(monkeypatch):
    entry = CATALOGUE["elman"]
    monkeypatch.setitem(CATALOGUE, "elman", type(entry)("elman", Used, entry.family))
    text = page("elman", {"A picture": "![of it](one.svg)"})
    assert "\n\nIts weights are few.\n\n## When to use it\n\nUse it where a short memory is enough ([arXiv:" in text
    assert "## A picture\n\n![of it](one.svg)" in text


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_cell_says_when_to_use_it(name):
    said = [remark for remark in Description(CATALOGUE[name].build(4, 4)).remarks if remark.startswith(USE)]
    assert len(said) == 1
    assert said[0].endswith(".")


@pytest.mark.parametrize(
    ("line", "address"),
    [
        ("Cho et al. (2014, arXiv:1406.1078, eq. 5)", "https://arxiv.org/abs/1406.1078"),
        ("see arXiv:cs/0101001.", "https://arxiv.org/abs/cs/0101001"),
        ("Elman (1990, doi:10.1207/s15516709cog1402_1).", "https://doi.org/10.1207/s15516709cog1402_1"),
        ("(doi:10.1016/0893-6080(90)90049-Q, §2)", "https://doi.org/10.1016/0893-6080(90)90049-Q"),
    ],
)
def test_a_paper_links_to_its_address(line, address):
    assert f"]({address})" in linked(line)


def test_a_line_without_an_address_stays_as_it_is():
    assert linked("Jordan, 1986, ICS report 8604") == "Jordan, 1986, ICS report 8604"


@pytest.fixture
def results(tmp_path):
    """Return a function that saves rows of the suite `cells`, and returns their folder."""

    def save(*rows: dict) -> Path:
        (tmp_path / "cells.json").write_text(json.dumps({"machine": {"commit": "abc"}, "rows": list(rows)}))
        return tmp_path

    return save


def row(cell: str, engine: str = "native", **more) -> dict:
    return {"cell": cell, "size": [1, 2, 3], "engine": engine, "products": 2.0, "seconds": {"ours": 0.00125}, **more}


def times(name: str, folder: Path) -> str:
    return "\n".join(measured(name, CATALOGUE[name].build(3, 3), folder))


def test_what_was_measured_is_found_by_name_and_says_where(results):
    found = times("projected-lstm", results(row("projected-lstm", ratios={})))
    assert found.startswith("`python -m benchmarks cells`: commit abc.")
    assert "| 1, 2, 3 | native | 2 | 1.25 |" in found


def test_what_was_measured_of_the_same_equations_is_found(results):
    assert "1.25" in times("gru-reset-before", results(row("GRU, reset before", ratios={})))


def test_what_was_measured_of_other_equations_is_not_shown(results):
    assert times("gru", results(row("GRU, reset before", ratios={}))) == ""


def test_an_engine_that_was_named_is_not_shown(results):
    assert times("gru", results(row("gru", "vendor, by name", ratios={}))) == ""
