"""What a run shows on a terminal, and where its output is piped."""

import re
import sys

import pytest
from command_line import SMALL, entry_point, environment

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


NEEDS_UNIX = pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal needs a Unix system")


def shown_on_a_terminal(folder, *words):
    """Return what a command shows there, without the codes of colours and places."""
    import pexpect

    settings = {"env": environment() | {"TERM": "xterm-256color"}, "dimensions": (40, 160), "encoding": "utf-8"}
    child = pexpect.spawn(entry_point(), [*words], cwd=str(folder), timeout=120, **settings)
    child.expect(pexpect.EOF)
    shown = ESCAPE.sub("", child.before)
    child.close()
    assert child.exitstatus == 0
    return shown


@NEEDS_UNIX
def test_a_terminal_shows_a_live_line_and_the_samples(folder):
    shown = shown_on_a_terminal(folder, "train", "language-model", "book.txt", *SMALL)
    assert "step 12/12" in shown
    assert re.search(r"loss \d\.\d{3}  \d\.\d{3} bits/char  norm .* symbols/s  0:00:0\d left", shown)
    assert re.search(r"step 12, epoch 0\.\d\d: loss .* nats, .* bits/char, the best so far", shown)
    assert "    | " in shown
    assert "ostinato generate runs/book" in shown


@NEEDS_UNIX
def test_a_terminal_shows_a_bar_while_a_run_is_inspected(ostinato, folder):
    ostinato("train", "language-model", "book.txt", *SMALL)
    shown = shown_on_a_terminal(folder, "inspect", "runs/book", "--steps", "8", "--rows", "1")
    assert re.search("━+.* 2/7  spectra", shown)
    assert shown.split()[-1] == "runs/book/inspect/index.html"


def test_a_pipe_gets_a_line_for_each_part_of_a_report(ostinato):
    ostinato("train", "language-model", "book.txt", *SMALL)
    ended = ostinato("inspect", "runs/book", "--steps", "8", "--rows", "1")
    assert "\x1b" not in ended.stderr
    assert [line.split()[0] for line in ended.stderr.splitlines()] == [f"{k}/7" for k in range(1, 8)]


def test_a_pipe_gets_plain_aligned_lines(ostinato):
    ended = ostinato("train", "language-model", "book.txt", *SMALL)
    assert "\x1b" not in ended.stdout
    assert "\r" not in ended.stdout
    lines = ended.stdout.splitlines()
    heading = next(line for line in lines if "bits/char" in line and "validation" in line)
    rows = [line for line in lines if re.match(r" +\d+/12 ", line)]
    assert [row.split()[0] for row in rows] == ["6/12", "12/12"]
    assert {row.index("  ", 70) for row in rows} == {heading.index("  validation")}
