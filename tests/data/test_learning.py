"""Cutting text for `tokenizers`, and its table of bytes."""

from hypothesis import given
from hypothesis import strategies as st
from tokenizers.pre_tokenizers import ByteLevel

from ostinato.data.learning import byte_characters, cut_between_words
from ostinato.data.vocabulary import Vocabulary

BYTE_PAIRS = Vocabulary.learn("bpe", [["the cat's mat, the hat's on it — " * 9]], 300)
WORDS = Vocabulary.learn("word", [["the cat's mat, the hat's on it — " * 9]])

any_words = st.lists(
    st.tuples(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6).filter(
            lambda word: not any(character.isspace() for character in word)
        ),
        st.sampled_from([" ", "\n", "  ", " \n", "\t "]),
    ).map("".join),
    max_size=20,
).map("".join)


@given(pieces=st.lists(st.text(alphabet="ab \n", max_size=40)), size=st.integers(2, 30))
def test_cuts_lose_nothing_and_are_not_too_long(pieces, size):
    texts = list(cut_between_words(pieces, size))
    assert "".join(texts) == "".join(pieces)
    assert all(0 < len(text) <= size for text in texts)


@given(text=any_words, kind=st.sampled_from([BYTE_PAIRS, WORDS]))
def test_a_cut_between_words_never_changes_the_symbols(text, kind):
    cut = [number for part in cut_between_words([text], 16) for number in kind.encode(part).tolist()]
    assert cut == kind.encode(text).tolist()


def test_a_cut_stands_between_a_word_and_the_space_after_it():
    assert list(cut_between_words(["one two", " three\nfour"], 9)) == ["one two", " three", "\nfour"]


def test_a_word_cut_by_a_piece_is_whole_again():
    assert list(cut_between_words(["one tw", "o three"], 8)) == ["one two", " three"]


def test_a_cut_never_stands_within_white_space():
    assert list(cut_between_words(["one    two"], 5)) == ["one", "    t", "wo"]


def test_a_text_without_spaces_is_cut_where_it_is_full():
    assert list(cut_between_words(["abcdefgh"], 3)) == ["abc", "def", "gh"]


def test_the_table_of_bytes_has_the_characters_of_tokenizers():
    assert sorted(byte_characters()) == sorted(ByteLevel.alphabet())


def test_the_table_of_bytes_is_in_their_order():
    assert byte_characters()[ord("a")] == "a"
    assert byte_characters()[0x20] == "Ġ"
    assert byte_characters()[0x0A] == "Ċ"
