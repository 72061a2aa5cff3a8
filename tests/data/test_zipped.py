"""The one text in a zip archive."""

import zipfile

import pytest

from ostinato._errors import DataError
from ostinato.data.rows import open_rows
from ostinato.data.rows.source import source_of
from ostinato.data.zipped import member_of


def write(path, **files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), text)
    return path


def content(path):
    with source_of(path).open() as file:
        return file.read()


def test_the_only_file_is_read(tmp_path):
    assert content(write(tmp_path / "a.zip", words_dot_txt="one\ntwo\n")) == b"one\ntwo\n"


def test_notes_beside_it_do_not_count(tmp_path):
    notes = {"_about_dot_txt": "?", "README": "?", "__MACOSX____._x": "?"}
    assert content(write(tmp_path / "a.ZIP", **notes, fra_dot_txt="x")) == b"x"


def test_one_of_several_is_named(tmp_path):
    write(tmp_path / "a.zip", folder__one_dot_txt="1", two_dot_txt="2")
    assert content(tmp_path / "a.zip" / "folder" / "one.txt") == b"1"


def test_a_path_without_an_archive_has_no_member(tmp_path):
    (tmp_path / "folder.zip").mkdir()
    assert member_of(tmp_path / "folder.zip" / "a.txt") is None
    assert member_of(tmp_path / "a.txt") is None


def test_a_table_in_an_archive_is_known_by_its_name_there(tmp_path):
    rows = open_rows(write(tmp_path / "a.zip", t_dot_csv="text,label\nhi,good\n"))
    assert rows.format == "CSV with a header of 2 columns"
    assert str(next(iter(rows)).place) == f"{tmp_path}/a.zip/t.csv, line 2"


@pytest.mark.parametrize(
    ("files", "name", "said"),
    [
        ({"a": "1", "b": "2"}, "", "2 files in it. It holds a, b. Name one: "),
        ({"README": "1"}, "", "no data in it. It holds README"),
        ({}, "", "no data in it. It holds nothing"),
        ({"one_dot_txt": "1"}, "/ones.txt", "no 'ones.txt' in it. It holds one.txt. Did you mean 'one.txt'?"),
        ({"one_dot_txt": ""}, "", "one.txt: the file is empty"),
    ],
)
def test_an_archive_without_one_text_is_refused(files, name, said, tmp_path):
    archive = write(tmp_path / "a.zip", **files)
    with pytest.raises(DataError) as error:
        source_of(str(archive) + name)
    assert said in str(error.value)


def test_a_damaged_archive_is_refused(tmp_path):
    archive = write(tmp_path / "a.zip", one_dot_txt="abc" * 9999)
    whole = archive.read_bytes()
    archive.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="not a zip archive, or a damaged one"):
        source_of(archive)
    archive.write_bytes(whole[:50] + b"\xff" * 8 + whole[58:])
    with pytest.raises(DataError, match="not a zip archive, or a damaged one"):
        content(archive)


def test_a_missing_archive_is_a_missing_file(tmp_path):
    with pytest.raises(DataError, match="there is no such file"):
        source_of(tmp_path / "a.zip")
