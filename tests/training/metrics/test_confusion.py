"""The picture of a confusion matrix: drawn for any number of classes and any names."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from ostinato.training.metrics.confusion import draw_confusion


def counts_of(classes: int) -> np.ndarray:
    return np.random.default_rng(classes).integers(0, 50, (classes, classes)) + 200 * np.eye(classes, dtype=int)


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Return a function that draws, and gives the panel as matplotlib holds it."""
    figures = []
    save = Figure.savefig

    def keep(figure, *arguments, **keywords):
        figures.append(figure)
        return save(figure, *arguments, **keywords)

    monkeypatch.setattr(Figure, "savefig", keep)

    def draw(counts, names):
        draw_confusion(tmp_path / "confusion.png", counts, names)
        return figures[-1].axes[0]

    return draw


@pytest.mark.parametrize("classes", [1, 2, 18, 60])
def test_a_picture_has_a_square_and_a_name_for_each_class(drawn, tmp_path, classes):
    panel = drawn(counts_of(classes), [f"class {k}" for k in range(classes)])
    assert [label.get_text() for label in panel.get_yticklabels()] == [f"class {k}" for k in range(classes)]
    assert panel.images[0].get_array().shape == (classes, classes)
    assert imread(tmp_path / "confusion.png").shape[0] > 200


def test_colours_are_shares_of_a_row_and_numbers_are_items(drawn):
    panel = drawn(np.array([[3, 1], [0, 0]]), ["yes", "no"])
    assert np.allclose(panel.images[0].get_array(), [[0.75, 0.25], [0, 0]])
    assert [text.get_text() for text in panel.texts] == ["3", "1"]
    assert panel.get_title("left") == "3 of 4 right"


def test_of_many_classes_the_most_frequent_are_drawn(drawn):
    counts = np.diag(np.arange(1, 71))
    panel = drawn(counts, [str(k) for k in range(70)])
    assert panel.get_title("left") == "2,485 of 2,485 right; the 60 most frequent of 70 classes"
    assert panel.get_yticklabels()[0].get_text() == "10"


def test_names_are_drawn_as_they_are_and_no_formula(drawn):
    panel = drawn(counts_of(3), ["$x^2$ and $", "Ärger\nмир", "a" * 40])
    assert [label.get_text() for label in panel.get_xticklabels()] == ["$x^2$ and $", "Ärger мир", "a" * 23 + "…"]


def test_a_name_that_no_font_can_write_is_its_number(drawn):
    panel = drawn(counts_of(2), ["\U0001f9ff\U00013000\U0002ebe0", ""])
    assert [label.get_text() for label in panel.get_yticklabels()] == ["#0", "(empty)"]
