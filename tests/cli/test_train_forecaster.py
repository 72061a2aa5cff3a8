"""`train forecaster`, `predict` and `evaluate` as a person types them, with good series and with bad ones."""

import csv
import io
import subprocess

import numpy as np
import pytest
from command_line import entry_point, environment

SMALL = [
    "--hidden-size", "4", "--steps", "2", "--context", "20", "--horizon", "5", "--samples", "8", "--threads", "1",
]  # fmt: skip


@pytest.fixture
def sold(folder):
    days = np.arange("2024-01-01", "2024-04-10", dtype="datetime64[D]")
    rows = [(str(day), 10 + k % 7 + k % 3, k % 7 > 4) for k, day in enumerate(days)]
    with open(folder / "sold.csv", "w", newline="") as file:
        csv.writer(file).writerows([("date", "sold", "weekend"), *rows])
    return folder / "sold.csv"


@pytest.fixture
def trained(main, sold):
    code, out, err = main("train", "forecaster", "sold.csv", "--target", "sold", *SMALL)
    assert (code, err) == (0, "")
    return out


def test_training_says_what_was_found_and_what_to_type_next(trained):
    assert "read    sold.csv: CSV with a header of 3 columns; series 'sold'; time 'date' (by its name)" in trained
    assert "head    gaussian (numbers)" in trained
    assert "80 to learn from, 10 to validate, 10 to test; a season is 7; the calendar: day of week" in trained
    assert trained.rstrip().endswith("ostinato predict runs/sold --file FILE")


def test_predict_goes_on_with_files_standard_input_and_arguments(main, trained, sold, folder):
    code, out, _ = main("predict", "runs/sold", "--file", "sold.csv", "--horizon", "3")
    table = list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    assert [row["time"] for row in table] == ["2024-04-10", "2024-04-11", "2024-04-12"]
    assert list(table[0])[:5] == ["item", "time", "series", "mean", "0.025"]
    piped = subprocess.run(
        [entry_point(), "predict", "runs/sold", "--file", "-", "--horizon", "3"],
        cwd=folder, env=environment(), input=sold.read_text(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert piped.stdout == out
    assert main("predict", "runs/sold", "--file", "sold.csv", "--horizon", "3", "--seed", "1")[1] != out


def test_numbers_are_given_as_arguments_where_there_are_no_times(main, folder):
    (folder / "plain.txt").write_text("\n".join(str(k % 5) for k in range(80)))
    assert main("train", "forecaster", "plain.txt", *SMALL)[0] == 0
    code, out, _ = main("predict", "runs/plain", "1 2 3", "4,5", "--samples", "3", "--format", "jsonl")
    assert (code, len(out.splitlines())) == (0, 2)
    assert "'x'" in main("predict", "runs/plain", "x")[2]
    for name in ("horizon", "samples"):
        code, out, err = main("predict", "runs/plain", "1 2 3", f"--{name}", "0")
        assert (code != 0, out) == (True, "")
        assert f"{name} is 0. It is greater than 0" in err


def test_evaluate_prints_a_figure_a_line(main, trained):
    code, out, _ = main("evaluate", "runs/sold", "sold.csv")
    figures = dict(line.split() for line in out.splitlines())
    assert code == 0
    assert (figures["steps"], figures["forecasts"]) == ("100", "16")
    assert {"nats", "mase", "crps", "coverage_95"} <= set(figures)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sold.csv", "--target", "sole"], "Did you mean 'sold'?"),
        (["sold.csv"], "where a number is needed"),
        (["sold.csv", "--target", "sold", "--lags", "x"], "Whole numbers from 1, joined by commas"),
        (["sold.csv", "--target", "sold", "--horizon", "0"], "--horizon"),
        (["none.csv"], "there is no such file"),
    ],
)
def test_what_cannot_be_trained_is_said_in_a_line(main, sold, arguments, said):
    code, _, err = main("train", "forecaster", *arguments)
    assert code in (1, 2)
    assert said in err
    assert "Traceback" not in err


def test_a_gap_is_refused_and_then_filled(main, folder, sold):
    sold.write_text(sold.read_text().replace("2024-01-05,15", "2024-01-05,"))
    code, _, err = main("train", "forecaster", "sold.csv", "--target", "sold", *SMALL)
    assert code != 0
    assert "line 6, column sold: a value is missing" in err
    out = main("train", "forecaster", "sold.csv", "--target", "sold", "--missing", "interpolate", *SMALL)[1]
    assert "filled  1 missing values are interpolated" in out


def test_steps_ahead_are_asked_of_forecasters_alone(main, folder):
    (folder / "reviews.csv").write_text("text,label\n" + "up,1\ndown,0\n" * 20)
    main("train", "classifier", "reviews.csv", "--hidden-size", "4", "--steps", "1", "--threads", "1")
    assert "--horizon: this run looks at no steps ahead" in main("predict", "runs/reviews", "up", "--horizon", "3")[2]
