"""Opening by what a source is: generated worlds, real colours, standard input, what cannot be."""

import io
import sys
from itertools import islice

import numpy as np
import pytest
from files_of_images import SHARED, failure, image

from ostinato._errors import ConfigError, DataError
from ostinato.data.images import Images, open_captioned
from ostinato.data.images.vectors import vector_of_text
from ostinato.data.place import Place

COLOURS = SHARED / "captioning" / "color_names" / "colornames.csv"


def test_a_generated_world_is_read_as_a_file_is():
    found = open_captioned("generated:shapes?items=3&seed=4", images=Images(size=24))
    items = list(found)
    assert (found.kind, found.has_questions, len(items)) == ("image", False, 3)
    assert items[0].context.shape == (24, 24, 3)
    assert items[0].captions[0].startswith("a ")
    assert [item.context.tobytes() for item in found] == [item.context.tobytes() for item in items]


def test_a_generated_world_of_questions():
    found = open_captioned("generated:shapes?items=5&questions=true")
    assert found.has_questions
    assert all(item.question.endswith("?") for item in found)


@pytest.mark.parametrize("source", ["generated:shapes?item=3", "generated:shaeps", "generated:shapes?items=many"])
def test_a_generated_world_that_is_none(source):
    with pytest.raises(ConfigError):
        open_captioned(source)


@pytest.mark.parametrize(
    ("source", "size", "said"),
    [
        ("generated:shapes?items=0", 36, "Possible: 1 or more"),
        ("generated:shapes?figures=4", 36, "Possible: 1 to 3"),
        ("generated:shapes?part=tset", 36, "Did you mean 'test'"),
        ("generated:shapes", 8, "Possible: 12 or more"),
    ],
)
def test_knobs_that_cannot_be(source, size, said):
    with pytest.raises(ConfigError, match=said):
        open_captioned(source, images=Images(size=size))


def test_a_world_without_questions_cannot_be_asked():
    with pytest.raises(DataError, match="questions=true"):
        open_captioned("generated:shapes", asks=True)


def test_a_world_of_questions_is_described_where_none_are_to_be_read():
    found = open_captioned("generated:shapes?items=5&questions=true", asks=False)
    assert not found.has_questions
    assert [item.question for item in found] == [None] * 5
    assert all(item.captions[0].startswith("a ") for item in found)


@pytest.mark.skipif(not COLOURS.is_file(), reason="no folder shared/data with real colours")
def test_real_colours_are_found_by_what_stands_in_them():
    found = open_captioned(COLOURS)
    assert found.format == "CSV with a header of 3 columns; vectors in 'hex', captions in 'name'"
    first = next(iter(found))
    assert (first.name, first.captions) == ("#c93f38", ("100 Mph",))
    assert sum(1 for _ in found) == len({item.name for item in found})


def typed(monkeypatch, text):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


def test_images_come_from_standard_input_one_by_one(monkeypatch, tmp_path):
    path = image(tmp_path / "a.png")
    typed(monkeypatch, f"{path}\n{path}\n")
    assert [item.name for item in open_captioned("-", captioned=False)] == [str(path)] * 2


def test_vectors_come_from_standard_input(monkeypatch):
    typed(monkeypatch, "#ff0000\n0.5, 0 1\n")
    found = open_captioned("-", kind="vector", captioned=False)
    assert [item.context.tolist() for item in found] == [[1.0, 0.0, 0.0], [0.5, 0.0, 1.0]]


def test_questions_come_from_standard_input(monkeypatch, tmp_path):
    typed(monkeypatch, f'{{"image": "{image(tmp_path / "a.png")}", "question": "why?"}}\n')
    first = next(islice(open_captioned("-", captioned=False, asks=True), 1))
    assert first.question == "why?"


def test_six_digits_are_a_colour_only_where_three_numbers_are_read():
    place = Place("standard input", 1)
    assert vector_of_text("100000", place, 1).tolist() == [100000.0]
    np.testing.assert_allclose(vector_of_text("100000", place, 3), [16 / 255, 0, 0], rtol=1e-6)
    assert vector_of_text("ff0000", place).tolist() == [1.0, 0.0, 0.0]


@pytest.mark.parametrize("text", ["red", "", "1 2 x", "nan", "inf 1", "#12345"])
def test_what_is_no_vector(text):
    with pytest.raises(DataError, match="standard input, line 3"):
        vector_of_text(text, Place("standard input", 3))


def test_a_single_image_is_no_set(tmp_path):
    with pytest.raises(ConfigError, match="one image, where many are needed"):
        open_captioned(image(tmp_path / "a.png"))


def test_a_source_that_is_not_there(tmp_path):
    assert "there is no such file" in failure(tmp_path / "a.csv")


def test_an_empty_table(tmp_path):
    (tmp_path / "a.csv").write_text("image,caption\n")
    assert "no rows in it" in failure(tmp_path / "a.csv")
