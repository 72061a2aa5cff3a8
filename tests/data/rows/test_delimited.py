"""Tables of text: separators, headers and quotes told from the file; rows that do not fit named by line."""

import csv
import io

import pytest
from files_of_rows import failure, values, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ostinato._errors import ConfigError
from ostinato.data.rows import open_rows

GOOD = [{"text": "what a film", "label": "good"}, {"text": "never again", "label": "bad"}]


@pytest.mark.parametrize(
    ("name", "delimiter", "words"),
    [
        ("a.csv", ",", "CSV with a header of 2 columns"),
        ("a.csv", ";", "CSV, separated by ';', with a header of 2 columns"),
        ("a.csv", "|", "CSV, separated by '|', with a header of 2 columns"),
        ("a.csv", "\t", "TSV with a header of 2 columns"),
        ("a.tsv", "\t", "TSV with a header of 2 columns"),
        ("table", ",", "CSV with a header of 2 columns"),
        ("table.txt", "\t", "TSV with a header of 2 columns"),
    ],
)
def test_the_separator_is_told_from_the_file(tmp_path, name, delimiter, words):
    rows = [("text", "label"), ("what a film", "good"), ("never again", "bad")]
    path = write(tmp_path / name, "\n".join(delimiter.join(row) for row in rows) + "\n")
    assert open_rows(path).format == words
    assert values(path) == GOOD


def test_decimal_commas_do_not_hide_semicolons(tmp_path):
    path = write(tmp_path / "a.csv", "x;y;z\n1,5;2,5;3,0\n4,0;5,0;6,5\n")
    assert values(path)[0] == {"x": "1,5", "y": "2,5", "z": "3,0"}


def test_a_separator_may_be_given(tmp_path):
    assert values(write(tmp_path / "a.csv", "a:b\n1:2\n"), delimiter=":") == [{"a": "1", "b": "2"}]
    assert values(write(tmp_path / "a.csv", "a\tb\n1\t2\n"), delimiter="tab") == [{"a": "1", "b": "2"}]


@pytest.mark.parametrize("delimiter", ["", "ab", '"', "\n"])
def test_what_cannot_separate_is_refused(tmp_path, delimiter):
    assert failure(write(tmp_path / "a.csv", "a,b\n1,2\n"), ConfigError, delimiter=delimiter).where == "delimiter"


@pytest.mark.parametrize(
    ("first", "header"),
    [("text,label", True), ("what a film,5", False), ("Temperature,Humidity", True), ("what a film!,good", False)],
)
def test_a_header_is_told_from_the_first_line(tmp_path, first, header):
    rows = open_rows(write(tmp_path / "a.csv", f"{first}\nI slept,good\nNever again,bad\n"))
    assert ("no header" not in rows.format) is header


def test_words_above_numbers_are_a_header(tmp_path):
    assert open_rows(write(tmp_path / "a.csv", "Good stuff!,Bad\n1,2\n3,4\n")).columns == ("Good stuff!", "Bad")


def test_columns_without_a_header_are_numbered(tmp_path):
    rows = open_rows(write(tmp_path / "a.csv", "1,2\n3,4\n"))
    assert rows.columns == ("column 1", "column 2")
    assert rows.format == "CSV of 2 columns, no header"
    assert [row.place.number for row in rows] == [1, 2]


@pytest.mark.parametrize(("header", "count"), [(True, 1), (False, 2)])
def test_whether_there_is_a_header_may_be_given(tmp_path, header, count):
    assert len(values(write(tmp_path / "a.csv", "1,2\n3,4\n"), header=header)) == count


def test_names_that_repeat_are_told_apart_and_missing_ones_numbered(tmp_path):
    rows = open_rows(write(tmp_path / "a.csv", "text,text,,label\na,b,c,d\n"))
    assert rows.columns == ("text", "text (2)", "column 3", "label")


def test_an_unnamed_row_id_is_recognised_and_said(tmp_path):
    rows = open_rows(write(tmp_path / "a.csv", '"light","on"\n"1",5.5,0\n"2",6.5,1\n'))
    assert rows.columns == ("row id", "light", "on")
    assert rows.format == "CSV with a header of 2 columns and an unnamed row id first in each row"
    assert next(iter(rows)).values == {"row id": "1", "light": "5.5", "on": "0"}


def test_a_separator_at_the_end_of_each_row_is_no_column(tmp_path):
    path = write(tmp_path / "a.csv", "text,label\nwhat a film,good,\nnever again,bad,\n")
    assert values(path) == GOOD
    assert open_rows(path).format.endswith("and a separator at each row's end")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_and_a_byte_order_mark_change_nothing(tmp_path, end, mark):
    path = write(tmp_path / "a.csv", mark + end.join(["text,label", "what a film,good", "", "never again,bad", ""]))
    assert values(path) == GOOD


def test_a_field_in_quotes_may_have_lines_and_the_next_row_its_number(tmp_path):
    path = write(tmp_path / "a.csv", 'text,label\n"one\ntwo, ""three""",good\nfour,bad\n')
    first, second = open_rows(path)
    assert first.values == {"text": 'one\ntwo, "three"', "label": "good"}
    assert (first.place.number, second.place.number) == (2, 4)


def test_quotes_are_plain_characters_in_a_table_with_tabs_that_does_not_close_them(tmp_path):
    path = write(tmp_path / "a.tsv", 'sentence\tlabel\n"quoted\t1\nnot "quite"\t0\n')
    assert [row["sentence"] for row in values(path)] == ['"quoted', 'not "quite"']


def test_quotes_that_are_closed_are_read_in_a_table_with_tabs_too(tmp_path):
    path = write(tmp_path / "a.tsv", 'sentence\tlabel\n"a\ttab"\t1\nb\t0\n')
    assert [row["sentence"] for row in values(path)] == ["a\ttab", "b"]


def test_a_long_text_is_a_field_as_any_other(tmp_path):
    assert len(values(write(tmp_path / "a.csv", f"text,label\n{'a' * 300_000},good\n"))[0]["text"]) == 300_000


def test_a_row_too_wide_is_refused_with_its_line(tmp_path):
    error = failure(write(tmp_path / "a.csv", "text,label\na,good\nb,c,bad\nd,bad\n"))
    assert error.where.endswith("a.csv, line 3")
    assert error.got == "3 fields, where the header has 2"
    assert "in quotes" in error.advice


def test_a_row_too_narrow_is_refused_with_its_line(tmp_path):
    error = failure(write(tmp_path / "a.csv", "text,label\na,good\nb\n"))
    assert error.where.endswith("a.csv, line 3")
    assert error.got == "1 field, where the header has 2"


def test_one_row_with_a_field_too_many_is_no_row_id(tmp_path):
    lines = "".join(f"{n},{n}\n" for n in range(500))
    assert failure(write(tmp_path / "a.csv", f"x,y\n{lines}1,2,3\n")).where.endswith("line 502")


def test_a_quote_never_closed_is_refused_where_it_opens(tmp_path):
    error = failure(write(tmp_path / "a.csv", 'text,label\na,good\n"b,bad\nc,bad\n'))
    assert error.where.endswith("a.csv, line 3")
    assert error.got == "a quote that is opened here is not closed up to line 4"


def test_a_quote_never_closed_does_not_swallow_a_large_file(tmp_path, monkeypatch):
    monkeypatch.setattr("ostinato.data.rows.delimited.LONGEST_RECORD", 1000)
    error = failure(write(tmp_path / "a.csv", 'text,label\n"b,bad\n' + "c,bad\n" * 1000))
    assert error.got == "a quote that is opened here is not closed up to line 168"


def test_text_after_a_closing_quote_is_refused_with_its_line(tmp_path):
    error = failure(write(tmp_path / "a.csv", 'text,label\na,good\n"b" or c,bad\n'))
    assert error.where.endswith("a.csv, line 3")
    assert error.got == "text after a closing quote"


def test_old_line_ends_are_named(tmp_path):
    assert "carriage return" in failure(write(tmp_path / "a.csv", "text,label\ra,good\rb,bad\r")).got


def test_only_blank_lines_are_no_table(tmp_path):
    assert failure(write(tmp_path / "a.csv", "\n\n")).got == "no field in it"


def test_a_header_alone_is_no_table(tmp_path):
    error = failure(write(tmp_path / "a.csv", "text,label\n"))
    assert error.got == "no rows in it (CSV with a header of 2 columns)"


fields = st.text(st.characters(codec="utf-8", exclude_characters="\r\0\ufeff"), max_size=8)


@given(table=st.lists(st.tuples(fields, fields, fields), min_size=1, max_size=8), delimiter=st.sampled_from(",;|\t"))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_python_writes_is_read_back(tmp_path, table, delimiter):
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([("a", "b", "c"), *table])
    path = write(tmp_path / "a.csv", file.getvalue())
    assert [tuple(row.values()) for row in values(path, delimiter=delimiter, header=True)] == table
