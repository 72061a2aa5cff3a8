"""`train classifier`, `predict` and `evaluate` as a person types them, with good files and with bad ones."""

import csv
import io
import json
import random
import subprocess

import pytest
from command_line import entry_point, environment

SMALL = ["--hidden-size", "8", "--epochs", "2", "--batch-size", "8", "--threads", "1"]


@pytest.fixture
def reviews(folder):
    draw = random.Random(0)
    rows = [
        (" ".join(draw.choices(["plot", "cast", "score"], k=4)) + (" lovely" if k % 2 else " dull"), k % 2)
        for k in range(60)
    ]
    with open(folder / "reviews.csv", "w", newline="") as file:
        csv.writer(file).writerows([("review", "liked"), *rows])
    return folder / "reviews.csv"


@pytest.fixture
def trained(main, reviews):
    code, out, err = main("train", "classifier", "reviews.csv", "--label", "liked", *SMALL)
    assert (code, err) == (0, "")
    return out


def test_training_says_what_was_found_and_what_to_type_next(trained):
    assert "read    reviews.csv: CSV with a header of 2 columns" in trained
    assert "text 'review'" in trained
    assert "padding" in trained
    assert "one of 2 labels (0, 1)" in trained
    assert trained.rstrip().endswith("ostinato predict runs/reviews TEXT or --file FILE")


def test_predict_answers_arguments_files_and_standard_input_alike(main, trained, folder):
    texts = ["plot lovely", "cast dull, Müller"]
    (folder / "new.csv").write_text("review\n" + "\n".join(f'"{text}"' for text in texts) + "\n")
    asked = [["runs/reviews", *texts], ["runs/reviews", "--file", "new.csv"]]
    tables = [list(csv.DictReader(io.StringIO(main("predict", *a)[1]))) for a in asked]
    piped = subprocess.run(
        [entry_point(), "predict", "runs/reviews", "--file", "-", "--format", "jsonl"],
        cwd=folder, env=environment(), input="\n".join(texts) + "\n", capture_output=True, text=True, check=True,
    )  # fmt: skip
    scores = [[row["score 1"] for row in table] for table in tables]
    assert scores[0] == scores[1]
    lines = [json.loads(line) for line in piped.stdout.splitlines()]
    assert [f"{line['scores']['1']:.6f}" for line in lines] == scores[0]
    assert [line["answer"] for line in lines] == [row["label"] for row in tables[0]]


def test_predictions_go_to_a_file_whole_or_not_at_all(main, trained, folder):
    assert main("predict", "runs/reviews", "lovely", "--out", "answers.csv")[0] == 0
    assert len((folder / "answers.csv").read_text().splitlines()) == 2
    (folder / "bad.jsonl").write_text('{"review": "fine"}\n{"review": \n')
    code, _, err = main("predict", "runs/reviews", "--file", "bad.jsonl", "--out", "other.csv")
    assert code == 2
    assert "bad.jsonl, line 2" in err
    assert not [path for path in folder.iterdir() if "other" in path.name]


def test_evaluate_prints_the_figures_and_a_table(main, trained, reviews):
    code, out, err = main("evaluate", "runs/reviews", "reviews.csv", "--report", "judged")
    assert code == 0
    assert err.startswith("read reviews.csv: CSV with a header of 2 columns; text 'review'")
    assert "(60 sequences)" in out
    assert "precision" in out
    assert (reviews.parent / "judged" / "reviews-confusion.png").exists()


def test_compare_shows_a_baseline_beside_the_network(main, trained):
    assert main("train", "classifier", "reviews.csv", "--label", "liked", "--baseline", "bag", *SMALL)[0] == 0
    out = main("compare", "runs")[1]
    assert "reviews-bag" in out
    assert "baseline" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["predict", "runs/reviews"], "nothing to answer"),
        (["predict", "runs/reviews", "a", "--file", "b"], "texts and a file"),
        (["predict", "runs/reviews", "a", "--format", "jsnl"], "Did you mean 'jsonl'"),
        (["predict", "runs/reviews", "a", "--column", "b"], "--column: 'b' of texts that are arguments"),
        (["predict", "runs/reviews", "a", "--file-format", "csv"], "--file-format: 'csv' of texts that are arguments"),
        (["predict", "runs/reviews", "--file", "reviews.csv", "--column", "rview"], "Name it with --column"),
        (["evaluate", "runs/reviews", "reviews.csv", "--file-format", "cvs"], "Did you mean 'csv'"),
        (["predict", "runs/nothing", "a"], "there is no such run folder"),
        (["predict", "runs/reviews", "--file", "revews.csv"], "Did you mean"),
        (["evaluate", "runs/reviews", "reviews.csv", "--label", "likd"], "no column 'likd'"),
        (["generate", "runs/reviews"], "holds a run of kind 'classifier'"),
        (["train", "classifier", "reviews.csv", "--label", "liked"], "a run is already there"),
        (["train", "classifier", "reviews.csv", "--labl", "liked"], "--label"),
        (["train", "classifier", "--out", "runs/else", "--resume"], "Check --out, or give a FILE"),
    ],
)
def test_what_cannot_be_done_is_said_without_a_traceback(main, trained, arguments, said):
    code, out, err = main(*arguments)
    assert code == 2
    assert said in err + out
    assert "Traceback" not in err


def test_predict_keeps_no_input_in_memory(trained, folder):
    """Ten thousand lines and two hundred thousand peak alike."""

    def peak(count: int) -> int:
        measured = (
            "import resource, sys; from ostinato.cli.main import main; main(sys.argv[1:]); "
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
        )
        lines = b"plot lovely\n" * count
        result = subprocess.run(
            [entry_point().replace("ostinato", "python"), "-c", measured, "predict", "runs/reviews", "--file", "-"],
            cwd=folder, env=environment(), input=lines, capture_output=True, check=True,
        )  # fmt: skip
        assert len(result.stdout.splitlines()) == count + 1
        return int(result.stderr.split()[-1])

    assert peak(40_000) < peak(2_000) + 30_000
