"""Lanes: every symbol read once, beside a naive reference, and in little memory."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ostinato._errors import ConfigError, RunError
from ostinato.data.streams import Lanes, TokenStream


def stored(tmp_path, tokens, boundary=0):
    """Return a stream of the given symbols, all in the training part."""
    path = tmp_path / "train.bin"
    np.array(tokens, np.uint8).tofile(path)
    return TokenStream(path, np.dtype(np.uint8), boundary, len(tokens), 1, len(tokens), len(tokens), 0)


def reference(tokens, batch_size, boundary):
    """Return what every step of every lane reads, predicts and resets, with plain lists."""
    length = (len(tokens) - 1) // batch_size
    lanes = [range(lane * length, (lane + 1) * length) for lane in range(batch_size)]
    inputs = [[tokens[lane[step]] for lane in lanes] for step in range(length)]
    targets = [[tokens[lane[step] + 1] for lane in lanes] for step in range(length)]
    resets = [[step > 0 and tokens[lane[step]] == boundary for lane in lanes] for step in range(length)]
    return inputs, targets, resets


@given(
    tokens=st.lists(st.integers(0, 4), min_size=6, max_size=80),
    batch_size=st.integers(1, 5),
    length=st.integers(1, 20),
)
def test_lanes_equal_the_naive_reference(tmp_path_factory, tokens, batch_size, length):
    stream = stored(tmp_path_factory.mktemp("lanes"), tokens)
    segments = list(Lanes(stream, batch_size).segments(length))
    inputs, targets, resets = reference(tokens, batch_size, boundary=0)
    assert [row for segment in segments for row in segment.inputs.tolist()] == inputs
    assert [row for segment in segments for row in segment.targets.tolist()] == targets
    no_reset = [torch.zeros(s.inputs.shape, dtype=torch.bool) if s.reset is None else s.reset for s in segments]
    assert [row for reset in no_reset for row in reset.tolist()] == resets


def test_a_segment_has_whole_numbers_in_time_major_order(tmp_path):
    segment = Lanes(stored(tmp_path, [9, 1, 2, 3, 4, 5, 6]), 2).segment(0, 3)
    assert segment.inputs.tolist() == [[9, 3], [1, 4], [2, 5]]
    assert segment.targets.tolist() == [[1, 4], [2, 5], [3, 6]]
    assert segment.inputs.dtype == segment.targets.dtype == torch.int64
    assert segment.inputs.is_contiguous()
    assert segment.targets.is_contiguous()


def test_the_last_segment_is_as_short_as_it_is(tmp_path):
    lanes = Lanes(stored(tmp_path, [1] * 24), 2)
    assert lanes.length == 11
    assert [len(segment.inputs) for segment in lanes.segments(4)] == [4, 4, 3]


def test_a_segment_is_cut_to_some_of_its_steps(tmp_path):
    whole = Lanes(stored(tmp_path, [1, 2, 0, 3, 1, 2, 0, 0, 3]), 2).segment(0, 4)
    part = whole.steps(1, 3)
    assert part.inputs.equal(whole.inputs[1:3])
    assert part.targets.equal(whole.targets[1:3])
    assert part.reset.equal(whole.reset[1:3])
    assert whole._replace(reset=None).steps(1, 3).reset is None


def test_segments_may_begin_in_the_middle(tmp_path):
    lanes = Lanes(stored(tmp_path, list(range(1, 22))), 2)
    assert [segment.inputs[:, 0].tolist() for segment in lanes.segments(4, start=4)] == [[5, 6, 7, 8], [9, 10]]


def test_a_boundary_resets_at_its_own_step(tmp_path):
    segment = Lanes(stored(tmp_path, [0, 1, 2, 0, 3, 4, 5]), 1).segment(0, 6)
    assert segment.reset is not None
    assert segment.reset.flatten().tolist() == [False, False, False, True, False, False]
    assert segment.reset.dtype == torch.bool


def test_the_first_step_needs_no_reset(tmp_path):
    assert Lanes(stored(tmp_path, [0, 1, 2, 3]), 1).segment(0, 3).reset is None


def test_a_later_first_step_does(tmp_path):
    segment = Lanes(stored(tmp_path, [1, 2, 0, 3]), 1).segment(2, 1)
    assert segment.reset is not None
    assert segment.reset.tolist() == [[True]]


def test_lanes_that_would_be_too_short_say_what_is_needed(tmp_path):
    with pytest.raises(ConfigError) as caught:
        Lanes(stored(tmp_path, [1] * 101), 64, segment_length=20)
    error = caught.value
    assert error.where == "the train part of the text"
    assert error.got == "101 symbols"
    assert error.possible == "64 lanes of 20 steps need 1281"
    assert error.advice == "Lower the batch size to 5 or the segment length to 1, or use more text"


def test_lanes_of_a_stream_with_too_few_symbols_are_an_error(tmp_path):
    with pytest.raises(ConfigError, match=r"1 symbols. 2 lanes of 1 steps need 3.*Lower the batch size and"):
        Lanes(stored(tmp_path, [1]), 2)


def test_the_shortest_stream_that_is_enough_is_accepted(tmp_path):
    assert Lanes(stored(tmp_path, [1] * 41), 8, segment_length=5).length == 5


@pytest.mark.parametrize("size", [0, -1, 1.5, True])
def test_a_batch_size_is_a_whole_number_from_one(tmp_path, size):
    with pytest.raises(ConfigError, match=rf"batch size: {size}.*whole number from 1"):
        Lanes(stored(tmp_path, [1] * 9), size)


@pytest.mark.parametrize(("position", "length"), [(8, 1), (-1, 1), (0, 0)])
def test_a_segment_outside_of_the_lanes_is_an_error(tmp_path, position, length):
    with pytest.raises(ConfigError, match="the steps 0 to 7"):
        Lanes(stored(tmp_path, [1] * 9), 1).segment(position, length)


def test_a_stream_cut_short_while_it_is_read_is_damaged(tmp_path):
    stream = stored(tmp_path, [1] * 100)
    lanes = Lanes(stream, 2)
    stream.path.write_bytes(b"\1" * 60)
    with pytest.raises(RunError, match="it ends early"):
        lanes.segment(20, 10)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="resident memory is read from /proc")
def test_reading_a_stream_keeps_none_of_it_in_memory(tmp_path):
    path = tmp_path / "train.bin"
    size = 64 << 20
    with path.open("wb") as file:
        file.truncate(size)
    stream = TokenStream(path, np.dtype(np.uint8), 1, size, 1, size, size, 0)
    lanes = Lanes(stream, 512)
    lanes.segment(0, 4096)
    before = resident_bytes()
    for _ in lanes.segments(4096):
        pass
    # A segment takes 512 × 4096 × 8 bytes = 16 MB, and two live at a time.
    assert resident_bytes() - before < 40 << 20


def resident_bytes():
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * 4096
