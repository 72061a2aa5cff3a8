"""Streams: the split, the files, what stopped writers leave and what damaged folders are told."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from ostinato._errors import ConfigError, DataError, RunError
from ostinato.data import lines
from ostinato.data.readers import documents
from ostinato.data.streams import Lanes, TokenStream, first_symbols, write_stream, write_whole
from ostinato.data.vocabulary import Vocabulary

CHAR_LM = Path(__file__).parents[3] / "shared" / "data" / "char_lm"
KINDS = ["char", "byte", "word", "bpe"]
TEXT = "".join(f"Line {n}: the cat — naïve 🎼 — sat on the mat.\n" for n in range(60))


@pytest.fixture
def book(tmp_path):
    path = tmp_path / "book.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "stream"


def starts(part: TokenStream) -> list[int]:
    """Return where documents start."""
    return np.flatnonzero(part.tokens == part.boundary).tolist()


def learn(kind, *paths):
    return Vocabulary.learn(kind, [pieces for path in paths for pieces in documents(path)])


def write_rows(path, *rows):
    path.write_text("".join(json.dumps({"text": row}) + "\n" for row in rows), encoding="utf-8")
    return path


def open_parts(folder):
    return TokenStream.open(folder, "train"), TokenStream.open(folder, "valid")


# What is written.


def test_the_last_tenth_of_the_characters_is_held_out(book, folder):
    vocabulary = learn("char", book)
    write_stream(folder, book, vocabulary, validation=0.1)
    train, valid = open_parts(folder)
    kept = int(len(TEXT) * 0.9)
    assert vocabulary.decode(train.tokens) == TEXT[:kept]
    assert vocabulary.decode(valid.tokens) == TEXT[kept:]


@pytest.mark.parametrize("block", [1, 7, 100])
@pytest.mark.parametrize("kind", ["char", "byte", "bpe"])
def test_where_a_block_ends_does_not_matter_to_the_split(book, folder, monkeypatch, block, kind):
    vocabulary = learn(kind, book)
    write_stream(folder, book, vocabulary, validation=0.25)
    whole = [part.tokens.tolist() for part in open_parts(folder)]
    monkeypatch.setattr(lines, "BLOCK", block)
    write_stream(folder, book, vocabulary, validation=0.25)
    assert [part.tokens.tolist() for part in open_parts(folder)] == whole


@pytest.mark.parametrize("kind", ["char", "word", "bpe"])
def test_every_kind_holds_out_the_same_characters(book, folder, kind):
    write_stream(folder, book, learn(kind, book))
    _, valid = open_parts(folder)
    assert valid.characters == len(TEXT) - int(len(TEXT) * 0.9)


def test_byte_pairs_hold_out_the_same_text(book, folder):
    vocabulary = learn("bpe", book)
    write_stream(folder, book, vocabulary)
    _, valid = open_parts(folder)
    assert vocabulary.decode(valid.tokens) == TEXT[int(len(TEXT) * 0.9) :]


@pytest.mark.parametrize("kind", KINDS)
def test_each_part_of_a_plain_text_starts_with_the_boundary_and_has_no_other(book, folder, kind):
    vocabulary = learn(kind, book)
    write_stream(folder, book, vocabulary)
    for part in open_parts(folder):
        assert np.flatnonzero(part.tokens == vocabulary.boundary).tolist() == [0]
        assert starts(part) == [0]


@pytest.mark.parametrize("kind", ["char", "byte", "bpe"])
def test_characters_and_bytes_of_the_parts_add_up(book, folder, kind):
    write_stream(folder, book, learn(kind, book))
    train, valid = open_parts(folder)
    assert train.characters + valid.characters == len(TEXT)
    assert train.bytes + valid.bytes == len(TEXT.encode())


def test_every_byte_of_any_file_is_kept(tmp_path, folder):
    path = tmp_path / "image.bin"
    data = bytes(range(256)) * 4 + b"\r\n"
    path.write_bytes(data)
    write_stream(folder, path, Vocabulary.learn("byte", []), validation=0.5)
    train, valid = open_parts(folder)
    assert bytes([*train.tokens[1:], *valid.tokens[1:]]) == data


def test_documents_start_with_the_boundary(tmp_path, folder):
    path = write_rows(tmp_path / "docs.jsonl", "ab", "c", None, "abc", "b")
    vocabulary = learn("char", path)
    write_stream(folder, path, vocabulary, validation=0.25)
    train, valid = open_parts(folder)
    assert train.tokens.tolist() == [0, 1, 2, 0, 3, 0, 1, 2, 3]
    assert starts(train) == [0, 3, 5]
    assert valid.tokens.tolist() == [0, 2]
    assert (train.documents, valid.documents, train.skipped_rows) == (3, 1, 1)


@pytest.mark.parametrize(("fraction", "kept"), [(0.01, 3), (0.5, 2), (0.99, 1)])
def test_each_part_has_at_least_one_document(tmp_path, folder, fraction, kept):
    path = write_rows(tmp_path / "docs.jsonl", "a", "b", "c", "d")
    write_stream(folder, path, learn("char", path), validation=fraction)
    assert [part.documents for part in open_parts(folder)] == [kept, 4 - kept]


def test_a_single_document_of_many_rows_is_split_by_characters(tmp_path, folder):
    path = write_rows(tmp_path / "docs.jsonl", "abcd", None)
    vocabulary = learn("char", path)
    write_stream(folder, path, vocabulary, validation=0.5)
    assert [vocabulary.decode(part.tokens) for part in open_parts(folder)] == ["ab", "cd"]


def test_a_second_file_is_held_out_whole(book, tmp_path, folder):
    other = write_rows(tmp_path / "other.jsonl", "the cat", "the mat")
    vocabulary = learn("char", book)
    write_stream(folder, book, vocabulary, validation=other)
    train, valid = open_parts(folder)
    assert vocabulary.decode(train.tokens) == TEXT
    assert starts(valid) == [0, 8]


@pytest.mark.parametrize("kind", ["char", "byte", "bpe"])
def test_a_whole_file_is_one_part(book, tmp_path, kind):
    vocabulary = learn(kind, book)
    whole = write_whole(tmp_path, book, vocabulary)
    assert vocabulary.decode(whole.tokens) == TEXT
    assert (whole.characters, whole.bytes, whole.documents) == (len(TEXT), len(TEXT.encode()), 1)


def test_a_whole_file_keeps_its_documents(tmp_path):
    path = write_rows(tmp_path / "docs.jsonl", "ab", None, "c")
    whole = write_whole(tmp_path, path, learn("char", path))
    assert whole.tokens.tolist() == [0, 1, 2, 0, 3]
    assert whole.skipped_rows == 1


def test_symbols_are_stored_in_the_smallest_type(book, folder):
    vocabulary = learn("char", book)
    write_stream(folder, book, vocabulary)
    assert (folder / "train.bin").stat().st_size == TokenStream.open(folder, "train").length


def test_progress_ends_at_the_number_of_characters(book, folder):
    seen = []
    write_stream(folder, book, learn("char", book), progress=lambda *done: seen.append(done))
    assert seen[-1] == (len(TEXT), len(TEXT))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def interrupt(done, total):
    raise KeyboardInterrupt


def test_a_writer_that_was_stopped_leaves_no_stream(book, folder):
    vocabulary = learn("char", book)
    write_stream(folder, book, vocabulary)
    with pytest.raises(KeyboardInterrupt):
        write_stream(folder, book, vocabulary, progress=interrupt)
    with pytest.raises(RunError, match="no stream is written there"):
        TokenStream.open(folder, "train")


def test_a_writer_that_was_killed_is_simply_repeated(book, folder):
    vocabulary = learn("char", book)
    code = (
        "import os, signal, sys, pathlib\n"
        "from ostinato.data import lines, readers, streams, vocabulary\n"
        "lines.BLOCK, book, folder = 64, *map(pathlib.Path, sys.argv[1:])\n"
        "def kill(done, total):\n"
        "    if done > total / 2: os.kill(os.getpid(), signal.SIGKILL)\n"
        "learned = vocabulary.Vocabulary.learn('char', readers.documents(book))\n"
        "streams.write_stream(folder, book, learned, progress=kill)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(book), str(folder)], check=False)
    assert killed.returncode == -signal.SIGKILL
    with pytest.raises(RunError, match="no stream is written there"):
        TokenStream.open(folder, "train")
    write_stream(folder, book, vocabulary)
    assert TokenStream.open(folder, "train").documents == 1


# What cannot be written or opened.


@pytest.mark.parametrize("fraction", [0, 1, 0.0, 1.0, -0.1, 1.5, float("nan"), True])
def test_a_fraction_outside_of_zero_and_one_is_an_error(book, folder, fraction):
    with pytest.raises(ConfigError, match=r"validation: .*between 0 and 1, or a second file.*last tenth"):
        write_stream(folder, book, learn("char", book), validation=fraction)


def test_a_missing_second_file_is_an_error_before_anything_is_written(book, folder):
    with pytest.raises(DataError, match=r"bok\.txt: there is no such file.*Did you mean"):
        write_stream(folder, book, learn("char", book), validation=book.with_name("bok.txt"))
    assert not folder.exists()


def test_unknown_characters_of_a_second_file_are_named_with_the_file(book, tmp_path, folder):
    other = tmp_path / "other.txt"
    other.write_text("the Zebra", encoding="utf-8")
    with pytest.raises(DataError, match=r"other\.txt: the vocabulary does not hold 'Z' \(U\+005A\)"):
        write_stream(folder, book, learn("char", book), validation=other)


def test_a_text_of_one_character_cannot_be_split(tmp_path, folder):
    path = tmp_path / "book.txt"
    path.write_text("a", encoding="utf-8")
    with pytest.raises(DataError, match=r"a text of 1 character cannot be split.*longer text"):
        write_stream(folder, path, learn("char", path))


def test_a_file_that_changes_while_it_is_read_is_an_error(book, folder):
    book.write_text("the cat\n" * 10_000, encoding="utf-8")
    vocabulary = learn("char", book)

    def shorten(done, total):
        book.write_text("the", encoding="utf-8")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "BLOCK", 100)
        with pytest.raises(DataError, match="changed while it was read"):
            write_stream(folder, book, vocabulary, progress=shorten)
    assert not (folder / "stream.json").exists()


def test_a_folder_that_cannot_be_made_is_an_error_of_the_run(book):
    with pytest.raises(RunError, match=r"the stream cannot be written \(.*another folder"):
        write_stream(book / "stream", book, learn("char", book))


def test_a_stream_that_was_cut_short_is_damaged(book, folder):
    write_stream(folder, book, learn("char", book))
    with (folder / "train.bin").open("r+b") as file:
        file.truncate(100)
    with pytest.raises(RunError, match=r"train\.bin: the stream is damaged: 100 bytes, where .*written again"):
        TokenStream.open(folder, "train")


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 0}', '{"format": 1, "parts": {}}'])
def test_a_damaged_description_is_an_error_of_the_run(book, folder, text):
    write_stream(folder, book, learn("char", book))
    (folder / "stream.json").write_text(text, encoding="utf-8")
    with pytest.raises(RunError, match="the stream is damaged"):
        TokenStream.open(folder, "train")


def test_every_character_of_a_book_is_predicted_once_by_one_lane(book, folder):
    vocabulary = learn("char", book)
    write_stream(folder, book, vocabulary)
    train = TokenStream.open(folder, "train")
    drawn = torch.cat([segment.targets for segment in Lanes(train, 1).segments(50)])
    assert vocabulary.decode(drawn) == TEXT[: train.characters]


@pytest.mark.skipif(not CHAR_LM.is_dir(), reason="the shared texts are not on this machine")
def test_shakespeare_splits_where_everyone_splits_it(folder):
    path = CHAR_LM / "tinyshakespeare.txt"
    write_stream(folder, path, learn("char", path))
    assert [part.characters for part in open_parts(folder)] == [1_003_854, 111_540]


def test_the_first_symbols_of_documents_have_the_boundary_between_them(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"text": "ab"}\n{"text": "c"}\n{"text": "ba"}\n')
    vocabulary = Vocabulary.learn("char", [["abc"]])
    found = first_symbols(tmp_path / "rows.jsonl", vocabulary, 100)
    documents = [vocabulary.encode(text).tolist() for text in ("ab", "c", "ba")]
    assert found.tolist() == [*documents[0], vocabulary.boundary, *documents[1], vocabulary.boundary, *documents[2]]
    assert first_symbols(tmp_path / "rows.jsonl", vocabulary, 3).tolist() == found[:3].tolist()


def test_of_a_file_no_more_is_read_than_the_first_symbols_take(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"text": "ab"}\n{"text": "no JSON\n')
    vocabulary = Vocabulary.learn("char", [["abc"]])
    assert len(first_symbols(tmp_path / "rows.jsonl", vocabulary, 2)) == 2
    with pytest.raises(DataError, match="line 2"):
        first_symbols(tmp_path / "rows.jsonl", vocabulary, 4)
