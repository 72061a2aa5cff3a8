"""Times: how far apart they are, which ones follow, and where in the calendar they lie."""

import datetime

import numpy as np
import pytest

from ostinato.data.series.calendar import cycles_of, on_cycles
from ostinato.data.series.times import Step, read_time, step_of, time_text


def dates(first: str, count: int, unit: str, every: int = 1):
    return (np.datetime64(first, unit) + np.arange(count) * every).astype("datetime64[us]")


@pytest.mark.parametrize(
    ("times", "step", "season", "following"),
    [
        (dates("2024-01-31T22", 5, "h"), Step(3600, "seconds"), 24, "2024-02-01 03:00:00"),
        (dates("2024-02-27", 2, "D"), Step(86400, "seconds"), 7, "2024-02-29"),
        (dates("2024-01-01T00:00", 9, "m", 15), Step(900, "seconds"), 96, "2024-01-01 02:15:00"),
        (dates("2024-01-01T00:00", 9, "m"), Step(60, "seconds"), 60, "2024-01-01 00:09:00"),
        (dates("2024-11", 2, "M"), Step(1, "months"), 12, "2025-01-01"),
        (dates("2024-01", 3, "M", 3), Step(3, "months"), 4, "2024-10-01"),
        (dates("2020", 3, "Y"), Step(12, "months"), 1, "2023-01-01"),
        (dates("2024-01-01", 5, "D", 7), Step(7 * 86400, "seconds"), 52, "2024-02-05"),
        (np.array([1.0, 3, 5]), Step(2), 1, "7"),
    ],
)
def test_the_step_of_regular_times_and_what_follows(times, step, season, following):
    found = step_of(times)
    assert (found, found.season) == (step, season)
    assert time_text(found.after(times[-1], 1)[0]) == following
    assert found.gaps(times) == pytest.approx(np.ones(len(times)))


def test_the_gaps_of_irregular_times():
    times = np.array([0.0, 1, 4, 5])
    assert step_of(times) == Step(1)
    assert Step(1).gaps(times).tolist() == [1, 1, 3, 1]
    days = dates("2024-01-01", 6, "D")[[0, 1, 2, 5]]
    assert step_of(days).gaps(days).tolist() == [1, 1, 1, 3]


def test_one_time_and_none():
    assert step_of(np.array([3.0])) == Step(1)
    assert step_of(dates("2024-01-01", 1, "D")).unit == "seconds"
    assert Step(1).gaps(np.zeros(0)).tolist() == []


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("2024-03-01 07:30", "2024-03-01 07:30:00"),
        ("2024-03-01T07:30:00+02:00", "2024-03-01 05:30:00"),
        ("2024-03-01T07:30:00Z", "2024-03-01 07:30:00"),
        ("2024-03", "2024-03-01"),
        (" 1700 ", "1700"),
        (1.25, "1.25"),
        (datetime.date(2024, 3, 1), "2024-03-01"),
        (np.datetime64("2024-03-01T07"), "2024-03-01 07:00:00"),
    ],
)
def test_times_are_read_from_texts_numbers_and_dates(value, text):
    assert time_text(read_time(value, "line 1", "t")) == text


def test_times_are_read_as_they_are_said_to_be_written():
    assert time_text(read_time("Jan-1-1995", "line 1", "t", "%b-%d-%Y")) == "1995-01-01"


def test_cycles_are_those_that_steps_and_span_show():
    assert cycles_of(Step(3600, "seconds"), 100) == ("hour of day",)
    assert cycles_of(Step(3600, "seconds"), 24 * 30) == ("hour of day", "day of week")
    assert cycles_of(Step(1, "months"), 48) == ("day of year",)
    assert cycles_of(Step(12, "months"), 48) == ()
    assert cycles_of(Step(1), 1000) == ()


def test_a_cycle_is_a_circle():
    hours = dates("2024-05-06", 48, "h")
    found = on_cycles(hours, ("hour of day",))
    assert found.shape == (48, 2)
    assert found[:24] == pytest.approx(found[24:], abs=1e-9)
    assert found[6] == pytest.approx([1, 0], abs=1e-9)  # six in the morning: a quarter of the day
    assert np.square(found).sum(1) == pytest.approx(np.ones(48))
    monday = on_cycles(dates("2024-05-06", 1, "D"), ("day of week",))
    assert monday[0] == pytest.approx([0, 1], abs=1e-9)
    assert on_cycles(hours, ()).shape == (48, 0)
