"""Vocabularies: what is read back, what `tokenizers` itself would say, and what bad text is told."""

import doctest
import itertools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from ostinato._errors import ConfigError, DataError, RunError
from ostinato.data import vocabulary as source
from ostinato.data.readers import documents
from ostinato.data.vocabulary import Vocabulary, count_characters

KINDS = ["char", "byte", "word", "bpe"]
LOSSLESS = ["char", "byte", "bpe"]
CORPUS = "the cat sat on the mat, isn't it?\n\tThe  cat — naïve café 3.14!\n日本語の文 👩‍🚀 ä̈\x00\n" * 3
CHAR_LM = Path(__file__).parents[3] / "shared" / "data" / "char_lm"

needs_real_text = pytest.mark.skipif(not CHAR_LM.is_dir(), reason="the shared texts are not on this machine")
texts = st.text(alphabet=sorted(set(CORPUS)), max_size=60)
any_text = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60)


def learn(kind, text=CORPUS, size=None):
    return Vocabulary.learn(kind, [[text]], size)


LEARNED = {kind: learn(kind) for kind in KINDS}


@pytest.fixture(params=KINDS)
def vocabulary(request):
    return LEARNED[request.param]


@pytest.fixture(params=LOSSLESS)
def lossless(request):
    return LEARNED[request.param]


def test_the_corpus_reads_back_exactly(vocabulary):
    assert vocabulary.decode(vocabulary.encode(CORPUS)) == CORPUS


@given(text=texts)
def test_text_of_known_characters_reads_back_exactly_as_characters(text):
    vocabulary = LEARNED["char"]
    assert vocabulary.decode(vocabulary.encode(text)) == text


@given(text=any_text)
def test_any_text_reads_back_exactly_as_bytes(text):
    vocabulary = LEARNED["byte"]
    assert vocabulary.decode(vocabulary.encode(text)) == text


@given(text=any_text)
def test_any_text_reads_back_exactly_as_byte_pairs(text):
    vocabulary = LEARNED["bpe"]
    assert vocabulary.decode(vocabulary.encode(text)) == text


@given(data=st.binary(max_size=60))
def test_any_bytes_are_their_own_symbols(data):
    assert LEARNED["byte"].encode(data).tolist() == list(data)


@given(text=texts)
def test_the_fast_path_for_characters_equals_the_tokenizer(text):
    vocabulary = LEARNED["char"]
    assert vocabulary.encode(text).tolist() == Tokenizer.from_str(vocabulary.to_json()).encode(text).ids


@given(text=any_text)
def test_the_fast_path_for_bytes_equals_the_tokenizer(text):
    vocabulary = LEARNED["byte"]
    assert vocabulary.encode(text).tolist() == Tokenizer.from_str(vocabulary.to_json()).encode(text).ids


def test_decoding_equals_the_tokenizer(vocabulary):
    tokenizer = Tokenizer.from_str(vocabulary.to_json())
    ids = vocabulary.encode(CORPUS).tolist()
    assert tokenizer.decode(ids) == vocabulary.decode(ids)


@given(numbers=st.lists(st.integers(0, 256), max_size=30))
def test_any_drawn_bytes_decode_as_the_tokenizer_decodes_them(numbers):
    vocabulary = LEARNED["byte"]
    assert Tokenizer.from_str(vocabulary.to_json()).decode(numbers) == vocabulary.decode(numbers)


@given(numbers=st.lists(st.integers(0, 256), max_size=30))
def test_streamed_bytes_join_to_the_whole_text(numbers):
    decoder = LEARNED["byte"].decoder()
    streamed = "".join(decoder.push(number) for number in numbers) + decoder.flush()
    assert streamed == LEARNED["byte"].decode(numbers)


@given(numbers=st.lists(st.integers(0, LEARNED["bpe"].size - 1), max_size=30))
def test_streamed_byte_pairs_join_to_the_whole_text(numbers):
    decoder = LEARNED["bpe"].decoder()
    streamed = "".join(decoder.push(number) for number in numbers) + decoder.flush()
    assert streamed == LEARNED["bpe"].decode(numbers)


def test_a_character_is_given_with_the_last_of_its_bytes():
    decoder = LEARNED["byte"].decoder()
    assert [decoder.push(byte) for byte in "é!".encode()] == ["", "é", "!"]


def test_a_flushed_decoder_begins_a_new_text():
    decoder = LEARNED["byte"].decoder()
    decoder.push(0xC3)
    assert decoder.flush() == "\ufffd"
    assert decoder.push(ord("a")) == "a"


@given(text=any_text, cuts=st.lists(st.integers(0, 60), max_size=5), kind=st.sampled_from(["byte", "bpe", "word"]))
def test_where_a_piece_ends_does_not_matter(text, cuts, kind):
    vocabulary = LEARNED[kind]
    edges = [0, *sorted(cuts), len(text)]
    pieces = [text[start:end] for start, end in itertools.pairwise(edges)]
    joined = [number for ids in vocabulary.encode_pieces(pieces) for number in ids.tolist()]
    assert joined == vocabulary.encode(text).tolist()


def test_a_long_text_has_the_symbols_of_the_whole_though_it_is_cut(vocabulary):
    text = "on the mat the cat sat,\n isn't it   so\n\n" * 8000
    text = text if vocabulary.kind != "char" else text.replace("o", "")
    ids = np.concatenate(list(vocabulary.encode_pieces([text[:100_001], text[100_001:]])))
    np.testing.assert_array_equal(ids, vocabulary.encode(text))


def test_symbols_are_sorted_by_code_point_after_the_boundary():
    vocabulary = learn("char", "ba\u00e9\n")
    assert vocabulary.boundary == 0
    assert vocabulary.encode("\nab\u00e9").tolist() == [1, 2, 3, 4]


def test_the_byte_vocabulary_has_the_bytes_and_the_boundary():
    vocabulary = LEARNED["byte"]
    assert (vocabulary.size, vocabulary.boundary, vocabulary.dtype) == (257, 256, np.dtype(np.uint16))


@pytest.mark.parametrize(("count", "dtype"), [(255, np.uint8), (256, np.uint16)])
def test_symbols_take_the_smallest_type(count, dtype):
    assert learn("char", "".join(map(chr, range(count)))).dtype == dtype


def test_text_that_spells_the_boundary_stays_text(lossless):
    text = "<|boundary|>"
    vocabulary = lossless if lossless.kind != "char" else learn("char", text)
    ids = vocabulary.encode(text)
    assert vocabulary.boundary not in ids
    assert vocabulary.decode(ids) == text


def test_the_boundary_has_no_text(vocabulary):
    ids = [vocabulary.boundary, *vocabulary.encode("the"), vocabulary.boundary]
    assert vocabulary.decode(ids) == "the"


def test_saved_is_loaded(vocabulary, tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_text(vocabulary.to_json(), encoding="utf-8")
    loaded = Vocabulary.load(path)
    assert loaded.kind == vocabulary.kind
    assert (loaded.size, loaded.boundary, loaded.unknown) == (
        vocabulary.size,
        vocabulary.boundary,
        vocabulary.unknown,
    )
    np.testing.assert_array_equal(loaded.encode(CORPUS), vocabulary.encode(CORPUS))
    assert loaded.to_json() == vocabulary.to_json()


def test_learning_twice_gives_the_same_symbols(vocabulary):
    assert learn(vocabulary.kind).to_json() == vocabulary.to_json()


def test_characters_are_counted_without_decoding(vocabulary):
    assert vocabulary.characters([vocabulary.boundary, *vocabulary.encode(CORPUS)]) == len(CORPUS)


def test_tensors_decode_as_lists_do(vocabulary):
    ids = vocabulary.encode("the cat").astype(np.int64)
    assert vocabulary.decode(torch.from_numpy(ids)) == "the cat"


def test_an_empty_prompt_has_no_symbols(vocabulary):
    ids = vocabulary.encode("")
    assert ids.shape == (0,)
    assert ids.dtype == vocabulary.dtype


def test_only_words_have_an_unknown_symbol(lossless):
    assert lossless.unknown is None
    assert LEARNED["word"].unknown == 1


def test_unknown_words_read_back_as_unknown():
    vocabulary = LEARNED["word"]
    assert vocabulary.decode(vocabulary.encode("the dog sat")) == "the <unk> sat"


def test_words_keep_their_spaces_and_punctuation():
    vocabulary = LEARNED["word"]
    symbols = [vocabulary.decode([number]) for number in vocabulary.encode("the mat, isn't it?\n\tThe  cat")]
    assert symbols == ["the", " mat", ",", " isn't", " it", "?", "\n", "\t", "The", " ", " cat"]


def test_a_size_keeps_the_most_frequent_words():
    vocabulary = learn("word", "a a a b b c", size=4)
    assert vocabulary.size == 4
    assert vocabulary.decode(vocabulary.encode(" a b c")) == " a b <unk>"


def test_a_size_limits_the_byte_pairs():
    assert learn("bpe", CORPUS, size=260).size == 260


def test_documents_may_come_in_pieces_and_in_numbers():
    pieces = iter([iter(["to be ", "or"]), iter([" not"])])
    assert Vocabulary.learn("char", pieces).decode([1, 2, 3]) == " be"


def test_half_a_character_counts_where_it_begins():
    assert count_characters("é".encode()) == 1
    assert count_characters("é".encode()[1:]) == 0


def test_the_example_of_the_docstring_runs():
    assert doctest.testmod(source) == (0, 4)


def test_the_vocabulary_does_without_torch():
    code = "import sys, ostinato.data.vocabulary, ostinato.data.readers; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@needs_real_text
@pytest.mark.parametrize("name", ["tinyshakespeare", "tang_poems_zh_hant", "genesis_german_luther"])
@pytest.mark.parametrize("kind", LOSSLESS)
def test_real_texts_read_back_exactly(name, kind):
    path = CHAR_LM / f"{name}.txt"
    text = path.read_text(encoding="utf-8")[:200_000]
    vocabulary = Vocabulary.learn(kind, [[text]], 500 if kind == "bpe" else None)
    assert vocabulary.decode(vocabulary.encode(text)) == text


@needs_real_text
def test_shakespeare_has_sixty_five_characters():
    assert Vocabulary.learn("char", documents(CHAR_LM / "tinyshakespeare.txt")).size == 65 + 1


# What bad text and bad settings are told.


def test_unknown_characters_are_named_with_their_code_points():
    with pytest.raises(DataError) as caught:
        LEARNED["char"].encode("Zebra 🦓 in the \x07", where="the prompt")
    error = caught.value
    assert error.where == "the prompt"
    assert "'Z' (U+005A), 'b' (U+0062), 'r' (U+0072), '🦓' (U+1F993), U+0007" in error.got
    assert f"{LEARNED['char'].size - 1} characters" in error.possible
    assert "--tokens byte" in error.advice


def test_five_unknown_characters_are_named_and_the_rest_counted():
    with pytest.raises(DataError, match=r"'B' .*'F' \(U\+0046\) and 2 more"):
        learn("char", "A").encode("BCDEFGH")


def test_a_lone_surrogate_is_an_unknown_character():
    with pytest.raises(DataError, match=r"U\+DC80"):
        LEARNED["char"].encode("the \udc80")


@pytest.mark.parametrize("kind", ["word", "bpe"])
def test_a_lone_surrogate_is_no_text(kind):
    with pytest.raises(DataError, match=r"U\+D800 at character 4.*Unicode"):
        LEARNED[kind].encode("the \ud800")


def test_a_byte_from_the_command_line_is_that_byte():
    assert LEARNED["byte"].encode("\udc80").tolist() == [0x80]


def test_a_surrogate_that_is_no_byte_is_an_error():
    with pytest.raises(DataError, match=r"U\+D800"):
        LEARNED["byte"].encode("\ud800")


@pytest.mark.parametrize("kind", ["char", "word", "bpe"])
def test_bytes_are_for_the_byte_vocabulary(kind):
    with pytest.raises(DataError, match="--tokens byte"):
        LEARNED[kind].encode(b"the")


def test_an_unknown_kind_names_the_nearest():
    with pytest.raises(ConfigError, match=r"'chars'.*char, byte, word, bpe.*Did you mean 'char'\?"):
        learn("chars")


@pytest.mark.parametrize("kind", ["char", "byte"])
def test_a_size_is_not_for_characters_or_bytes(kind):
    with pytest.raises(ConfigError, match=f"100 with --tokens {kind}.*word or bpe.*Leave it out"):
        learn(kind, size=100)


@pytest.mark.parametrize(("kind", "size", "least"), [("word", 2, 3), ("bpe", 256, 257), ("word", -1, 3)])
def test_a_size_that_is_too_small_is_told_the_least(kind, size, least):
    with pytest.raises(ConfigError, match=f"{size}: A|{size}. A {kind} vocabulary has at least {least}"):
        learn(kind, size=size)


@pytest.mark.parametrize("kind", ["char", "word", "bpe"])
def test_learning_from_no_text_is_an_error(kind):
    with pytest.raises(DataError, match="no characters"):
        Vocabulary.learn(kind, [])


def test_an_error_of_the_reader_passes_through_learning():
    def broken():
        yield "the cat"
        raise DataError("book.txt", "not UTF-8")

    with pytest.raises(DataError, match=r"book\.txt"):
        Vocabulary.learn("bpe", [broken()])


def damage(state, **changes):
    return json.dumps({**state, **changes})


STATE = json.loads(LEARNED["char"].to_json())
BROKEN = {
    "cut short": LEARNED["char"].to_json()[:-20],
    "not JSON": "weights",
    "a list": "[]",
    "empty": "",
    "another object": "{}",
    "without a model": damage(STATE, model=None),
    "another model": damage(STATE, model={"type": "Unigram"}),
    "another split": damage(STATE, pre_tokenizer={"type": "Whitespace"}),
    "no boundary": damage(STATE, added_tokens=[]),
    "words for characters": damage(STATE, model={**STATE["model"], "vocab": {"<|boundary|>": 0, "ab": 1}}),
    "gaps": damage(STATE, model={**STATE["model"], "vocab": {"<|boundary|>": 0, "a": 5}}),
    "numbers for a vocabulary": damage(STATE, model={**STATE["model"], "vocab": [1, 2]}),
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN.keys())
def test_a_damaged_vocabulary_is_an_error_of_the_run(text, tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RunError, match=r"tokenizer\.json: not a vocabulary of Ostinato.*char, byte.*train again"):
        Vocabulary.load(path)


def test_a_missing_vocabulary_is_an_error_of_the_run(tmp_path):
    with pytest.raises(RunError, match="No such file"):
        Vocabulary.load(tmp_path / "tokenizer.json")


def test_a_character_never_seen_is_the_unknown_where_one_was_asked_for():
    vocabulary = Vocabulary.learn("char", [["ab"]], unknown=True)
    assert vocabulary.encode("axb").tolist() == [vocabulary.encode("a")[0], vocabulary.unknown, vocabulary.size - 1]
    assert Vocabulary.from_json(vocabulary.to_json()).unknown == vocabulary.unknown
    assert Vocabulary.learn("char", [["ab"]]).unknown is None


def test_words_that_occur_too_seldom_are_left_out():
    assert Vocabulary.learn("word", [["a a a b"]], least=2).size == 3
