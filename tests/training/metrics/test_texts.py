"""Figures of texts, beside those that the libraries give for whole corpora and those counted by hand."""

import doctest

import jiwer
import pytest
import sacrebleu

from ostinato._errors import ConfigError, DataError
from ostinato.training.metrics import texts as source
from ostinato.training.metrics.texts import NAMES, Texts, in_words

HYPOTHESES = ["The cat sat on the mat.", "A man in an orange hat", "", "two dogs play . in the snow"]
REFERENCES = [
    ["The cat sits on the mat.", "There is a cat on the mat."],
    ["A man in an orange hat starring at something.", "A man with an orange hat"],
    ["People are fixing the roof.", "People fix the roof"],
    ["Two dogs play in the snow.", "Dogs are playing in snow."],
]
FIRST = [references[:1] for references in REFERENCES]


def seen(names, hypotheses, references, **settings):
    texts = Texts(names, **settings)
    for hypothesis, beside in zip(hypotheses, references, strict=True):
        texts.add(hypothesis, beside)
    return texts


@pytest.mark.parametrize("references", [FIRST, REFERENCES])
@pytest.mark.parametrize("lowercase", [False, True])
def test_bleu_and_chrf_are_those_of_the_whole_corpus(references, lowercase):
    streams = [list(stream) for stream in zip(*references, strict=True)]
    assert seen(["bleu", "chrf"], HYPOTHESES, references, lowercase=lowercase).figures() == pytest.approx(
        {
            "bleu": sacrebleu.corpus_bleu(HYPOTHESES, streams, lowercase=lowercase).score,
            "chrf": sacrebleu.CHRF(lowercase=lowercase).corpus_score(HYPOTHESES, streams).score,
        }
    )


def test_the_signature_says_how_both_were_computed():
    version = sacrebleu.__version__
    assert seen(["bleu", "chrf", "exact"], HYPOTHESES, FIRST).signature == (
        f"bleu nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:{version}; "
        f"chrf nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:{version}"
    )
    assert "nrefs:var|case:lc" in seen(["bleu"], HYPOTHESES, [["a"], *REFERENCES[1:]], lowercase=True).signature
    assert seen(["exact"], HYPOTHESES, FIRST).signature == Texts(["bleu"]).signature == ""


def test_texts_may_have_different_numbers_of_references():
    uneven = [REFERENCES[0], *FIRST[1:]]
    streams = [[row[0] for row in uneven], [REFERENCES[0][1], None, None, None]]
    expected = sacrebleu.corpus_bleu(HYPOTHESES, streams).score
    assert seen(["bleu"], HYPOTHESES, uneven).figures()["bleu"] == pytest.approx(expected)


def test_error_rates_are_those_of_the_whole_corpus():
    references = [row[0] for row in FIRST]
    assert seen(["wer", "per", "cer"], HYPOTHESES, FIRST).figures() == pytest.approx(
        {
            "wer": jiwer.wer(references, HYPOTHESES),
            "per": jiwer.wer(references, HYPOTHESES),
            "cer": jiwer.cer(references, HYPOTHESES),
        }
    )


def test_of_several_references_the_one_with_the_lowest_rate_counts():
    texts = seen(["per"], ["K AE T", "D AO G"], [["K AA T S", "K AE T S S S", "K AE"], ["D AO G"]])
    assert texts.figures() == {"per": 2 / (4 + 3)}


def test_a_reference_without_words_is_met_by_nothing_and_missed_by_anything():
    assert seen(["wer"], ["", "a"], [[""], ["a"]]).figures() == {"wer": 0.0}
    assert seen(["wer"], ["a b", "a"], [[""], ["a"]]).figures() == {"wer": 2.0}
    assert seen(["exact", "characters"], [""], [[""]]).figures() == {"exact": 1.0, "characters": 1.0}


def test_a_text_is_exact_where_it_is_any_reference():
    texts = seen(["exact"], ["ev ", "eve", "EV", "e v"], [["evler", "ev"], ["ev"], ["ev"], ["ev"]])
    assert texts.figures() == {"exact": 0.25}
    assert texts.items == 4


def test_capital_letters_make_no_difference_where_that_is_asked():
    assert seen(["exact", "cer"], ["EV"], [["ev"]], lowercase=True).figures() == {"exact": 1.0, "cer": 0.0}


@pytest.mark.parametrize(
    ("hypothesis", "share"), [("168 ", 1.0), ("169 ", 0.75), ("", 0.0), ("168", 0.75), ("168 9", 0.8), ("068 ", 0.75)]
)
def test_characters_are_compared_place_by_place(hypothesis, share):
    assert seen(["characters"], [hypothesis], [["168 "]]).figures() == {"characters": share}


def test_a_figure_that_is_none_is_refused():
    with pytest.raises(ConfigError, match=r"metrics: 'blue' is none that is known\. Possible: .*Did you mean 'bleu'"):
        Texts(["blue"])


def test_a_text_without_references_and_no_text_at_all_are_refused():
    with pytest.raises(DataError, match="text 1: no reference"):
        Texts(["exact"]).add("a", [])
    with pytest.raises(DataError, match="there are none"):
        Texts(list(NAMES)).figures()


def test_every_figure_has_words():
    figures = seen(NAMES, HYPOTHESES, REFERENCES).figures()
    assert len(in_words(figures).split(", ")) == len(NAMES)


def test_the_examples_in_docstrings_are_true():
    assert doctest.testmod(source).failed == 0
