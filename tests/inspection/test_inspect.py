"""The report of a trained model, as the command line writes it."""

import json
import math
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser

import pytest
import torch

import ostinato
from ostinato import ConfigError
from ostinato._files import alone_in
from ostinato.cli.main import main
from ostinato.inspection import report
from ostinato.inspection.subject import open_subject, windows
from ostinato.training.run_folder import read_tensors, write_tensors

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
        (["--text", "ΩΩΩΩΩΩΩΩΩΩΩΩ"], "the text: the vocabulary does not hold 'Ω'"),
        (["--text", "to be"], "5 symbols"),
        (["--text", ""], "0 symbols"),
        (["--steps", "2"], "--steps: 2"),
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


@pytest.fixture
def changed(run, tmp_path):
    """Return a function: another number to a copy of the run that has it for all weights."""

    def made(value):
        copy = shutil.copytree(run, tmp_path / "copy")
        weights, facts = read_tensors(copy / "model.safetensors")
        write_tensors(copy / "model.safetensors", {name: w.fill_(value) for name, w in weights.items()}, facts)
        return copy

    return made


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_that_are_not_finite_are_refused(changed, capsys, value):
    assert main(["inspect", str(changed(value))]) == 2
    assert "embedding.weight is not finite. Measured are models whose weights are finite" in capsys.readouterr().err


def test_what_cannot_be_measured_of_a_model_is_said_in_its_section(changed, monkeypatch):
    monkeypatch.setattr(report, "SECTIONS", {name: report.SECTIONS[name] for name in ("gradient flow", "unfolding")})
    made = ostinato.inspect(changed(0.0), steps=20, rows=2)
    reason = "gradient_flow: no finite gradient of the loss reaches a step of its recurrent layers"
    assert f"Not measured of this model: {reason}" in made.read_text()
    assert json.loads((made.parent / "gradient-flow.json").read_text())["left_out"].startswith(reason)
    assert (made.parent / "unfolding-recurrent.svg").is_file()


def test_what_is_wrong_with_an_annotation_ends_the_report(run, tmp_path):
    with pytest.raises(ConfigError, match="annotation 'odd': 2 numbers"):
        ostinato.inspect(run, out=tmp_path, text=TEXT[:300], steps=20, rows=2, annotations={"odd": lambda text: [1, 2]})


@pytest.mark.parametrize("out", ["taken.txt", "taken.txt/below"])
def test_a_file_in_the_way_of_the_page_is_said_before_anything_is_measured(run, tmp_path, capsys, out):
    (tmp_path / "taken.txt").write_text("")
    assert main(["inspect", str(run), "--out", str(tmp_path / out)]) == 2
    said = capsys.readouterr().err
    assert f"--out: '{tmp_path / out}' is a file, or lies below one" in said
    assert "1/7" not in said


def test_a_file_is_no_run(tmp_path, capsys):
    (tmp_path / "book.txt").write_text(TEXT)
    assert main(["inspect", str(tmp_path / "book.txt")]) == 2
    assert "this is a file, and a run is a folder" in capsys.readouterr().err


def test_a_kind_that_is_no_name_is_said(run, tmp_path, capsys):
    copy = shutil.copytree(run, tmp_path / "copy")
    text = (copy / "config.yaml").read_text()
    (copy / "config.yaml").write_text(text.replace("kind: language-model", "kind: [1]"))
    assert main(["inspect", str(copy)]) == 2
    assert "a run of kind [1]" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows locks no folder")
def test_a_page_waits_until_another_is_written(run, tmp_path, monkeypatch):
    monkeypatch.setattr(report, "SECTIONS", {"unfolding": report.SECTIONS["unfolding"]})
    with ThreadPoolExecutor() as others, alone_in(tmp_path):
        page = others.submit(ostinato.inspect, run, out=tmp_path, steps=20, rows=2)
        with pytest.raises(TimeoutError):
            page.result(timeout=1)
        assert list(tmp_path.iterdir()) == []
    assert page.result() == tmp_path / "index.html"


def test_an_interrupted_report_leaves_no_page(run, tmp_path, monkeypatch):
    def interrupted(subject):
        raise KeyboardInterrupt

    monkeypatch.setitem(report.SECTIONS, "spectra", interrupted)
    assert main(["inspect", str(run), "--out", str(tmp_path / "page"), "--steps", "20", "--rows", "2"]) == 130
    assert list((tmp_path / "page").iterdir()) == []


def test_a_folder_without_a_run_is_said(tmp_path, capsys):
    assert main(["inspect", str(tmp_path / "nothing")]) == 2
    assert "nothing" in capsys.readouterr().err


def test_fewer_and_shorter_windows_are_read_of_what_takes_long(run):
    subject = open_subject(run, steps=20, rows=3)
    few = subject.few(2, 5)
    assert few.inputs.equal(subject.batch.inputs[:5, :2])
    assert few.targets.equal(subject.batch.targets[:5, :2])
    assert subject.few(99, 99).inputs.equal(subject.batch.inputs)


def test_windows_are_spread_over_a_text():
    import numpy as np

    cut = windows(np.arange(101), 10, 4, "a text", boundary=-1)
    assert cut.inputs[0].tolist() == [0, 30, 60, 90]
    assert cut.targets[-1].tolist() == [10, 40, 70, 100]
    assert cut.reset is None


def test_in_windows_states_begin_anew_with_each_document():
    import numpy as np

    symbols = np.array([9, 1, 2, 3, 9, 4, 5, 6, 7, 8, 9])
    cut = windows(symbols, 8, 2, "a text", boundary=9)
    assert cut.inputs.T.tolist() == [[9, 1, 2, 3, 9, 4, 5, 6], [2, 3, 9, 4, 5, 6, 7, 8]]
    assert cut.reset.T.int().tolist() == [[0, 0, 0, 0, 1, 0, 0, 0], [0, 0, 1, 0, 0, 0, 0, 0]]


def test_no_gradient_reaches_back_into_the_document_before(run):
    trained = ostinato.load(run)
    symbols = trained.vocabulary.encode(TEXT[:41])
    symbols[29] = trained.vocabulary.boundary
    batch = windows(symbols, 40, 1, "a text", trained.vocabulary.boundary)
    flow = ostinato.diagnostics.gradient_flow(trained.model, batch)[0]
    assert (flow.median > 0).tolist() == [True] * 11 + [False] * 29


def test_more_windows_than_a_text_has_are_all_it_has():
    import numpy as np

    assert windows(np.arange(20), 10, 10**12, "a text", boundary=-1).inputs.shape == (10, 10)


@pytest.fixture
def train(tmp_path):
    def trained(file, **settings):
        return ostinato.train_language_model(
            file, out=tmp_path / "run", steps=1, hidden_size=4, sample_length=0, progress=False, **settings
        ).folder

    return trained


def test_before_learning_a_model_is_what_training_began_with(train, tmp_path):
    (tmp_path / "text.txt").write_text(TEXT)
    subject = open_subject(train(tmp_path / "text.txt", learning_rate=1e-30, weight_decay=0.0, seed=5))
    begun, fresh = subject.model.state_dict(), subject.fresh.state_dict()
    assert all(torch.equal(begun[name], fresh[name]) for name in begun)


def test_a_model_of_bytes_reads_any_file(train, tmp_path):
    (tmp_path / "text.txt").write_text(TEXT)
    (tmp_path / "latin.txt").write_bytes("déjà vu \0 ".encode("latin-1") * 50)
    run = train(tmp_path / "text.txt", tokens="byte")
    assert len(open_subject(run, data=tmp_path / "latin.txt").symbols) == 500


def test_a_run_over_documents_reads_a_plain_text(train, tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"body": "to be or not to be that is the question "}\n' * 60)
    (tmp_path / "text.txt").write_text(TEXT[:500])
    run = train(tmp_path / "rows.jsonl", column="body")
    assert len(open_subject(run, data=tmp_path / "text.txt").symbols) == 500
    assert len(open_subject(run, data=tmp_path / "rows.jsonl").symbols) == 60 * 41 - 1  # boundaries between documents


def test_a_run_without_its_text_says_what_to_give(train, tmp_path, capsys):
    (tmp_path / "text.txt").write_text(TEXT)
    run = train(tmp_path / "text.txt")
    shutil.rmtree(run / "state" / "tokens")
    assert main(["inspect", str(run)]) == 2
    said = capsys.readouterr().err
    assert "the text that it was validated with is gone" in said
    assert "Give it as --text, or a file as --data" in said
    assert len(open_subject(run, text=TEXT[:100]).symbols) == 100
