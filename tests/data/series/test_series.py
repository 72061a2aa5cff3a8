"""Series from files of any kind: what is found, what is filled in, and what is refused with its place."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ostinato import DataError
from ostinato.data.series import Columns, open_series

SOLD = "date,sold,price\n2024-01-01,3,1.5\n2024-01-02,4,1.5\n2024-01-04,7,2\n"


@pytest.fixture
def write(tmp_path):
    def written(name: str, text: str):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return written


def read(path, missing="error", **columns):
    return list(open_series(path, Columns(**columns), missing=missing))


def refused(path, missing="error", **columns) -> str:
    with pytest.raises(DataError) as error:
        read(path, missing, **columns)
    return str(error.value)


def test_a_table_is_read_with_its_times(write):
    (series,) = read(write("sold.csv", SOLD))
    assert series.values.tolist() == [[3, 1.5], [4, 1.5], [7, 2]]
    assert series.times.astype("datetime64[D]").astype(str).tolist() == ["2024-01-01", "2024-01-02", "2024-01-04"]
    assert (series.item, len(series), series.filled) == ("", 3, 0)


def test_what_was_found_is_said(write):
    file = open_series(write("sold.csv", SOLD), Columns(target=("sold",), covariates=("price",)))
    assert (file.targets, file.covariates) == (("sold",), ("price",))
    assert file.format == "CSV with a header of 3 columns; series 'sold'; time 'date' (by its name)"


def test_a_column_says_which_series_a_row_belongs_to(write):
    path = write("shops.tsv", "shop\tt\tsold\nnorth\t1\t3\nnorth\t2\t4\nsüd\t1\t9\n")
    north, south = read(path, item="shop", time="t")
    assert (north.item, north.values.ravel().tolist(), north.times.tolist()) == ("north", [3, 4], [1, 2])
    assert (south.item, south.values.ravel().tolist()) == ("süd", [9])


def test_steps_of_which_only_covariates_are_known_are_the_future(write):
    path = write("sold.csv", SOLD + "2024-01-05,,3\n2024-01-06,NA,4\n")
    (series,) = read(path, target=("sold",), covariates=("price",))
    assert (len(series), len(series.covariates), len(series.times)) == (3, 5, 5)
    assert series.covariates[-1].tolist() == [4]


def test_json_lines_hold_a_step_or_a_whole_series(write):
    steps = write("steps.jsonl", '{"t": 1, "v": 3}\n{"t": 2, "v": 4.5}\n')
    assert read(steps, time="t")[0].values.ravel().tolist() == [3, 4.5]
    lists = [
        {"item": "a", "start": "2024-01-01", "v": [1, 2, 3], "warm": [0, 0, 1, 1]},
        {"item": "b", "start": "2024-01-01", "v": [4], "warm": [1]},
    ]
    path = write("lists.jsonl", "".join(json.dumps(line) + "\n" for line in lists))
    a, b = read(path, item="item", target=("v",), covariates=("warm",))
    assert (a.item, len(a), len(a.covariates), b.values.tolist()) == ("a", 3, 4, [[4]])


def test_parquet_holds_steps_with_their_dates(tmp_path):
    dates = np.array(["2024-01-01", "2024-01-02"], "datetime64[us]")
    pq.write_table(pa.table({"ds": dates, "y": [1.0, 2.0]}), tmp_path / "y.parquet")
    (series,) = read(tmp_path / "y.parquet")
    assert (series.values.ravel().tolist(), series.times.tolist()) == ([1, 2], dates.tolist())


def test_archives_hold_series_too(tmp_path):
    values = np.arange(12.0).reshape(2, 3, 2)
    np.savez(tmp_path / "v.npz", values=values, heat=np.ones((4,)), when=np.arange(4.0))
    both = read(tmp_path / "v.npz")
    assert np.array_equal(np.stack([one.values for one in both]), values)
    np.savez(tmp_path / "w.npz", values=values[0], heat=np.ones((4,)), when=np.arange(4.0))
    (one,) = read(tmp_path / "w.npz", covariates=("heat",), time="when")
    assert (one.covariates.shape, one.times.tolist()) == ((4, 1), [0, 1, 2, 3])


def test_plain_lines_of_numbers_are_a_series(write):
    (series,) = read(write("chaos.txt", "0.25\r\n-1e-2\r\n3\r\n"))
    assert series.values.ravel().tolist() == [0.25, -0.01, 3]
    assert series.times is None


def test_piano_rolls_are_bits(write):
    path = write("rolls.json", json.dumps({"train": [[[21, 108], [], [60.0]]], "test": [[60, -1]]}))
    train, test = read(path)
    assert (train.part, test.part, train.values.shape) == ("train", "test", (3, 88))
    assert np.argwhere(train.values).tolist() == [[0, 0], [0, 87], [2, 39]]
    assert test.values.sum(1).tolist() == [1, 0]


def test_missing_values_are_interpolated_in_time(write):
    path = write("gaps.csv", "t,v\n0,\n1,4\n2,\n5,8\n6,nan\n")
    assert refused(path, time="t").startswith(f"{path}, line 2, column v: a value is missing, the first of 3.")
    assert "--missing interpolate" in refused(path, time="t")
    (series,) = read(path, "interpolate", time="t")
    assert (series.values.ravel().tolist(), series.filled) == ([4, 4, 5, 8, 8], 3)


def test_a_series_without_any_value_cannot_be_filled(write):
    path = write("none.csv", "t,v\n0,\n1,\n")
    assert "all values are missing" in refused(path, "interpolate", time="t")


@pytest.mark.parametrize(
    ("text", "columns", "said"),
    [
        (SOLD + "2024-01-05,many,2\n", {}, "line 5: 'many' in column 'sold'"),
        (SOLD + "2024-01-05,inf,2\n", {}, "line 5: 'inf' in column 'sold'"),
        (SOLD + "2024-01-04,8,2\n", {}, "line 5, column date: the time 2024-01-04 again (before it: "),
        (SOLD + "2024-01-03,8,2\n", {}, "the time 2024-01-03 after 2024-01-04"),
        (SOLD + "yesterday,8,2\n", {}, "the time 'yesterday'. Times are numbers, or dates"),
        (SOLD + "12,8,2\n", {}, "a number among dates"),
        (SOLD, {"target": ("sole",)}, "no column 'sole'. Columns: 'date', 'sold', 'price'. Did you mean 'sold'?"),
        (SOLD, {"time": "day"}, "no column 'day'"),
        (SOLD, {"item": "shop"}, "no column 'shop'"),
        (SOLD, {"time_format": "%d.%m.%Y"}, "Times are written '%d.%m.%Y'"),
        (SOLD + "2024-01-05,8,\n", {"target": ("sold",), "covariates": ("price",)}, "known at every step"),
        ("date\n2024-01-01\n", {}, "no column is left to be forecast"),
        ("i,v\na,1\nb,2\na,3\n", {"item": "i"}, "line 4: the series 'a' goes on, after others"),
    ],
)
def test_what_cannot_be_a_series_is_refused_with_its_place(write, text, columns, said):
    assert said in refused(write("sold.csv", text), **columns)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.json", '{"train": [[[7]]]}', "piece train 1, frame 1: the note 7"),
        ("a.json", '[[["C"]]]', "the note C"),
        ("a.json", "[[[60]", "no JSON"),
        ("a.json", '{"train":[[[60]]], "dev": []}', "a part 'dev'"),
        ("a.json", "[[60], 3]", "A piece is a list of frames"),
        ("a.npz", "no zip", "not a NumPy archive"),
        ("a.jsonl", '{"v": [1, 2], "w": [1]}\n', "lists of different lengths: v 2, w 1"),
        ("a.jsonl", '{"v": [1, 2], "w": 3}\n', "'w' is no list"),
    ],
)
def test_damaged_files_are_refused(write, name, text, said):
    assert said in refused(write(name, text))


@pytest.mark.parametrize(
    ("arrays", "columns", "said"),
    [
        ({"a": np.ones(3), "b": np.ones(3)}, {}, "2 arrays. Arrays: a, b"),
        ({"values": np.ones(3)}, {"target": ("value",)}, "Did you mean 'values'?"),
        ({"values": np.array(["x"])}, {}, "Series are numbers"),
        ({"values": np.array([1, None])}, {}, "type object"),
        ({"values": np.array([1, np.inf])}, {}, "infinite at (1,)"),
        ({"values": np.ones(3), "c": np.ones(2)}, {"covariates": ("c",)}, "array 'c' of 1 series of 2 steps"),
        ({"values": np.ones(3), "t": np.ones(2)}, {"time": "t"}, "times of shape (2,)"),
    ],
)
def test_archives_without_series_are_refused(tmp_path, arrays, columns, said):
    np.savez(tmp_path / "a.npz", **arrays)
    assert said in refused(tmp_path / "a.npz", **columns)
