"""Folders of images: texts beside them, or a table of captions in the folder."""

import pytest
from files_of_images import failure, image

from ostinato.data.images import Columns, Images, open_captioned


def test_a_text_beside_each_image_holds_its_captions(tmp_path):
    image(tmp_path / "b.png")
    (tmp_path / "b.txt").write_text("second\nzwei\n\n")
    image(tmp_path / "in" / "a.JPG")
    (tmp_path / "in" / "a.txt").write_text("within")
    image(tmp_path / ".hidden" / "c.png")
    found = open_captioned(tmp_path)
    assert found.format == "a folder of 2 images, a text beside each"
    assert [(item.name, item.captions) for item in found] == [("b.png", ("second", "zwei")), ("in/a.JPG", ("within",))]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("captions.csv", "image,caption\na.png,red\na.png,rot\n"),
        ("captions.txt", "image,caption\na.png,red\na.png,rot\n"),
        ("captions.txt", "a.png#0\tred\na.png#1\trot\n"),
        ("metadata.csv", "file_name,text\na.png,red\na.png,rot\n"),
        ("captions.jsonl", '{"image": "a.png", "captions": ["red", "rot"]}\n'),
    ],
)
@pytest.mark.parametrize("inside", ["", "images"])
def test_a_table_in_the_folder_names_its_images(tmp_path, name, text, inside):
    image(tmp_path / inside / "a.png")
    (tmp_path / name).write_text(text)
    assert [(item.name, item.captions) for item in open_captioned(tmp_path)] == [("a.png", ("red", "rot"))]


def test_a_folder_to_answer_needs_no_captions(tmp_path):
    image(tmp_path / "a.png")
    found = list(open_captioned(tmp_path, captioned=False, images=Images(size=5)))
    assert [(item.name, item.captions, item.context.shape) for item in found] == [("a.png", (), (5, 5, 3))]


def test_columns_of_a_folders_table_can_be_named(tmp_path):
    image(tmp_path / "a.png")
    (tmp_path / "captions.csv").write_text("what,which\nred,a.png\n")
    found = open_captioned(tmp_path, columns=Columns(image="which", caption="what"))
    assert [item.captions for item in found] == [("red",)]


def test_a_folder_without_images(tmp_path):
    assert "no images in it" in failure(tmp_path)


def test_an_image_without_a_text_is_refused_or_counted(tmp_path):
    image(tmp_path / "a.png")
    image(tmp_path / "b.png")
    (tmp_path / "b.txt").write_text("b")
    assert "no 'a.txt' beside it" in failure(tmp_path)
    seen = []
    found = open_captioned(tmp_path, skip=lambda *told: seen.append(told))
    assert [item.name for item in found] == ["b.png"]
    assert len(seen) == 1
    assert "a.png" in seen[0][1]


@pytest.mark.parametrize("text", ["", "  \n", "\n\n"])
def test_a_text_that_is_blank_has_no_captions(tmp_path, text):
    image(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text(text)
    assert [(item.name, item.captions) for item in open_captioned(tmp_path)] == [("a.png", ())]


def test_images_that_are_none_are_counted(tmp_path):
    image(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"none")
    for name in "ab":
        (tmp_path / f"{name}.txt").write_text(name)
    assert "not an image" in failure(tmp_path)
    seen = []
    assert len(list(open_captioned(tmp_path, skip=lambda *told: seen.append(told)))) == 1
    assert "b.png" in seen[0][1]


def test_a_folder_has_no_questions(tmp_path):
    image(tmp_path / "a.png")
    assert "images without questions" in failure(tmp_path, asks=True)
