"""Words and characters as numbers, learned, written and read again."""

import pytest

from ostinato.data.sentences import Lexicon

SENTENCES = [["The", "Straße", "the"], ["cat", "the"]]


def test_the_most_frequent_comes_first_and_equals_by_their_characters():
    lexicon = Lexicon.learned(SENTENCES)
    assert lexicon.counts == {"the": 3, "cat": 1, "straße": 1}
    assert lexicon.characters[:4] == ["e", "t", "h", "a"]


def test_letters_keep_their_case_and_words_do_not():
    lexicon = Lexicon.learned(SENTENCES)
    small, large = lexicon.encode(["the"]), lexicon.encode(["The"])
    assert small.words.tolist() == large.words.tolist() == [1]
    assert small.letters.tolist() != large.letters.tolist()


def test_words_may_keep_their_case():
    assert Lexicon.learned(SENTENCES, lowercase=False).counts["the"] == 2


def test_rare_words_and_new_characters_are_unknown():
    lexicon = Lexicon.learned(SENTENCES, least=2)
    encoded = lexicon.encode(["cat", "ж", "the"])
    assert encoded.words.tolist() == [0, 0, 1]
    assert encoded.spans.tolist() == [3, 1, 3]
    assert (encoded.letters == 0).tolist() == [False] * 3 + [True] + [False] * 3


def test_of_a_long_word_the_first_and_last_characters_are_read():
    lexicon = Lexicon.learned([["abcdef"]], longest=3)
    assert [lexicon.characters[k - 1] for k in lexicon.encode(["abcdef"]).letters] == ["a", "b", "f"]


@pytest.mark.parametrize("longest", [1, 2, 5, 6])
def test_no_word_is_longer_than_is_read(longest):
    assert Lexicon.learned([["abcdef"]], longest=longest).encode(["abcdef"]).spans == [longest]


def test_what_is_written_is_read_again():
    lexicon = Lexicon.learned(SENTENCES, least=1, lowercase=False, longest=4)
    again = Lexicon.from_json(lexicon.to_json())
    assert again.to_json() == lexicon.to_json()
    assert again.encode(["The", "Straße"])[1].tolist() == lexicon.encode(["The", "Straße"])[1].tolist()


def test_what_is_no_lexicon_is_not_read():
    with pytest.raises(KeyError):
        Lexicon.from_json("{}")
