"""The `.ts` format: channels, classes, numbers and gaps; items that its header does not describe."""

from pathlib import Path

import numpy as np
import pytest

from ostinato._errors import DataError
from ostinato.data.frames import open_frames

SERIES = Path(__file__).parents[4] / "shared" / "data" / "classification" / "timeseries"
needs_series = pytest.mark.skipif(not SERIES.is_dir(), reason="no folder shared/data with real series")
HEADER = "# a comment\n@problemName Walks\n@timeStamps false\n@univariate false\n@classLabel true run walk\n@data\n"


@pytest.fixture
def ts(tmp_path):
    def written(content):
        path = tmp_path / "a.ts"
        path.write_text(content)
        return path

    return written


def failure(path, **options):
    with pytest.raises(DataError) as caught:
        list(open_frames(path, **options))
    return caught.value


def test_channels_are_columns_and_steps_rows(ts):
    first, second = open_frames(ts(HEADER + "1,2,3:4,5,6:run\n\n-1:1e-1:walk\n"))
    np.testing.assert_array_equal(first.values, np.array([[1, 4], [2, 5], [3, 6]], np.float32))
    np.testing.assert_array_equal(second.values, np.array([[-1, 0.1]], np.float32))
    assert first.values.dtype == np.float32
    assert (first.label, second.label) == ("run", "walk")
    assert str(second.place).endswith("a.ts, line 9")


def test_what_was_read_is_said(ts):
    items = open_frames(ts(HEADER + "1,2:4,5:run\n"))
    assert items.format == "sktime .ts: 2 channels, of any length, 2 classes"
    assert (items.width, items.target, items.classes) == (2, "class", ("run", "walk"))


def test_a_target_may_be_a_number(ts):
    items = open_frames(ts("@univariate true\n@targetLabel true\n@data\n1,2,3:0.5\n"))
    assert items.target == "number"
    np.testing.assert_array_equal(next(iter(items)).label, np.array([0.5], np.float32))


def test_there_may_be_no_labels(ts):
    items = open_frames(ts("@univariate true\n@classLabel false\n@data\n1,2,3\n"))
    assert items.target is None
    assert next(iter(items)).label is None


@pytest.mark.parametrize(("missing", "filled"), [("interpolate", [1, 1, 2, 3, 3]), ("zero", [0, 1, 0, 3, 0])])
def test_gaps_are_filled_as_asked(ts, missing, filled):
    (item,) = open_frames(ts("@univariate true\n@classLabel true a\n@data\n?,1,NaN,3,?:a\n"), missing=missing)
    np.testing.assert_array_equal(item.values[:, 0], np.array(filled, np.float32))


def test_a_gap_is_refused_with_its_step_and_what_to_do(ts):
    error = failure(ts(HEADER + "1,2,3:4,?,6:run\n"))
    assert error.where.endswith("a.ts, line 7")
    assert error.got == "no number (NaN) at step 2 of channel 2"
    assert "--missing interpolate" in error.advice


def test_a_channel_of_gaps_cannot_be_interpolated(ts):
    error = failure(ts(HEADER + "1,2:?,?:run\n"), missing="interpolate")
    assert error.got == "channel 2 holds no number at all"


@pytest.mark.parametrize(
    ("item", "got"),
    [
        ("1,2,x:4,5,6:run", "'x' at step 3 of channel 1, where a number is needed"),
        ("1,2:4,5,6:run", "2 steps in channel 1 and 3 in channel 2"),
        ("1,2,3:run", "1 channel, where there are 2 elsewhere"),
        ("1,2:3,4:jump", "the label 'jump'"),
        ("1,2:3,4:", "an empty label"),
        ("run", "an item without a label"),
        ("(0,1),(1,2):run", "time stamps"),
        ("1,inf:3,4:run", "an infinite number at step 2 of channel 1"),
    ],
)
def test_a_damaged_item_is_refused_with_its_line(ts, item, got):
    error = failure(ts(HEADER + "1,2:3,4:walk\n" + item + "\n"))
    assert error.where.endswith("a.ts, line 8")
    assert error.got == got


@pytest.mark.parametrize(
    ("header", "got"),
    [
        ("@univariate yes\n@data\n1\n", "'@univariate yes'"),
        ("@dimensions two\n@data\n1\n", "'@dimensions two'"),
        ("@timeStamps true\n@data\n(0,1)\n", "time stamps"),
        ("@classLable true a\n@data\n1:a\n", "'@classLable' is no line of a header"),
        ("1,2,3\n", "'1,2,3' before '@data'"),
        ("@univariate true\n", "no '@data' in it"),
        ("@univariate true\n@data\n\n", "no item after '@data'"),
    ],
)
def test_a_damaged_header_is_refused(ts, header, got):
    assert failure(ts(header)).got == got


def test_a_length_that_is_not_the_declared_one_is_refused(ts):
    error = failure(ts("@univariate true\n@equalLength true\n@seriesLength 3\n@data\n1,2,3\n1,2\n"))
    assert error.got == "2 steps, where the header says 3"


def test_a_number_that_is_no_target_is_refused(ts):
    assert failure(ts("@univariate true\n@targetLabel true\n@data\n1,2:high\n")).got.startswith("'high' as the target")


@needs_series
@pytest.mark.parametrize(
    ("name", "count", "lengths", "width", "classes"),
    [
        ("JapaneseVowels/JapaneseVowels_TRAIN", 270, (7, 26), 12, 9),
        ("JapaneseVowels/JapaneseVowels_TEST", 370, (7, 29), 12, 9),
        ("BasicMotions/BasicMotions_TRAIN", 40, (100, 100), 6, 4),
        ("GunPoint/GunPoint_TRAIN", 50, (150, 150), 1, 2),
        ("ArrowHead/ArrowHead_TEST", 175, (251, 251), 1, 3),
        ("PLAID/PLAID_TRAIN", 537, (100, 1344), 1, 11),
    ],
)
def test_real_files_are_read(name, count, lengths, width, classes):
    items = list(open_frames(SERIES / f"{name}.ts"))
    found = [len(item.values) for item in items]
    assert (len(items), (min(found), max(found))) == (count, lengths)
    assert {item.values.shape[1] for item in items} == {width}
    assert len({item.label for item in items}) == classes


@needs_series
def test_values_are_those_that_stand_in_a_real_file():
    path = SERIES / "JapaneseVowels" / "JapaneseVowels_TRAIN.ts"
    lines = path.read_text(encoding="utf-8").split("\n")
    for item in open_frames(path):
        *channels, label = lines[item.place.number - 1].split(":")
        expected = np.array([channel.split(",") for channel in channels], np.float64).T
        np.testing.assert_allclose(item.values, expected, rtol=1e-6)
        assert item.label == label
