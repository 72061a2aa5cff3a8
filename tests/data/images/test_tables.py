"""Tables of images: columns by their names, captions gathered, questions, what cannot be read."""

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from files_of_images import failure, image

from ostinato.data.images import Columns, Images, open_captioned


@pytest.fixture
def table(tmp_path):
    """Three images beside a table that a test writes."""
    for number, colour in enumerate(("red", "green", "blue")):
        image(tmp_path / "pictures" / f"{number}.png", colour)

    def written(text, name="captions.csv"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return written


def told(found):
    return [(item.name, item.question, item.captions) for item in found]


def test_an_image_and_its_caption_are_found_by_name(table):
    found = open_captioned(table("file_name,caption\npictures/0.png,a red square\npictures/2.png,blau — über alles\n"))
    assert (found.kind, found.has_questions) == ("image", False)
    assert "images in 'file_name', captions in 'caption'" in found.format
    assert told(found) == [
        ("pictures/0.png", None, ("a red square",)),
        ("pictures/2.png", None, ("blau — über alles",)),
    ]
    assert [item.context[24, 24].tolist() for item in found] == [[255, 0, 0], [0, 0, 255]]


def test_rows_of_one_image_are_captions_of_it(table):
    text = "image\tcaption\npictures/0.png\tred\npictures/1.png\tgreen\npictures/0.png\t\npictures/0.png\trouge\n"
    found = open_captioned(table(text, "captions.tsv"))
    assert told(found) == [("pictures/0.png", None, ("red", "rouge")), ("pictures/1.png", None, ("green",))]
    assert next(iter(found)).place.number == 2


def test_flickrs_numbered_captions_are_of_one_image(table):
    text = "pictures/0.png#0\ta red one\npictures/0.png#1\tall red\npictures/1.png#0\tgreen\n"
    assert told(open_captioned(table(text, "results.token"))) == [
        ("pictures/0.png", None, ("a red one", "all red")),
        ("pictures/1.png", None, ("green",)),
    ]


def test_each_question_of_an_image_is_an_item(table):
    text = "image,question,answer\npictures/0.png,what colour?,red\npictures/0.png,is it blue?,no\n"
    found = open_captioned(table(text))
    assert found.has_questions
    assert told(found) == [
        ("pictures/0.png", "what colour?", ("red",)),
        ("pictures/0.png", "is it blue?", ("no",)),
    ]


def test_questions_are_left_alone_where_nothing_is_to_be_asked(table):
    text = "image,question,caption\npictures/0.png,what colour?,red\npictures/0.png,is it blue?,a red one\n"
    assert told(open_captioned(table(text), asks=False)) == [("pictures/0.png", None, ("red", "a red one"))]


def test_columns_can_be_named(table):
    text = 'a,b,c\npictures/1.png,"what, then?",green\n'
    found = open_captioned(table(text), columns=Columns(image="a", caption="c", question="b"))
    assert told(found) == [("pictures/1.png", "what, then?", ("green",))]


def test_jsonl_holds_lists_of_captions(table):
    lines = [{"image": "pictures/0.png", "captions": ["red", " ", "rot"]}, {"image": "pictures/1.png", "captions": []}]
    found = open_captioned(table("\n".join(map(json.dumps, lines)), "captions.jsonl"))
    assert told(found) == [("pictures/0.png", None, ("red", "rot")), ("pictures/1.png", None, ())]


def test_parquet_holds_the_bytes_of_images(tmp_path):
    stored = io.BytesIO(image(tmp_path / "red.png").read_bytes()).getvalue()
    columns = {"image": [{"bytes": stored, "path": "red.png"}, {"bytes": stored, "path": None}], "text": ["red", "rot"]}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    found = list(open_captioned(tmp_path / "a.parquet"))
    assert [(item.name, item.captions) for item in found] == [
        ("red.png", ("red",)),
        (f"{tmp_path / 'a.parquet'}, row 2", ("rot",)),
    ]
    assert found[0].context.shape == (48, 48, 3)


def test_the_folder_of_images_can_be_elsewhere(tmp_path, table):
    (tmp_path / "lists").mkdir()
    path = table("image,caption\n1.png,green\n", "lists/captions.csv")
    found = open_captioned(path, images=Images(size=7, folder=tmp_path / "pictures"))
    assert next(iter(found)).context.shape == (7, 7, 3)


def test_without_captions_rows_come_one_by_one(table):
    path = table("image,question\npictures/0.png,why?\npictures/0.png,why?\n")
    assert told(open_captioned(path, captioned=False)) == 2 * [("pictures/0.png", "why?", ())]


def test_lines_of_paths_are_images_to_answer(table):
    found = open_captioned(table("pictures/0.png\npictures/2.png\n", "names.txt"), captioned=False)
    assert [item.name for item in found] == ["pictures/0.png", "pictures/2.png"]


def test_columns_of_numbers_are_a_vector(tmp_path):
    (tmp_path / "a.csv").write_text("r,g,b,name\n1,2,3.5,dawn\n4,5,6,dusk\n1,2,3.5,morning\n")
    found = open_captioned(tmp_path / "a.csv", columns=Columns(vector=("r", "g", "b")))
    assert found.kind == "vector"
    assert [(item.context.tolist(), item.captions) for item in found] == [
        ([1.0, 2.0, 3.5], ("dawn", "morning")),
        ([4.0, 5.0, 6.0], ("dusk",)),
    ]


def test_a_column_of_colours_is_found(tmp_path):
    (tmp_path / "a.csv").write_text("name,hex\nteal,#008080\npitch,#000\n")
    found = open_captioned(tmp_path / "a.csv")
    assert found.kind == "vector"
    np.testing.assert_allclose([item.context for item in found], [[0, 128 / 255, 128 / 255], [0, 0, 0]])


def test_six_digits_are_a_number_and_no_colour(tmp_path):
    (tmp_path / "a.csv").write_text("v,name\n123456,low\n000010,high\n")
    found = open_captioned(tmp_path / "a.csv", columns=Columns(vector=("v",)))
    assert [item.context.tolist() for item in found] == [[123456.0], [10.0]]


def test_a_column_of_colours_without_their_sign(tmp_path):
    (tmp_path / "a.csv").write_text("v,name\n000000,black\nff0000,red\n")
    found = open_captioned(tmp_path / "a.csv", columns=Columns(vector=("v",)))
    assert [item.context.tolist() for item in found] == [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]


def test_a_list_of_numbers_is_a_vector(table):
    path = table('{"v": [1, 2], "caption": "a"}\n{"v": [3, 4.5], "caption": "b"}\n', "a.jsonl")
    found = open_captioned(path, columns=Columns(vector=("v",)))
    assert [item.context.tolist() for item in found] == [[1.0, 2.0], [3.0, 4.5]]


@pytest.mark.parametrize(
    ("text", "columns", "said"),
    [
        ("picture_of,caption\n0.png,red\n", None, "no column is known to be the image"),
        ("image,words_of\n0.png,red\n", None, "no column is known to be the caption"),
        ("image,caption\n0.png,red\n", Columns(caption="captoin"), "Did you mean 'caption'"),
        ("image,caption\n0.png,red\n", Columns(question="asked"), "no column 'asked'"),
        ("r,g,caption\n1,2,red\n", Columns(vector=("r", "b")), "no column 'b'"),
        ("r,g,caption\n1,two,red\n", Columns(vector=("r", "g")), "'two' in column 'g', where a number is needed"),
        ("r,g,caption\n1,,red\n", Columns(vector=("r", "g")), "no number in column 'g'"),
        ("r,caption\n1e300,red\n", Columns(vector=("r",)), "a number that is not finite"),
        ("image,caption\n,red\n", None, "no image in column 'image'"),
        ("image,caption\nhttp://a.org/0.png,red\n", None, "Fetch them first"),
        ("image,caption\n7.png,red\n", None, "there is no such file"),
        ("image,caption\n0.png\n", None, "1 field, where the header has 2"),
    ],
)
def test_bad_tables_are_refused(table, text, columns, said):
    assert said in failure(table(text), columns=columns)


def test_a_caption_that_is_no_text(table):
    text = '{"image": "pictures/0.png", "caption": {"en": "red"}}\n'
    assert "'caption' holds" in failure(table(text, "a.jsonl"))
    assert "A list of captions holds texts" in failure(table(text.replace('{"en": "red"}', "[1]"), "a.jsonl"))


def test_what_cannot_be_read_is_counted_where_that_is_asked_for(tmp_path, table):
    (tmp_path / "pictures" / "1.png").write_bytes(b"no image")
    path = table("image,caption\npictures/0.png,a\npictures/1.png,b\npictures/9.png,c\n,d\n")
    assert "pictures/1.png" in failure(path)
    seen = []
    found = open_captioned(path, skip=lambda reason, place: seen.append((reason, place)))
    assert [item.captions for item in found] == [("a",)]
    assert {reason for reason, _ in seen} == {"that cannot be read as an image"}
    assert ["pictures/1.png" in place or "9.png" in place or "line 5" in place for _, place in seen] == [True] * 3
