"""Every snippet of the README and of docs/ runs: Python as it stands, commands through the entry point's function."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from ostinato.cells.catalogue import FAMILIES
from ostinato.cli.main import main
from ostinato.training.config import recipe_document
from tones import write_digits, write_manifest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SHORT = {
    "language-model": ["--steps", "2", "--sample-length", "0"],
    "task": ["--steps", "2", "--test-sequences", "20"],
    "influence-balancing": ["--steps", "2"],
    "classifier": ["--steps", "2"],
    "tagger": ["--steps", "2"],
    "forecaster": ["--steps", "2"],
    "captioner": ["--steps", "2", "--hidden-size", "8", "--max-length", "10"],
    "transcriber": ["--steps", "2", "--hidden-size", "8"],
    "translator": ["--steps", "2", "--hidden-size", "8", "--max-length", "10"],
}
"""Added to every `train` command, so that a page's commands all run within a test."""
SENTENCE = (
    "".join(
        f"{k}\t{word}\t_\t{tag}\t_\t_\t_\t_\t_\t_\n"
        for k, (word, tag) in enumerate([("The", "DET"), ("rain", "NOUN")], 1)
    )
    + "\n"
)
BOOK = "It was a dark night; the rain fell, and it was cold. " * 400


def snippets(kind: str) -> list:
    found = []
    for page in PAGES:
        code = "\n".join(body for language, body in FENCE.findall(page.read_text()) if language == kind)
        if code:
            found.append(pytest.param(code, id=str(page.relative_to(ROOT))))
    return found


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "book.txt").write_text(BOOK)
    (tmp_path / "my_cell.eq").write_text("f  = sigmoid(W_f @ x + U_f @ h + b_f)\nh' = f * h + (1 - f) * tanh(W @ x)\n")
    (tmp_path / "reviews.csv").write_text("review,sentiment\n" + "a film,good\na bore,bad\n" * 30)
    (tmp_path / "train.conllu").write_text(SENTENCE * 20)
    write_manifest(tmp_path)
    write_digits(tmp_path / "fsdd.tar.gz")
    shutil.copy(tmp_path / "clips/0-0.wav", tmp_path / "sound.wav")
    for k in range(40):
        Image.new("RGB", (16, 16), (6 * k, 0, 0)).save(tmp_path / f"{k}.png")
    rows = [f"{k}.png,{'dark' if k < 20 else 'bright'} number {k}" for k in range(40)]
    (tmp_path / "captions.csv").write_text("\n".join(["image,caption", *rows]))
    shutil.copy(tmp_path / "3.png", tmp_path / "photo.png")
    (tmp_path / "pairs.tsv").write_text("".join(f"guten tag {k}\tgood day {k}\n" for k in range(100)))
    (tmp_path / "sentences.txt").write_text("guten tag\ngute nacht\n")
    (tmp_path / "new.txt").write_text("The rain fell\nIt was cold\n")
    days = (f"{2000 + k // 12}-{k % 12 + 1:02},{k % 12}" for k in range(120))
    (tmp_path / "sales.csv").write_text("month,sold\n" + "\n".join(days))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def commands(console: str) -> list[list[str]]:
    lines = re.findall(r"^\$ (ostinato .*(?:\\\n.*)*)$", console, re.MULTILINE)
    return [shlex.split(line.replace("\\\n", " ")) for line in lines]


def kind_of(arguments: list[str]) -> str:
    """Return what a `train` command trains, which its recipe says where nothing else does."""
    if arguments[1] in SHORT:
        return arguments[1]
    return recipe_document(arguments[arguments.index("--recipe") + 1])["kind"]


@pytest.mark.parametrize("code", snippets("python"))
def test_the_python_of_a_page_runs(code, folder):
    environment = os.environ | {"PYTHONWARNINGS": "error"}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("console", snippets("console"))
def test_the_commands_of_a_page_run(console, folder, capsys):
    for _, *arguments in commands(console):
        extra = SHORT[kind_of(arguments)] if arguments[0] == "train" else []
        code = main([*arguments, *extra])  # in this process: a page has dozens, and each would load torch anew
        assert code == 0, f"{arguments}: {capsys.readouterr().err}"


def test_the_readme_has_commands_and_python():
    assert [p.id for p in snippets("console")][:1] == ["README.md"]
    assert [p.id for p in snippets("python")][:1] == ["README.md"]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.__name__.rpartition(".")[2])
def test_the_readme_names_every_cell_of_a_family(family):
    row = f"| {family.__name__.rpartition('.')[2]} | {', '.join(family.CELLS)} |"
    assert row in (ROOT / "README.md").read_text().splitlines()


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_between_pages_lead_somewhere(page):
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    assert [t for t in targets if not (page.parent / t).exists()] == []
