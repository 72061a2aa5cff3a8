"""Runs beside each other: real ones, trained here, and folders that are none, empty, damaged or busy."""

import json
import shutil
import threading

import pytest

import ostinato
from ostinato import ConfigError, RunError, compare, train_language_model
from ostinato.training.comparison.curves import plot
from ostinato.training.comparison.runs import KINDS
from ostinato.training.comparison.settings import blocks
from ostinato.training.config import Reservoir, ReservoirRun, Series
from ostinato.training.opening import OPENERS
from ostinato.training.progress import Silent
from ostinato.training.reservoir import train as fit_reservoir
from ostinato.training.run_folder import RunFolder
from ostinato.training.sequence_task import train_task

TASK = {"hidden_size": 4, "length": 8, "batch_size": 4, "steps": 6, "validate_every": 2, "test_sequences": 8}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return a folder with two runs of a task."""
    folder = tmp_path_factory.mktemp("runs")
    for cell, seed in (("gru", 0), ("elman", 1)):
        train_task("adding", out=folder / cell, cell=cell, seed=seed, progress=False, **TASK)
    return folder


@pytest.fixture
def runs(trained, tmp_path):
    """Return a copy of that folder, to be spoilt."""
    return shutil.copytree(trained, tmp_path / "runs")


def measured(folder) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_what_each_run_reached_is_its_smallest_score(runs):
    (group,) = compare(runs / "gru", runs / "elman").groups
    assert (group.kind, group.figure) == ("task", "valid_mse")
    for run in group.runs.values():
        lines = measured(run.folder)
        assert run.least("valid_mse") == min((line["valid_mse"], line["step"]) for line in lines)
        assert run.curve("valid_mse") == [(line["step"], line["valid_mse"]) for line in lines]
        assert (run.reached("step"), run.steps, run.state) == (6, 6, "done")


def test_the_best_stands_first(runs):
    (group,) = compare(runs).groups
    scores = [run.least("valid_mse") for run in group.runs.values()]
    assert scores == sorted(scores)
    assert list(group.runs) == ["a", "b"]


def test_a_folder_of_runs_stands_for_the_runs_in_it(runs):
    assert compare(runs).text() == compare(runs / "elman", runs / "gru").text()


def test_a_run_named_twice_is_shown_once(runs):
    assert len(compare(runs / "gru", runs / "gru", runs).groups[0].runs) == 2


def test_only_settings_that_differ_are_shown(runs):
    table = compare(runs).text().split("settings that differ\n\n")[1].split("\n\n")[0]
    heading, *rows = (line.split() for line in table.splitlines())
    assert heading == ["cell", "seed"]
    assert sorted(row[1:] for row in rows) == [["elman", "1"], ["gru", "0"]]


def test_equal_settings_are_said_to_be_equal(runs):
    shutil.copytree(runs / "gru", runs / "again")
    assert "Their settings are the same." in compare(runs / "gru", runs / "again").text()


def test_another_figure_is_compared_when_it_is_named(runs):
    assert compare(runs, figure="wrong").groups[0].figure == "valid_wrong"
    assert compare(runs, figure="gradient_norm").groups[0].figure == "gradient_norm"
    with pytest.raises(ConfigError, match=r"no run measured 'gradient_nrom'.*Did you mean 'gradient_norm'"):
        compare(runs, figure="gradient_nrom")


def test_runs_of_different_kinds_stand_in_tables_of_their_own(runs, text, small):
    train_language_model(text, out=runs / "book", **small)
    series = Series("memory-capacity", steps=300, washout=100)
    fit_reservoir(ReservoirRun(out=runs / "echo", series=series, model=Reservoir(hidden_size=20)), Silent())
    groups = {group.kind: group for group in compare(runs).groups}
    assert {kind: group.figure for kind, group in groups.items()} == {
        "task": "valid_mse",
        "language-model": "valid_nats",
        "reservoir": "capacity",
    }
    assert [run.state for run in groups["reservoir"].runs.values()] == ["done"]
    assert "No curve: it takes two measurements." in compare(runs / "echo").text()


def test_texts_of_different_symbols_are_compared_by_bits_a_character(tmp_path, text, small):
    for tokens in ("char", "byte"):
        train_language_model(text, out=tmp_path / tokens, tokens=tokens, **small)
    assert compare(tmp_path / "char").groups[0].figure == "valid_nats"
    assert compare(tmp_path).groups[0].figure == "valid_bits_per_character"


def test_a_run_without_measurements_stands_last_among_its_kind(runs):
    (runs / "elman" / "metrics.jsonl").unlink()
    (group,) = compare(runs / "elman", runs / "gru").groups
    assert [(run.folder.name, run.state) for run in group.runs.values()] == [("gru", "done"), ("elman", "not begun")]


def test_only_runs_without_measurements_are_shown_all_the_same(runs):
    (runs / "gru" / "metrics.jsonl").write_text("")
    said = compare(runs / "gru").text()
    assert said.startswith("task, nothing measured yet")
    assert "No curve" in said


def test_damaged_lines_are_counted_and_left_out(runs):
    with (runs / "gru" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 8, "valid_mse": NaN}\n[1]\n{"valid_mse": 1}\n{"step": 9, "val')
    comparison = compare(runs / "gru")
    assert [step for step, _ in comparison.groups[0].runs["a"].curve("valid_mse")] == [2, 4, 6]
    assert "gru: 3 damaged lines of metrics.jsonl are left out" in comparison.text()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda bad: bad.mkdir(), "this is no run folder, config.yaml is missing"),
        (lambda bad: None, "there is no such run folder"),
        (lambda bad: bad.write_text("words"), "this is a file"),
        (lambda bad: (bad.mkdir(), (bad / "config.yaml").write_bytes(b"kind: \xff")), "damaged at byte 6"),
        (lambda bad: (bad.mkdir(), (bad / "config.yaml").write_text("kind: [")), "line 1, column"),
        (lambda bad: (bad.mkdir(), (bad / "config.yaml").write_text("kind: dream")), "holds a run of kind 'dream'"),
        (lambda bad: (bad.mkdir(), (bad / "config.yaml").write_text("- 1")), "holds list"),
    ],
    ids=["empty", "missing", "file", "not text", "not YAML", "another kind", "no settings"],
)
def test_what_is_no_run_is_left_out_with_its_reason(runs, spoil, reason):
    spoil(runs / "bad")
    comparison = compare(runs / "gru", runs / "bad")
    assert reason in comparison.left_out[runs / "bad"]
    assert "left out: " in comparison.text()
    assert len(comparison.groups[0].runs) == 1


def test_where_no_run_is_left_the_reasons_are_said(tmp_path):
    with pytest.raises(RunError, match=r"no run is there to compare.*config.yaml is missing"):
        compare(tmp_path)


def test_a_run_that_is_trained_now_is_running(runs):
    folder, seen = RunFolder(runs / "gru"), []
    with folder.locked():
        other = threading.Thread(target=lambda: seen.append(compare(runs / "gru").groups[0].runs["a"].state))
        other.start()
        other.join()
    assert [*seen, compare(runs / "gru").groups[0].runs["a"].state] == ["running", "done"]


def test_a_run_that_ended_early_was_stopped_or_had_solved_its_task(runs, tmp_path):
    solved = train_task("adding", out=tmp_path / "solved", progress=False, goal=100.0, **TASK).folder
    assert compare(solved).groups[0].runs["a"].state == "solved"
    (runs / "gru" / "metrics.jsonl").write_text(json.dumps(measured(runs / "gru")[0]) + "\n")
    assert compare(runs / "gru").groups[0].runs["a"].state == "stopped"


def test_a_comparison_prints_itself(runs):
    comparison = ostinato.compare(runs)
    assert str(comparison) == comparison.text()


@pytest.mark.parametrize("columns", [40, 60, 100])
def test_the_text_keeps_within_the_columns_it_has(runs, columns, monkeypatch):
    monkeypatch.chdir(runs)  # so that names are short
    assert max(map(len, compare("gru", "elman").text(columns=columns).splitlines())) <= columns


def test_columns_that_do_not_fit_follow_below_with_the_labels_again():
    lines = blocks(["a", "b"], ["one", "two"], [["1", "long words"], ["22", "x"]], columns=10)
    assert lines == ["   one", "a    1", "b   22", "", "   two", "a  long words", "b  x"]


def test_a_straight_curve_is_drawn_straight():
    lines = plot({"a": [(0, 0.0), (14, 14.0)]}, columns=18)
    grid = [line.partition("┤")[2] or line.partition("│")[2] for line in lines[:15]]
    assert [row.strip() for row in grid] == [row.strip()[0] * len(row.strip()) for row in grid]
    assert [row.index("a") for row in grid] == sorted((row.index("a") for row in grid), reverse=True)
    assert grid[0].endswith("a")
    assert grid[14].startswith("a")


def test_a_steep_curve_is_drawn_without_gaps():
    lines = plot({"a": [(0, 0.0), (10, 0.0), (10.001, 5.0), (20, 5.0)]}, columns=40)
    assert all("a" in line for line in lines[:15])


def test_the_numbers_beside_a_plot_are_round():
    lines = plot({"a": [(0, 0.31), (1000, 2.57)]}, columns=60)
    assert [line.split("┤")[0].strip() for line in lines if "┤" in line] == ["2.5", "2", "1.5", "1", "0.5"]
    assert lines[-1].split() == ["0", "200", "400", "600", "800", "1,000"]


def test_a_logarithmic_plot_leaves_out_what_is_not_above_zero():
    lines = plot({"a": [(0, 1.0), (1, 0.0), (2, 0.01)], "b": [(0, -1.0)]}, columns=60, log=True)
    assert [float(line.split("┤")[0]) for line in lines if "┤" in line] == [1, 0.1, 0.01]
    assert "b" not in "".join(lines)
    assert plot({"a": [(0, -1.0)]}, columns=60, log=True) == ["nothing above zero, where a logarithm begins"]


@pytest.mark.parametrize("points", [[(0, 1.0), (1, 1.0)], [(3, 5.0), (3, 5.0)], [(0, 1e-300), (1, 1e300)]])
@pytest.mark.parametrize("log", [False, True])
def test_a_curve_without_height_or_width_is_drawn(points, log):
    lines = plot({"a": points}, columns=60, log=log)
    assert any("a" in line for line in lines[:15])


def test_of_many_curves_the_best_are_drawn(runs):
    for number in range(12):
        shutil.copytree(runs / "gru", runs / f"gru{number}")
    assert "drawn are the first 10 of 14" in compare(runs).text()
    assert [*compare(runs).groups[0].runs][-1] == "n"


def test_a_picture_shows_each_run_with_the_settings_that_differ(runs, tmp_path):
    compare(runs).draw(tmp_path / "new" / "runs.svg")
    drawn = (tmp_path / "new" / "runs.svg").read_text()
    assert "gru (cell gru, seed 0)" in drawn
    assert "elman (cell elman, seed 1)" in drawn
    assert "task, validation mse" in drawn


@pytest.mark.parametrize(("suffix", "begins"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_a_picture_is_of_the_format_its_name_says(runs, tmp_path, suffix, begins):
    compare(runs).draw(tmp_path / f"runs.{suffix}", axis="seconds", log=True)
    assert (tmp_path / f"runs.{suffix}").read_bytes().startswith(begins)


def test_a_picture_that_cannot_be_drawn_says_why(runs, tmp_path):
    with pytest.raises(ConfigError, match=r"A picture is called \*.svg, \*.png, \*.pdf"):
        compare(runs).draw(tmp_path / "runs.doc")
    (runs / "gru" / "metrics.jsonl").unlink()
    with pytest.raises(ConfigError, match="there is no curve to draw"):
        compare(runs / "gru").draw(tmp_path / "runs.svg")


def test_runs_of_every_kind_that_can_be_opened_can_be_compared():
    assert set(OPENERS) <= set(KINDS)
