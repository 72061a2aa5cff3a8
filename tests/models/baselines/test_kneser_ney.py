"""Kneser-Ney beside the definition written with dictionaries, and beside numbers worked out by hand."""

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
import torch

from ostinato import ConfigError, DataError
from ostinato.data.lanes import Segment
from ostinato.models.baselines.kneser_ney import KneserNey, tables

SIZE, EDGE = 7, 6


def stream(documents: list[list[int]]) -> np.ndarray:
    return np.array([symbol for document in documents for symbol in (EDGE, *document)])


def long_text(documents: int = 4) -> np.ndarray:
    """Return symbols of which each depends on the last, and the rarer ones are rare."""
    draw = np.random.default_rng(0)
    rows = draw.dirichlet(np.full(EDGE, 0.3), EDGE)
    texts = []
    for _ in range(documents):
        text = [0]
        for _ in range(60):
            text.append(int(draw.choice(EDGE, p=rows[text[-1]])))
        texts.append(text)
    return stream(texts)


class Plain:
    """The definition of Chen and Goodman (1998), by dictionaries of tuples."""

    def __init__(self, text: np.ndarray, order: int):
        self.counts, words = {}, [int(word) for word in text]
        grams = {k: Counter() for k in range(1, order + 1)}
        for k, seen in grams.items():
            for first in range(len(words) - k + 1):
                gram = tuple(words[first : first + k])
                if EDGE not in gram[1:-1]:
                    seen[gram] += 1
        for k in range(1, order):
            before = Counter(gram[1:] for gram in grams[k + 1])
            if k > 1:
                before.update({gram: count for gram, count in grams[k].items() if gram[0] == EDGE})
            self.counts[k] = before
        self.counts[order] = grams[order]

    def discount(self, k: int, count: int) -> Fraction:
        n = [sum(1 for c in self.counts[k].values() if c == number) for number in range(5)]
        if 0 in n[1:]:
            return Fraction(n[1], n[1] + 2 * n[2]) if n[1] and n[2] else Fraction(1, 2)
        share, i = Fraction(n[1], n[1] + 2 * n[2]), min(count, 3)
        return min(max(i - (i + 1) * share * Fraction(n[i + 1], n[i]), Fraction(0)), Fraction(i))

    def probability(self, context: tuple, word: int) -> Fraction:
        k = len(context) + 1
        following = {gram: c for gram, c in self.counts[k].items() if gram[:-1] == context}
        lower = self.probability(context[1:], word) if context else Fraction(1, SIZE)
        total = sum(following.values())
        if total == 0:
            return lower
        taken = sum(self.discount(k, c) for c in following.values())
        count = following.get((*context, word), 0)
        return ((count - self.discount(k, count)) if count else 0) / Fraction(total) + taken / Fraction(total) * lower


def fitted(text: np.ndarray, order: int) -> KneserNey:
    model = KneserNey(SIZE, order)
    model.fit(text, EDGE)
    return model


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("text", [long_text(), long_text(1), stream([[0, 1, 0, 1, 2], [0], [3, 3, 3]]), stream([[2]])])
def test_every_probability_is_that_of_the_definition(text, order):
    model, plain = fitted(text, order), Plain(text, order)
    draw = np.random.default_rng(1)
    seen = [tuple(int(word) for word in text[i : i + order - 1]) for i in range(0, len(text) - order, 7)]
    drawn = [tuple(int(word) for word in draw.integers(0, EDGE, order - 1)) for _ in range(10)]
    for context in {context for context in seen if EDGE not in context[1:]} | set(drawn):
        found = model.probability(torch.tensor([context], dtype=torch.int64), torch.arange(SIZE))
        expected = [float(plain.probability(context, word)) for word in range(SIZE)]
        assert found.tolist() == pytest.approx(expected, abs=1e-13)
        assert found.sum().item() == pytest.approx(1, abs=1e-12)


def test_a_text_is_worked_out_by_hand():
    """a b a c a b of one document. Bigrams |a 1, ab 2, ba 1, ac 1, ca 1 (| starts); D = 4 / (4 + 2 · 1) = 2/3.

    Before a stand |, b and c: 3; before b stands a: 1; before c stands a: 1. D = 1/2, none occurs twice.
    P(a) = 2.5/5 + γ/7, P(b) = .5/5 + γ/7, with γ = 1.5/5.
    P(b | a) = (2 - 2/3)/3 + (4/3)/3 · P(b).
    """
    model = fitted(stream([[0, 1, 0, 2, 0, 1]]), 2)
    of_b = 0.1 + 0.3 / 7
    found = model.probability(torch.tensor([[0]]), torch.tensor([1, 3]))
    assert found.tolist() == pytest.approx([4 / 9 + 4 / 9 * of_b, 4 / 9 * 0.3 / 7])
    assert model.probability(torch.tensor([[EDGE]]), torch.tensor([0])).item() == pytest.approx(
        1 / 3 + 2 / 3 * (0.5 + 0.3 / 7)
    )


def test_a_symbol_that_follows_one_other_alone_is_rare_elsewhere():
    """San Francisco: of a symbol that is frequent after 1 only, P after something unseen is small."""
    model = fitted(stream([[1, 2] * 20 + [0, 3, 0, 4, 3, 0, 5, 0]]), 2)
    francisco, other = model.probability(torch.tensor([[SIZE]]), torch.tensor([2, 0]))
    assert francisco < other


def segment(text: np.ndarray) -> Segment:
    tokens = torch.from_numpy(text)[:, None]
    reset = tokens[:-1] == EDGE
    reset[0] = False
    return Segment(tokens[:-1], tokens[1:], reset)


def test_documents_know_nothing_of_each_other():
    model = fitted(long_text(), 4)
    text, second = long_text(2), 62
    together, count, _ = model.loss(segment(text))
    apart = [model.loss(segment(part))[0] for part in (text[: second + 1], text[second:])]
    assert count == 123
    assert together.item() == pytest.approx(sum(apart).item(), abs=1e-10)


def test_a_stream_in_pieces_costs_what_it_costs_in_one():
    model, whole = fitted(long_text(), 4), segment(long_text())
    state, nats = model.initial_state(1), 0.0
    for first, last in ((0, 1), (1, 3), (3, 130), (130, 247)):
        piece = Segment(*(part[first:last] for part in whole))
        loss, _, state = model.loss(piece, state)
        nats += loss.item()
    assert nats == pytest.approx(model.loss(whole)[0].item(), abs=1e-9)


def test_a_step_gives_what_the_loss_is_made_of():
    model, whole = fitted(long_text(), 3), segment(long_text(1))
    state, nats = None, 0.0
    for token, target in zip(whole.inputs[:, 0], whole.targets[:, 0], strict=True):
        scores, state = model.step(token[None], state)
        assert scores.exp().sum().item() == pytest.approx(1, abs=1e-12)
        nats -= scores[0, target].item()
    assert nats == pytest.approx(model.loss(whole)[0].item(), abs=1e-9)


def test_lanes_are_scored_side_by_side():
    model, text = fitted(long_text(), 3), torch.from_numpy(long_text(2))[:120].reshape(2, 60).T
    both = model.loss(Segment(text[:-1], text[1:], None))[0]
    alone = [model.loss(Segment(text[:-1, b : b + 1], text[1:, b : b + 1], None))[0] for b in range(2)]
    assert both.item() == pytest.approx(sum(alone).item(), abs=1e-10)


def test_the_tensors_alone_are_the_model():
    model, again = fitted(long_text(), 3), KneserNey(SIZE, 3)
    again.make_room(model.state_dict())
    again.load_state_dict(model.state_dict())
    assert torch.equal(again.loss(segment(long_text()))[0], model.loss(segment(long_text()))[0])


def test_before_it_has_read_anything_every_symbol_is_as_likely():
    assert KneserNey(SIZE, 3).step(torch.tensor([2]))[0].exp().tolist() == [pytest.approx([1 / SIZE] * SIZE)]


def test_discounts_stay_within_what_is_there():
    for table in tables(long_text(), SIZE, EDGE, 5):
        assert (table.discounted >= 0).all()
        assert ((table.left >= 0) & (table.left <= 1)).all()


def test_what_cannot_be_counted_is_refused():
    for order in (0, 21):
        with pytest.raises(ConfigError, match=f"order: {order} was given. It is from 1 to 20"):
            KneserNey(SIZE, order)
    with pytest.raises(DataError, match="1 symbols"):
        KneserNey(SIZE, 2).fit(np.array([EDGE]), EDGE)
