"""What a run shows where output is piped."""

import io
import math
from dataclasses import replace

import pytest

from ostinato.training.progress import Figures, Plain, duration, heading, row

FIGURES = Figures(
    step=10, steps=2000, epoch=0.5, loss=1.5, bits_per_character=2.16, norm=0.3, read_per_s=12345.0,
    seconds_left=75.0,
)  # fmt: skip


def test_a_row_stands_under_its_heading():
    assert len(row(FIGURES)) == heading(FIGURES).index("  validation")
    assert row(FIGURES).split() == ["10/2000", "0.50", "1.5000", "2.1600", "0.30", "12,345", "0:01:15"]


def test_figures_that_are_too_long_for_their_columns_stay_apart():
    large = replace(FIGURES, loss=123456789.0, bits_per_character=178110498.0, norm=1e9)
    assert row(large).split()[2:5] == ["123456789.0000", "178110498.0000", "1000000000.00"]


def test_a_loss_that_nothing_was_counted_for_is_a_dash():
    line = row(replace(FIGURES, loss=math.nan, bits_per_character=math.nan))
    assert "nan" not in line
    assert line.split()[2:4] == ["-", "-"]


def test_plain_lines_come_seldom_and_the_heading_once():
    stream = io.StringIO()
    display = Plain(stream)
    display.update(FIGURES)
    display.update(FIGURES)
    display.validated(FIGURES, {"nats": 1.25}, "1.2500 nats, 1.8000 bits/char", True, "To be\nor not")
    lines = stream.getvalue().splitlines()
    assert lines[0] == heading(FIGURES)
    assert len(lines) == 5
    assert lines[2].endswith("1.2500 nats, 1.8000 bits/char, the best so far")
    assert lines[3:] == ["    | To be", "    | or not"]


def test_plain_lines_hold_no_control_characters_of_a_sample():
    stream = io.StringIO()
    Plain(stream).validated(FIGURES, {"nats": 1.25}, "1.2500 nats, 1.8000 bits/char", True, "a\x1b[2Jb")
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0:00:00"), (59.6, "0:01:00"), (float("nan"), "?")])
def test_durations_are_hours_minutes_and_seconds(seconds, shown):
    assert duration(seconds) == shown
