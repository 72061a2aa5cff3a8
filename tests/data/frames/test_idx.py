"""Idx files: images as rows or pixels, made smaller, with the labels beside them."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from ostinato._errors import ConfigError, DataError
from ostinato.data.frames import open_frames

MNIST = Path(__file__).parents[4] / "shared" / "data" / "classification" / "mnist"
CODES = {"u1": 0x08, "i1": 0x09, ">i2": 0x0B, ">i4": 0x0C, ">f4": 0x0D, ">f8": 0x0E}
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 4, 6)).astype(np.uint8)


def write(path, numbers, code=None):
    head = struct.pack(
        f">HBB{numbers.ndim}I", 0, code or CODES[numbers.dtype.str.lstrip("|")], numbers.ndim, *numbers.shape
    )
    content = head + numbers.tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def failure(path, error=DataError, **options):
    with pytest.raises(error) as caught:
        list(open_frames(path, **options))
    return caught.value


@pytest.fixture(params=["", ".gz"])
def images(tmp_path, request):
    write(tmp_path / f"a-labels-idx1-ubyte{request.param}", np.array([7, 0, 7], np.uint8))
    return write(tmp_path / "a-images-idx3-ubyte.gz", IMAGES)


def test_an_image_is_its_rows(images):
    items = list(open_frames(images))
    np.testing.assert_allclose([item.values for item in items], IMAGES / 255, rtol=1e-6)
    assert [item.label for item in items] == ["7", "0", "7"]


def test_an_image_is_its_pixels(images):
    items = open_frames(images, pixels=True)
    assert items.width == 1
    np.testing.assert_allclose([item.values for item in items], IMAGES.reshape(3, 24, 1) / 255, rtol=1e-6)


def test_an_image_is_made_smaller_by_averages(images):
    (first, *_) = open_frames(images, downsample=2)
    blocks = [[IMAGES[0, row : row + 2, column : column + 3].mean() / 255 for column in (0, 3)] for row in (0, 2)]
    np.testing.assert_allclose(first.values, blocks, rtol=1e-6)
    assert open_frames(images, downsample=2, pixels=True).format.startswith("idx: 3 items of 4 steps × 1")


@pytest.mark.parametrize("size", [3, 0, -1, 28])
def test_a_size_that_does_not_divide_is_refused(images, size):
    error = failure(images, ConfigError, downsample=size)
    assert error.got == f"{size} for items of 4 × 6"
    assert error.possible == "Possible: 1, 2"


@pytest.mark.parametrize("dtype", CODES)
def test_all_types_of_numbers_are_read(tmp_path, dtype):
    numbers = np.array([[1, 2], [3, 4]], dtype)
    items = open_frames(write(tmp_path / "a.idx", numbers))
    expected = numbers.astype(np.float32) / (255 if dtype == "u1" else 1)
    np.testing.assert_allclose([item.values[:, 0] for item in items], expected, rtol=1e-6)


def test_there_may_be_no_labels(tmp_path):
    items = open_frames(write(tmp_path / "b-images-idx3-ubyte", IMAGES))
    assert (items.target, next(iter(items)).label) == (None, None)
    assert items.format.endswith("no file of labels beside it")


def test_labels_of_another_number_are_refused(tmp_path):
    write(tmp_path / "a-labels-idx1-ubyte", np.array([7, 0], np.uint8))
    assert failure(write(tmp_path / "a-images-idx3-ubyte", IMAGES)).got.startswith("2 labels for 3 items of")


def test_labels_alone_are_no_sequences(tmp_path):
    assert failure(write(tmp_path / "a-labels-idx1-ubyte", np.zeros(3, np.uint8))).got == "one number an item"


def test_an_infinite_number_is_refused_with_its_place(tmp_path):
    error = failure(write(tmp_path / "a.idx", np.array([[1, 2], [3, np.inf]], ">f4")))
    assert error.where.endswith("a.idx, item 2")


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("cut", [2, 6, 20, -10])
def test_a_file_that_ends_early_is_refused(tmp_path, suffix, cut):
    path = write(tmp_path / f"a-images-idx3-ubyte{suffix}", IMAGES)
    path.write_bytes(path.read_bytes()[:cut])
    error = failure(path)
    assert error.where == str(path)
    assert "Fetch the file again" in error.advice


def test_a_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "a.idx"
    path.write_bytes(b"\x89PNG....")
    assert failure(path).got == "not an idx file (it begins with 89504e47)"


@pytest.mark.parametrize("shape", [(0, 4), (3, 0), (1, 70_000, 70_000)])
def test_a_shape_that_cannot_be_is_refused(tmp_path, shape):
    path = tmp_path / "a.idx"
    path.write_bytes(struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape) + b"\0" * 100)
    assert failure(path).got.startswith("an array of")


@pytest.mark.skipif(not MNIST.is_dir(), reason="no folder shared/data with MNIST")
def test_real_images_have_their_labels():
    items = list(open_frames(MNIST / "t10k-images-idx3-ubyte.gz", downsample=14, pixels=True))
    assert len(items) == 10_000
    assert [item.label for item in items[:5]] == ["7", "2", "1", "0", "4"]
    assert items[0].values.shape == (196, 1)
