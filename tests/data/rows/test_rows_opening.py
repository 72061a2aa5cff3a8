"""What a file is, told from its suffix, its first lines or the user; lines, objects, folders, streams."""

import gc
import gzip
import io
import sys

import pytest
from files_of_rows import SHARED, failure, needs_shared, values, write

from ostinato._errors import ConfigError, DataError
from ostinato.data.rows import open_rows

PAIRS = [{"label": "pos", "text": "a b"}, {"label": "neg", "text": "c"}]


@pytest.fixture
def stream(monkeypatch):
    def given(content):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content.encode())))

    return given


@pytest.mark.parametrize(("separator", "said"), [("\t", "a tab"), ("|", "'|'"), (" ", "a space"), (" | ", "'|'")])
def test_labelled_lines_have_a_tab_a_bar_or_a_space(tmp_path, separator, said):
    path = write(tmp_path / "a.txt", f"pos{separator}a b\n\nneg{separator}c \n")
    assert values(path, format="labelled") == PAIRS
    assert open_rows(path, format="labelled").format == f"lines of a label, {said} and a text"


def test_labels_that_are_numbers_are_recognised(tmp_path):
    path = write(tmp_path / "reviews.train", "1 what a film\n0 never , again\n1 good , good , good\n")
    assert open_rows(path).columns == ("label", "text")


def test_labels_that_recur_are_recognised(tmp_path):
    path = write(tmp_path / "reviews.txt", "pos what a film\nneg never again\n" * 6)
    assert open_rows(path).format == "lines of a label, a space and a text"


def test_a_word_that_begins_every_line_is_no_label(tmp_path):
    assert open_rows(write(tmp_path / "reviews.txt", "a film, one of many\na plot\n" * 10)).format == "lines of text"


def test_a_byte_of_another_encoding_is_found_before_columns_are(tmp_path):
    assert failure(write(tmp_path / "a.csv", "café\nb\n".encode("latin-1"))).got.startswith("not UTF-8: byte 0xe9")


def test_a_table_with_a_header_is_no_labelled_lines(tmp_path):
    path = write(tmp_path / "reviews.txt", "label\ttext\n" + "1\twhat a film\n0\tnever again\n" * 6)
    assert len(values(path)) == 12


def test_prose_is_one_text_a_line(tmp_path):
    path = write(tmp_path / "a.txt", "It was the best of times, it was the worst.\n\nThe end\n")
    assert values(path) == [{"text": "It was the best of times, it was the worst."}, {"text": "The end"}]


def test_a_label_without_text_keeps_its_row(tmp_path):
    assert values(write(tmp_path / "a.txt", "1 a\n0\n"), format="labelled")[1] == {"label": "0", "text": ""}


def test_a_line_without_the_tab_of_the_others_is_refused(tmp_path):
    lines = "pos\ta b\n" * 300 + "neg c\n"
    size = "ostinato.data.rows.source._HEAD"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(size, 100)
        error = failure(write(tmp_path / "a.txt", lines), format="labelled")
    assert error.where.endswith("line 301")
    assert error.got == "no tab in the line"


def test_objects_are_recognised_without_a_suffix(tmp_path):
    path = write(tmp_path / "a", '{"text": "a", "label": 1}\n\n{"text": "b", "stars": null}\n')
    rows = open_rows(path)
    assert rows.columns == ("text", "label", "stars")
    assert [row.place.number for row in rows] == [1, 3]
    assert next(iter(rows)).values == {"text": "a", "label": 1}


@pytest.mark.parametrize(
    ("line", "got"),
    [
        ('{"text": "a"', "not JSON"),
        ('["a"]', "a list, not an object"),
        ("3", "a number, not an object"),
        ("{}" * 2, "not JSON"),
    ],
)
def test_a_damaged_object_is_refused_with_its_line(tmp_path, line, got):
    error = failure(write(tmp_path / "a.jsonl", '{"text": "a"}\n' + line + "\n"))
    assert error.where.endswith("a.jsonl, line 2")
    assert error.got.startswith(got)


@pytest.fixture
def no_collector():
    """What is collected a thousand levels deep cannot finalise itself, which pytest takes for a failure of the test."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
def test_an_object_nested_too_deeply_is_refused(tmp_path):
    assert failure(write(tmp_path / "a.jsonl", "[" * 100_000 + "\n")).got.startswith("not JSON")


def test_a_list_of_objects_is_told_how_to_become_lines(tmp_path):
    assert "jq" in failure(write(tmp_path / "a.json", '[\n {"text": "a"}\n]\n')).advice


@pytest.mark.parametrize(("content", "got"), [("{}\n", "an object without keys"), ("\n\n", "only blank lines")])
def test_objects_without_keys_are_refused(tmp_path, content, got):
    assert failure(write(tmp_path / "a.jsonl", content)).got == got


def test_a_value_as_text(tmp_path):
    path = write(tmp_path / "a.jsonl", '{"a": 7, "b": null, "c": ["x"], "d": "é"}\n')
    (row,) = open_rows(path)
    assert (row.text("a"), row.text("b"), row.text("d")) == ("7", "", "é")
    with pytest.raises(DataError, match=r"line 1: 'c' holds a list"):
        row.text("c")
    with pytest.raises(DataError, match=r"line 1: no column 'text'\. Columns: 'a', 'b', 'c', 'd'"):
        row.text("text")


def test_a_folder_has_a_file_for_each_label(tmp_path):
    write(tmp_path / "neg.txt", "c\n")
    write(tmp_path / "pos.txt", "\n a b\n")
    write(tmp_path / ".hidden", "x")
    rows = open_rows(tmp_path)
    assert rows.format == "a folder of 2 files, one a label"
    assert [row.values for row in rows] == PAIRS[::-1]
    assert [str(row.place) for row in rows] == [f"{tmp_path / 'neg.txt'}, line 1", f"{tmp_path / 'pos.txt'}, line 2"]


def test_a_folder_without_files_is_refused(tmp_path):
    assert failure(tmp_path).got == "no files in it"


def test_two_files_for_a_label_are_refused(tmp_path):
    write(tmp_path / "a.txt", "x")
    write(tmp_path / "a.tsv", "x")
    assert failure(tmp_path).got == "two files for the label 'a'"


def test_standard_input_is_read_once(stream):
    stream("text,label\na,good\nb,bad\n")
    rows = open_rows("-")
    assert rows.format == "CSV with a header of 2 columns"
    assert [row.text("text") for row in rows] == ["a", "b"]
    with pytest.raises(DataError, match="standard input: it has been read already"):
        list(rows)


def test_standard_input_may_be_larger_than_its_head(stream, monkeypatch):
    monkeypatch.setattr("ostinato.data.rows.source._HEAD", 16)
    stream("".join(f"line {n} é\n" for n in range(1000)))
    assert [row.text("text") for row in open_rows("-")] == [f"line {n} é" for n in range(1000)]


def test_nothing_on_standard_input_is_refused(stream):
    stream("")
    assert failure("-").where == "standard input"


def test_a_line_of_a_pipe_is_read_when_it_has_come():
    class Pipe:
        def __init__(self):
            self.asked = 0

        def read1(self, size):
            self.asked += 1
            return b"a line\n" if self.asked == 1 else pytest.fail("the pipe would block")

        def read(self, size):
            pytest.fail("it waits until so many bytes have come")

    class Standard:
        buffer = Pipe()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", Standard)
        assert next(iter(open_rows("-", format="lines"))).text("text") == "a line"


def test_an_encoding_may_be_given(tmp_path):
    path = write(tmp_path / "a.csv", "text,label\ncaf\xe9,1\n".encode("latin-1"))
    assert values(path, encoding="latin-1")[0]["text"] == "café"
    error = failure(path)
    assert error.got.startswith("not UTF-8: byte 0xe9 at offset 14")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_wide_encodings_are_read(tmp_path, encoding):
    path = write(tmp_path / "a.csv", "text,label\ncafé,1\nb,2\n".encode(encoding))
    assert values(path, encoding=encoding)[0] == {"text": "café", "label": "1"}


def test_utf_16_is_recognised_where_it_was_not_named(tmp_path):
    assert "utf-16" in failure(write(tmp_path / "a.csv", "text,label\na,1\n".encode("utf-16"))).advice


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt", "a"])
def test_a_nul_is_refused_with_its_line(tmp_path, name):
    error = failure(write(tmp_path / name, "text\tlabel\na\t1\nb\0\t2\n"))
    assert error.where.endswith("line 3")
    assert error.got == "a NUL character at column 2"


def test_what_is_packed_with_gzip_is_read(tmp_path):
    path = write(tmp_path / "a.CSV.gz", gzip.compress(b"text,label\na,good\n" * 100_000))
    assert open_rows(path).format == "CSV with a header of 2 columns"
    assert len(values(path)) == 199_999


@pytest.mark.parametrize("cut", [5, 30, -4])
def test_damaged_gzip_is_refused(tmp_path, cut):
    packed = gzip.compress(b"".join(b"%d,%d\n" % (n, n * n) for n in range(9999)))
    assert failure(write(tmp_path / "a.csv.gz", packed[:cut])).got.startswith("damaged gzip (")


@pytest.mark.parametrize(("name", "advice"), [("a.csv", "unpack"), ("a.xlsx", "save it as CSV")])
def test_an_archive_is_no_table(tmp_path, name, advice):
    assert advice in failure(write(tmp_path / name, b"PK\x03\x04....")).advice


def test_an_empty_file_is_refused(tmp_path):
    assert failure(write(tmp_path / "a.csv", "")).got == "the file is empty"


def test_a_missing_file_is_refused_with_the_nearest(tmp_path):
    write(tmp_path / "reviews.csv", "text,label\n")
    assert "reviews.csv" in failure(tmp_path / "review.csv").advice


def test_an_unknown_format_is_refused_with_the_nearest(tmp_path):
    assert failure(tmp_path, ConfigError, format="json").advice == "Did you mean 'jsonl'?"


def test_an_unknown_encoding_is_refused(tmp_path):
    assert failure(write(tmp_path / "a.csv", "a,b\n"), ConfigError, encoding="utf8x").where == "encoding"


@needs_shared
@pytest.mark.parametrize(
    ("name", "encoding", "count", "words"),
    [
        ("classification/sst_flat/stsa.binary.train", "utf-8", 6920, "lines of a label, a space and a text"),
        ("classification/sst_flat/stsa.fine.test", "utf-8", 2210, "lines of a label, a space and a text"),
        ("classification/mr/rt-polarity.all", "latin-1", 10662, "lines of a label, a space and a text"),
        ("classification/names", "utf-8", 20050, "a folder of 18 files, one a label"),
        ("forecasting/ETTh1.csv", "utf-8", 17420, "CSV with a header of 8 columns"),
        ("captioning/color_names/colornames.csv", "utf-8", 31914, "CSV with a header of 3 columns"),
        ("seq2seq/tatoeba_eng_fra/fra.head20000.tsv", "utf-8", 20000, "TSV of 2 columns, no header"),
        ("forecasting/MackeyGlass_t17.txt", "utf-8", 10000, "lines of text"),
    ],
)
def test_real_files_are_what_they_are(name, encoding, count, words):
    rows = open_rows(SHARED / name, encoding=encoding)
    assert rows.format == words
    assert sum(1 for _ in rows) == count


@needs_shared
@pytest.mark.parametrize(("name", "count"), [("datatraining", 8143), ("datatest", 2665), ("datatest2", 9752)])
def test_the_unnamed_row_id_of_real_sensors_is_recognised(name, count):
    rows = open_rows(SHARED / "sensor" / "occupancy" / f"{name}.txt")
    assert rows.columns[:3] == ("row id", "date", "Temperature")
    assert sum(row.text("Occupancy") in "01" for row in rows) == count
