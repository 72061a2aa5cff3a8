"""Units of a side: what is read back, what `tokenizers` itself would say, and what was never seen."""

import doctest
import gzip
import json
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from ostinato._errors import ConfigError, DataError, RunError
from ostinato.data import units as source
from ostinato.data.units import KINDS, Units, as_text
from ostinato.data.vocabulary import Vocabulary

SIDES = ["The cat sat.", "Ein Mann, der läuft", "  two  spaces ", "the CAT — naïve café!", "日本語 👩‍🚀 ä̈"]
PHONES = [("K", "AE", "T"), "D AO G", ("K", "␣", "T"), ("K",)]
LEARNED = {kind: Units.learn(kind, PHONES if kind == "symbols" else SIDES) for kind in KINDS}
MULTI30K = Path(__file__).parents[3] / "shared" / "data" / "seq2seq" / "multi30k_en_de"

any_text = st.text(max_size=40)
texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40)
words = pytest.mark.parametrize("kind", ["char", "byte", "word", "bpe"])
every_kind = pytest.mark.parametrize("kind", KINDS)


@words
@pytest.mark.parametrize("side", SIDES)
def test_a_side_learned_from_reads_back_exactly(kind, side):
    units = LEARNED[kind]
    assert units.decode(units.encode(side)) == side


def test_symbols_read_back_with_a_space_between_two():
    units = LEARNED["symbols"]
    assert units.decode(units.encode("  K\tAE  T ")) == units.decode(units.encode(("K", "AE", "T"))) == "K AE T"


@every_kind
@given(text=any_text)
def test_no_text_is_an_error_and_every_number_is_one_of_the_units(kind, text):
    units = LEARNED[kind]
    ids = units.encode(text)
    assert ids.dtype == units.dtype
    assert ids.size == 0 or ids.max() < units.size
    assert units.boundary not in ids


@pytest.mark.parametrize("kind", ["byte", "bpe"])
@given(text=texts)
def test_bytes_read_every_text_back(kind, text):
    units = LEARNED[kind]
    assert units.decode(units.encode(text)) == text.replace("\r\n", "\n")


@every_kind
@pytest.mark.parametrize("lowercase", [False, True])
@pytest.mark.parametrize("side", [*SIDES, "K AE ZH T", "", "Ich weiß Ä Ä", "x<|boundary|>y <unk> K"])
def test_the_json_is_all_that_tokenizers_needs_to_read_the_same(kind, lowercase, side):
    units = Units.learn(kind, PHONES if kind == "symbols" else SIDES, lowercase=lowercase, composed=True)
    peer = Tokenizer.from_str(units.to_json())
    peer.encode_special_tokens = True
    assert units.encode(side).tolist() == peer.encode(side, add_special_tokens=False).ids


@every_kind
def test_units_written_and_read_again_are_the_same(kind, tmp_path):
    units = Units.learn(kind, PHONES if kind == "symbols" else SIDES, lowercase=True)
    (tmp_path / "source.json").write_text(units.to_json(), encoding="utf-8")
    again = Units.load(tmp_path / "source.json")
    assert (again.kind, again.size, again.boundary, again.unknown, again.lowercase, again.composed) == (
        units.kind,
        units.size,
        units.boundary,
        units.unknown,
        True,
        False,
    )
    assert all(np.array_equal(again.encode(side), units.encode(side)) for side in [*SIDES, *PHONES])


def test_a_character_never_seen_is_unknown_and_the_others_are_not():
    units = Units.learn("char", ["abc"])
    ids = units.encode("aβc\U0001f600")
    assert (ids == units.unknown).tolist() == [False, True, False, True]
    assert units.decode(ids) == "a�c�"


def test_the_replacement_character_in_a_text_is_the_unknown():
    units = Units.learn("char", ["a�b"])
    assert units.encode("�").tolist() == [units.unknown]
    assert units.size == 4


def test_a_word_is_one_unit_wherever_it_stands():
    units = Units.learn("word", ["two dogs", "one two"])
    assert units.encode("two")[0] == units.encode("one two")[1]


def test_an_unknown_word_and_an_unknown_symbol_are_named_so():
    assert LEARNED["word"].decode(LEARNED["word"].encode("The dog sat.")) == "The <unk> sat."
    assert LEARNED["symbols"].decode(LEARNED["symbols"].encode("K ZH T")) == "K <unk> T"


def test_a_symbol_that_spells_the_boundary_is_unknown():
    units = Units.learn("symbols", [("a", "<|boundary|>", "<unk>")])
    assert units.encode(("<|boundary|>", "<unk>")).tolist() == [units.unknown] * 2
    assert units.size == 3


@every_kind
def test_the_boundary_has_no_text(kind):
    units = LEARNED[kind]
    ids = [units.boundary, *units.encode("K T"), units.boundary]
    assert units.decode(ids) == units.decode(units.encode("K T"))
    assert units.pieces([units.boundary]) == [""]


@pytest.mark.parametrize("kind", ["char", "word", "symbols"])
def test_small_letters_and_composed_ones_are_those_of_unicode(kind):
    units = Units.learn(kind, ["Ä É weiß"], lowercase=True, composed=True)
    written = unicodedata.normalize("NFC", "Ä É weiß").lower()
    assert units.text("Ä É weiß") == written
    assert units.decode(units.encode("Ä É WEIß")) == written


def test_without_being_asked_no_letter_is_changed():
    assert LEARNED["char"].text("Ä ä") == "Ä ä"
    assert LEARNED["symbols"].text(("K", "ae")) == "K ae"


@pytest.mark.parametrize(("kind", "kept"), [("char", "ab "), ("word", " aa"), ("symbols", "aa")])
def test_what_occurs_too_seldom_is_unknown(kind, kept):
    units = Units.learn(kind, ["aa bb", "aa cb"], least=2)
    known = [piece for piece in units.pieces(np.arange(units.size)) if piece not in ("", "<unk>", " <unk>", "�")]
    assert sorted(known) == sorted([kept] if kind != "char" else kept)


def test_as_many_words_as_asked_are_the_most_frequent():
    units = Units.learn("word", ["a a a b b c"], 4)
    assert units.pieces(range(4)) == ["", " <unk>", " a", " b"]


def test_as_many_symbols_as_asked_are_the_most_frequent():
    assert Units.learn("symbols", ["c a a a b b"], 4).pieces(range(4)) == ["", "<unk>", "a", "b"]


def test_pieces_say_what_each_number_stands_for():
    units = LEARNED["word"]
    assert units.pieces(units.encode("The cat sat.")) == [" The", " cat", " sat", "."]


def test_a_side_that_is_cut_is_read_by_characters_with_a_space_between():
    assert as_text(("K", "AE")) == "K AE"
    assert LEARNED["char"].text(("a", "b")) == "a b"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"kind": "chars"}, "tokens: 'chars'. Possible: char, byte, word, bpe, symbols. Did you mean 'char'?"),
        ({"kind": "symbols", "size": 2}, "vocabulary size: 2. There are at least 3 symbols"),
        ({"kind": "symbols", "size": True}, "vocabulary size: True"),
        ({"kind": "word", "size": 2}, "vocabulary size: 2. A word vocabulary has at least 3"),
        ({"kind": "char", "size": 99}, "vocabulary size: 99 with --tokens char"),
        ({"kind": "word", "least": 0}, "least: 0. Possible: 1"),
        ({"kind": "symbols", "least": 1.5}, "least: 1.5"),
        ({"kind": "byte", "least": 2}, "least: 2 with --tokens byte. Every byte is a symbol"),
    ],
)
def test_a_setting_that_is_none_is_refused(asked, said):
    with pytest.raises(ConfigError) as error:
        Units.learn(**{"sides": ["a b"], **asked})
    assert said in str(error.value)


@pytest.mark.parametrize("kind", ["char", "word", "bpe", "symbols"])
@pytest.mark.parametrize("sides", [[], ["", ""]])
def test_no_text_to_learn_from_is_refused(kind, sides):
    with pytest.raises(DataError, match="the text: no "):
        Units.learn(kind, sides)


@pytest.mark.parametrize("kind", ["char", "word", "symbols"])
def test_more_times_than_anything_occurs_are_refused(kind):
    with pytest.raises(DataError, match="no symbol occurs 5 times in it"):
        Units.learn(kind, ["a b", "a"], least=5)


STATE = json.loads(LEARNED["symbols"].to_json())
DAMAGED = {
    "nothing": "",
    "a list": "[]",
    "no boundary": json.dumps({**STATE, "added_tokens": []}),
    "no unknown": json.dumps({**STATE, "model": {**STATE["model"], "vocab": {"<|boundary|>": 0, "a": 1}}}),
    "a gap": json.dumps({**STATE, "model": {**STATE["model"], "vocab": {"<|boundary|>": 0, "<unk>": 2}}}),
    "a model of another kind": json.dumps({**STATE, "model": {**STATE["model"], "vocab": 7}}),
}


@pytest.mark.parametrize("text", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_refused(text, tmp_path):
    (tmp_path / "tokenizer.json").write_text(text)
    with pytest.raises(RunError, match="not a vocabulary of Ostinato"):
        Units.load(tmp_path / "tokenizer.json")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(RunError, match=r"source\.json: cannot be read"):
        Units.load(tmp_path / "source.json")


def test_a_vocabulary_of_a_language_model_is_read_too():
    vocabulary = Vocabulary.learn("char", [["ab"]])
    assert Units.from_json(vocabulary.to_json()).decode(vocabulary.encode("ba")) == "ba"


@pytest.mark.skipif(not MULTI30K.is_dir(), reason="the shared pairs are not on this machine")
@pytest.mark.parametrize("language", ["de", "en"])
def test_real_sentences_of_known_words_read_back_exactly(language):
    sides = gzip.decompress((MULTI30K / f"val.{language}.gz").read_bytes()).decode().splitlines()
    units = Units.learn("word", sides)
    assert [units.decode(units.encode(side)) for side in sides] == sides


def test_the_example_in_the_docstring_is_true():
    assert doctest.testmod(source).failed == 0


@pytest.mark.parametrize("kind", ["char", "byte", "word", "bpe", "symbols"])
def test_units_that_come_one_at_a_time_give_the_text_of_all(kind):
    text = "the grüne cat — sat"
    units = Units.learn(kind, [text], 300 if kind == "bpe" else None)
    decoder = units.decoder()
    ids = units.encode(text).tolist()
    assert ("".join(map(decoder.push, ids)) + decoder.flush()).strip() == units.decode(ids) == text
