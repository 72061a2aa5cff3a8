"""Which column is which, with the reason; columns that are missing."""

import pytest
from files_of_rows import write

from ostinato._errors import DataError
from ostinato.data.rows import column_of, open_rows


@pytest.fixture
def table(tmp_path):
    def written(content):
        return open_rows(write(tmp_path / "a.csv", content))

    return written


@pytest.mark.parametrize(("asked", "purpose"), [("Sentence", "text"), ("STARS", "label"), ("Split", "part")])
def test_a_usual_name_is_known_in_any_case(table, asked, purpose):
    rows = table("id,Sentence,STARS,Split\n1,a,5,train\n")
    assert column_of(rows, None, purpose) == (asked, "by its name")


def test_the_surest_name_is_taken(table):
    rows = table("name,title,text,score,label\na,b,c,1,2\n")
    assert column_of(rows, None, "text").column == "text"
    assert column_of(rows, None, "label").column == "label"


def test_what_is_asked_for_is_taken(table):
    assert column_of(table("text,notes\na,b\n"), "notes", "text") == ("notes", "asked for")


def test_a_missing_column_is_refused_with_those_there_are(table):
    rows = table("text,label,notes\na,b,c\n")
    with pytest.raises(DataError) as caught:
        column_of(rows, "lable", "label", flag="--label-column")
    assert caught.value.got == "no column 'lable'"
    assert caught.value.possible == "Columns: 'text', 'label', 'notes'"
    assert caught.value.advice == "Did you mean 'label'? Name it with --label-column"


def test_of_two_columns_the_label_is_the_one_that_varies_less(table):
    rows = table("what a film,yes\nnever again,no\nfine!,yes\n")
    assert column_of(rows, None, "label").column == "column 2"
    text = column_of(rows, None, "text")
    assert text == ("column 1", "the one of two columns with more different values")


def test_the_other_of_two_columns_is_what_is_left(table):
    rows = table("verdict,text\nyes,a\nno,b\n")
    assert column_of(rows, None, "label", taken=["text"]) == ("verdict", "the other of two columns")


def test_the_only_column_is_the_text_and_no_label(table):
    rows = table("film\na\nb\n")
    assert column_of(rows, None, "text") == ("film", "the only column")
    with pytest.raises(DataError, match=r"no column for the label\. Columns: 'film'"):
        column_of(rows, None, "label")


def test_a_column_that_is_taken_is_not_left_for_the_label(table):
    with pytest.raises(DataError, match=r"no column for the label\. Columns: 'text'"):
        column_of(table("text\na\nb\n"), None, "label", taken=["text"])


def test_nothing_is_guessed_among_three_columns(table):
    rows = table("a,b,c\n1,2,3\n")
    with pytest.raises(DataError, match=r"no column is known to be the label.*'a', 'b', 'c'.*--label"):
        column_of(rows, None, "label")
