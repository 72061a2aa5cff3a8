"""`train transcriber`, `predict` and `evaluate` as a person types them, with good sounds and with bad ones."""

import json
import subprocess
import time

import numpy as np
import pytest
import soundfile
from command_line import entry_point, environment

from tones import said, write_manifest

SMALL = ["--hidden-size", "12", "--num-layers", "1", "--batch-size", "8", "--stack", "2", "--bands", "12"]
BRIEF = [*SMALL, "--epochs", "1", "--threads", "1"]
LEARNS = [*SMALL, "--epochs", "40", "--learning-rate", "0.01", "--noise", "0.1", "--dropout", "0", "--threads", "1"]


@pytest.fixture
def speech(folder):
    return write_manifest(folder)


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """A folder with a manifest and a model of it that knows its letters, and what training said."""
    folder = tmp_path_factory.mktemp("learned")
    write_manifest(folder)
    command = [entry_point(), "train", "transcriber", "speech.csv", "--directions", "1", "--test", "0.1", *LEARNS]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=True)
    return folder, done.stdout


@pytest.fixture
def inside(learned, monkeypatch):
    monkeypatch.chdir(learned[0])
    return learned[0]


def test_training_says_what_was_heard_and_what_to_type_next(learned):
    out = learned[1]
    assert "read    speech.csv: CSV with a header of 2 columns; audio 'audio' (by its name)" in out
    assert "at 8,000 Hz, 12 log-mel bands" in out
    assert "writes  5 symbols (char), the blank among them" in out
    assert "1 x 12 lstm, one direction, 2 frames a step" in out
    assert out.rstrip().endswith("ostinato predict runs/speech SOUND or --file FILE")
    assert {path.name for path in (learned[0] / "runs/speech/report").iterdir()} >= {
        "figures.json", "test-written.csv", "test-sound-1.png", "validation-written.csv",
    }  # fmt: skip


def test_predict_answers_arguments_folders_and_lists_alike(main, inside):
    names = sorted(f"clips/{path.name}" for path in (inside / "clips").iterdir())
    (inside / "list.txt").write_text("\n".join(names))
    expected = main("predict", "runs/speech", *names)[1].splitlines()
    assert len(expected) == 60
    assert main("predict", "runs/speech", "--file", "clips")[1].splitlines() == expected
    assert main("predict", "runs/speech", "--file", "list.txt")[1].splitlines() == expected
    assert main("predict", "runs/speech", "--file", "speech.csv", "--column", "audio")[0] == 0


def test_several_texts_have_ranks_and_scores(main, inside):
    out = main("predict", "runs/speech", "clips/0-0.wav", "--n-best", "3", "--format", "csv")[1].splitlines()
    assert out[0] == "sound,rank,score,text"
    assert [line.split(",")[:2] for line in out[1:]] == [["clips/0-0.wav", str(k)] for k in (1, 2, 3)]
    best = json.loads(main("predict", "runs/speech", "clips/0-0.wav", "--beam", "4", "--format", "jsonl")[1])
    assert best["text"] == best["best"][0]["text"] == "".join(best["symbols"])
    assert len(best["seconds"]) == len(best["symbols"])


def test_evaluate_prints_figures_and_writes_what_was_written(main, inside):
    code, out, err = main("evaluate", "runs/speech", "speech.csv", "--report", "seen")
    assert code == 0
    assert out.startswith("CER ")
    assert "(60 utterances)" in out
    assert "read speech.csv: CSV" in err
    assert len((inside / "seen/speech-written.csv").read_text().splitlines()) == 61
    assert main("evaluate", "runs/speech", "speech.csv", "--beam", "8")[0] == 0


def test_a_language_model_is_asked_too(main, inside):
    (inside / "book.txt").write_text("c" * 3000)
    small = ["--hidden-size", "8", "--num-layers", "1", "--steps", "20", "--batch-size", "4", "--sample-length", "0"]
    assert main("train", "language-model", "book.txt", *small, "--overwrite")[0] == 0
    asked = ["--beam", "8", "--language-model", "runs/book", "--language-weight", "5"]
    out = main("predict", "runs/speech", "--file", "clips", *asked)[1]
    assert set(out) <= {"c", "\n"}


def test_a_file_is_written_while_it_is_heard(main, inside):
    whole = main("predict", "runs/speech", "clips/0-0.wav")[1]
    assert main("predict", "runs/speech", "--stream", "clips/0-0.wav")[1] == whole
    assert main("predict", "runs/speech", "--stream", "--file", "clips/0-0.wav", "--out", "a.txt")[0] == 0
    assert (inside / "a.txt").read_text() == whole


def test_standard_input_is_written_as_it_comes(inside):
    soundfile.write(inside / "new.wav", said("abcab"), 8000)
    content = (inside / "new.wav").read_bytes()
    command = [entry_point(), "predict", "runs/speech", "--stream", "--file", "-"]
    for given, more in ((content, []), (content[44:], ["--rate", "8000"])):
        done = subprocess.run([*command, *more], env=environment(), input=given, capture_output=True, check=True)
        assert done.stdout == b"abcab\n"


def test_standard_input_is_a_sound_or_a_list_of_sounds(inside):
    soundfile.write(inside / "new.flac", said("cba"), 8000)
    command = [entry_point(), "predict", "runs/speech", "--file", "-"]
    for given in ((inside / "new.flac").read_bytes(), b"new.flac\n"):
        done = subprocess.run(command, env=environment(), input=given, capture_output=True, check=True)
        assert done.stdout == b"cba\n"


def test_text_comes_before_standard_input_has_ended(inside):
    samples = (np.concatenate([said("ab"), said("c" * 40)]) * 32767).astype("<i2").tobytes()
    command = [entry_point(), "predict", "runs/speech", "--stream", "--file", "-", "--rate", "8000"]
    with subprocess.Popen(command, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdin.write(samples)
        process.stdin.flush()
        began = time.monotonic()
        assert process.stdout.read(2) == b"ab"
        assert time.monotonic() - began < 60
        process.stdin.close()
        process.stdout.read()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["clips/none.wav"], "there is no such file"),
        (["--stream", "clips/0-0.wav", "clips/0-1.wav"], "2 sounds"),
        (["--stream", "clips/0-0.wav", "--beam", "3"], "--beam: it was given with --stream"),
        (["--stream", "clips/0-0.wav", "--format", "csv"], "--format: it was given with --stream"),
        (["--stream", "clips/0-0.wav", "--seed", "1"], "--seed: it was given with --stream"),
        (["--stream", "clips/0-0.wav", "--horizon", "1"], "--horizon: it was given with --stream"),
        (["--stream", "clips/0-0.wav", "--samples", "1"], "--samples: it was given with --stream"),
        (["--stream", "clips/0-0.wav", "--question", "a"], "--question: it was given with --stream"),
        (["--stream", "--file", "clips/0-0.wav", "--encoding", "utf-8"], "--encoding: it was given with --stream"),
        (["--stream", "clips/none.wav"], "there is no such file"),
        (["--stream", "clips/0-0.wav", "--rate", "8000"], "A file says its rate itself"),
        (["clips/0-0.wav", "--rate", "8000"], "without --stream"),
        (["clips/0-0.wav", "--beam", "0"], "--beam"),
        (["clips/0-0.wav", "--n-best", "0"], "--n-best"),
        (["clips/0-0.wav", "--length-penalty", "1"], "--length-penalty: no setting"),
        (["clips/0-0.wav", "--prefix", "a"], "prefix"),
        (["clips/0-0.wav", "--language-model", "runs/none"], "there is no such run folder"),
        (["clips/0-0.wav", "--language-model", "runs/speech"], "language-model"),
        (["clips/0-0.wav", "--format", "tsv"], "Possible: text, csv, jsonl"),
        (["--file", "nowhere"], "there is no such file"),
    ],
)
def test_what_cannot_be_asked_is_refused(main, inside, arguments, words):
    code, out, err = main("predict", "runs/speech", *arguments)
    assert (code, out) == (2, "")
    assert words in err


def test_only_transcribers_hear(main, inside):
    (inside / "labelled.csv").write_text("text,label\n" + "good film,1\nbad film,0\n" * 20)
    assert main("train", "classifier", "labelled.csv", "--steps", "1", "--hidden-size", "4", "--overwrite")[0] == 0
    assert "It is for transcribers" in main("predict", "runs/labelled", "--stream", "a.wav")[2]
    assert "writes no sequences" in main("predict", "runs/labelled", "a", "--language-model", "x")[2]


def test_a_model_of_two_directions_is_not_streamed(main, speech):
    assert main("train", "transcriber", "speech.csv", *BRIEF)[0] == 0
    assert "Train one with --directions 1" in main("predict", "runs/speech", "--stream", "clips/0-0.wav")[2]


def test_training_goes_on(main, speech):
    assert main("train", "transcriber", "speech.csv", *BRIEF, "--steps", "3")[0] == 0
    code, out, _ = main("train", "transcriber", "--out", "runs/speech", "--resume", "--steps", "5")
    assert code == 0
    assert "Done: 5 steps" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none.csv"], "there is no such file"),
        (["speech.csv", "--audio", "adio"], "Did you mean 'audio'"),
        (["speech.csv", "--format", "foldr"], "Did you mean 'folder'"),
        (["speech.csv", "--gradient", "truncated"], "--gradient"),
        (["speech.csv", "--speaker", "theo", "--stack", "-1"], "--stack"),
        (["book.txt"], "no column"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(main, speech, arguments, words):
    code, _, err = main("train", "transcriber", *arguments, *[f for f in BRIEF if f not in ("--stack", "2")])
    assert code == 2
    assert words in err
    assert "Traceback" not in err
