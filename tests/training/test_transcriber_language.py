"""A language model beside a transcriber: what it says of a text counts as it says it, whatever else it may say."""

from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional as F

from ostinato import ConfigError, RunError, train_language_model
from ostinato.data.units import Units
from ostinato.data.vocabulary import Vocabulary
from ostinato.decoding.ctc import ctc_beam
from ostinato.models.language_model import LanguageModel
from ostinato.training.transcriber import train_transcriber
from ostinato.training.transcriber.language import Language, table_of
from tones import write_manifest


def units_of(*texts, kind="char", size=None):
    return Units.learn(kind, texts, size)


def model_of(text):
    """A language model that was never trained, over the characters of a text."""
    torch.manual_seed(0)
    vocabulary = Vocabulary.learn("char", [[text]])
    model = LanguageModel(vocabulary.size, hidden_size=8, num_layers=1).eval()
    with torch.no_grad():
        model.scores.weight.mul_(8)  # far from all alike
    return SimpleNamespace(model=model, vocabulary=vocabulary)


@torch.no_grad()
def log_probability(trained, text):
    """What a language model says of a text, read in one piece."""
    ids = torch.tensor([trained.vocabulary.boundary, *trained.vocabulary.encode(text).tolist()])
    scores, _ = trained.model(ids[:-1, None])
    return -F.cross_entropy(scores[:, 0], ids[1:], reduction="sum").item()


@pytest.mark.parametrize("others", ["", "\n", "\n0123456789xyz"])
def test_a_text_is_worth_what_the_language_model_says_of_it(others):
    units, trained = units_of("abc"), model_of("abc" + others)
    log_probs = torch.randn(5, 1, units.size, generator=torch.Generator().manual_seed(1)).log_softmax(-1)
    prior = Language(trained, units, 0.7).prior(1, torch.device("cpu"))
    found = ctc_beam(log_probs, blank=units.boundary, width=200, n_best=8, prior=prior, bonus=0.3)
    for tokens, length, score in zip(found.tokens[0], found.lengths[0].tolist(), found.scores[0], strict=True):
        text = tokens[:length]
        sizes = torch.tensor([5]), torch.tensor([length])
        heard = -F.ctc_loss(log_probs, text[None], *sizes, blank=units.boundary, reduction="sum")
        said = log_probability(trained, units.decode(text.tolist())) if length else 0.0
        torch.testing.assert_close(score, heard + 0.7 * said + 0.3 * length, atol=1e-4, rtol=1e-5)


def test_symbols_that_it_does_not_know_are_named():
    language = Language(model_of("ab\n"), units_of("abcdé"), 0.5)
    assert language.lines() == ["the language model does not know 'c', 'd', 'é': they are never written"]
    assert Language(model_of("abc"), units_of("abc"), 0.5).lines() == []
    assert Language(model_of("ab\n"), units_of("abcdé"), 0.0).lines() == []


def test_many_that_it_does_not_know_are_counted():
    (line,) = Language(model_of("ab\n"), units_of("abcdefghijkl"), 0.5).lines()
    assert line == "the language model does not know 'c', 'd', 'e', 'f', 'g' and 5 more: they are never written"


def test_other_pieces_of_the_same_number_are_another_vocabulary():
    units = units_of("the cat sat on the mat " * 9, kind="bpe", size=262)
    same = Vocabulary.from_json(units.to_json())
    assert table_of(units, same, "book").tolist() == list(range(262))
    other = Vocabulary.learn("bpe", [["quick brown foxes jump " * 9]], 262)
    with pytest.raises(ConfigError, match="book has another vocabulary"):
        table_of(units, other, "book")


SMALL = {"hidden_size": 6, "num_layers": 1, "steps": 1, "threads": 1, "progress": False}


def test_a_language_model_that_is_missing_is_refused_before_anything_is_heard(tmp_path):
    (tmp_path / "none.csv").write_text("audio,text\nnone.wav,a\n")
    with pytest.raises(RunError, match="there is no such run folder"):
        train_transcriber(tmp_path / "none.csv", out=tmp_path / "run", language_model=str(tmp_path / "lm"), **SMALL)
    assert not (tmp_path / "run").exists()


def test_a_language_model_of_other_units_is_refused_before_anything_is_learned(tmp_path):
    (tmp_path / "book.txt").write_text("a b c\n" * 200)
    train_language_model(tmp_path / "book.txt", out=tmp_path / "lm", tokens="word", batch_size=2, k1=8, **SMALL)
    with pytest.raises(ConfigError, match="--tokens char"):
        train_transcriber(
            write_manifest(tmp_path, 12), out=tmp_path / "run", language_model=str(tmp_path / "lm"), beam=2, **SMALL
        )
    assert not (tmp_path / "run").exists()
