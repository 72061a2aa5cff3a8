"""`ostinato compare`, called in this process and through a pipe."""

import pytest

SMALL = ["--hidden-size", "4", "--length", "8", "--batch-size", "4", "--steps", "4", "--validate-every", "2",
         "--test-sequences", "8", "--threads", "1"]  # fmt: skip


@pytest.fixture
def runs(main, folder):
    for cell in ("gru", "elman"):
        assert main("train", "task", "adding", "--cell", cell, *SMALL, "--out", f"runs/{cell}")[0] == 0
    return folder / "runs"


def test_runs_are_compared_where_they_lie_unless_told(main, runs):
    code, out, err = main("compare")
    assert (code, err) == (0, "")
    assert out.startswith("task, validation mse\n")
    assert "cell\n" in out
    assert main("compare", "runs/gru", "runs/elman")[1] == out


def test_a_picture_figure_and_axis_are_chosen(main, runs, folder):
    code, out, _ = main("compare", "--figure", "errors", "--axis", "seconds", "--log", "--out", "both.svg")
    assert code == 0
    assert "task, validation errors" in out
    assert "curves by seconds" in out
    assert (folder / "both.svg").read_text().startswith("<?xml")


def test_what_is_wrong_is_said(main, runs):
    assert "Did you mean 'valid_errors'" in main("compare", "--figure", "valid_eror")[2]
    code, out, err = main("compare", "nowhere")
    assert (code, out) == (2, "")
    assert "there is no such run folder" in err
    assert "A picture is called" in main("compare", "--out", "both.doc")[2]


def test_a_pipe_gets_each_run_on_one_plain_line(ostinato, runs):
    result = ostinato("compare", "runs")
    assert result.returncode == 0
    assert "\x1b" not in result.stdout
    rows = [line for line in result.stdout.splitlines() if "runs/gru" in line]
    assert len(rows) == 1
    assert "4 of 4" in rows[0]
