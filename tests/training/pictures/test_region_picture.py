"""The picture of a caption: the image, and once for each word what it looked at."""

import numpy as np
import pytest

from ostinato import ConfigError
from ostinato.training.pictures.regions import Captioned, draw_regions

IMAGE = np.random.default_rng(0).random((24, 32, 3))
WORDS = ["a", "red", "square"]


def grids(words: int) -> np.ndarray:
    """(T, 3, 4): word k looks at region k alone."""
    return np.eye(12)[np.arange(words) % 12].reshape(words, 3, 4)


def drawn(saved, tmp_path, *captioned):
    draw_regions(tmp_path / "caption.png", Captioned(*captioned))
    return saved[-1], [panel for panel in saved[-1].axes if panel.images]


def test_each_word_has_the_image_dark_where_it_did_not_look(saved, tmp_path):
    figure, (image, *words) = drawn(saved, tmp_path, IMAGE, WORDS, grids(3))
    assert figure.get_suptitle() == "a red square"
    assert len(image.images) == 1
    assert [panel.get_title() for panel in words] == WORDS
    for place, panel in enumerate(words):
        shade = panel.images[1].get_array()[..., 3]
        assert np.flatnonzero(shade.ravel() == 0).tolist() == [place]
        assert panel.images[1].get_extent() == [-0.5, 31.5, 23.5, -0.5]


def test_without_attention_there_are_the_image_and_its_caption(saved, tmp_path):
    figure, panels = drawn(saved, tmp_path, IMAGE[..., 0], ["colour"], None, "teal")
    assert len(panels) == 1
    assert figure.get_suptitle() == "teal"


def test_bytes_are_an_image_too(saved, tmp_path):
    _, panels = drawn(saved, tmp_path, np.full((4, 4), 255, np.uint8), [])
    assert panels[0].images[0].get_clim() == (0, 255)


def test_of_a_long_caption_the_beginning_is_drawn_and_this_is_said(saved, tmp_path):
    figure, panels = drawn(saved, tmp_path, IMAGE, [str(k) for k in range(40)], grids(40))
    assert len(panels) == 30
    assert figure.get_suptitle().endswith("; where the first 29 words looked")


def test_no_words_are_said(saved, tmp_path):
    assert drawn(saved, tmp_path, IMAGE, [], grids(0))[0].get_suptitle() == "(no words)"


def test_any_text_is_drawn_without_a_warning(strange, saved, tmp_path):
    drawn(saved, tmp_path, IMAGE, [strange], grids(1), strange)
    assert (tmp_path / "caption.png").stat().st_size > 1000


def test_weights_of_nothing_leave_the_image_dark(saved, tmp_path):
    _, panels = drawn(saved, tmp_path, IMAGE, ["a"], np.full((1, 2, 2), np.nan))
    assert np.allclose(panels[1].images[1].get_array()[..., 3], 0.85)


@pytest.mark.parametrize(
    ("captioned", "message"),
    [
        ((np.zeros(3), WORDS), r"image: shape \(3,\). It is \(height, width\)"),
        ((np.zeros((3, 3, 4)), WORDS), r"image: shape \(3, 3, 4\)"),
        ((np.zeros((0, 3)), WORDS), "image: shape"),
        ((IMAGE, WORDS, grids(2)), r"weights: shape \(2, 3, 4\). It is \(3, rows, columns\): a grid for each word"),
        ((IMAGE, WORDS, np.ones((3, 12))), r"weights: shape \(3, 12\)"),
    ],
)
def test_what_cannot_be_drawn_is_refused(saved, tmp_path, captioned, message):
    with pytest.raises(ConfigError, match=message):
        drawn(saved, tmp_path, *captioned)
