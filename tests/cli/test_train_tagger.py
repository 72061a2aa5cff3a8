"""`train tagger`, `predict` and `evaluate` as a person types them, with good files and with bad ones."""

import json
import random
import subprocess

import numpy as np
import pytest
from command_line import entry_point, environment

SMALL = ["--hidden-size", "8", "--character-units", "4", "--epochs", "2", "--batch-size", "8", "--threads", "1"]
TAGS = {"Ada": "B-person", "Berg": "I-person", "Rome": "B-place", "in": "O", "sees": "O"}


@pytest.fixture
def people(folder):
    draw = random.Random(0)
    sentences = [draw.choices([["Ada", "Berg"], ["Ada"], ["Rome"], ["in"], ["sees"]], k=4) for _ in range(40)]
    text = "\n".join("".join(f"{w}\tNN\t{TAGS[w]}\n" for part in s for w in part) for s in sentences)
    (folder / "people.conll").write_text(text)
    return folder / "people.conll"


@pytest.fixture
def trained(main, people):
    code, out, err = main("train", "tagger", "people.conll", "--crf", *SMALL)
    assert (code, err) == (0, "")
    return out


def piped(folder, text: str, *arguments: str) -> str:
    return subprocess.run(
        [entry_point(), "predict", "runs/people", "--file", "-", *arguments],
        cwd=folder, env=environment(), input=text, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip


def test_training_says_what_was_found_and_what_to_type_next(trained):
    assert "read    people.conll: CoNLL columns (3, between tabs; words in 1, tags in 3)" in trained
    assert "tags    IOB2" in trained
    assert "one of 4 tags a step (O, B-person, I-person, B-place)" in trained
    assert "a chain over the tags" in trained
    assert trained.rstrip().endswith("ostinato predict runs/people TEXT or --file FILE")


def test_predict_answers_arguments_files_and_standard_input_alike(main, trained, folder):
    lines = main("predict", "runs/people", "Ada sees Rome", "in Rome")[1].splitlines()
    assert [line.split("\t")[0] for line in lines] == ["Ada", "sees", "Rome", "", "in", "Rome", ""]
    (folder / "new.txt").write_text("Ada sees Rome\nin Rome\n")
    assert main("predict", "runs/people", "--file", "new.txt")[1].splitlines() == lines
    assert piped(folder, "Ada sees Rome\nin Rome\n").splitlines() == lines
    objects = [json.loads(line) for line in piped(folder, "Ada sees Rome\n", "--format", "jsonl").splitlines()]
    assert [objects[0]["words"], objects[0]["tags"]] == [["Ada", "sees", "Rome"], [x.split("\t")[1] for x in lines[:3]]]


def test_columns_that_are_not_tags_come_back_as_they_were(main, trained, folder):
    (folder / "new.conll").write_text("# one\nAda\tXX\tB-place\n\nRome\tYY\tO\n")
    lines = main("predict", "runs/people", "--file", "new.conll")[1].splitlines()
    assert [line.rpartition("\t")[0] or line for line in lines] == ["# one", "Ada\tXX", "", "Rome\tYY", ""]


def test_evaluate_prints_figures_and_a_table_and_writes_pictures(main, trained, folder):
    code, out, _ = main("evaluate", "runs/people", "people.conll", "--report", "seen")
    assert code == 0
    assert out.startswith("entities F1 ")
    assert "(40 sequences)" in out
    assert {p.name for p in (folder / "seen").iterdir()} == {
        "people-classes.csv", "people-confusion.png", "people-figures.json", "people-tags.html",
    }  # fmt: skip


def test_mistakes_are_underlined_on_the_page(main, trained, folder):
    (folder / "odd.conll").write_text("Ada\tNN\tB-planet\n")
    main("evaluate", "runs/people", "odd.conll", "--report", "seen")
    page = (folder / "seen" / "odd-tags.html").read_text()
    assert '<i class="wrong"' in page
    assert ", is B-planet" in page


def test_a_run_is_compared_with_its_baseline(main, trained, folder):
    assert main("train", "tagger", "people.conll", "--baseline", "most-frequent", *SMALL)[0] == 0
    out = main("compare", "runs/people", "runs/people-most-frequent")[1]
    assert "tagger, validation f1 gap" in out


def test_rows_of_numbers_are_tagged_row_by_row(main, folder):
    rows = "".join(f"{k},{k % 2}.5,{'on' if k % 2 else 'off'}\n" for k in range(60))
    (folder / "sensor.csv").write_text("time,level,state\n" + rows)
    flags = ["--frames", "level", "--tag-column", "state", "--window", "6", "--directions", "1"]
    assert main("train", "tagger", "sensor.csv", *flags, *SMALL)[0] == 0
    lines = main("predict", "runs/sensor", "--file", "sensor.csv")[1].splitlines()
    assert lines[0] == "time,level,state,predicted,confidence"
    assert [line.split(",")[:3] for line in lines[1:]] == [row.split(",") for row in rows.splitlines()]
    assert {line.split(",")[3] for line in lines[1:]} <= {"on", "off"}


def test_sequences_of_numbers_are_tagged_step_by_step(main, folder):
    x = np.random.default_rng(0).standard_normal((20, 7, 3)).astype(np.float32)
    np.savez(folder / "video.npz", x=x, y=(x[..., 0] > 0).astype(int))
    code, out, err = main("train", "tagger", "video.npz", "--window", "5", *SMALL)
    assert (code, err) == (0, "")
    assert "20 items in 'x', 3 channels, labels in 'y' a step; 5 steps a window" in out
    assert "stand in another part" not in out
    assert "(40 sequences)" in main("evaluate", "runs/video", "video.npz")[1]
    np.savez(folder / "new.npz", x=x[:2])
    lines = main("predict", "runs/video", "--file", "new.npz")[1].splitlines()
    assert lines[0] == "item,step,predicted,confidence"
    assert [line.split(",")[:2] for line in lines[1:]] == [[str(i), str(t)] for i in (1, 2) for t in range(1, 8)]
    (folder / "a.ts").write_text("@univariate true\n@classLabel true a\n@data\n1,2:a\n")
    assert "it has one label a sequence, or none" in main("train", "tagger", "a.ts", *SMALL)[2]
    assert "--frames: it was given for video.npz" in main("train", "tagger", "video.npz", "--frames", "a", *SMALL)[2]


def test_objects_come_back_under_the_headings_of_their_keys(main, folder):
    (folder / "sensor.csv").write_text(
        "a,b,state\n" + "".join(f"{k},{k % 2},{'on' * (k % 2) or 'off'}\n" for k in range(60))
    )
    assert (
        main("train", "tagger", "sensor.csv", "--frames", "a,b", "--tag-column", "state", "--window", "6", *SMALL)[0]
        == 0
    )
    rows = ['{"a": 1, "b": 2, "state": "on"}', '{"state": "off", "b": 20, "a": 10}', '{"b": 200, "a": 100}']
    (folder / "new.jsonl").write_text("\n".join(rows) + "\n")
    lines = main("predict", "runs/sensor", "--file", "new.jsonl")[1].splitlines()
    assert [line.split(",")[:3] for line in lines] == [
        ["a", "b", "state"], ["1", "2", "on"], ["10", "20", "off"], ["100", "200", ""],
    ]  # fmt: skip


def test_a_run_goes_on(main, people):
    assert main("train", "tagger", "people.conll", *SMALL)[0] == 0
    code, out, _ = main("train", "tagger", "--out", "runs/people", "--resume", "--epochs", "3")
    assert code == 0
    assert "from step" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.conll"], "there is no such file"),
        (["people.conll", "--tag-column", "UPOS"], "'UPOS' of lines with 3"),
        (["people.conll", "--scheme", "bioes"], "is followed by"),
        (["people.conll", "--frames", "level"], "no column 'level'"),
        (["people.conll", "--validation", "1.5"], "a share from 0 to below 1"),
        (["people.conll", "--gradient", "rtrl"], "reads a sequence in pieces"),
        (["people.conll", "--cell", "lstn"], "lstn"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_message(main, people, arguments, message):
    code, _, err = main("train", "tagger", *arguments, *SMALL)
    assert code == 2
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert message in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "runs/people", "Ada", "--format", "csv"], "--format: 'csv'. Possible: conll, jsonl"),
        (["predict", "runs/people", "--file", "bad.conll"], "bad.conll, line 2: 2 columns"),
        (["predict", "runs/people", "--file", "bytes.txt"], "not UTF-8"),
        (["evaluate", "runs/people", "words.txt"], "the lines have one column"),
    ],
)
def test_bad_files_to_use_a_model_on_are_refused(main, trained, folder, arguments, message):
    (folder / "bad.conll").write_text("Ada\tNN\tO\nRome\tNN\n")
    (folder / "bytes.txt").write_bytes(b"Ada \xff\n")
    (folder / "words.txt").write_text("Ada\nRome\n")
    code, _, err = main(*arguments)
    assert code == 2
    assert message in err
