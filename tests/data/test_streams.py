"""Streams and lanes: the split, the files, and every symbol read once, beside a naive reference."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ostinato._errors import ConfigError, DataError, RunError
from ostinato.data import readers
from ostinato.data.readers import documents
from ostinato.data.streams import Lanes, TokenStream, is_stream_current, write_stream
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


def learn(kind, *paths):
    return Vocabulary.learn(kind, [pieces for path in paths for pieces in documents(path)])


def write_rows(path, *rows):
    path.write_text("".join(json.dumps({"text": row}) + "\n" for row in rows), encoding="utf-8")
    return path


def open_parts(folder):
    return TokenStream.open(folder, "train"), TokenStream.open(folder, "valid")


def stored(tmp_path, tokens, boundary=0):
    """Return a stream of the given symbols, all in the training part."""
    path = tmp_path / "train.bin"
    np.array(tokens, np.uint8).tofile(path)
    return TokenStream(path, np.dtype(np.uint8), boundary, len(tokens), 1, len(tokens), len(tokens), 0)


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
    monkeypatch.setattr(readers, "_BLOCK", block)
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
        assert part.starts.tolist() == [0]


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
    assert train.starts.tolist() == [0, 3, 5]
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
    assert valid.starts.tolist() == [0, 8]


def test_symbols_are_stored_in_the_smallest_type(book, folder):
    vocabulary = learn("char", book)
    write_stream(folder, book, vocabulary)
    assert (folder / "train.bin").stat().st_size == TokenStream.open(folder, "train").length


def test_progress_ends_at_the_number_of_characters(book, folder):
    seen = []
    write_stream(folder, book, learn("char", book), progress=lambda *done: seen.append(done))
    assert seen[-1] == (len(TEXT), len(TEXT))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_written_stream_is_current(book, folder):
    vocabulary = learn("char", book)
    write_stream(folder, book, vocabulary)
    assert is_stream_current(folder, book, vocabulary)


def test_a_stream_of_another_split_text_or_vocabulary_is_not_current(book, folder):
    vocabulary = learn("char", book)
    write_stream(folder, book, vocabulary)
    assert not is_stream_current(folder, book, vocabulary, validation=0.2)
    assert not is_stream_current(folder, book, learn("word", book))
    assert not is_stream_current(folder.parent, book, vocabulary)
    book.write_text(TEXT + ".", encoding="utf-8")
    assert not is_stream_current(folder, book, vocabulary)


def test_a_stream_whose_symbols_are_gone_is_not_current(book, folder):
    vocabulary = learn("char", book)
    write_stream(folder, book, vocabulary)
    (folder / "valid.bin").unlink()
    assert not is_stream_current(folder, book, vocabulary)


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
        "from ostinato.data import readers, streams, vocabulary\n"
        "readers._BLOCK, book, folder = 64, *map(pathlib.Path, sys.argv[1:])\n"
        "def kill(done, total):\n"
        "    if done > total / 2: os.kill(os.getpid(), signal.SIGKILL)\n"
        "learned = vocabulary.Vocabulary.learn('char', readers.documents(book))\n"
        "streams.write_stream(folder, book, learned, progress=kill)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(book), str(folder)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not is_stream_current(folder, book, vocabulary)
    write_stream(folder, book, vocabulary)
    assert is_stream_current(folder, book, vocabulary)


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
        patch.setattr(readers, "_BLOCK", 100)
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


# Lanes.


def reference(tokens, batch_size, boundary):
    """Return what every step of every lane reads, predicts and resets, with plain lists."""
    length = (len(tokens) - 1) // batch_size
    lanes = [range(lane * length, (lane + 1) * length) for lane in range(batch_size)]
    inputs = [[tokens[lane[step]] for lane in lanes] for step in range(length)]
    targets = [[tokens[lane[step] + 1] for lane in lanes] for step in range(length)]
    resets = [[step > 0 and tokens[lane[step]] == boundary for lane in lanes] for step in range(length)]
    return inputs, targets, resets


@given(
    tokens=st.lists(st.integers(0, 4), min_size=6, max_size=80),
    batch_size=st.integers(1, 5),
    length=st.integers(1, 20),
)
def test_lanes_equal_the_naive_reference(tmp_path_factory, tokens, batch_size, length):
    stream = stored(tmp_path_factory.mktemp("lanes"), tokens)
    segments = list(Lanes(stream, batch_size).segments(length))
    inputs, targets, resets = reference(tokens, batch_size, boundary=0)
    assert [row for segment in segments for row in segment.inputs.tolist()] == inputs
    assert [row for segment in segments for row in segment.targets.tolist()] == targets
    no_reset = [torch.zeros(s.inputs.shape, dtype=torch.bool) if s.reset is None else s.reset for s in segments]
    assert [row for reset in no_reset for row in reset.tolist()] == resets


def test_a_segment_has_whole_numbers_in_time_major_order(tmp_path):
    segment = Lanes(stored(tmp_path, [9, 1, 2, 3, 4, 5, 6]), 2).segment(0, 3)
    assert segment.inputs.tolist() == [[9, 3], [1, 4], [2, 5]]
    assert segment.targets.tolist() == [[1, 4], [2, 5], [3, 6]]
    assert segment.inputs.dtype == segment.targets.dtype == torch.int64
    assert segment.inputs.is_contiguous()
    assert segment.targets.is_contiguous()


def test_the_last_segment_is_as_short_as_it_is(tmp_path):
    lanes = Lanes(stored(tmp_path, [1] * 24), 2)
    assert lanes.length == 11
    assert [len(segment.inputs) for segment in lanes.segments(4)] == [4, 4, 3]


def test_segments_may_begin_in_the_middle(tmp_path):
    lanes = Lanes(stored(tmp_path, list(range(1, 22))), 2)
    assert [segment.inputs[:, 0].tolist() for segment in lanes.segments(4, start=4)] == [[5, 6, 7, 8], [9, 10]]


def test_a_boundary_resets_at_its_own_step(tmp_path):
    segment = Lanes(stored(tmp_path, [0, 1, 2, 0, 3, 4, 5]), 1).segment(0, 6)
    assert segment.reset is not None
    assert segment.reset.flatten().tolist() == [False, False, False, True, False, False]
    assert segment.reset.dtype == torch.bool


def test_the_first_step_needs_no_reset(tmp_path):
    assert Lanes(stored(tmp_path, [0, 1, 2, 3]), 1).segment(0, 3).reset is None


def test_a_later_first_step_does(tmp_path):
    segment = Lanes(stored(tmp_path, [1, 2, 0, 3]), 1).segment(2, 1)
    assert segment.reset is not None
    assert segment.reset.tolist() == [[True]]


def test_every_character_of_a_book_is_predicted_once_by_one_lane(book, folder):
    vocabulary = learn("char", book)
    write_stream(folder, book, vocabulary)
    train = TokenStream.open(folder, "train")
    drawn = torch.cat([segment.targets for segment in Lanes(train, 1).segments(50)])
    assert vocabulary.decode(drawn) == TEXT[: train.characters]


def test_lanes_that_would_be_too_short_say_what_is_needed(tmp_path):
    with pytest.raises(ConfigError) as caught:
        Lanes(stored(tmp_path, [1] * 101), 64, segment_length=20)
    error = caught.value
    assert error.where == "the train part of the text"
    assert error.got == "101 symbols"
    assert error.possible == "64 lanes of 20 steps need 1281"
    assert error.advice == "Lower the batch size to 5 or the segment length to 1, or use more text"


def test_lanes_of_a_stream_with_too_few_symbols_are_an_error(tmp_path):
    with pytest.raises(ConfigError, match=r"1 symbols. 2 lanes of 1 steps need 3.*Lower the batch size and"):
        Lanes(stored(tmp_path, [1]), 2)


def test_the_shortest_stream_that_is_enough_is_accepted(tmp_path):
    assert Lanes(stored(tmp_path, [1] * 41), 8, segment_length=5).length == 5


@pytest.mark.parametrize("size", [0, -1, 1.5, True])
def test_a_batch_size_is_a_whole_number_from_one(tmp_path, size):
    with pytest.raises(ConfigError, match=rf"batch size: {size}.*whole number from 1"):
        Lanes(stored(tmp_path, [1] * 9), size)


@pytest.mark.parametrize(("position", "length"), [(8, 1), (-1, 1), (0, 0)])
def test_a_segment_outside_of_the_lanes_is_an_error(tmp_path, position, length):
    with pytest.raises(ConfigError, match="the steps 0 to 7"):
        Lanes(stored(tmp_path, [1] * 9), 1).segment(position, length)


def test_a_stream_cut_short_while_it_is_read_is_damaged(tmp_path):
    stream = stored(tmp_path, [1] * 100)
    lanes = Lanes(stream, 2)
    stream.path.write_bytes(b"\1" * 60)
    with pytest.raises(RunError, match="it ends early"):
        lanes.segment(20, 10)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="resident memory is read from /proc")
def test_reading_a_stream_keeps_none_of_it_in_memory(tmp_path):
    path = tmp_path / "train.bin"
    size = 64 << 20
    with path.open("wb") as file:
        file.truncate(size)
    stream = TokenStream(path, np.dtype(np.uint8), 1, size, 1, size, size, 0)
    lanes = Lanes(stream, 512)
    lanes.segment(0, 4096)
    before = resident_bytes()
    for _ in lanes.segments(4096):
        pass
    # A segment takes 512 × 4096 × 8 bytes = 16 MB, and two live at a time.
    assert resident_bytes() - before < 40 << 20


def resident_bytes():
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * 4096


@pytest.mark.skipif(not CHAR_LM.is_dir(), reason="the shared texts are not on this machine")
def test_shakespeare_splits_where_everyone_splits_it(folder):
    path = CHAR_LM / "tinyshakespeare.txt"
    write_stream(folder, path, learn("char", path))
    assert [part.characters for part in open_parts(folder)] == [1_003_854, 111_540]
