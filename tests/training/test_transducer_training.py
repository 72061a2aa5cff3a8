"""Training a transcriber by a transducer: what it learns, writes and streams, what is saved, and what is refused."""

import json
import signal
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

import ostinato
from ostinato import ConfigError
from ostinato.data.speech import read_sound
from ostinato.data.store import Store
from ostinato.models.transducer import TransducerHead
from ostinato.training import config
from ostinato.training.config import TranscriberRun
from ostinato.training.interrupts import StopRequest
from ostinato.training.progress import Silent
from ostinato.training.run_folder import RunFolder, read_tensors
from ostinato.training.transcriber import train, train_transcriber
from tones import write_manifest

SMALL = {
    "loss": "transducer", "hidden_size": 12, "prediction_size": 8, "joint_size": 10, "num_layers": 1, "batch_size": 8,
    "epochs": 2, "threads": 1, "stack": 2, "bands": 12, "directions": 1,
}  # fmt: skip


@pytest.fixture
def manifest(tmp_path):
    return write_manifest(tmp_path)


def begin(folder, file, **settings) -> TranscriberRun:
    made = config.override(TranscriberRun(), "test", {"file": str(file), **SMALL, **settings})
    return replace(made, out=folder)


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """A model that reads forward only and knows its letters, beside its manifest."""
    folder = tmp_path_factory.mktemp("learned")
    settings = {"epochs": 30, "learning_rate": 0.02, "noise": 0.1, "dropout": 0.0, "hidden_size": 32, "test": "0.1"}
    train(begin(folder / "run", write_manifest(folder, 150), prediction_size=12, **settings), Silent())
    return folder


@pytest.fixture(scope="module")
def model(learned):
    return ostinato.load(learned / "run")


def test_letters_are_learned(learned, model):
    figures = json.loads((learned / "run/report/figures.json").read_text())
    assert figures["test"]["cer"] <= 0.1
    assert model.evaluate(learned / "speech.csv")["exact"] >= 0.8
    assert isinstance(model.model.head, TransducerHead)
    card = (learned / "run/README.md").read_text()
    assert "a transducer with 12 lstm over what was written, joined by 10 units" in card


def test_a_picture_shows_where_symbols_were_emitted(learned):
    assert (learned / "run/report/test-sound-1.png").stat().st_size > 5000


@pytest.mark.parametrize("size", [1, 80, 333, 100_000])
def test_a_stream_writes_what_the_whole_writes(learned, model, size):
    for k in range(4):
        samples = read_sound(learned / f"clips/0-{k}.wav").samples
        stream = model.stream()
        pieces = [stream.push(samples[start : start + size]) for start in range(0, len(samples), size)]
        assert "".join([*pieces, stream.finish()]) == next(model.predict([learned / f"clips/0-{k}.wav"])).text


def test_a_beam_is_no_worse_than_the_best_at_each_step_and_ranks_its_texts(learned, model):
    sounds = [learned / f"clips/0-{k}.wav" for k in range(12)]
    greedy = list(model.predict(sounds))
    found = list(model.predict(sounds, beam=8, n_best=3))
    for one, many in zip(greedy, found, strict=True):
        scores = [each.score for each in many.best]
        assert scores == sorted(scores, reverse=True)
        assert len({tuple(each.symbols) for each in many.best}) == len(many.best) == 3
        assert many.best[0].score >= one.best[0].score - 1e-4  # all ways to write a text, not one of them
    widths = [model.judge(str(learned / "speech.csv"), search={"beam": beam})[0] for beam in (1, 8)]
    assert widths[1].figures()["exact"] >= widths[0].figures()["exact"]


def test_writing_together_is_writing_one_by_one(learned, model):
    sounds = [learned / f"clips/0-{k}.wav" for k in range(12)]
    for beam in (1, 4):
        together = [found.text for found in model.predict(sounds, beam=beam)]
        assert together == [next(model.predict([sound], beam=beam)).text for sound in sounds]


def test_a_run_that_was_stopped_comes_to_the_same_bits(tmp_path, manifest, monkeypatch):
    whole = train(begin(tmp_path / "whole", manifest, dropout=0.2), Silent())
    monkeypatch.setattr(StopRequest, "__enter__", lambda self: SimpleNamespace(signal=signal.SIGTERM))
    run = begin(tmp_path / "parts", manifest, dropout=0.2)
    assert train(run, Silent()).step == 1
    monkeypatch.undo()
    finished = train(replace(run, resume=True), Silent())
    assert (finished.step, finished.best) == (whole.step, whole.best)
    first, second = (read_tensors(RunFolder(tmp_path / f).last, kind="transcriber")[0] for f in ("whole", "parts"))
    assert all(torch.equal(first[name], second[name]) for name in first if name.startswith("model/"))


def test_bfloat16_rounds_what_float32_computes(tmp_path, manifest):
    runs = [
        train(begin(tmp_path / name, manifest, precision=name, steps=6, epochs=None, select="nats"), Silent())
        for name in ("fp32", "bf16")
    ]
    assert runs[0].best != runs[1].best
    assert runs[1].best == pytest.approx(runs[0].best, rel=0.02)


def test_groups_of_rows_take_the_same_step(tmp_path, manifest):
    settings = {"steps": 3, "epochs": None, "noise": 0.0, "dropout": 0.0, "select": "nats"}
    whole = train(begin(tmp_path / "whole", manifest, **settings), Silent()).best
    parts = train(begin(tmp_path / "parts", manifest, accumulate=4, **settings), Silent()).best
    assert parts == pytest.approx(whole, rel=1e-4)


def test_the_networks_are_those_asked_for(tmp_path, manifest):
    cell = tmp_path / "my.eq"
    cell.write_text("h' = tanh(W @ x + U @ h + b)\n")
    settings = {**SMALL, "prediction_cell": str(cell), "joint": "sum", "prediction_size": 7, "steps": 2}
    del settings["epochs"], settings["joint_size"]
    train_transcriber(manifest, out=tmp_path / "run", progress=False, **settings)
    cell.unlink()  # what a run needs stands in its folder
    head = ostinato.load(tmp_path / "run").model.head
    assert head.joint == "sum"
    assert head.prediction.hidden_sizes == (7,)
    assert [name for name, _ in head.prediction.layers[0][0].named_parameters()] != []
    assert "W @ x" in (tmp_path / "run/config.yaml").read_text()


def test_steps_that_are_read_one_by_one_learn_by_a_transducer_too(tmp_path, manifest):
    train(begin(tmp_path / "run", manifest, baseline="mlp", steps=2, epochs=None), Silent())
    loaded = ostinato.load(tmp_path / "run").model
    assert loaded.alone is not None
    assert isinstance(loaded.head, TransducerHead)


def test_a_text_of_more_symbols_than_its_sound_has_steps_is_learned_too(tmp_path, manifest):
    settings = {"validation": "0", "stack": 16, "steps": 1, "epochs": None}
    for loss, more in (("transducer", {}), ("ctc", {"prediction_size": 64, "joint_size": 64})):
        train(begin(tmp_path / loss, manifest, loss=loss, **settings, **more), Silent())
    sizes = [len(Store(tmp_path / loss / "state/items/train")) for loss in ("transducer", "ctc")]
    assert sizes[0] == 60 > sizes[1]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"prediction_size": 0}, "--prediction-size: prediction_size is 0"),
        ({"joint_size": -1}, "--joint-size: joint_size is -1"),
        ({"prediction_cell": "lsmt"}, "Did you mean 'lstm'"),
        ({"language_model": "runs/text", "beam": 4}, "--language-model: it was given with --loss transducer"),
        ({"symbol_bonus": 0.5}, "--symbol-bonus: it was given with --loss transducer"),
        ({"loss": "ctc"}, r"--prediction-size: it was given with --loss ctc.*Use --loss transducer"),
        ({"loss": "ctc", "prediction_size": 64, "joint_size": 64, "joint": "sum"}, "--joint: it was given with"),
        ({"loss": "cct"}, "ctc"),
        ({"joint": "som"}, "sum"),
    ],
)
def test_impossible_settings_are_refused_before_a_folder_exists(tmp_path, manifest, settings, words):
    with pytest.raises(ConfigError, match=words):
        train(begin(tmp_path / "run", manifest, **settings), Silent())
    assert not (tmp_path / "run").exists()


def test_a_language_model_is_refused_while_writing_too(learned, model, tmp_path):
    (tmp_path / "book.txt").write_text("abc" * 300)
    ostinato.train_language_model(
        tmp_path / "book.txt", out=tmp_path / "lm", progress=False, hidden_size=8, num_layers=1, steps=1, batch_size=4,
        sample_length=0, threads=1,
    )  # fmt: skip
    with pytest.raises(ConfigError, match="a language model beside a transducer"):
        next(model.predict([learned / "clips/0-0.wav"], beam=2, language_model=str(tmp_path / "lm")))
