"""What a user knows of each symbol is compared with every unit, by the command line and from Python."""

import json

import numpy as np
import pytest

import ostinato
from ostinato.cli.main import main
from ostinato.inspection.annotations import read_annotation

TEXT = "to be or not to be that is the question " * 100


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("annotated")
    (folder / "text.txt").write_text(TEXT)
    ostinato.train_language_model(
        folder / "text.txt", out=folder / "run", steps=2, hidden_size=6, num_layers=1, sample_length=0, progress=False
    )
    return folder / "run"


def tracks_of(page):
    return json.loads((page / "units.json").read_text())["readings"][0]["tracks"]


def test_annotations_in_files_are_searched_like_what_is_known_anyway(run, tmp_path):
    text = TEXT[:400]
    is_vowel = [int(c in "aeiou") for c in text]
    (tmp_path / "vowel.txt").write_text("".join(f"{v}\n" for v in is_vowel))
    np.save(tmp_path / "in-word.npy", [position(text, k) for k in range(400)])
    flags = ["--annotation", str(tmp_path / "vowel.txt"), "--annotation", str(tmp_path / "in-word.npy")]
    page = tmp_path / "page"
    assert main(["inspect", str(run), "--text", text, *flags, "--out", str(page), "--steps", "20", "--rows", "2"]) == 0
    tracks = tracks_of(page)
    assert tracks["in-word"] == tracks["position in word"]
    assert tracks["vowel"]["best"][0]["r"] != 0
    assert ">vowel</th>" in (page / "index.html").read_text()


def position(text, k):
    """Return how many letters the word has so far."""
    return len(text[: k + 1]) - len(text[: k + 1].rstrip("abcdefghijklmnopqrstuvwxyz"))


def test_from_python_annotations_are_numbers_or_functions(run, tmp_path):
    text = TEXT[:300]
    known = {"numbers": [float(c == "e") for c in text], "called": lambda read: [c == "e" for c in read]}
    ostinato.inspect(run, text=text, annotations=known, out=tmp_path, steps=20, rows=2)
    tracks = tracks_of(tmp_path)
    assert tracks["numbers"] == tracks["called"]


@pytest.mark.parametrize("content", ["1\n2.5\nnan\n", "depth\n1\n2.5\nnan\n"])
def test_a_file_holds_a_number_a_line_with_or_without_a_name_above(tmp_path, content):
    (tmp_path / "depth.csv").write_text(content)
    assert read_annotation(tmp_path / "depth.csv").tolist() == pytest.approx([1, 2.5, np.nan], nan_ok=True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1\n" * 7, "7 numbers. One number for each of the 60 symbols"),
        ("a,b\n1,2\n", "2 columns"),
        ("1\nhigh\n", "line 2: 'high'"),
        ("", "empty"),
        (None, "known.csv"),
    ],
)
def test_a_file_that_does_not_fit_is_said(run, tmp_path, capsys, content, message):
    if content is not None:
        (tmp_path / "known.csv").write_text(content)
    flags = ["--text", TEXT[:60], "--annotation", str(tmp_path / "known.csv"), "--out", str(tmp_path / "none")]
    assert main(["inspect", str(run), *flags]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("values", [np.zeros((3, 2)), np.array(["a"]), np.zeros(3, complex)])
def test_an_array_that_is_no_column_of_numbers_is_refused(tmp_path, values):
    np.save(tmp_path / "known.npy", values)
    with pytest.raises(ostinato.DataError, match="one column of numbers"):
        read_annotation(tmp_path / "known.npy")


def test_a_damaged_array_is_refused(tmp_path):
    (tmp_path / "known.npy").write_bytes(b"no array")
    with pytest.raises(ostinato.DataError, match="no array of numbers"):
        read_annotation(tmp_path / "known.npy")


def test_two_files_of_one_name_are_refused(run, tmp_path, capsys):
    for name in ("known.txt", "known.csv"):
        (tmp_path / name).write_text("1\n")
    flags = ["--annotation", str(tmp_path / "known.txt"), "--annotation", str(tmp_path / "known.csv")]
    assert main(["inspect", str(run), *flags]) == 2
    assert "two files are called 'known'" in capsys.readouterr().err
