"""The real entry point, run as a user runs it."""

import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import WORDS, entry_point, environment


@pytest.fixture
def folder(tmp_path) -> Path:
    """Return a folder with a text `book.txt` of about 12,000 characters."""
    draw = random.Random(0)
    (tmp_path / "book.txt").write_text("\n".join(" ".join(draw.choices(WORDS, k=9)) for _ in range(260)))
    return tmp_path


@pytest.fixture
def ostinato(folder) -> Callable[..., subprocess.CompletedProcess]:
    """Return a function that runs the entry point in `folder`."""

    def run(*arguments: str, **options) -> subprocess.CompletedProcess:
        return subprocess.run(
            [entry_point(), *arguments],
            cwd=folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=120,
            **options,
        )

    return run


@pytest.fixture
def main(folder, monkeypatch, capsys) -> Callable[..., tuple[int, str, str]]:
    """Return a function that calls the entry point in this process and returns (exit code, stdout, stderr)."""
    from ostinato.cli.main import main as entry

    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments: str) -> tuple[int, str, str]:
        try:
            code = entry(list(arguments))
        except SystemExit as stop:  # the parser of a command ends so
            code = stop.code
        out, err = capsys.readouterr()
        return code, out, err

    return run
