"""Alignments of an n-best list, as text in columns and as lines between two rows."""

import numpy as np
import pytest

from ostinato import ConfigError
from ostinato.training.pictures.alignments import Hypothesis, alignment_text, draw_alignments, links

SOURCE = ["ein", "Mann", "rennt"]
WEIGHTS = np.array([[0.9, 0.1, 0.0], [0.03, 0.95, 0.02], [0.0, 0.2, 0.8]])


def test_a_symbol_is_linked_to_what_was_looked_at_most():
    assert links(WEIGHTS) == [0, 1, 2]
    assert links(np.zeros((2, 0))) == [-1, -1]
    assert links(np.full((1, 3), np.nan)) == [-1]
    assert links(np.array([[np.nan, 0.0, 0.3]])) == [2]


def test_columns_stand_below_each_other_in_wide_scripts_too():
    found = [Hypothesis(["a", "man", "runs"], -0.25, WEIGHTS), Hypothesis(["跑", "人"], -12.5, WEIGHTS[:2])]
    assert alignment_text(SOURCE, found).splitlines() == [
        "1  -0.250  a    man   runs",
        "           ein  Mann  rennt",
        "2  -12.500  跑   人",
        "            ein  Mann",
    ]


def test_nothing_written_has_its_score_alone():
    assert alignment_text(SOURCE, [Hypothesis([], -1.0, np.zeros((0, 3)))]) == "1  -1.000\n"


def test_lines_are_as_dark_as_their_weight_and_faint_ones_are_left_out(saved, tmp_path):
    draw_alignments(tmp_path / "n-best.svg", SOURCE, [Hypothesis(["a", "man", "runs"], -0.25, WEIGHTS)], "item 3")
    (panel,) = saved[-1].axes
    assert sorted(line.get_alpha() for line in panel.lines) == [0.1, 0.2, 0.8, 0.9, 0.95]
    assert [text.get_text() for text in panel.texts] == [*SOURCE, "a", "man", "runs"]
    assert panel.get_title("left") == "1: score -0.250"
    assert saved[-1].get_suptitle() == "item 3"


def test_each_sequence_found_has_a_panel(saved, tmp_path):
    found = [Hypothesis(["a"] * n, -float(n), np.ones((n, 3)) / 3) for n in (0, 2, 41)]
    draw_alignments(tmp_path / "n-best.png", SOURCE, found)
    assert [panel.get_title("left") for panel in saved[-1].axes] == [
        f"{k}: score {-n:.3f}" for k, n in enumerate((0.0, 2.0, 41.0), 1)
    ]
    assert saved[-1].get_suptitle().endswith("; the first 40 symbols")


def test_any_text_is_drawn_without_a_warning(strange, tmp_path):
    found = [Hypothesis([strange, "a"], -1.0, np.eye(2))]
    draw_alignments(tmp_path / "n-best.svg", ["b", strange], found, strange)
    assert len(alignment_text(["b", strange], found).splitlines()) == 2


def test_what_cannot_be_drawn_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="alignments: no sequence"):
        draw_alignments(tmp_path / "a.png", SOURCE, [])
    wrong = [Hypothesis(["a"], -1.0, WEIGHTS)]
    for call in (lambda: draw_alignments(tmp_path / "a.png", SOURCE, wrong), lambda: alignment_text(SOURCE, wrong)):
        with pytest.raises(ConfigError, match=r"weights: shape \(3, 3\). \(1, 3\): symbols written, symbols read"):
            call()
