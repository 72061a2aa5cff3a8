"""A trained model opened from its run: text and scores."""

import json
import math

import pytest
import torch

from ostinato import ConfigError, DataError, RunError
from ostinato.decoding.sampling import Sampling
from ostinato.training.language_model import train_language_model
from ostinato.training.trained import open_language_model as load


@pytest.fixture
def run(tmp_path, text, small):
    """Return the folder of a short run."""
    return train_language_model(text, out=tmp_path / "run", **small | {"tokens": "char"}).folder


def test_a_seed_makes_the_text_repeatable(run):
    trained = load(run)
    texts = ["".join(trained.write("the ", length=40, seed=seed)) for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]
    assert len(texts[0]) == 40


def test_text_ends_before_a_stop(run):
    whole = "".join(load(run).write("the ", length=60, seed=1))
    stop = whole[20:23]
    assert "".join(load(run).write("the ", length=60, seed=1, stop=[stop])) == whole[: whole.index(stop)]


def test_the_best_symbol_is_always_taken_when_greedy(run):
    trained = load(run)
    texts = ["".join(trained.write("the ", length=20, sampling=Sampling(greedy=True))) for _ in range(2)]
    assert texts[0] == texts[1]


def test_a_prompt_with_unknown_characters_names_them(run):
    with pytest.raises(DataError, match=r"the prompt.*'é'"):
        load(run).write("é")


def test_a_negative_length_is_refused(run):
    with pytest.raises(ConfigError, match="length"):
        load(run).write("the", length=-1)


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_no_generator_takes_is_refused(run, seed):
    with pytest.raises(ConfigError, match="--seed"):
        "".join(load(run).write("the", length=1, seed=seed))


def test_a_file_of_another_form_is_scored_by_its_own_column(run, text, tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"body": text.read_text()}))
    assert load(run).evaluate(rows, column="body")["symbols"] == len(text.read_text())


def test_a_file_may_be_scored_in_another_encoding(run, text, tmp_path):
    wide = tmp_path / "wide.txt"
    wide.write_text(text.read_text(), encoding="utf-16")
    assert load(run).evaluate(wide, encoding="utf-16") == load(run).evaluate(text)


def test_every_symbol_is_scored_with_the_state_carried(run, text):
    trained = load(run)
    scores = trained.evaluate(text)
    content = text.read_text()
    ids = torch.tensor([trained.vocabulary.boundary, *trained.vocabulary.encode(content).tolist()])
    with torch.no_grad():
        logits, _ = trained.model(ids[:-1, None])
        nats = torch.nn.functional.cross_entropy(logits[:, 0].double(), ids[1:]).item()
    assert scores["symbols"] == len(content)
    assert scores["nats"] == pytest.approx(nats, rel=1e-5)
    assert scores["bits_per_character"] == pytest.approx(nats / math.log(2), rel=1e-5)
    assert scores["perplexity"] == pytest.approx(math.exp(nats), rel=1e-4)


def test_several_lanes_score_every_symbol_too(run, text, monkeypatch):
    monkeypatch.setattr("ostinato.training.trained.LANE_SYMBOLS", 1700)
    content = text.read_text()
    scores = load(run).evaluate(text)
    assert scores["lanes"] > 1
    assert scores["symbols"] == len(content)


def test_a_run_without_a_model_yet_says_so(run):
    (run / "model.safetensors").unlink()
    with pytest.raises(RunError, match="the run has no model yet"):
        load(run)


@pytest.mark.parametrize("part", ["tokenizer.json", "config.yaml"])
def test_a_missing_part_is_named(run, part):
    (run / part).unlink()
    with pytest.raises(RunError, match=part):
        load(run)


@pytest.mark.parametrize("part", ["tokenizer.json", "model.safetensors"])
def test_a_damaged_part_is_named(run, part):
    (run / part).write_bytes(b"\0\1\2 damaged")
    with pytest.raises(RunError, match=part):
        load(run)


def test_weights_of_another_size_are_named(run):
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("hidden_size: 16", "hidden_size: 24"))
    with pytest.raises(RunError, match=r"tensor '.*' is \[.*\], the model's is"):
        load(run)


def test_bytes_that_make_no_character_are_written_as_the_replacement(tmp_path, text, small):
    folder = train_language_model(text, out=tmp_path / "bytes", **small | {"tokens": "byte", "steps": 2}).folder
    written = "".join(load(folder).write("", length=200, seed=0))
    assert "\N{REPLACEMENT CHARACTER}" in written
