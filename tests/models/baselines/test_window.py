"""The model of a window beside equation 1 of Bengio et al. (2003), written out one symbol at a time."""

import pytest
import torch

from ostinato import ConfigError
from ostinato.data.lanes import Segment
from ostinato.models.baselines.window import WindowModel

SIZE, WINDOW = 11, 3


def model(**settings) -> WindowModel:
    torch.manual_seed(0)
    return WindowModel(SIZE, WINDOW, **{"embedding_size": 4, "hidden_size": 6, **settings}).double().eval()


def tokens(steps: int = 9, rows: int = 2) -> torch.Tensor:
    return torch.randint(SIZE, (steps, rows), generator=torch.Generator().manual_seed(1))


def by_the_equation(window: WindowModel, seen: list[int]) -> torch.Tensor:
    """y = b + U tanh(d + H x), x the embeddings of the last symbols, or the vector for none."""
    padded = [None] * WINDOW + seen
    x = torch.cat([window.before if s is None else window.embedding.weight[s] for s in padded[-WINDOW:]])
    for layer in window.hidden:
        x = torch.tanh(layer.bias + layer.weight @ x)
    return window.scores.bias + window.scores.weight @ x


@pytest.mark.parametrize("layers", [1, 2])
def test_scores_are_those_of_the_equation(layers):
    window, read = model(num_layers=layers), tokens()
    torch.nn.init.normal_(window.before)
    scores, _ = window(read)
    for row in range(2):
        for step in range(len(read)):
            expected = by_the_equation(window, read[: step + 1, row].tolist())
            assert torch.allclose(scores[step, row], expected, atol=1e-12)


def test_documents_know_nothing_of_each_other():
    window, read = model(), tokens()
    reset = torch.zeros_like(read, dtype=torch.bool)
    reset[4, 0] = True
    scores, _ = window(read, reset=reset)
    assert torch.allclose(scores[4:, :1], window(read[4:, :1])[0], atol=1e-12)
    assert torch.allclose(scores[:, 1:], window(read[:, 1:])[0], atol=1e-12)


def test_a_stream_in_pieces_costs_what_it_costs_in_one():
    window, read = model(), tokens(12)
    reset = torch.zeros_like(read, dtype=torch.bool)
    reset[5] = True
    whole = Segment(read[:-1], read[1:], reset[:-1])
    state, nats = window.initial_state(2), 0.0
    for first, last in ((0, 1), (1, 6), (6, 11)):
        piece = Segment(*(part[first:last] for part in whole))
        loss, count, after = window.loss(piece, state)
        assert count == window.count(piece) == 2 * (last - first)
        assert torch.equal(after, window.advance(piece, state))
        nats, state = nats + loss.item(), after
    assert nats == pytest.approx(window.loss(whole)[0].item(), rel=1e-6)


def test_a_step_gives_the_scores_of_the_whole():
    window, read = model(), tokens()
    scores, state = window(read)[0], None
    for step, token in enumerate(read):
        now, state = window.step(token, state)
        assert torch.allclose(now, scores[step], atol=1e-12)


def test_slopes_agree_with_differences():
    window, read = model(), tokens(5)
    window.embedding.requires_grad_(False)

    def nats(hidden, out, before):
        parameters = {"hidden.0.weight": hidden, "scores.weight": out, "before": before}
        return torch.func.functional_call(window, parameters, (read[:-1],))[0].square().sum()

    leaves = (window.hidden[0].weight, window.scores.weight, window.before)
    assert torch.autograd.gradcheck(nats, tuple(leaf.detach().requires_grad_() for leaf in leaves))


def test_tied_scores_use_the_embeddings():
    window = model(tied=True, embedding_size=None)
    assert window.scores.weight is window.embedding.weight
    with pytest.raises(ConfigError, match="Tied embeddings are as large as the output"):
        model(tied=True, embedding_size=5)


def test_dropout_is_for_learning_only():
    window, read = model(dropout=0.5, embedding_dropout=0.5), tokens()
    assert torch.equal(window(read)[0], window(read)[0])
    window.train()
    assert not torch.equal(window(read)[0], window(read)[0])


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"hidden_size": 0}, "hidden_size: 0"), ({"num_layers": 0}, "num_layers: 0"), ({"dropout": 1.0}, "dropout: 1.0"),
     ({"embedding_dropout": -0.1}, "embedding_dropout: -0.1")],
)  # fmt: skip
def test_sizes_that_cannot_be_are_refused(settings, said):
    with pytest.raises(ConfigError, match=said):
        model(**settings)


def test_a_window_has_one_symbol_at_least():
    with pytest.raises(ConfigError, match="window: 0"):
        WindowModel(SIZE, 0)
    assert "without recurrence" in model().plans()[0]
