"""`LanguageModel`: its loss is the one computed by hand, its state carries on, it learns."""

import math
from dataclasses import dataclass

import pytest
import torch
from tests.catalogue import TIMELESS_CELLS
from torch.utils import _pytree as pytree

from ostinato import ConfigError, LanguageModel, OstinatoError

V, T, B = 7, 6, 3


@dataclass
class Segment:
    inputs: torch.Tensor
    targets: torch.Tensor
    reset: torch.Tensor | None = None


def symbols(*shape, seed=0, vocabulary=V):
    return torch.randint(vocabulary, shape, generator=torch.Generator().manual_seed(seed))


def make(cell="lstm", **options):
    torch.manual_seed(0)
    return LanguageModel(V, cell, **({"hidden_size": 8} | options)).double().eval()


def assert_same(got, expected):
    torch.testing.assert_close(pytree.tree_leaves(got), pytree.tree_leaves(expected))


def parameters_of(model):
    return sum(p.numel() for p in model.parameters())


TOKENS = symbols(T + 1, B)
SEGMENT = Segment(TOKENS[:-1], TOKENS[1:])

every_setting = pytest.mark.parametrize(
    "options",
    [{}, {"tied": True}, {"residual": True}, {"initial_state": "learned"}, {"num_layers": 1}, {"hidden_size": [8, 5]}],
    ids=str,
)


@every_setting
def test_the_loss_is_the_sum_of_nats_computed_by_hand(options):
    model = make(**options)
    nats, count, _ = model.loss(SEGMENT)
    scores, _ = model(SEGMENT.inputs)
    by_hand = 0.0
    for t in range(T):
        for b in range(B):
            odds = [math.exp(s) for s in scores[t, b].tolist()]
            by_hand -= math.log(odds[SEGMENT.targets[t, b]] / sum(odds))
    assert nats.shape == ()
    assert nats.item() == pytest.approx(by_hand, rel=1e-6)
    assert count == T * B


def test_the_scores_are_those_of_embedding_recurrence_and_one_product():
    model = make()
    outputs, _ = model.recurrent(model.embedding.weight[SEGMENT.inputs])
    assert_same(model(SEGMENT.inputs)[0], outputs @ model.scores.weight.T + model.scores.bias)


def test_an_untrained_model_knows_about_nothing():
    nats, count, _ = make().loss(SEGMENT)
    assert nats.item() / count == pytest.approx(math.log(V), rel=0.1)


@every_setting
def test_two_segments_with_the_state_carried_are_one(options):
    model = make(**options)
    whole, count, last = model.loss(SEGMENT)
    first, one, state = model.loss(Segment(SEGMENT.inputs[:2], SEGMENT.targets[:2]))
    second, two, state = model.loss(Segment(SEGMENT.inputs[2:], SEGMENT.targets[2:]), state)
    assert_same((first + second, state), (whole, last))
    assert one + two == count


@every_setting
def test_a_reset_at_its_start_makes_a_document_stand_alone(options):
    model = make(**options)
    starts = [0, 2, 5]  # of the document in each row
    reset = torch.arange(T)[:, None] == torch.tensor(starts)
    scores, _ = model(SEGMENT.inputs, reset=reset)
    alone = [model(SEGMENT.inputs[start:, b : b + 1])[0][:, 0] for b, start in enumerate(starts)]
    assert_same([scores[start:, b] for b, start in enumerate(starts)], alone)


def test_the_loss_uses_the_resets_of_its_segment():
    model = make()
    reset = torch.zeros(T, B, dtype=torch.bool)
    reset[3] = True
    whole, _, _ = model.loss(Segment(SEGMENT.inputs, SEGMENT.targets, reset))
    first, _, _ = model.loss(Segment(SEGMENT.inputs[:3], SEGMENT.targets[:3]))
    second, _, _ = model.loss(Segment(SEGMENT.inputs[3:], SEGMENT.targets[3:]))
    assert_same(whole, first + second)


@pytest.mark.parametrize("name", TIMELESS_CELLS)
def test_step_by_step_is_the_same_as_at_once(name):
    model = make(name, residual=True, engine="eager")
    scores, last = model(SEGMENT.inputs)
    state, steps = None, []
    for token in SEGMENT.inputs:
        step, state = model.step(token, state)
        steps.append(step)
    assert_same((torch.stack(steps), state), (scores, last))


@every_setting
def test_no_state_is_the_initial_state(options):
    model = make(**options)
    for name, p in model.named_parameters():
        if "initial" in name:
            torch.nn.init.normal_(p)
    assert_same(model(SEGMENT.inputs, model.initial_state(B)), model(SEGMENT.inputs))


def test_a_state_can_be_detached_leaf_by_leaf_and_carried_on():
    model = make()
    _, _, state = model.loss(SEGMENT)
    state = pytree.tree_map(torch.Tensor.detach, state)
    nats, _, _ = model.loss(SEGMENT, state)
    nats.backward()
    assert model.embedding.weight.grad.abs().sum() > 0


def test_tied_scores_are_the_embeddings():
    model = make(tied=True)
    assert model.scores.weight is model.embedding.weight
    assert model.embedding.embedding_dim == 8
    assert (
        sum(p.numel() for p in model.parameters())
        == sum(p.numel() for p in make(embedding_size=8).parameters()) - 8 * V
    )


def test_tied_embeddings_start_as_small_as_scores_must():
    torch.manual_seed(0)
    weights = LanguageModel(500, hidden_size=64, tied=True).embedding.weight
    assert weights.std().item() == pytest.approx(64**-0.5, rel=0.05)


@pytest.mark.parametrize(
    ("vocabulary", "options", "size"),
    [(7, {}, 7), (100, {}, 64), (100, {"embedding_size": 12}, 12), (100, {"tied": True, "hidden_size": 32}, 32)],
)
def test_the_size_of_embeddings_is_the_smaller_of_64_and_the_symbols_unless_said(vocabulary, options, size):
    assert LanguageModel(vocabulary, **options).embedding.embedding_dim == size


def test_dropout_acts_while_training_only():
    model = make(dropout=0.5)
    assert_same(model(SEGMENT.inputs), make()(SEGMENT.inputs))
    model.train()
    assert not torch.equal(model(SEGMENT.inputs)[0], model(SEGMENT.inputs)[0])


def test_dropout_acts_before_the_scores_of_a_single_layer():
    model = make(dropout=0.5, num_layers=1).train()
    assert not torch.equal(model(SEGMENT.inputs)[0], model(SEGMENT.inputs)[0])


def test_plans_name_the_engine_of_each_layer():
    assert [plan.split(" ")[0] for plan in make().plans()] == ["native", "native"]
    assert make("h' = tanh(W @ x + U @ h) + 0.1 * h").plans()[0].startswith("native (not vendor: ")


def test_the_weights_round_trip():
    model, other = make(tied=True), make(tied=True)
    torch.nn.init.normal_(other.embedding.weight)
    other.load_state_dict(model.state_dict())
    assert_same(other(SEGMENT.inputs), model(SEGMENT.inputs))
    assert other.scores.weight is other.embedding.weight


def test_keywords_of_the_cell_are_passed_on():
    assert not any("bias" in name for name, _ in make(bias=False).recurrent.named_parameters())


def test_under_autocast_the_loss_is_summed_in_float32():
    model = make().float()
    with torch.autocast("cpu", torch.bfloat16):
        nats, count, _ = model.loss(SEGMENT)
    assert nats.dtype == torch.float32
    assert nats.item() / count == pytest.approx(math.log(V), rel=0.1)


REFUSED = {
    "no symbols": ({"vocabulary_size": 0}, "vocabulary_size: 0 was given. A size is a whole number, at least 1."),
    "negative symbols": ({"vocabulary_size": -1}, "vocabulary_size: -1 was given"),
    "an embedding of nothing": ({"embedding_size": 0}, "embedding_size: 0 was given"),
    "half an embedding": ({"embedding_size": 1.5}, "embedding_size: 1.5 was given"),
    "no units": ({"hidden_size": 0}, "hidden_size: 0 was given"),
    "no sizes": ({"hidden_size": []}, "hidden_size: 0 sizes for 2 layers"),
    "sizes of other layers": ({"hidden_size": [4, 5, 6]}, "hidden_size: 3 sizes for 2 layers"),
    "no layers": ({"num_layers": 0}, "num_layers: 0 was given"),
    "all dropped": ({"dropout": 1.0}, "dropout: 1.0 was given"),
    "an unknown cell": ({"cell": "lsmt"}, "unknown cell 'lsmt'.*Did you mean 'lstm'"),
    "tied to another size": ({"tied": True, "embedding_size": 4}, "tied: embeddings of 4 and an output of 256"),
    "tied to a projection": ({"tied": True, "cell": "projected-lstm"}, "tied: .*Use embedding_size=128"),
    "sight of the future": ({"bidirectional": True}, "bidirectional: True was given. A language model reads forward"),
    "batch first": ({"batch_first": True}, "batch_first: it was given. Tokens are"),
    "time between symbols": ({"cell": "h' = tanh(W @ x + dt * h)"}, "cell: it uses dt. Symbols have no time"),
    "an unknown keyword": ({"layers": 2}, "unknown keyword 'layers'"),
}


@pytest.mark.parametrize(("options", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises(OstinatoError, match=message):
        LanguageModel(**({"vocabulary_size": V} | options))


@pytest.mark.parametrize("tokens", [TOKENS[0], TOKENS[None]], ids=["one axis", "three axes"])
def test_tokens_have_two_axes(tokens):
    with pytest.raises(ConfigError, match=r"tokens: shape .* Tokens are \(T, B\)"):
        make()(tokens)


def test_a_state_of_other_rows_is_refused():
    model = make()
    with pytest.raises(ConfigError, match=r"state: shape \(2, 8\), shape \(2, 8\)"):
        model(SEGMENT.inputs, model.initial_state(2))


@pytest.mark.parametrize("cell", ["lstm", "gru", "elman", "h' = tanh(W @ x + U @ h + b)"])
def test_it_learns_a_short_text_by_heart(cell):
    text = "to be or not to be, that is the question."
    letters = sorted(set(text))
    torch.manual_seed(1)
    model = LanguageModel(len(letters), cell, hidden_size=48, num_layers=1)
    ids = torch.tensor([letters.index(c) for c in text])[:, None]
    segment = Segment(ids[:-1], ids[1:])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(80):
        nats, count, _ = model.loss(segment)
        optimizer.zero_grad()
        (nats / count).backward()
        optimizer.step()
    assert nats.item() / count < 0.1
    assert model(segment.inputs)[0].argmax(-1)[5:].equal(segment.targets[5:])
