"""Sentences from CoNLL columns, CoNLL-U and text: what is read, what is refused, and what is written back."""

import io
from pathlib import Path

import pytest

from ostinato import ConfigError, DataError
from ostinato.data.sentences import open_sentences

SHARED = Path(__file__).parents[4] / "shared" / "data" / "tagging"
needs_data = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data are not on this machine")

CONLLU = """\
# sent_id = 1
# text = I won't go
1\tI\tI\tPRON\tPRP\t_\t4\tnsubj\t_\t_
2-3\twon't\t_\t_\t_\t_\t_\t_\t_\t_
2\two\twill\tAUX\tMD\t_\t4\taux\t_\t_
3\tn't\tnot\tPART\tRB\t_\t4\tadvmod\t_\t_
3.1\tnever\t_\tADV\t_\t_\t_\t_\t4:advmod\t_
4\tgo\tgo\tVERB\tVB\t_\t0\troot\t_\t_

# sent_id = 2
1\tNew York\tNew York\tPROPN\tNNP\t_\t0\troot\t_\t_
"""
COLUMNS = "-DOCSTART- -X- O\n\n# id = 1\nPeter NNP B-PER\n# . O\n \t \nParis  NNP   B-LOC\n"


def opened(text: str, **options):
    return open_sentences(io.BytesIO(text.encode()), **options)


def written(sentences, tags) -> str:
    return "".join(f"{line}\n" for s in sentences for line in sentences.write(s, tags(s)))


def read(text: str, **options):
    return [(s.words, s.tags) for s in opened(text, **options)]


def test_words_of_conllu_are_those_whose_id_is_a_number():
    assert read(CONLLU) == [
        (["I", "wo", "n't", "go"], ["PRON", "AUX", "PART", "VERB"]),
        (["New York"], ["PROPN"]),
    ]


def test_any_column_of_conllu_may_hold_the_tags():
    sentences = opened(CONLLU, tag_column="xpos", word_column="lemma")
    assert [(s.words, s.tags) for s in sentences][1] == (["New York"], ["NNP"])
    assert sentences.format == "CoNLL-U (words in LEMMA, tags in XPOS)"


def test_a_file_of_conllu_may_name_its_columns():
    text = "# global.columns = ID FORM NER\n1\tParis\tB-LOC\n"
    assert read(text, tag_column="NER") == [(["Paris"], ["B-LOC"])]


def test_columns_have_words_first_and_tags_last():
    sentences = opened(COLUMNS)
    assert [(s.words, s.tags) for s in sentences] == [
        ([], []),
        (["Peter", "#"], ["B-PER", "O"]),
        (["Paris"], ["B-LOC"]),
    ]
    assert sentences.format == "CoNLL columns (3, between spaces; words in 1, tags in 3)"


@pytest.mark.parametrize("columns", [{"tag_column": "2"}, {"tag_column": "-2"}])
def test_columns_are_chosen_by_number_from_either_end(columns):
    assert read(COLUMNS, **columns)[2] == (["Paris"], ["NNP"])


def test_a_blank_line_may_hold_spaces_and_tabs():
    assert read("a\tX\n\t\nb\tY\n \nc\tX\n") == [(["a"], ["X"]), (["b"], ["Y"]), (["c"], ["X"])]


def test_places_name_file_and_line(tmp_path):
    (tmp_path / "a.conll").write_text("\na\tX\nb\tY\n\nc\tX", encoding="utf-8")
    places = [str(s.place) for s in open_sentences(tmp_path / "a.conll")]
    assert places == [f"{tmp_path / 'a.conll'}, line 2", f"{tmp_path / 'a.conll'}, line 5"]


def test_a_file_is_read_again_and_again_and_first_lines_once(tmp_path):
    (tmp_path / "a.conll").write_text("a\tX\n\nb\tY\n", encoding="utf-8")
    sentences = open_sentences(tmp_path / "a.conll")
    assert [[s.words for s in sentences] for _ in range(2)] == [[["a"], ["b"]]] * 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("the cat sat\n\non the mat\n", [["the", "cat", "sat"], [], ["on", "the", "mat"]]),
        ("one\n", [["one"]]),
        ("the\ncat\n\nsat\n", [["the", "cat"], ["sat"]]),
        ("the\tDET\n", [["the"]]),
    ],
)
def test_what_is_to_be_tagged_may_be_text_or_columns(text, words):
    assert [s.words for s in opened(text, tagged=False)] == words


def test_words_alone_are_tagged_where_a_model_learned_from_more_columns():
    assert read("the\ncat\n\nsat\n", tagged=False, tag_column="4")[0] == (["the", "cat"], None)


def test_conllu_is_written_back_with_everything_else():
    sentences = opened(CONLLU)
    text = written(sentences, lambda s: [f"T{k}" for k in range(len(s.words))])
    changed = CONLLU
    for tag, new in (("PRON", "T0"), ("AUX", "T1"), ("PART", "T2"), ("VERB", "T3"), ("PROPN", "T0")):
        changed = changed.replace(f"\t{tag}\t", f"\t{new}\t")
    assert text == changed + "\n"


def test_columns_are_written_back_with_everything_else():
    sentences = opened(COLUMNS)
    text = written(sentences, lambda s: ["T"] * len(s.words))
    assert text == "-DOCSTART- -X- O\n\n# id = 1\nPeter NNP T\n# . T\n\nParis NNP T\n\n"


@pytest.mark.parametrize(
    ("text", "wanted"), [("the cat\n", "the\tT\ncat\tT\n\n"), ("the\ncat\n\nsat\n", "the T\ncat T\n\nsat T\n\n")]
)
def test_words_without_tags_get_them_as_a_column(text, wanted):
    sentences = opened(text, tagged=False)
    assert written(sentences, lambda s: ["T"] * len(s.words)) == wanted


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\tX\nb\n", "standard input, line 2: 1 columns: 'b'. The first line with a word has 2, between tabs"),
        ("a X\n\nb c X\n", "standard input, line 3: 3 columns: 'b c X'. The first line with a word has 2, between sp"),
        ("a\tX\n\tX\n", r"standard input, line 2: the word is missing"),
        ("a\tX\nb\t\n", r"standard input, line 2: the tag is missing"),
        ("a\nb\n", "the lines have one column: 'a'. A tagger learns from a word and its tag"),
        ("\n \n\t\n", "standard input: all lines are blank"),
        ("", "the file holds no text"),
        (CONLLU + "\n1\tonly\n", "standard input, line 13: 2 columns"),
        (CONLLU.replace("\n4\tgo", "\nfour\tgo"), "standard input, line 8: the ID is 'four'"),
        (CONLLU.replace("\tVERB", "\t"), "standard input, line 8: a column is empty"),
    ],
)
def test_what_cannot_be_read_is_refused_by_its_line(text, message):
    with pytest.raises(DataError, match=message):
        read(text)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tag_column": "4"}, "column: '4' of lines with 3. Columns are numbers from 1 to 3"),
        ({"tag_column": "UPOS"}, "column: 'UPOS' of lines with 3"),
        ({"word_column": "0"}, "column: '0' of lines with 3"),
        ({"format": "conl"}, "--format: 'conl'. Known are auto, columns"),
        ({"encoding": "utf-9"}, "no text encoding"),
    ],
)
def test_a_choice_that_is_none_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        read(COLUMNS, **options)


def test_a_column_that_conllu_has_not_is_refused():
    with pytest.raises(ConfigError, match=r"'UPO' of a CoNLL-U file. It has ID, .*Did you mean 'UPOS'"):
        read(CONLLU, tag_column="UPO")


def test_text_has_no_tags_to_learn_from():
    with pytest.raises(DataError, match="plain text, without tags"):
        read("the cat\n", format="text")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="there is no such file"):
        open_sentences(tmp_path / "a.conll")


@needs_data
@pytest.mark.parametrize(
    ("file", "sentences", "words", "tags"),
    [
        ("UD_English-EWT/en_ewt-ud-test.conllu", 2077, 25094, 17),
        ("wnut17/wnut17train.conll", 3394, 62730, 13),
        ("wnut17/emerging.test.annotated", 1287, 23394, 13),
    ],
)
def test_published_files_hold_what_their_authors_count(file, sentences, words, tags):
    found = list(open_sentences(SHARED / file))
    assert (len(found), sum(len(s.words) for s in found)) == (sentences, words)
    assert len({tag for s in found for tag in s.tags or ()}) == tags


@needs_data
def test_a_published_file_is_written_back_as_it_is():
    path = SHARED / "UD_English-EWT" / "en_ewt-ud-dev.conllu"
    sentences = open_sentences(path)
    assert written(sentences, lambda s: s.tags or ()) == path.read_text(encoding="utf-8")
