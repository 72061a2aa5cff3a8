"""`train translator`, `predict` and `evaluate` as a person types them, with good files and with bad ones."""

import gzip
import json
import random
import subprocess
from dataclasses import fields

import pytest
from command_line import entry_point, environment

from ostinato.cli.searching import SearchFlags
from ostinato.decoding.sampling import Sampling
from ostinato.decoding.settings import Search
from ostinato.training.config.searching import Searching

SMALL = ["--hidden-size", "8", "--embedding-size", "8", "--steps", "4", "--batch-size", "8", "--threads", "1"]
WORDS = {"eins": "one", "zwei": "two", "drei": "three"}


def rows(count=40, seed=0):
    draw = random.Random(seed)
    found = [draw.choices(list(WORDS), k=draw.randrange(1, 5)) for _ in range(count)]
    return [(" ".join(words), " ".join(WORDS[word] for word in words)) for words in found]


@pytest.fixture
def numbers(folder):
    (folder / "numbers.tsv").write_text("".join(f"{source}\t{target}\n" for source, target in rows()))
    return folder / "numbers.tsv"


@pytest.fixture
def trained(main, numbers):
    code, out, err = main("train", "translator", "numbers.tsv", *SMALL)
    assert (code, err) == (0, "")
    return out


def piped(folder, text: str, *arguments: str) -> str:
    return subprocess.run(
        [entry_point(), "predict", "runs/numbers", "--file", "-", *arguments],
        cwd=folder, env=environment(), input=text, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip


def test_training_says_what_was_found_and_what_to_type_next(trained):
    assert "read    numbers.tsv: TSV" in trained
    assert "model   reads with 1 x 8 gru, two directions; writes with 1 x 8 gru, general attention" in trained
    assert "BLEU" in trained
    assert trained.rstrip().endswith("ostinato predict runs/numbers TEXT or --file FILE")


def test_predict_answers_arguments_files_and_standard_input_alike(main, trained, folder):
    lines = main("predict", "runs/numbers", "eins zwei", "drei")[1].splitlines()
    assert len(lines) == 2
    (folder / "new.txt").write_text("eins zwei\ndrei\n")
    assert main("predict", "runs/numbers", "--file", "new.txt")[1].splitlines() == lines
    assert piped(folder, "eins zwei\ndrei\n").splitlines() == lines


def test_several_answers_have_scores_and_alignments(main, trained):
    lines = main("predict", "runs/numbers", "eins zwei", "--n-best", "3", "--format", "tsv")[1].splitlines()
    assert [line.split("\t")[0] for line in lines] == ["1", "2", "3"]
    scores = [float(line.split("\t")[1]) for line in lines]
    assert scores == sorted(scores, reverse=True)
    found = json.loads(main("predict", "runs/numbers", "eins zwei", "--n-best", "2", "--format", "jsonl")[1])
    assert [len(best["alignment"]) for best in found["best"]] == [len(best["symbols"]) for best in found["best"]]


def test_a_search_is_asked_for_by_flags(main, trained):
    longest = main("predict", "runs/numbers", "eins", "--min-length", "6", "--max-length", "6", "--format", "jsonl")[1]
    assert len(json.loads(longest)["best"][0]["symbols"]) == 6
    assert main("predict", "runs/numbers", "eins", "--prefix", "two")[1].startswith("two")
    drawn = [main("predict", "runs/numbers", "eins zwei", "--temperature", "9", "--seed", seed)[1] for seed in "112"]
    assert drawn[0] == drawn[1] != drawn[2]
    code, _, err = main("predict", "runs/numbers", "eins", "--beam", "2", "--groups", "3")
    assert (code, "groups" in err) == (2, True)


def test_evaluate_prints_figures_with_their_signature_and_writes_a_table(main, trained, folder):
    code, out, err = main("evaluate", "runs/numbers", "numbers.tsv", "--report", "seen", "--beam", "2")
    assert code == 0
    assert "BLEU" in out
    assert "(40 sequences)" in out
    assert "|version:" in out
    assert "read numbers.tsv" in err
    assert {path.name for path in (folder / "seen").iterdir()} == {"numbers-written.csv", "numbers-figures.json"}


def test_a_report_on_what_is_made_up_is_named_after_it(main, trained, folder):
    assert main("evaluate", "runs/numbers", "generated:addition?digits=1&items=9", "--report", "seen")[0] == 0
    assert {path.name for path in (folder / "seen").iterdir()} == {"addition-written.csv", "addition-figures.json"}


@pytest.mark.parametrize("targets", ["numbers.tsv", "./numbers.tsv", "linked.txt"])
def test_a_table_that_is_given_as_its_own_targets_is_refused(main, trained, folder, targets):
    (folder / "linked.txt").symlink_to(folder / "numbers.tsv")
    code, out, err = main("evaluate", "runs/numbers", "numbers.tsv", "--targets", targets)
    assert (code, out) == (2, "")
    assert f"targets: '{targets}', which is the file of sources too. It is tsv: it holds both sides. Leave" in err
    assert main("train", "translator", "numbers.tsv", "--targets", targets, "--out", "again", *SMALL)[0] == 2


def test_lines_of_text_may_be_their_own_targets(main, trained, folder):
    (folder / "lines.txt").write_text("one two\nthree\n")
    assert "(2 sequences)" in main("evaluate", "runs/numbers", "lines.txt", "--targets", "lines.txt")[1]


def test_the_report_shows_what_was_written_and_where_was_looked(trained, folder):
    names = {path.name for path in (folder / "runs" / "numbers" / "report").iterdir()}
    assert {"validation-written.csv", "validation-attention.png", "validation-lengths.csv", "figures.json"} <= names


def test_a_run_goes_on(main, trained):
    code, out, _ = main("train", "translator", "--out", "runs/numbers", "--resume", "--steps", "6")
    assert code == 0
    assert "from step 4 on" in out


def test_a_generated_task_needs_no_file(main):
    code, out, _ = main("train", "translator", "generated:addition?digits=1&items=50", "--out", "runs/sums", *SMALL)
    assert code == 0
    assert "characters" in out
    assert main("predict", "runs/sums", "1+2")[0] == 0


def test_flags_and_settings_are_those_of_the_search():
    search = {entry.name for entry in fields(Search)} - {"sampling", "never"}
    drawn = {entry.name for entry in fields(Sampling)} - {"greedy"}
    of_sounds = {"language_model", "language_weight", "symbol_bonus"}
    assert {entry.name for entry in fields(SearchFlags)} == search | drawn | of_sounds
    assert {entry.name for entry in fields(Searching)} == search - {"n_best", "patience"}


@pytest.fixture
def bad(folder):
    (folder / "a.de").write_text("eins\nzwei\n")
    (folder / "a.en").write_text("one\n")
    (folder / "empty.tsv").write_text("")
    (folder / "alone.txt").write_text("eins zwei\ndrei\n")
    (folder / "bytes.tsv").write_bytes(b"eins\t\xff\n")
    (folder / "blank.tsv").write_text("eins\t\n\tone\n")
    with gzip.open(folder / "table.csv.gz", "wt") as file:
        file.write("de,en\neins,one\nzwei,two\n" * 9)
    return folder


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.tsv"], "there is no such file"),
        (["a.de", "--targets", "a.en"], "2"),
        (["empty.tsv"], "empty"),
        (["alone.txt"], "--targets"),
        (["bytes.tsv"], "UTF-8"),
        (["blank.tsv"], "no item"),
        (["table.csv.gz", "--source-column", "fr"], "no column 'fr'"),
        (["generated:subtraction"], "addition"),
        (["numbers.tsv", "--cell", "lstn"], "lstn"),
        (["numbers.tsv", "--attention", "none", "--copy"], "attention"),
        (["numbers.tsv", "--max-length", "0", "--min-length", "3"], "--max-length"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_message(main, numbers, bad, arguments, message):
    code, _, err = main("train", "translator", *arguments, *SMALL)
    assert code == 2
    assert "Traceback" not in err
    assert message in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "runs/numbers", "eins", "--format", "csv"], "--format: 'csv'. Possible: text, tsv, jsonl"),
        (["predict", "runs/numbers", "--file", "bytes.tsv"], "UTF-8"),
        (["evaluate", "runs/numbers", "blank.tsv"], "no pair that can be scored"),
        (["evaluate", "runs/numbers", "a.de", "--targets", "a.en"], "1"),
        (["predict", "runs/numbers", "eins", "--n-best", "0"], "--n-best"),
        (["predict", "runs/numbers", "eins", "--language-model", "runs/numbers"], "--language-model"),
        (["evaluate", "runs/numbers", "numbers.tsv", "--symbol-bonus", "1"], "--symbol-bonus"),
        (["evaluate", "runs/numbers", "numbers.tsv", "--temperature", "1"], "--temperature"),
    ],
)
def test_bad_files_to_use_a_model_on_are_refused(main, trained, bad, arguments, message):
    code, _, err = main(*arguments)
    assert code == 2
    assert "Traceback" not in err
    assert message in err


def test_flags_of_a_search_are_refused_by_models_that_write_nothing(main, folder):
    (folder / "reviews.csv").write_text("text,label\n" + "good,yes\nbad,no\n" * 20)
    flags = ["--hidden-size", "4", "--steps", "2", "--threads", "1"]
    assert main("train", "classifier", "reviews.csv", *flags)[0] == 0
    for flag in (["--beam", "2"], ["--prefix", "a"]):
        code, _, err = main("predict", "runs/reviews", "good", *flag)
        assert (code, "writes no sequences" in err) == (2, True)
