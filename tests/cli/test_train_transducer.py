"""A transcriber trained by a transducer, as a person types it: training, searching, writing as sound comes."""

import json

import pytest

from tones import write_manifest

NETWORK = ["--loss", "transducer", "--prediction-cell", "gru", "--prediction-size", "9", "--joint-size", "10"]
SMALL = [
    "--directions", "1", "--hidden-size", "12", "--num-layers", "1", "--stack", "2", "--bands", "12",
    "--batch-size", "8", "--steps", "40", "--learning-rate", "0.02", "--threads", "1",
]  # fmt: skip


@pytest.fixture
def speech(folder):
    return write_manifest(folder)


@pytest.fixture
def trained(main, speech):
    code, out, _ = main("train", "transcriber", "speech.csv", *NETWORK, *SMALL)
    assert code == 0
    return out


def test_training_says_which_networks_there_are(trained, folder):
    assert (
        "one direction, 2 frames a step, a transducer with 9 gru over what was written, joined by 10 units" in trained
    )
    assert "loss: transducer" in (folder / "runs/speech/config.yaml").read_text()


def test_it_is_used_as_any_transcriber(main, trained):
    code, whole, _ = main("predict", "runs/speech", "clips/0-0.wav")
    assert code == 0
    assert main("predict", "runs/speech", "--stream", "clips/0-0.wav")[1] == whole
    found = json.loads(main("predict", "runs/speech", "clips/0-0.wav", "--n-best", "3", "--format", "jsonl")[1])
    scores = [each["score"] for each in found["best"]]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)
    code, out, _ = main("evaluate", "runs/speech", "speech.csv", "--beam", "4")
    assert (code, out[:4]) == (0, "CER ")


def test_a_language_model_beside_it_is_refused(main, trained, folder):
    (folder / "book.txt").write_text("abc" * 1000)
    small = ["--hidden-size", "8", "--num-layers", "1", "--steps", "2", "--batch-size", "4", "--sample-length", "0"]
    assert main("train", "language-model", "book.txt", *small)[0] == 0
    code, _, err = main("predict", "runs/speech", "clips/0-0.wav", "--beam", "4", "--language-model", "runs/book")
    assert code == 2
    assert "a language model beside a transducer" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--loss", "transducr"], "transducer"),
        (["--loss", "transducer", "--joint", "mean"], "tanh"),
        (["--loss", "transducer", "--prediction-size", "0"], "--prediction-size: prediction_size is 0"),
        (["--loss", "transducer", "--language-model", "runs/book"], "it was given with --loss transducer"),
        (["--prediction-size", "32"], "it was given with --loss ctc"),
    ],
)
def test_what_cannot_be_is_refused(main, speech, folder, arguments, words):
    code, _, err = main("train", "transcriber", "speech.csv", *SMALL, *arguments)
    assert code == 2
    assert words in err
    assert not (folder / "runs").exists() or not list((folder / "runs").iterdir())
