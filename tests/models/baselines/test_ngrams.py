"""Logistic regression over n-grams, beside scikit-learn's own counting of characters on real surnames."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from ostinato import ConfigError, DataError
from ostinato.models.baselines.ngrams import NEVER, NgramClassifier

NAMES = Path(__file__).parents[4] / "shared" / "data" / "classification" / "names"


def surnames() -> tuple[list[str], list[int]]:
    if not NAMES.is_dir():
        pytest.skip(f"{NAMES} is not there")
    texts, labels = [], []
    for label, language in enumerate(("Korean", "Portuguese", "Vietnamese", "Scottish")):
        lines = (NAMES / f"{language}.txt").read_text(encoding="utf-8").split()
        texts += lines
        labels += [label] * len(lines)
    return texts, labels


def as_symbols(texts: list[str]) -> list[list[int]]:
    return [[ord(character) for character in text] for text in texts]


def padded(sequences: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    rows = [torch.tensor(sequence, dtype=torch.int64) for sequence in sequences]
    return torch.nn.utils.rnn.pad_sequence(rows), torch.tensor([len(row) for row in rows])


@pytest.mark.parametrize("weights", [None, [1.0, 2.0, 0.5, 3.0]])
def test_scores_are_those_of_scikit_learn(weights):
    texts, labels = surnames()
    model = NgramClassifier(4, 700, order=3).double()
    said = model.fit(as_symbols(texts), labels, weights=weights, strength=2.0)
    counter = CountVectorizer(analyzer="char", ngram_range=(1, 3), lowercase=False)
    counts = counter.fit_transform([f"\0{text}\0" for text in texts])
    border = counter.vocabulary_["\0"]
    counts = counts[:, [column for column in range(counts.shape[1]) if column != border]]
    balance = None if weights is None else dict(enumerate(weights))
    other = LogisticRegression(C=2.0, max_iter=1000, class_weight=balance).fit(counts, labels)
    assert said["ngrams"] == said["kept"] == counts.shape[1]
    assert said["converged"]
    scores, state = model(*padded(as_symbols(texts)))
    assert state is None
    # both stop where the slope is below 1e-4: the same loss, and nearly the same weights
    assert np.allclose(scores.softmax(-1).detach(), other.predict_proba(counts), atol=2e-3)
    assert (scores.argmax(-1).numpy() == other.predict(counts)).mean() > 0.99


def test_the_most_frequent_are_kept_and_others_change_nothing():
    model = NgramClassifier(2, 4, order=1, capacity=2)
    said = model.fit([[0, 0, 1], [0, 1, 1, 2], [3, 1]], [0, 1, 1])
    assert (said["ngrams"], said["kept"]) == (4, 2)
    assert model.codes.tolist() == [2, 3]
    assert torch.equal(*(model(*padded([row]))[0] for row in ([0, 2, 3], [0])))


def test_what_is_found_again_is_the_model_by_its_tensors_alone():
    torch.manual_seed(0)
    model = NgramClassifier(2, 5, order=2, capacity=50)
    model.fit([[0, 1, 2], [3, 4], [1, 1], [4, 4, 4]], [0, 1, 0, 1])
    again = NgramClassifier(2, 5, order=2, capacity=50)
    again.load_state_dict(model.state_dict())
    batch = padded([[0, 1, 3], [4], []])
    assert torch.equal(again(*batch)[0], model(*batch)[0])


def test_an_empty_sequence_and_one_of_a_batch_are_scored_as_alone():
    model = NgramClassifier(3, 5)
    model.fit([[0, 1, 2], [3, 4], [], [2, 2]], [0, 1, 2, 1])
    rows = [[0, 1], [], [4, 3, 2, 1, 0, 0]]
    together = model(*padded(rows))[0]
    assert torch.allclose(together, torch.cat([model(*padded([row]))[0] for row in rows]), atol=1e-6)


def test_a_class_that_no_item_has_is_never_chosen():
    model = NgramClassifier(3, 5)
    model.fit([[0], [1], [0, 0]], [0, 2, 0])
    assert model.bias[1] == NEVER
    assert model(*padded([[0], [1]]))[0].argmax(-1).tolist() == [0, 2]


def test_of_one_class_alone_all_are():
    model = NgramClassifier(2, 5)
    assert model.fit([[0], [1]], [1, 1])["converged"]
    assert model(*padded([[3, 3]]))[0].argmax(-1).tolist() == [1]


def test_losses_are_nats_of_the_right_class():
    model = NgramClassifier(2, 5)
    assert model.losses(torch.zeros(3, 2), torch.tensor([0, 1, 1])).tolist() == pytest.approx([np.log(2)] * 3)
    assert "without recurrence" in model.plans()[0]


def test_what_cannot_be_counted_is_refused():
    with pytest.raises(ConfigError, match="At most 3 symbols in a row"):
        NgramClassifier(2, 1_000_000, order=4)
    with pytest.raises(ConfigError, match="capacity: 0"):
        NgramClassifier(2, 5, capacity=0)
    with pytest.raises(DataError, match="there are none"):
        NgramClassifier(2, 5).fit([], [])
