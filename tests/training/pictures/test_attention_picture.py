"""The picture of attention: a square for each pair of symbols, of any size and in any script."""

from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.image import imread

from ostinato import ConfigError
from ostinato.training.pictures.attention import Attention, draw_attention


def example(written: int, read: int, title: str = "") -> Attention:
    weights = np.random.default_rng(0).random((written, read))
    return Attention(weights, [f"r{k}" for k in range(read)], [f"w{k}" for k in range(written)], title)


def names(labels) -> list[str]:
    return [label.get_text() for label in labels]


@pytest.mark.parametrize("size", [(1, 1), (5, 7), (80, 3)])
def test_a_row_is_what_was_written_and_a_column_what_was_read(saved, tmp_path, size):
    shown = example(*size)
    draw_attention(tmp_path / "attention.png", [shown])
    (panel,) = saved[-1].axes
    assert np.array_equal(panel.images[0].get_array(), shown.weights)
    assert (names(panel.get_yticklabels()), names(panel.get_xticklabels())) == (shown.target, shown.source)
    assert imread(tmp_path / "attention.png").shape[0] > 100


def test_black_and_white_mean_the_same_in_every_picture(saved, tmp_path):
    draw_attention(tmp_path / "attention.png", [example(2, 2)])
    assert saved[-1].axes[0].images[0].get_clim() == (0, 1)


def test_each_example_has_a_panel_and_a_title(saved, tmp_path):
    draw_attention(tmp_path / "attention.png", [example(2, 3, "item 7: ein Hund"), example(4, 2)])
    titles = [panel.get_title("left") for panel in saved[-1].axes]
    assert titles == ["item 7: ein Hund", "what was looked at for each symbol written"]


def test_of_long_sequences_the_beginning_is_drawn_and_this_is_said(saved, tmp_path):
    draw_attention(tmp_path / "attention.png", [example(3, 81)])
    (panel,) = saved[-1].axes
    assert panel.images[0].get_array().shape == (3, 80)
    assert panel.get_title("left").endswith("; the first 80 symbols of each side")


@pytest.mark.parametrize("size", [(0, 3), (3, 0), (0, 0)])
def test_nothing_written_or_read_is_said(saved, tmp_path, size):
    draw_attention(tmp_path / "attention.png", [example(*size)])
    assert names(saved[-1].axes[0].texts) == ["nothing was read or written"]


def test_white_space_is_seen_and_long_names_are_cut(saved, tmp_path):
    draw_attention(tmp_path / "attention.png", [Attention(np.eye(3), [" ", "\n", "a" * 30], [" the", "", "x\ny"])])
    (panel,) = saved[-1].axes
    assert names(panel.get_xticklabels()) == ["␣", "⏎", "a" * 23 + "…"]
    assert names(panel.get_yticklabels()) == ["the", "(empty)", "x y"]


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_any_text_is_drawn_without_a_warning(strange, tmp_path, kind):
    path = tmp_path / f"attention.{kind}"
    draw_attention(path, [Attention(np.eye(2), [strange, "a"], ["b", strange], strange)])
    assert path.stat().st_size > 1000
    if kind == "svg":
        assert ElementTree.parse(path).getroot().tag.endswith("svg")


def test_weights_that_are_no_numbers_are_left_white(saved, tmp_path):
    draw_attention(tmp_path / "attention.png", [Attention(np.full((1, 2), np.nan), ["a", "b"], ["c"])])
    assert saved[-1].axes[0].images[0].get_array().mask.all()


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_the_same_numbers_give_the_same_bytes(tmp_path, kind):
    for name in ("one", "two"):
        draw_attention(tmp_path / f"{name}.{kind}", [example(4, 3)])
    assert (tmp_path / f"one.{kind}").read_bytes() == (tmp_path / f"two.{kind}").read_bytes()


@pytest.mark.parametrize(
    ("name", "examples", "message"),
    [
        ("a.doc", [example(1, 1)], r"a.doc'. A picture is called \*.png or \*.svg"),
        ("a.png", [], "attention: no example"),
        ("a.png", [Attention(np.eye(2), ["a"], ["b", "c"])], r"weights: shape \(2, 2\). \(2, 1\): symbols written"),
    ],
)
def test_what_cannot_be_drawn_is_refused(tmp_path, name, examples, message):
    with pytest.raises(ConfigError, match=message):
        draw_attention(tmp_path / name, examples)
    assert not list(tmp_path.iterdir())
