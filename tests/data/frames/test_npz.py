"""NumPy archives: items of equal length, items by offsets, labels; and what is never loaded."""

import numpy as np
import pytest

from ostinato._errors import DataError
from ostinato.data.frames import open_frames

GENERATOR = np.random.default_rng(0)
RAGGED = [GENERATOR.standard_normal((length, 3)).astype(np.float32) for length in (4, 1, 7)]


@pytest.fixture
def npz(tmp_path):
    def written(**arrays):
        path = tmp_path / "a.npz"
        np.savez(path, **arrays)
        return path

    return written


def failure(path, **options):
    with pytest.raises(DataError) as caught:
        list(open_frames(path, **options))
    return caught.value


@pytest.mark.parametrize("dtype", ["<f4", ">f8", "i2", "u1", "?"])
@pytest.mark.parametrize("shape", [(5, 4), (5, 4, 3)])
def test_items_of_equal_length(npz, shape, dtype):
    x = (10 * GENERATOR.standard_normal(shape)).astype(dtype)
    items = list(open_frames(npz(x=x, y=np.arange(5))))
    np.testing.assert_array_equal([item.values for item in items], x.reshape(5, 4, -1).astype(np.float32))
    assert [item.label for item in items] == list("01234")
    assert items[0].values.dtype == np.float32


def test_items_by_offsets(npz):
    offsets = np.cumsum([0, *map(len, RAGGED)])
    items = open_frames(npz(values=np.concatenate(RAGGED), offsets=offsets, labels=np.array(["a", "b", "a"])))
    for item, expected in zip(items, RAGGED, strict=True):
        np.testing.assert_array_equal(item.values, expected)
    assert [item.label for item in items] == ["a", "b", "a"]
    assert items.format == "NPZ: 3 items in 'values', 3 channels, labels in 'labels'"


def test_one_number_a_step_by_offsets(npz):
    items = list(open_frames(npz(values=np.arange(5.0), offsets=[0, 2, 5])))
    np.testing.assert_array_equal(items[1].values, [[2], [3], [4]])


def test_whole_numbers_stored_as_real_ones_are_classes(npz):
    items = open_frames(npz(x=np.zeros((3, 2)), y=[0.0, 1.0, -2.0]))
    assert items.target == "class"
    assert [item.label for item in items] == ["0", "1", "-2"]


@pytest.mark.parametrize("y", [np.array([0.5, 1.0]), np.array([[0.5, 1.0], [1.5, 2.0]])])
def test_real_labels_are_numbers(npz, y):
    items = open_frames(npz(x=np.zeros((2, 3)), y=y))
    assert items.target == "number"
    np.testing.assert_array_equal([item.label for item in items], y.reshape(2, -1).astype(np.float32))


def test_arrays_stored_by_columns_and_packed_ones_are_read(tmp_path):
    x = GENERATOR.standard_normal((4, 5, 2)).astype(np.float32)
    np.savez_compressed(tmp_path / "a.npz", x=np.asfortranarray(x))
    np.testing.assert_array_equal([item.values for item in open_frames(tmp_path / "a.npz")], x)


def test_items_are_read_one_by_one(npz, monkeypatch):
    path = npz(x=np.zeros((3, 4)))
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("the whole array is loaded"))
    assert len(list(open_frames(path))) == 3


def test_objects_are_never_loaded(npz):
    error = failure(npz(x=np.array([np.zeros(2), np.zeros(3)], dtype=object), y=[0, 1]))
    assert error.where.endswith("array 'x'")
    assert "np.cumsum([0, *map(len, x)])" in error.advice


def test_labels_that_are_objects_are_never_loaded(npz):
    assert failure(npz(x=np.zeros((2, 3)), y=np.array(["a", None], dtype=object))).where.endswith("array 'y'")


@pytest.mark.parametrize(
    ("arrays", "where", "got"),
    [
        ({"z": np.zeros(3)}, "a.npz", "no array of values in it"),
        ({"x": np.zeros(3)}, "array 'x'", "an array of shape (3,)"),
        ({"x": np.zeros((0, 3))}, "array 'x'", "an array of shape (0, 3)"),
        ({"x": np.zeros((2, 3), complex)}, "array 'x'", "complex128"),
        ({"x": np.zeros((2, 3)), "y": np.zeros(3, int)}, "array 'y'", "an array of shape (3,), for 2 items"),
        ({"x": np.zeros((2, 3)), "y": np.zeros((2, 2), int)}, "array 'y'", "int64 of shape (2, 2)"),
        ({"x": np.zeros((2, 3)), "offsets": [0, 1, 3]}, "array 'offsets'", "from 0 to 3, for 2 steps"),
        ({"x": np.zeros(4), "offsets": [0, 3, 2, 4]}, "array 'offsets'", "from 0 to 4, for 4 steps, and not in order"),
        ({"x": np.zeros(4), "offsets": [0.0, 4.0]}, "array 'offsets'", "float64 of shape (2,)"),
        ({"x": np.array([[1.0, np.nan]])}, "a.npz, item 1", "no number (NaN) at step 2"),
        ({"x": np.zeros((1, 2)), "y": [np.nan]}, "a.npz, item 1", "the target nan"),
        ({"x": np.zeros(4), "offsets": [0, 0, 4]}, "a.npz, item 1", "no steps in it"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(npz, arrays, where, got):
    error = failure(npz(**arrays))
    assert error.where.endswith(where)
    assert error.got.rstrip("[]") == got


@pytest.mark.parametrize("cut", [10, 200, 400, -1])
def test_a_damaged_archive_is_refused(npz, cut):
    path = npz(x=np.zeros((20, 3)))
    path.write_bytes(path.read_bytes()[:cut])
    assert "not a NumPy archive, or a damaged one" in failure(path).got


@pytest.mark.parametrize("y", [[[0, 1], [2, 0], [1, 1]], [["a", "b"], ["c", "a"], ["b", "b"]], [[0.0, 1.0]] * 3])
def test_each_step_may_have_a_class(npz, y):
    items = open_frames(npz(x=np.zeros((3, 2, 4)), y=y), labels="step")
    assert [item.steps for item in items] == [tuple(str(v).removesuffix(".0") for v in row) for row in y]
    assert items.format == "NPZ: 3 items in 'x', 4 channels, labels in 'y' a step"
    assert [item.label for item in open_frames(npz(x=np.zeros((3, 2)), y=y), labels="none")] == [None] * 3


def test_steps_by_offsets_have_classes(npz):
    items = open_frames(npz(values=np.arange(5.0), offsets=[0, 2, 5], y=list("abcab")), labels="step")
    assert [(item.values.shape, item.steps) for item in items] == [((2, 1), ("a", "b")), ((3, 1), ("c", "a", "b"))]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, r"no labels. A label a step: 'y' of shape \(3, 2\)"),
        ({"y": [1, 2, 3]}, r"of shape \(3,\) in 'y'"),
        ({"y": [[0.5, 1.0]] * 3}, "the label 0.5. A step has a class"),
    ],
)
def test_what_is_no_class_a_step_is_refused(npz, arrays, message):
    with pytest.raises(DataError, match=message):
        list(open_frames(npz(x=np.zeros((3, 2, 4)), **arrays), labels="step"))
