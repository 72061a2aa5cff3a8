"""Language models without recurrence through the same call and the same commands as recurrent ones."""

import json
import math

import pytest
import torch
import yaml

from ostinato import ConfigError, RunError
from ostinato.data.streams import TokenStream
from ostinato.models.baselines.kneser_ney import KneserNey
from ostinato.training.comparison import compare
from ostinato.training.language_model import train_language_model
from ostinato.training.opening import load

WORD = {"tokens": "word", "vocabulary_size": 12, "threads": 1, "progress": False}
WINDOW = {**WORD, "baseline": "window-mlp", "batch_size": 4, "k1": 8, "hidden_size": 8, "sample_length": 5}


def counted(text, out, **more):
    return train_language_model(text, out=out, baseline="kneser-ney", **{**WORD, **more})


def test_n_grams_are_counted_once_and_scored_as_a_network_is(tmp_path, text):
    outcome = counted(text, tmp_path / "run", order=3)
    assert (outcome.step, outcome.steps, outcome.stopped) == (1, 1, None)
    folder = outcome.folder / "state" / "tokens"
    train, valid = (TokenStream.open(folder, part) for part in ("train", "valid"))
    trained = load(outcome.folder)
    model = KneserNey(trained.vocabulary.size, 3)
    model.fit(train.tokens, trained.vocabulary.boundary)
    symbols, nats = [int(symbol) for symbol in valid.tokens], 0.0
    for place in range(1, len(symbols)):
        # one lane: before its first symbols it knows nothing
        seen = [model.vocabulary_size, model.vocabulary_size, *symbols[:place]][-2:]
        nats -= math.log(model.probability(torch.tensor([seen]), torch.tensor([symbols[place]])).item())
    expected = nats / (len(symbols) - 1)
    alone = counted(text, tmp_path / "alone", order=3, batch_size=1)
    assert alone.best == pytest.approx(expected, abs=1e-9)
    assert outcome.best == pytest.approx(expected, abs=0.5)  # in two lanes of 256 symbols


def test_a_run_of_n_grams_is_evaluated_written_with_and_compared(tmp_path, text):
    outcome = counted(text, tmp_path / "run")
    scores = load(outcome.folder).evaluate(text)
    assert 1 < scores["perplexity"] < 12
    one, two = ("".join(load(outcome.folder).write("the", length=8, seed=3)) for _ in range(2))
    assert one == two != ""
    (group,) = compare(outcome.folder).groups
    assert group.figure == "valid_nats"
    card = (outcome.folder / "README.md").read_text()
    assert "n-grams of up to 5 symbols" in card
    assert "--resume" not in card
    (line,) = map(json.loads, (outcome.folder / "metrics.jsonl").read_text().splitlines())
    assert line["train_nats"] < line["valid_nats"] == outcome.best


def test_a_longer_history_helps_where_symbols_depend_on_it(tmp_path, text):
    text.write_text("a b c a b d " * 400)
    one, three = (counted(text, tmp_path / str(order), order=order).best for order in (1, 4))
    assert three < 0.05 < one


@pytest.mark.parametrize(
    ("more", "said"),
    [({"resume": True}, "counted at once"), ({"order": 0}, "order: 0"), ({"threads": 0}, "greater than 0")],
)
def test_what_n_grams_cannot_be_told_is_refused(tmp_path, text, more, said):
    with pytest.raises(ConfigError, match=said):
        counted(text, tmp_path / "run", **more)
    assert not (tmp_path / "run").exists()


def test_damaged_n_grams_are_named(tmp_path, text):
    folder = counted(text, tmp_path / "run", order=2).folder
    (folder / "config.yaml").write_text((folder / "config.yaml").read_text().replace("order: 2", "order: 3"))
    with pytest.raises(RunError, match="tensor 'keys3' is missing"):
        load(folder)


def test_a_window_learns_by_the_same_loop(tmp_path, text):
    outcome = train_language_model(
        text, out=tmp_path / "run", steps=120, validate_every=40, learning_rate=1e-2, **WINDOW
    )
    lines = [json.loads(line) for line in (outcome.folder / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["valid_nats"] < lines[0]["train_nats"]
    assert load(outcome.folder).evaluate(text)["nats"] < math.log(12)
    assert "over 4 symbols" in (outcome.folder / "README.md").read_text()
    assert yaml.safe_load((outcome.folder / "config.yaml").read_text())["model"]["window"] == 4


@pytest.mark.parametrize(
    "more", [{"dropout": 0.5, "embedding_dropout": 0.3}, {"window": 1, "tied": True, "accumulate": 2}]
)
def test_a_window_goes_on_as_if_never_stopped(tmp_path, text, more):
    settings = {**WINDOW, **more, "validate_every": 3, "schedule": "constant", "warmup": 0}
    train_language_model(text, out=tmp_path / "parts", steps=4, **settings)
    parts = train_language_model(
        text, out=tmp_path / "parts", steps=9, resume=True, **{"threads": 1, "progress": False}
    )
    again = train_language_model(text, out=tmp_path / "again", steps=9, **settings)
    one, other = load(parts.folder).model, load(again.folder).model
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"gradient": "rtrl"}, "--gradient rtrl beside --baseline window-mlp"),
        ({"ar": 1.0}, "--ar beside"),
        ({"feedback": "free"}, "--feedback beside"),
        ({"compile": True}, "--compile beside"),
        ({"window": 0}, "window: 0"),
    ],
)
def test_what_a_window_cannot_be_told_is_refused(tmp_path, text, more, said):
    with pytest.raises(ConfigError, match=said):
        train_language_model(text, out=tmp_path / "run", steps=2, **WINDOW, **more)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("gradient", ["truncated", "full", "checkpointed"])
def test_a_window_takes_every_gradient_that_asks_for_a_loss_only(tmp_path, text, gradient):
    outcome = train_language_model(text, out=tmp_path / "run", steps=2, gradient=gradient, **WINDOW)
    assert outcome.step == 2


def test_embedding_dropout_of_a_network_is_for_learning_only(tmp_path, text, small):
    settings = {**small, "embedding_dropout": 0.5}
    dropped = train_language_model(text, out=tmp_path / "dropped", **settings)
    plain = train_language_model(text, out=tmp_path / "plain", **small)
    assert dropped.best != plain.best
    trained = load(dropped.folder)
    assert trained.evaluate(text) == trained.evaluate(text)
    with pytest.raises(ConfigError, match="embedding_dropout: 1"):
        train_language_model(text, out=tmp_path / "all", **{**small, "embedding_dropout": 1.0})
    with pytest.raises(ConfigError, match="a cell that draws by chance"):
        train_language_model(text, out=tmp_path / "forward", gradient="rtrl", num_layers=1, dropout=0.0,
                             **{k: v for k, v in settings.items() if k != "num_layers"})  # fmt: skip
