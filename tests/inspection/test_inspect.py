"""The report of a trained model, as the command line writes it."""

import json
from html.parser import HTMLParser

import pytest

import ostinato
from ostinato.cli.main import main
from ostinato.inspection.subject import windows

TEXT = "to be or not to be that is the question " * 100


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inspected")
    (folder / "text.txt").write_text(TEXT)
    ostinato.train_language_model(
        folder / "text.txt", out=folder / "run", steps=3, hidden_size=8, sample_length=0, progress=False
    )
    return folder / "run"


class Page(HTMLParser):
    """What a page refers to."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.outside = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("href", "xlink:href") and value.startswith("#"):
                self.links.append(value[1:])
            if name in ("src", "href", "xlink:href") and value.startswith(("http:", "https:", "//")):
                self.outside.append(value)


def test_the_page_stands_alone(run, tmp_path, capsys):
    assert main(["inspect", str(run), "--out", str(tmp_path / "page"), "--steps", "40", "--rows", "3"]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "page" / "index.html")
    text = (tmp_path / "page" / "index.html").read_text()
    page = Page(text)
    assert page.outside == []
    assert len(page.ids) == len(set(page.ids))
    assert set(page.links) <= set(page.ids)
    assert "3 windows of 40 symbols of what was kept to validate" in text
    assert "eager" in text
    numbers = json.loads((tmp_path / "page" / "gradient-flow.json").read_text())
    assert len(numbers["after"][0]["median"]) == 40
    assert (tmp_path / "page" / "gradient-flow-recurrent.png").read_bytes().startswith(b"\x89PNG")


def test_what_the_model_is_made_of_is_drawn(run, tmp_path):
    made = ostinato.inspect(run, out=tmp_path / "page", steps=20, rows=2).read_text()
    assert "2 layers of lstm. From each step to the next go h (8) and c (8)" in made
    assert 'data-name="W_f"' in made
    drawn = (tmp_path / "page" / "unfolding-recurrent.svg").read_text()
    assert drawn.startswith("<svg")
    numbers = json.loads((tmp_path / "page" / "unfolding.json").read_text())["networks"]
    assert [(n["cell"], n["layers"], n["states"]) for n in numbers] == [("lstm", 2, {"h": [8], "c": [8]})]


def test_a_text_or_a_file_is_read_where_it_is_given(run, tmp_path):
    (tmp_path / "other.txt").write_text(TEXT[:300])
    made = ostinato.inspect(run, text=TEXT[:60], steps=20, rows=2)
    assert made == run / "inspect" / "index.html"
    assert "2 windows of 20 symbols of the text" in made.read_text()
    assert "of other.txt" in ostinato.inspect(run, data=tmp_path / "other.txt", out=tmp_path / "o").read_text()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--text", "ΩΩΩΩΩΩΩΩΩΩΩΩ"], "Ω"),
        (["--text", "to be"], "5 symbols"),
        (["--text", ""], "0 symbols"),
        (["--steps", "2"], "--steps"),
        (["--rows", "0"], "--rows"),
        (["--data", "missing.txt"], "missing.txt"),
        (["--text", "to be or not", "--data", "missing.txt"], "Leave one out"),
    ],
)
def test_what_cannot_be_read_is_said(run, tmp_path, capsys, flags, message):
    assert main(["inspect", str(run), "--out", str(tmp_path / "none"), *flags]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said
    assert not (tmp_path / "none").exists()


def test_a_folder_without_a_run_is_said(tmp_path, capsys):
    assert main(["inspect", str(tmp_path / "nothing")]) == 2
    assert "nothing" in capsys.readouterr().err


def test_windows_are_spread_over_a_text():
    import numpy as np

    cut = windows(np.arange(101), 10, 4, "a text")
    assert cut.inputs[0].tolist() == [0, 30, 60, 90]
    assert cut.targets[-1].tolist() == [10, 40, 70, 100]
