"""Training a transcriber on a person's own sounds: a whole run, its folder, going on, using it, and what is refused."""

import io
import json
import signal
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch

import ostinato
from ostinato import ConfigError, DataError, RunError
from ostinato.data.speech import BadSound, LogMel, Sound, read_sound
from ostinato.data.store import Store
from ostinato.training import config
from ostinato.training.config import TranscriberRun
from ostinato.training.interrupts import StopRequest
from ostinato.training.progress import Silent
from ostinato.training.run_folder import RunFolder, read_tensors
from ostinato.training.transcriber import train, train_transcriber
from ostinato.training.transcriber.encoding import text_of
from tones import said, texts, write_manifest

SMALL = {"hidden_size": 12, "num_layers": 1, "batch_size": 8, "epochs": 2, "threads": 1, "stack": 2, "bands": 12}
LEARNS = {"epochs": 40, "learning_rate": 0.01, "noise": 0.1, "dropout": 0.0, "hidden_size": 16}


class Noting(Silent):
    """Keeps what is said."""

    def __init__(self):
        self.said = []

    def say(self, text):
        self.said += text.splitlines()


@pytest.fixture
def manifest(tmp_path):
    return write_manifest(tmp_path)


def begin(folder, file, **settings) -> TranscriberRun:
    made = config.override(TranscriberRun(), "test", {"file": str(file), **SMALL, **settings})
    return replace(made, out=folder)


def notes(folder, file, **settings) -> list[str]:
    display = Noting()
    train(begin(folder, file, **settings), display)
    return display.said


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """A model that reads forward only and knows its letters, and its manifest."""
    folder = tmp_path_factory.mktemp("learned")
    file = write_manifest(folder)
    train(begin(folder / "run", file, directions=1, test="0.1", **LEARNS), Silent())
    return folder


@pytest.fixture(scope="module")
def model(learned):
    return ostinato.load(learned / "run")


def test_letters_are_learned(learned, model):
    figures = json.loads((learned / "run/report/figures.json").read_text())
    assert figures["test"]["exact"] >= 0.8
    assert figures["test"]["cer"] <= 0.1
    written = (learned / "run/report/test-written.csv").read_text().splitlines()
    assert written[0] == "said,written,score"
    assert len(written) == 1 + 6
    assert model.evaluate(learned / "speech.csv")["exact"] >= 0.8


def test_the_items_are_what_was_heard_and_said(tmp_path, manifest):
    train(begin(tmp_path / "run", manifest, validation="0", standardise=False), Silent())
    store = Store(tmp_path / "run/state/items/train")
    assert [text_of(store, k) for k in range(len(store))] == texts(60)
    expected = LogMel(8000, 12).frames(read_sound(tmp_path / "clips/0-7.wav").samples)
    np.testing.assert_array_equal(store.read("frames", 7), expected)
    assert not list((tmp_path / "run/state/items").glob("heard-*"))


def test_bands_are_scaled_by_the_training_part(tmp_path, manifest):
    train(begin(tmp_path / "run", manifest), Silent())
    frames = Store(tmp_path / "run/state/items/train").column("frames")
    np.testing.assert_allclose(frames.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(frames.std(0), 1, atol=1e-4)


def test_an_utterance_is_centred_where_it_is_asked_for(tmp_path, manifest):
    train(begin(tmp_path / "run", manifest, centre=True, directions=1), Silent())
    store = Store(tmp_path / "run/state/items/train")
    means = np.stack([store.read("frames", k).mean(0) for k in range(len(store))])
    np.testing.assert_allclose(means, 0, atol=1e-5)
    np.testing.assert_allclose(store.column("frames").std(0), 1, atol=1e-4)
    trained = ostinato.load(tmp_path / "run")
    louder = [Sound(gain * said("abc").astype(np.float32), 8000) for gain in (0.1, 1.0)]
    assert len({t.text for t in trained.predict(louder)}) == 1
    with pytest.raises(ConfigError, match="Train one without --centre"):
        trained.stream()


@pytest.mark.parametrize("directions", [1, 2])
def test_a_run_that_was_stopped_comes_to_the_same_bits(tmp_path, manifest, monkeypatch, directions):
    whole = train(begin(tmp_path / "whole", manifest, directions=directions), Silent())
    monkeypatch.setattr(StopRequest, "__enter__", lambda self: SimpleNamespace(signal=signal.SIGTERM))
    run = begin(tmp_path / "parts", manifest, directions=directions)
    assert train(run, Silent()).step == 1
    monkeypatch.undo()
    finished = train(replace(run, resume=True), Silent())
    assert (finished.step, finished.best) == (whole.step, whole.best)
    first, second = (read_tensors(RunFolder(tmp_path / f).last, kind="transcriber")[0] for f in ("whole", "parts"))
    assert all(torch.equal(first[name], second[name]) for name in first if name.startswith("model/"))


def test_bfloat16_rounds_what_float32_computes(tmp_path, manifest):
    runs = [train(begin(tmp_path / name, manifest, steps=4, precision=name), Silent()) for name in ("fp32", "bf16")]
    nats = [run.metrics["nats"] for run in runs]
    assert nats[0] != nats[1]
    assert nats[1] == pytest.approx(nats[0], rel=0.05)


def test_groups_of_rows_take_the_same_step(tmp_path, manifest):
    settings = {"steps": 3, "noise": 0.0, "dropout": 0.0}
    whole = train(begin(tmp_path / "whole", manifest, **settings), Silent()).metrics["nats"]
    parts = train(begin(tmp_path / "parts", manifest, accumulate=4, **settings), Silent()).metrics["nats"]
    assert parts == pytest.approx(whole, rel=1e-4)


def test_the_same_seed_trains_the_same_model(tmp_path, manifest):
    for name in ("a", "b"):
        train(begin(tmp_path / name, manifest, steps=4), Silent())
    assert (tmp_path / "a/model.safetensors").read_bytes() == (tmp_path / "b/model.safetensors").read_bytes()


def test_other_rates_and_channels_are_said_once(tmp_path):
    file = write_manifest(tmp_path)
    high = soundfile.read(tmp_path / "clips/0-3.wav")[0]
    soundfile.write(tmp_path / "clips/0-3.wav", np.stack([np.repeat(high, 2)] * 2, 1), 16000)
    said_ = notes(tmp_path / "run", file)
    assert [line for line in said_ if "resampled" in line] == ["note    resampled 1 sound of 16,000 Hz to 8,000 Hz"]
    assert [line for line in said_ if "mixed" in line] == ["note    mixed 1 sound of 2 channels into one channel"]


def test_the_rate_is_that_of_what_is_learned_from(tmp_path):
    file = write_manifest(tmp_path)
    soundfile.write(tmp_path / "clips/0-0.wav", said("ab", 16000), 16000)
    soundfile.write(tmp_path / "clips/0-1.wav", said("ab", 16000)[:100], 16000)  # too short for a frame
    said_ = notes(tmp_path / "run", with_parts(file, ["test"] + ["train"] * 50 + ["dev"] * 9), part="split")
    assert any("at 8,000 Hz" in line for line in said_)
    assert "note    resampled 1 sound of 16,000 Hz to 8,000 Hz" in said_


def test_what_cannot_be_heard_is_left_out_counted_and_named(tmp_path):
    file = write_manifest(tmp_path)
    clips = tmp_path / "clips"
    soundfile.write(clips / "silent.wav", np.zeros(800), 8000)
    soundfile.write(clips / "short.wav", 0.1 * np.random.default_rng(0).standard_normal(50), 8000)
    soundfile.write(clips / "nan.wav", np.full(800, np.nan), 8000, subtype="FLOAT")
    soundfile.write(clips / "long.wav", said("abc" * 20), 8000)
    soundfile.write(clips / "none.wav", np.zeros(0), 8000)
    (clips / "bad.wav").write_bytes(b"no sound")
    (clips / "empty.wav").touch()
    with file.open("a") as rows:
        for name in ("silent", "short", "nan", "long", "none", "bad", "empty", "missing"):
            rows.write(f"clips/{name}.wav,abc\n")
        rows.write(f"clips/0-0.wav,\nclips/0-1.wav,  \nclips/0-2.wav,{'abc' * 15}\n")
    told = [
        line.removeprefix("note    left out ") for line in notes(tmp_path / "run", file, longest=5.0, validation="0")
    ]
    for expected in (
        "1 utterance whose sound is silent (the first: ",
        "1 utterance shorter than 25 ms",
        "1 utterance whose sound is missing",
        "1 utterance whose sound has samples that are no number",
        "1 utterance longer than 5 s",
        "1 utterance whose sound has no sample",
        "1 utterance whose sound cannot be read",
        "1 utterance whose sound is an empty file",
        "2 utterances without a text",
        "1 utterance with a text longer than its sound allows (the first: 'abcabc",
    ):
        assert any(line.startswith(expected) for line in told), (expected, told)


def test_where_nothing_can_be_heard_every_reason_is_given(tmp_path):
    (tmp_path / "m.csv").write_text("audio,text\nnone.wav,abc\nnor.wav,abc\n")
    with pytest.raises(DataError, match="left out 2 utterances whose sound is missing"):
        train(begin(tmp_path / "run", tmp_path / "m.csv"), Silent())
    assert not (tmp_path / "run").exists()


def test_texts_that_fit_no_sound_are_refused_with_a_way_out(tmp_path):
    for k in range(12):
        soundfile.write(tmp_path / f"{k}.wav", said("a", seed=k), 8000)
        (tmp_path / f"{k}.txt").write_text("abcabcabcabc")
    with pytest.raises(DataError, match="Use a smaller --stack"):
        train(begin(tmp_path / "run", tmp_path), Silent())


def test_symbols_of_other_parts_are_counted(tmp_path, manifest):
    lines = manifest.read_text().splitlines()
    (tmp_path / "valid.csv").write_text("\n".join([lines[0], *[f"{line}x" for line in lines[1:4]]]))
    said_ = notes(tmp_path / "run", manifest, validation=str(tmp_path / "valid.csv"))
    assert any("3 texts have symbols that are not among those learned" in line for line in said_)


@pytest.mark.parametrize("tokens", ["char", "byte", "word", "bpe", "symbols"])
def test_texts_are_written_in_any_units(tmp_path, tokens):
    for k in range(12):
        soundfile.write(tmp_path / f"{k}.wav", said("abc" * 8, seed=k), 8000)
        (tmp_path / f"{k}.txt").write_text(["a b c", "c b"][k % 2])
    size = 258 if tokens == "bpe" else None
    train(begin(tmp_path / "run", tmp_path, tokens=tokens, vocabulary_size=size, steps=2, directions=1), Silent())
    trained = ostinato.load(tmp_path / "run")
    assert trained.encoder.units.kind == tokens
    assert len(list(trained.predict([tmp_path / "0.wav"]))) == 1
    assert trained.stream().finish() == ""


def test_features_are_learned_from(tmp_path):
    sounds = [LogMel(8000, 12).frames(said(text, seed=k).astype(np.float32)) for k, text in enumerate(texts(30))]
    ends = np.cumsum([0, *map(len, sounds)])
    np.savez(tmp_path / "a.npz", values=np.concatenate(sounds), offsets=ends, y=texts(30))
    train(begin(tmp_path / "run", tmp_path / "a.npz"), Silent())
    trained = ostinato.load(tmp_path / "run")
    assert len(list(trained.predict(sounds[:2]))) == 2
    assert trained.evaluate(tmp_path / "a.npz")["items"] == 30
    with pytest.raises(DataError, match="features of 5 numbers"):
        list(trained.predict([np.zeros((9, 5), np.float32)]))
    with pytest.raises(DataError, match="a sound"):
        list(trained.predict([Sound(said("a").astype(np.float32), 8000)]))
    with pytest.raises(DataError, match="there is no frame"):
        list(trained.predict([np.zeros((0, 12), np.float32)]))
    with pytest.raises(DataError, match="NaN or infinity among its features"):
        list(trained.predict([np.full((9, 12), np.nan)]))
    with pytest.raises(ConfigError, match="a model of features"):
        trained.stream()


def test_columns_name_parts(tmp_path, manifest):
    lines = manifest.read_text().splitlines()
    parts = ["train"] * 50 + ["dev"] * 5 + ["test"] * 5
    rows = [f"{line},{part}" for line, part in zip(lines[1:], parts, strict=True)]
    manifest.write_text("\n".join([lines[0] + ",split", *rows]))
    train(begin(tmp_path / "run", manifest, part="split"), Silent())
    assert [len(Store(tmp_path / "run/state/items" / part)) for part in ("train", "valid", "test")] == [50, 5, 5]


def with_parts(manifest, parts, name="parts.csv"):
    lines = manifest.read_text().splitlines()
    rows = [f"{line},{part}" for line, part in zip(lines[1:], parts, strict=False)]
    (manifest.parent / name).write_text("\n".join([lines[0] + ",split", *rows]))
    return manifest.parent / name


def test_where_a_column_names_parts_those_to_test_are_scored(tmp_path, manifest):
    file = with_parts(manifest, ["train"] * 40 + ["dev"] * 5 + ["test"] * 4 + ["Testing"])
    train(begin(tmp_path / "run", file, part="split", steps=1), Silent())
    trained = ostinato.load(tmp_path / "run")
    seen, told = trained.judge(str(file))
    assert seen.items == 5
    assert "scored the test part alone, as column 'split' names it" in told
    reported = json.loads((tmp_path / "run/report/figures.json").read_text())["test"]
    assert seen.figures() == pytest.approx({name: reported[name] for name in seen.figures()})
    assert len(list(trained.lines(file=str(file)))) == 50
    assert trained.evaluate(manifest)["items"] == 60  # which has no such column
    with pytest.raises(DataError, match="None of its rows is to test, as column 'split' says"):
        trained.evaluate(with_parts(manifest, ["dev"] * 5, "dev.csv"))
    with pytest.raises(DataError, match="'what' in column 'split' names no part"):
        trained.evaluate(with_parts(manifest, ["what"] * 5, "what.csv"))


@pytest.mark.parametrize("select", ["cer", "wer", "exact", "nats"])
def test_any_figure_can_decide(tmp_path, manifest, select):
    train(begin(tmp_path / "run", manifest, select=select, steps=2), Silent())
    line = json.loads((tmp_path / "run/metrics.jsonl").read_text().splitlines()[0])
    decides = "errors" if select == "exact" else select
    assert next(name for name in line if name.startswith("valid_")) == f"valid_{decides}"


def test_a_baseline_reads_each_step_by_itself(tmp_path, manifest):
    train(begin(tmp_path / "run", manifest, baseline="mlp"), Silent())
    assert ostinato.load(tmp_path / "run").model.alone is not None


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"gradient": "truncated"}, "--gradient"),
        ({"feedback": "free"}, "--feedback"),
        ({"stack": 0}, "--stack"),
        ({"noise": -1.0}, "--noise"),
        ({"bands": 0}, "--bands"),
        ({"window_ms": 5.0}, "--window-ms"),
        ({"step_ms": 0.0}, "--window-ms"),
        ({"rate": 0}, "--rate"),
        ({"rate": 100}, "--rate"),
        ({"rate": 2_000_000}, "--rate"),
        ({"bands": 80, "window_ms": 16.0}, "7 of them hold no frequency"),
        ({"longest": 0.0}, "--longest"),
        ({"least": 0}, "--least"),
        ({"speaker": "theo"}, "--speaker: 'theo' of .*Speakers are told apart in an archive of digits"),
        ({"beam": 0}, "--beam"),
        ({"beam": 1001}, "--beam: 1001 was given. It is a whole number from 1 to 1,000"),
        ({"language_weight": 2.0}, "Name one with --language-model"),
        ({"language_weight": -1.0}, "--language-weight"),
        ({"symbol_bonus": float("nan")}, "--symbol-bonus"),
        ({"format": "cvs"}, "format"),
        ({"audio": "adio"}, "adio"),
        ({"text": "txt"}, "txt"),
        ({"part": "text", "test": "0.1"}, "--part"),
        ({"part": "text", "test": "other.csv"}, "--part"),
        ({"validation": "-"}, "standard input"),
        ({"strings": -1}, "--strings"),
        ({"silence": -1.0}, "--silence"),
        ({"shortest_string": 9}, "--shortest-string"),
        ({"baseline": "mlp", "ar": 1.0}, "--ar"),
        ({"file": ""}, "no file"),
    ],
)
def test_impossible_settings_are_refused_before_a_folder_exists(tmp_path, manifest, settings, words):
    with pytest.raises((ConfigError, DataError), match=words):
        train(begin(tmp_path / "run", settings.pop("file", manifest), **settings), Silent())
    assert not (tmp_path / "run").exists()


def test_the_call_takes_flat_settings(tmp_path, manifest):
    outcome = train_transcriber(manifest, out=tmp_path / "run", progress=False, **{**SMALL, "steps": 2})
    assert outcome.step == 2
    plain = {"cer", "wer", "exact"}
    assert set(outcome.tested) == {*plain, "nats", *(f"best_path_{name}" for name in plain)}
    with pytest.raises(ConfigError, match="Did you mean 'stack'"):
        train_transcriber(manifest, out=tmp_path / "run", stck=3)


def test_predicting_one_by_one_is_predicting_together(learned, model):
    sounds = [learned / f"clips/0-{k}.wav" for k in range(12)]
    together = [t.text for t in model.predict(sounds)]
    assert together == [next(model.predict([sound])).text for sound in sounds]
    assert together == [next(model.predict([read_sound(sound)])).text for sound in sounds]


def test_a_transcript_says_when_its_symbols_begin(learned, model):
    sound = Sound(said("abc", seed=5).astype(np.float32), 8000)
    found = next(model.predict([sound]))
    assert found.text == "abc"
    for second, start in zip(found.seconds, (0.03, 0.14, 0.25), strict=True):
        assert abs(second - start) < 0.08


@pytest.mark.parametrize("size", [1, 80, 333, 100_000])
def test_a_stream_writes_what_the_whole_writes(learned, model, size):
    for k in range(4):
        samples = read_sound(learned / f"clips/0-{k}.wav").samples
        stream = model.stream()
        pieces = [stream.push(samples[start : start + size]) for start in range(0, len(samples), size)]
        assert "".join([*pieces, stream.finish()]) == next(model.predict([learned / f"clips/0-{k}.wav"])).text


@pytest.mark.parametrize("rate", [8000, 16000, 22050])
def test_a_pipe_is_written_as_its_file(learned, model, tmp_path, rate):
    soundfile.write(tmp_path / "a.wav", said("abcab", rate), rate)
    expected = next(model.predict([tmp_path / "a.wav"])).text
    assert expected == "abcab"
    assert "".join(model.dictate(tmp_path / "a.wav")) == expected
    content = (tmp_path / "a.wav").read_bytes()
    assert "".join(model.dictate(io.BytesIO(content))) == expected
    assert "".join(model.dictate(io.BytesIO(content[44:]), rate)) == expected


def test_text_comes_before_the_sound_has_ended(learned, model):
    stream = model.stream()
    assert stream.push(said("ab").astype(np.float32)).startswith("a")


def test_a_stream_that_is_finished_takes_nothing_more(model):
    stream = model.stream()
    stream.finish()
    with pytest.raises(ConfigError, match="Begin another one"):
        stream.push(np.ones(9, np.float32))
    with pytest.raises(ConfigError, match="Begin another one"):
        stream.finish()


def test_a_stream_refuses_what_is_no_number(learned, model):
    with pytest.raises(DataError, match="no finite number"):
        model.stream().push(np.array([0.0, np.nan]))


@pytest.mark.parametrize("kind", [np.int16, np.float64])
@pytest.mark.parametrize("channels", [1, 2])
def test_samples_of_any_type_and_channels_are_heard(model, kind, channels):
    samples = np.stack([said("abcab", 16000)] * channels, 1)
    samples = (samples * 32767).astype(np.int16) if kind is np.int16 else samples
    stream = model.stream(16000)
    assert stream.push(samples) + stream.finish() == "abcab"
    assert next(model.predict([Sound(samples, 16000)])).text == "abcab"


@pytest.mark.parametrize("shape", [(8000,), (1, 9, 12), ()])
def test_samples_without_a_rate_are_refused_with_the_way_to_give_them(model, shape):
    with pytest.raises(DataError, match=r"Sound\(samples, rate\)"):
        next(model.predict([np.zeros(shape)]))


def test_a_model_of_two_directions_is_not_streamed(tmp_path, manifest):
    train(begin(tmp_path / "run", manifest, steps=1), Silent())
    with pytest.raises(ConfigError, match="--directions 1"):
        ostinato.load(tmp_path / "run").stream()


def test_a_beam_gives_several_texts_with_falling_scores(learned, model):
    found = next(model.predict([learned / "clips/0-0.wav"], beam=6, n_best=3))
    scores = [h.score for h in found.best]
    assert len({h.text for h in found.best}) == 3
    assert scores == sorted(scores, reverse=True)
    assert found.text == found.best[0].text
    with pytest.raises(ConfigError, match="--n-best"):
        next(model.predict([learned / "clips/0-0.wav"], beam=2, n_best=3))


def test_a_language_model_changes_what_is_written(tmp_path, learned, model):
    (tmp_path / "book.txt").write_text("c" * 3000 + "b")
    ostinato.train_language_model(
        tmp_path / "book.txt", out=tmp_path / "lm", progress=False, hidden_size=8, num_layers=1, steps=30, batch_size=4,
        sample_length=0, threads=1,
    )  # fmt: skip
    sounds = [learned / f"clips/0-{k}.wav" for k in range(8)]
    plain = [t.text for t in model.predict(sounds, beam=8)]
    light = [t.text for t in model.predict(sounds, beam=8, language_model=str(tmp_path / "lm"), language_weight=0.0)]
    heavy = [t.text for t in model.predict(sounds, beam=8, language_model=str(tmp_path / "lm"), language_weight=5.0)]
    assert all("a" not in text for text in heavy)  # the model of texts does not know it
    assert any("a" in text for text in plain)
    assert light == plain


def test_a_language_model_of_other_units_is_refused(tmp_path, learned, model):
    (tmp_path / "book.txt").write_text("a b c\n" * 300)
    ostinato.train_language_model(
        tmp_path / "book.txt", out=tmp_path / "lm", progress=False, hidden_size=8, num_layers=1, steps=1, tokens="word",
        batch_size=4,
        sample_length=0, threads=1,
    )  # fmt: skip
    with pytest.raises(ConfigError, match="--tokens char"):
        next(model.predict([learned / "clips/0-0.wav"], language_model=str(tmp_path / "lm")))
    with pytest.raises(RunError, match="there is no such run folder"):
        next(model.predict([learned / "clips/0-0.wav"], language_model=str(tmp_path / "none")))


def test_a_bad_sound_is_refused_where_it_is_named_and_left_out_in_a_folder(tmp_path, learned, model):
    soundfile.write(tmp_path / "a.wav", np.zeros(800), 8000)
    soundfile.write(tmp_path / "b.wav", said("abc"), 8000)
    with pytest.raises(BadSound, match=r"a\.wav: silence"):
        list(model.predict([tmp_path / "a.wav"]))
    said_ = []
    assert list(model.lines(file=str(tmp_path), say=said_.append)) == ["", "abc"]
    assert any("left out 1 utterance whose sound is silent" in line for line in said_)
    assert [json.loads(line)["text"] for line in model.lines(file=str(tmp_path), form="jsonl")] == ["abc"]


def test_a_text_beside_a_sound_is_not_read_to_predict(tmp_path, model):
    soundfile.write(tmp_path / "a.wav", said("abc"), 8000)
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\xfd")
    assert next(model.predict([tmp_path / "a.wav"])).text == "abc"
    assert list(model.lines(file=str(tmp_path))) == list(model.lines(file=str(tmp_path / "a.wav"))) == ["abc"]


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (np.zeros(4000), "a.wav: silence: all of its 4,000 samples are 0"),
        (said("a")[:100], "a.wav: 12.5 ms of sound"),
        (np.zeros(0), "a.wav: it holds no sample"),
    ],
)
def test_a_sound_without_speech_is_refused_as_it_comes_and_as_a_whole(tmp_path, model, samples, words):
    soundfile.write(tmp_path / "a.wav", samples, 8000)
    with pytest.raises(BadSound, match=words):
        list(model.dictate(tmp_path / "a.wav"))
    with pytest.raises(BadSound, match=words):
        list(model.predict([tmp_path / "a.wav"]))


def test_a_search_of_its_own_is_scored(tmp_path, learned, model):
    figures = model.evaluate(learned / "speech.csv", beam=4, symbol_bonus=50.0)
    assert figures["cer"] > model.evaluate(learned / "speech.csv")["cer"]


def test_a_file_without_anything_to_score_is_refused(tmp_path, model):
    (tmp_path / "m.csv").write_text("audio,text\nnone.wav,abc\n")
    with pytest.raises(DataError, match="no utterance that can be scored"):
        model.evaluate(tmp_path / "m.csv")


def test_texts_longer_than_their_sounds_are_scored_but_have_no_nats(tmp_path, model):
    soundfile.write(tmp_path / "a.wav", said("a"), 8000)
    soundfile.write(tmp_path / "b.wav", said("b"), 8000)
    (tmp_path / "a.txt").write_text("abcabcabcabc")
    (tmp_path / "b.txt").write_text("b")
    seen, said_ = model.judge(str(tmp_path))
    assert seen.figures()["cer"] > 0.8
    assert np.isfinite(seen.figures()["nats"])
    assert any(line.startswith("1 text is longer than CTC allows") for line in said_)


@pytest.mark.parametrize("name", ["tokenizer.json", "schema.json", "model.safetensors"])
@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_a_damaged_run_is_refused(tmp_path, manifest, name, damage):
    train(begin(tmp_path / "run", manifest, steps=1), Silent())
    path = tmp_path / "run" / name
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(RunError):
        ostinato.load(tmp_path / "run")


@pytest.mark.parametrize(
    ("search", "words"),
    [
        ({"beam": "3"}, "--beam: '3' was given"),
        ({"beam": True}, "--beam: True was given"),
        ({"beam": 2.5}, "--beam: 2.5 was given"),
        ({"beam": 100_000}, "--beam"),
        ({"n_best": "2"}, "--n-best"),
        ({"symbol_bonus": "x"}, "--symbol-bonus: 'x' was given"),
        ({"language_weight": 2.0}, "Name one with --language-model"),
        ({"language_weight": "x"}, "--language-weight"),
    ],
)
def test_an_impossible_search_is_refused(learned, model, search, words):
    with pytest.raises(ConfigError, match=words):
        next(model.predict([learned / "clips/0-0.wav"], **search))


def test_unknown_settings_of_use_suggest_the_nearest(learned, model):
    with pytest.raises(ConfigError, match="Did you mean 'beam'"):
        next(model.predict([learned / "clips/0-0.wav"], baem=3))
    with pytest.raises(ConfigError, match="Did you mean 'audio'"):
        model.evaluate(learned / "speech.csv", adio="x")
    with pytest.raises(ConfigError, match="Did you mean 'jsonl'"):
        model.lines(["x"], form="json")


FSDD = Path(__file__).parents[3] / "shared" / "data" / "speech" / "fsdd.tar.gz"


@pytest.mark.skipif(not FSDD.is_file(), reason="the spoken digits are not on this machine")
def test_spoken_digits_are_learned_from_inside_their_archive(tmp_path):
    run = begin(tmp_path / "run", FSDD, strings=30, test_strings=4, shortest_string=2, longest_string=3, steps=2)
    train(run, Silent())
    assert [len(Store(tmp_path / "run/state/items" / part)) for part in ("train", "valid", "test")] == [30, 4, 4]
    trained = ostinato.load(tmp_path / "run")
    assert trained.encoder.units.size == 12  # ten digits, the unknown and the blank
    assert trained.evaluate(FSDD)["items"] == 4
