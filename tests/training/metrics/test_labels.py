"""Figures of labels beside scikit-learn's on all items at once, and beside numbers worked out by hand."""

import csv
import math

import numpy as np
import pytest
from sklearn import metrics

from ostinato import DataError
from ostinato.training.metrics.labels import Numbers, OneLabel, SeveralLabels, table, write_table

NAMES = ["red", "green", "blue", "never"]


def batches(seed=0):
    draw = np.random.default_rng(seed)
    return [(draw.integers(0, 3, size), draw.integers(0, 3, size)) for size in (5, 1, 40)]


def test_counts_added_in_batches_give_the_figures_of_all_items():
    seen = OneLabel(NAMES)
    for truth, predicted in batches():
        seen.add(truth, predicted)
    truth, predicted = (np.concatenate(part) for part in zip(*batches(), strict=True))
    figures = seen.figures()
    assert figures["accuracy"] == pytest.approx(metrics.accuracy_score(truth, predicted), abs=1e-12)
    assert figures["macro_f1"] == pytest.approx(metrics.f1_score(truth, predicted, average="macro"), abs=1e-12)
    assert np.array_equal(seen.counts, metrics.confusion_matrix(truth, predicted, labels=range(4)))


def test_each_class_has_the_row_worked_out_by_hand():
    seen = OneLabel(NAMES)
    seen.add([0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 0, 1])
    red, green, blue, never = seen.rows()
    assert red == ("red", pytest.approx(2 / 3), pytest.approx(2 / 3), pytest.approx(2 / 3), 3)
    assert green == ("green", pytest.approx(1 / 3), 0.5, pytest.approx(0.4), 2)
    assert blue == ("blue", 0.0, 0.0, 0.0, 1)
    assert never == ("never", 0.0, 0.0, 0.0, 0)


def test_a_class_that_does_not_occur_is_left_out_of_the_mean():
    seen = OneLabel(NAMES)
    seen.add([0, 1], [0, 1])
    assert seen.figures() == {"accuracy": 1.0, "macro_f1": 1.0}


@pytest.mark.parametrize("wrong", [-1, 4])
def test_an_index_of_no_class_is_refused(wrong):
    with pytest.raises(DataError, match=f"class {wrong}.*0 to 3"):
        OneLabel(NAMES).add([0, wrong], [0, 0])


@pytest.mark.parametrize("empty", [OneLabel(NAMES), SeveralLabels(NAMES), Numbers()])
def test_figures_of_nothing_are_refused(empty):
    with pytest.raises(DataError, match="at least one"):
        empty.figures()


def test_several_labels_an_item_are_counted_as_scikit_learn_counts_them():
    draw = np.random.default_rng(1)
    truth, predicted = draw.random((2, 30, 4)) < 0.4
    seen = SeveralLabels(NAMES)
    seen.add(truth[:7], predicted[:7])
    seen.add(truth[7:], predicted[7:])
    assert seen.figures() == {
        "micro_f1": pytest.approx(metrics.f1_score(truth, predicted, average="micro"), abs=1e-12),
        "macro_f1": pytest.approx(metrics.f1_score(truth, predicted, average="macro"), abs=1e-12),
        "subset_accuracy": pytest.approx(metrics.accuracy_score(truth, predicted), abs=1e-12),
    }
    columns = metrics.precision_recall_fscore_support(truth, predicted)
    for row, *expected in zip(seen.rows(), *columns, strict=True):
        assert row[1:] == pytest.approx(tuple(expected), abs=1e-12)


def test_numbers_are_measured_over_all_their_columns():
    draw = np.random.default_rng(2)
    truth, predicted = draw.normal(size=(2, 20, 3)) + 1e6
    seen = Numbers()
    seen.add(truth[:1], predicted[:1])
    seen.add(truth[1:], predicted[1:])
    figures = seen.figures()
    assert figures["mae"] == pytest.approx(np.abs(truth - predicted).mean())
    assert figures["rmse"] == pytest.approx(np.sqrt(((truth - predicted) ** 2).mean(0)).mean())
    share = 1 - ((truth - predicted) ** 2).sum(0) / ((truth - truth.mean(0)) ** 2).sum(0)
    assert figures["r2"] == pytest.approx(share.mean())


def test_of_one_number_there_is_no_r2():
    seen = Numbers()
    seen.add([2.0], [1.5])
    figures = seen.figures()
    assert (figures["mae"], figures["rmse"]) == (0.5, 0.5)
    assert math.isnan(figures["r2"])


def test_a_number_that_is_not_finite_is_named():
    seen = Numbers()
    seen.add([1.0, 2.0], [1.0, math.nan])
    with pytest.raises(DataError, match=r"prediction: item 2 holds \[nan\]"):
        seen.figures()


def test_the_table_is_aligned_whatever_is_written_in_it():
    seen = OneLabel(["唐詩", "a"])
    seen.add([0] * 1500 + [1], [0] * 1500 + [0])
    assert table(seen.rows()).split("\n") == [
        "class  precision  recall     f1  support",
        "唐詩       0.999   1.000  1.000    1,500",
        "a          0.000   0.000  0.000        1",
    ]


def test_the_table_is_written_with_every_digit(tmp_path):
    seen = OneLabel(["a, b", "ü\n"])
    seen.add([0, 0, 0], [0, 0, 1])
    write_table(tmp_path / "classes.csv", seen.rows())
    with open(tmp_path / "classes.csv", encoding="utf-8", newline="") as file:
        heading, *rows = csv.reader(file)
    assert heading == ["class", "precision", "recall", "f1", "support"]
    assert [row[0] for row in rows] == ["a, b", "ü\n"]
    assert float(rows[0][2]) == 2 / 3
