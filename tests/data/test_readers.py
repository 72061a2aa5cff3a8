"""Readers: every kind of file, cut anywhere, and what a file that cannot be read is told."""

import codecs
import io
import json
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ostinato._errors import ConfigError, DataError
from ostinato.data import lines
from ostinato.data.readers import byte_documents, documents, has_documents

TRICKY = "naïve 🎼 ä̈ 日本\r\nCRLF\rlone\n\x00NUL\ufeff\r\n\r\r\n"
READ = TRICKY.replace("\r\n", "\n")


def write(path, content):
    path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return path


def jsonl(path, *rows):
    return write(path, "".join(json.dumps(row) + "\n" for row in rows))


def parquet(path, **columns):
    pq.write_table(pa.table(columns), path)
    return path


def texts(path, **options):
    return ["".join(pieces) for pieces in documents(path, **options)]


def failure(path, expected=DataError, **options):
    with pytest.raises(expected) as caught:
        texts(path, **options)
    return caught.value


# What is read.


def test_a_plain_file_is_one_document(tmp_path):
    assert texts(write(tmp_path / "book.txt", "to be\nor not")) == ["to be\nor not"]


@pytest.mark.parametrize("name", ["book", "code.py", "table.csv", "page.html"])
def test_any_other_suffix_is_plain_text(tmp_path, name):
    assert texts(write(tmp_path / name, '{"text": 1}')) == ['{"text": 1}']


@pytest.mark.parametrize("block", [1, 2, 3, 5, 1 << 20])
def test_where_a_block_ends_does_not_matter(tmp_path, monkeypatch, block):
    monkeypatch.setattr(lines, "BLOCK", block)
    assert texts(write(tmp_path / "book.txt", TRICKY)) == [READ]


@given(text=st.text(alphabet="a\r\né🎼", min_size=1), block=st.integers(1, 4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_only_pairs_of_carriage_return_and_newline_are_changed(tmp_path, text, block):
    path = write(tmp_path / "book.txt", text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "BLOCK", block)
        assert texts(path) == [text.replace("\r\n", "\n")]


@pytest.mark.parametrize(
    ("name", "rows"), [("a.JSONL", True), ("a.ndjson", True), ("a.parquet", True), ("a.txt", False)]
)
def test_the_suffix_says_whether_rows_are_documents(tmp_path, name, rows):
    assert has_documents(tmp_path / name) is rows


def test_a_byte_order_mark_is_left_out(tmp_path):
    assert texts(write(tmp_path / "book.txt", codecs.BOM_UTF8 + "né".encode())) == ["né"]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-32-le", "cp1252", "UTF8", "utf-8-sig"])
def test_other_encodings_are_read(tmp_path, monkeypatch, encoding):
    monkeypatch.setattr(lines, "BLOCK", 3)
    assert texts(write(tmp_path / "book.txt", "café\r\nnoir".encode(encoding)), encoding=encoding) == ["café\nnoir"]


def test_an_encoding_of_several_bytes_is_read_across_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "BLOCK", 1)
    path = write(tmp_path / "book.txt", "日本語".encode("shift_jis"))
    assert texts(path, encoding="shift_jis") == ["日本語"]


def test_bytes_are_read_just_as_they_are(tmp_path):
    data = codecs.BOM_UTF8 + bytes(range(256)) + b"\r\n"
    [pieces] = byte_documents(write(tmp_path / "image.bin", data))
    assert b"".join(pieces) == data


def test_every_line_of_jsonl_is_a_document(tmp_path):
    path = jsonl(tmp_path / "docs.jsonl", {"text": "one\r\ntwo"}, {"text": "日本 🎼", "more": 1})
    assert texts(path) == ["one\ntwo", "日本 🎼"]


def test_a_column_is_chosen_by_name(tmp_path):
    assert texts(jsonl(tmp_path / "docs.NDJSON", {"body": "one", "text": "two"}), column="body") == ["one"]


@pytest.mark.parametrize("block", [1, 7, 1 << 20])
def test_lines_of_jsonl_may_be_cut_by_blocks(tmp_path, monkeypatch, block):
    monkeypatch.setattr(lines, "BLOCK", block)
    path = write(tmp_path / "docs.jsonl", '{"text": "é\\u2028\u2028x"}\r\n\n  \n{"text": "no newline at the end"}')
    assert texts(path) == ["é\u2028\u2028x", "no newline at the end"]


def test_rows_without_text_are_skipped_and_counted(tmp_path):
    found = documents(jsonl(tmp_path / "docs.jsonl", {"text": None}, {"text": "one"}, {"text": ""}))
    assert ["".join(pieces) for pieces in found] == ["one"]
    assert found.skipped == 2


def test_half_a_surrogate_pair_reads_as_the_replacement_character(tmp_path):
    path = write(tmp_path / "docs.jsonl", r'{"text": "a\ud800b \ud83c\udfbc"}')
    assert texts(path) == ["a\ufffdb 🎼"]


def test_every_row_of_parquet_is_a_document(tmp_path):
    found = documents(parquet(tmp_path / "docs.parquet", text=["one\r\n", None, "", "日本"], n=[1, 2, 3, 4]))
    assert ["".join(pieces) for pieces in found] == ["one\n", "日本"]
    assert found.skipped == 2


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_every_type_of_text_in_parquet_is_read(tmp_path, kind):
    path = parquet(tmp_path / "docs.parquet", body=pa.array(["one", "two"]).cast(kind))
    assert texts(path, column="body") == ["one", "two"]


def test_a_long_row_comes_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "BLOCK", 4)
    [pieces] = documents(parquet(tmp_path / "docs.parquet", text=["abcdefghi"]))
    assert list(pieces) == ["abcd", "efgh", "i"]


def test_columns_are_read_as_bytes_too(tmp_path):
    found = byte_documents(jsonl(tmp_path / "docs.jsonl", {"text": None}, {"text": "né"}))
    assert [b"".join(pieces) for pieces in found] == ["né".encode()]
    assert found.skipped == 1


# What a file that cannot be read is told.


def test_a_missing_file_names_the_nearest(tmp_path):
    write(tmp_path / "shakespeare.txt", "x")
    error = failure(tmp_path / "shakespear.txt")
    assert error.where == str(tmp_path / "shakespear.txt")
    assert error.got == "there is no such file"
    assert error.possible == f"Files in '{tmp_path}': shakespeare.txt"
    assert error.advice == f"Did you mean '{tmp_path / 'shakespeare.txt'}'?"


def test_a_missing_folder_is_named(tmp_path):
    error = failure(tmp_path / "books" / "one.txt")
    assert f"There is no folder '{tmp_path / 'books'}'" in error.possible
    assert error.advice


def test_many_files_are_not_all_listed(tmp_path):
    names = [f"{number:02}.md" for number in range(20)]
    assert [write(tmp_path / name, "x") for name in names]
    assert "07.md, … (20 in all)" in failure(tmp_path / "book.txt").possible


def test_a_directory_is_no_file(tmp_path):
    write(tmp_path / "one.txt", "x")
    error = failure(tmp_path)
    assert error.got == "a directory, where a file is needed"
    assert error.possible == "Files in it: one.txt"
    assert error.advice == "Name one file"


@pytest.mark.parametrize("name", ["book.txt", "docs.jsonl", "docs.parquet"])
def test_an_empty_file_is_an_error(tmp_path, name):
    assert failure(write(tmp_path / name, b"")).got == "the file is empty"


def test_a_byte_order_mark_alone_is_no_text(tmp_path):
    assert "no text" in failure(write(tmp_path / "book.txt", codecs.BOM_UTF8)).got


def test_a_pipe_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    error = failure(tmp_path / "pipe")
    assert error.got == "a pipe or a device"
    assert "Write the text to a file" in error.advice


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_permission_is_an_error(tmp_path):
    path = write(tmp_path / "book.txt", "x")
    path.chmod(0)
    assert "no permission" in failure(path).got


@pytest.mark.parametrize("block", [1, 4, 1 << 20])
@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
def test_a_wrong_byte_is_named_with_its_offset(tmp_path, monkeypatch, block, mark):
    monkeypatch.setattr(lines, "BLOCK", max(block, len(mark) + 1))
    error = failure(write(tmp_path / "book.txt", mark + "日本".encode() + b"caf\xe9 noir"))
    assert error.got == f"not UTF-8: byte 0xe9 at offset {len(mark) + 9} (invalid continuation byte)"
    assert "--encoding latin-1" in error.possible
    assert "--tokens byte" in error.possible
    assert error.advice


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be", "shift_jis"])
@pytest.mark.parametrize("block", [4, 5, 1 << 20])
def test_lines_before_a_wrong_byte_are_read(monkeypatch, encoding, block):
    monkeypatch.setattr(lines, "BLOCK", block)
    wrong = "\ud800".encode(encoding, "surrogatepass") if encoding.startswith("utf-16") else b"\xff"
    file, seen = io.BytesIO("日本\nb\nc".encode(encoding) + wrong[-2:] + "\nd\n".encode(encoding)), []
    with pytest.raises(DataError, match=f"not {encoding.upper()}"):
        seen.extend(lines.numbered_lines(file, "pipe", encoding))
    assert seen == [(1, "日本"), (2, "b")]


def test_a_character_cut_by_the_end_is_named_with_its_offset(tmp_path):
    error = failure(write(tmp_path / "book.txt", b"abc" + "日".encode()[:2]))
    assert error.got == "not UTF-8: byte 0xe6 at offset 3 (unexpected end of data)"


def test_a_wrong_byte_of_another_encoding_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "BLOCK", 3)
    error = failure(write(tmp_path / "book.txt", "日本".encode("shift_jis") + b"\xff"), encoding="shift_jis")
    assert error.got.startswith("not SHIFT_JIS: byte 0xff at offset 4")


def test_an_encoding_that_fails_as_a_whole_is_an_error(tmp_path):
    error = failure(write(tmp_path / "book.txt", "x"), encoding="undefined")
    assert error.got.startswith("not UNDEFINED")
    assert "--tokens byte" in error.possible


@pytest.mark.parametrize(
    ("start", "hint"),
    [
        (b"\x1f\x8b\x08", "gzip: unpack"),
        (b"\xff\xfea\x00", "--encoding utf-16"),
        (b"PK\x03\x04\xff", "zip archive"),
        (b"PAR1\xff", "suffix .parquet"),
    ],
)
def test_files_of_another_kind_are_recognised(tmp_path, start, hint):
    assert hint in failure(write(tmp_path / "book.txt", start)).advice


def test_an_unknown_encoding_names_the_nearest(tmp_path):
    error = failure(write(tmp_path / "book.txt", "x"), ConfigError, encoding="latin_l")
    assert error.got == "'latin_l' is no text encoding"
    assert "utf-8, utf-16" in error.possible
    assert error.advice == "Did you mean 'latin-1'?"


@pytest.mark.parametrize("name", ["hex", "rot13", "", "a\0b"])
def test_codecs_that_are_not_for_text_are_no_encodings(tmp_path, name):
    assert "is no text encoding" in failure(write(tmp_path / "book.txt", "x"), ConfigError, encoding=name).got


def test_plain_text_has_no_columns(tmp_path):
    error = failure(write(tmp_path / "book.txt", "x"), ConfigError, column="body")
    assert "'body'" in error.got
    assert error.possible == "Files with columns: .jsonl, .ndjson, .parquet"
    assert "Leave the column out" in error.advice


def test_bytes_of_plain_text_have_no_columns(tmp_path):
    with pytest.raises(ConfigError, match="read as plain text"):
        byte_documents(write(tmp_path / "book.txt", "x"), column="body")


def test_a_line_that_is_not_json_is_named(tmp_path):
    error = failure(write(tmp_path / "docs.jsonl", '{"text": "one"}\n\n{"text": two}\n'))
    assert error.where == f"{tmp_path / 'docs.jsonl'}, line 3"
    assert error.got.startswith("""not JSON: '{"text": two}' (""")
    assert error.possible == 'A line reads {"text": "…"}'
    assert error.advice


def test_json_too_deep_is_not_read(tmp_path):
    error = failure(write(tmp_path / "docs.jsonl", "[" * 200_000))
    assert error.got.startswith("not JSON: '[[[")
    assert len(error.got) < 200


@pytest.mark.parametrize(
    ("row", "kind"), [([1], "a list"), ("x", "a string"), (3, "a number"), (True, "true or false"), (None, "null")]
)
def test_a_line_that_is_no_object_is_named(tmp_path, row, kind):
    error = failure(jsonl(tmp_path / "docs.jsonl", {"text": "one"}, row))
    assert error.where.endswith("line 2")
    assert error.got == f"{kind}, not an object"


def test_a_missing_column_lists_those_there_are(tmp_path):
    error = failure(jsonl(tmp_path / "docs.jsonl", {"txt": "one", "n": 1}))
    assert error.where.endswith("line 1")
    assert error.got == "no column 'text'"
    assert error.possible == "Columns: txt, n"
    assert error.advice == "Did you mean 'txt'? Name it with --column"


@pytest.mark.parametrize(("value", "kind"), [(1.5, "a number"), (["a"], "a list"), ({}, "an object")])
def test_a_column_that_holds_no_text_is_named(tmp_path, value, kind):
    error = failure(jsonl(tmp_path / "docs.jsonl", {"text": value}))
    assert error.got == f"'text' holds {kind}"
    assert error.possible == "A column of text holds strings or null"


@pytest.mark.parametrize("rows", [[{"text": None}, {"text": ""}], [{"text": None}] * 2])
def test_a_column_without_any_text_is_an_error(tmp_path, rows):
    error = failure(jsonl(tmp_path / "docs.jsonl", *rows))
    assert error.got == "no text in column 'text'; 2 rows are null or empty"


def test_a_line_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "LONGEST_LINE", 100)
    error = failure(write(tmp_path / "docs.jsonl", '{"text": "' + "a" * 200 + '"}'))
    assert error.where.endswith("line 1")
    assert "one object a line" in error.possible


def test_a_wrong_byte_in_jsonl_does_not_offer_bytes(tmp_path):
    error = failure(write(tmp_path / "docs.jsonl", b'{"text": "\xe9"}'))
    assert "byte 0xe9 at offset 10" in error.got
    assert "--tokens" not in error.possible


def test_a_file_that_is_not_parquet_is_named(tmp_path):
    error = failure(write(tmp_path / "docs.parquet", "text\none\n"))
    assert error.where == str(tmp_path / "docs.parquet")
    assert error.got.startswith("not a Parquet file, or a damaged one (")
    assert ".txt" in error.advice


def test_a_damaged_parquet_file_is_named(tmp_path):
    path = parquet(tmp_path / "docs.parquet", text=["one two three"] * 1000)
    data = bytearray(path.read_bytes())
    data[4:60] = bytes(56)
    path.write_bytes(data)
    assert "damaged" in failure(path).got


def test_a_missing_column_of_parquet_lists_those_there_are(tmp_path):
    error = failure(parquet(tmp_path / "docs.parquet", body=["one"], n=[1]), column="bodi")
    assert error.got == "no column 'bodi'"
    assert error.possible == "Columns: body, n"
    assert "Did you mean 'body'?" in error.advice


def test_a_column_of_numbers_in_parquet_is_named(tmp_path):
    error = failure(parquet(tmp_path / "docs.parquet", text=[1], body=["one"]))
    assert error.got == "column 'text' holds int64, not text"
    assert error.possible == "Columns of text: body"


def test_parquet_without_any_text_is_an_error(tmp_path):
    path = parquet(tmp_path / "docs.parquet", text=pa.array([None, ""], pa.string()))
    assert "2 rows are null or empty" in failure(path).got


def test_a_bad_setting_is_found_before_anything_is_read(tmp_path):
    with pytest.raises(ConfigError):
        documents(write(tmp_path / "book.txt", "x"), encoding="utf-9")
