"""Images of many modes and formats become square RGB; what is none is said to be none."""

import tracemalloc

import numpy as np
import pytest
from files_of_images import image, noise
from PIL import Image

from ostinato._errors import ConfigError, DataError
from ostinato.data.images import pixels, read_image

RED = (200, 30, 10)


def centre(found):
    return found[found.shape[0] // 2, found.shape[1] // 2].tolist()


@pytest.mark.parametrize("suffix", ["png", "bmp", "gif", "tiff", "webp", "ppm"])
def test_formats_without_loss_keep_the_colour(tmp_path, suffix):
    found = read_image(image(tmp_path / f"a.{suffix}"), 4, "stretch")
    assert found.shape == (4, 4, 3)
    assert found.dtype == np.uint8
    np.testing.assert_allclose(found, np.broadcast_to(RED, (4, 4, 3)), atol=3)


def test_a_jpeg_is_near_its_colour(tmp_path):
    found = read_image(image(tmp_path / "a.jpg", size=(640, 480)), 4, "crop")
    np.testing.assert_allclose(found, np.broadcast_to(RED, (4, 4, 3)), atol=6)


@pytest.mark.parametrize("mode", ["L", "1", "LA", "P", "RGBA", "CMYK", "YCbCr", "PA"])
def test_every_mode_becomes_three_channels(tmp_path, mode):
    source = Image.new("RGB", (5, 5), (255, 255, 255)).convert("L" if mode == "PA" else "RGB").convert(mode)
    source.save(tmp_path / "a.tiff")
    found = read_image(tmp_path / "a.tiff", 5)
    assert found.shape == (5, 5, 3)
    assert centre(found) == [255, 255, 255]


def test_grey_of_sixteen_bits_keeps_its_upper_eight(tmp_path):
    Image.fromarray(np.full((6, 6), 257 * 100, np.uint16)).save(tmp_path / "deep.png")
    assert centre(read_image(tmp_path / "deep.png", 6)) == [100, 100, 100]


def test_real_numbers_go_from_black_to_white(tmp_path):
    values = np.linspace(-2, 3, 16, dtype=np.float32).reshape(4, 4)
    Image.fromarray(values).save(tmp_path / "real.tiff")
    found = read_image(tmp_path / "real.tiff", 4)
    assert found[0, 0].tolist() == [0, 0, 0]
    assert found[-1, -1].tolist() == [255, 255, 255]


def test_deep_grey_is_read_in_strips_as_it_is_at_once(tmp_path):
    values = np.random.default_rng(0).integers(0, 1 << 16, (150, 150)).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    found = read_image(tmp_path / "deep.png", 150)
    np.testing.assert_array_equal(found[..., 0], (values / 257).round())


def test_deep_grey_is_not_held_in_many_copies(tmp_path):
    Image.fromarray(np.zeros((2000, 2000), np.uint16)).save(tmp_path / "deep.png")
    tracemalloc.start()
    read_image(tmp_path / "deep.png", 8)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * 2000 * 2000  # bytes: in float64 one copy alone has 8 a pixel


def test_as_many_pixels_as_are_said_to_be_possible_are():
    assert pixels.MOST_PIXELS == 2 * Image.MAX_IMAGE_PIXELS


def test_what_is_transparent_is_white(tmp_path):
    Image.new("RGBA", (4, 4), (200, 30, 10, 0)).save(tmp_path / "clear.png")
    assert centre(read_image(tmp_path / "clear.png", 4)) == [255, 255, 255]


def test_a_palette_with_a_transparent_colour_is_white_there(tmp_path):
    source = Image.new("P", (4, 4), 0)
    source.putpalette([200, 30, 10] * 256)
    source.save(tmp_path / "palette.png", transparency=0)
    assert centre(read_image(tmp_path / "palette.png", 4)) == [255, 255, 255]


def test_the_first_frame_of_several_is_read(tmp_path):
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    assert centre(read_image(tmp_path / "moving.gif", 4)) == [255, 0, 0]


def test_an_image_is_turned_as_its_camera_says(tmp_path):
    source = Image.new("RGB", (4, 4), "red")
    source.paste("blue", (0, 0, 4, 2))  # its upper half
    exif = Image.Exif()
    exif[0x0112] = 3  # turned by half
    source.save(tmp_path / "turned.png", exif=exif)
    found = read_image(tmp_path / "turned.png", 4)
    assert found[0, 0].tolist() == [255, 0, 0]
    assert found[3, 3].tolist() == [0, 0, 255]


@pytest.mark.parametrize(
    ("fit", "corner", "middle"), [("pad", [0, 0, 0], [0, 0, 255]), ("crop", [0, 0, 255], [0, 0, 255])]
)
def test_a_wide_image_is_padded_or_cut(tmp_path, fit, corner, middle):
    source = Image.new("RGB", (40, 20), "red")
    source.paste("blue", (10, 0, 30, 20))
    source.save(tmp_path / "wide.png")
    found = read_image(tmp_path / "wide.png", 20, fit)
    assert found[0, 10].tolist() == corner
    assert centre(found) == middle


def test_a_stretched_image_keeps_both_its_ends(tmp_path):
    source = Image.new("RGB", (40, 20), "red")
    source.paste("blue", (20, 0, 40, 20))
    source.save(tmp_path / "wide.png")
    found = read_image(tmp_path / "wide.png", 10, "stretch")
    assert (found[5, 0].tolist(), found[5, -1].tolist()) == ([255, 0, 0], [0, 0, 255])


def test_bytes_are_read_as_a_file_is(tmp_path):
    path = image(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(path.read_bytes(), 6), read_image(path, 6))


def test_one_pixel_is_an_image(tmp_path):
    assert read_image(image(tmp_path / "a.png", size=(1, 1)), 3, "stretch").tolist() == [[list(RED)] * 3] * 3


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "webp", "tiff", "bmp"])
def test_every_image_cut_off_is_damaged(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    noise((64, 64)).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=r"damaged image|not an image"):
        read_image(path, 8)


@pytest.mark.parametrize("kept", [9, 20, 33, 60])
def test_every_stump_of_a_png_is_refused(tmp_path, kept):
    noise((16, 16)).save(tmp_path / "a.png")
    with pytest.raises(DataError):
        read_image((tmp_path / "a.png").read_bytes()[:kept], 8)


@pytest.mark.parametrize("seed", range(20))
def test_flipped_bytes_are_an_image_or_a_clear_error(tmp_path, seed):
    noise((16, 16)).save(tmp_path / "a.jpg")
    content, generator = bytearray((tmp_path / "a.jpg").read_bytes()), np.random.default_rng(seed)
    for place in generator.integers(0, len(content), 12):
        content[place] = generator.integers(256)
    try:
        assert read_image(bytes(content), 8, where="a.jpg, damaged").shape == (8, 8, 3)
    except DataError as error:
        assert error.where == "a.jpg, damaged"  # noqa: PT017 (either is right)


@pytest.mark.parametrize("content", [b"no image at all", b"\x89PNG\r\n\x1a\n", b"<svg xmlns='...'/>", b"GIF89a"])
def test_what_is_no_image_is_named(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_image(tmp_path / "a.png", 8)
    assert caught.value.where == str(tmp_path / "a.png")
    assert "image" in caught.value.got


def test_a_missing_image_has_a_near_name(tmp_path):
    image(tmp_path / "cats.png")
    with pytest.raises(DataError, match=r"Did you mean .*cats\.png"):
        read_image(tmp_path / "cat.png", 8)


def test_an_empty_file_is_said_to_be_empty(tmp_path):
    (tmp_path / "a.png").touch()
    with pytest.raises(DataError, match="the file is empty"):
        read_image(tmp_path / "a.png", 8)


def test_a_folder_is_no_image(tmp_path):
    with pytest.raises(DataError, match="a directory"):
        read_image(tmp_path, 8)


def test_too_many_pixels_are_refused_before_they_are_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(pixels, "MOST_PIXELS", 100)
    with pytest.raises(DataError, match="an image of 20 x 10, 200 pixels"):
        read_image(image(tmp_path / "a.png", size=(20, 10)), 8)


@pytest.mark.parametrize("size", [0, -3, 5000])
def test_a_size_that_cannot_be(tmp_path, size):
    with pytest.raises(ConfigError, match="Possible: 1 to 4096 pixels"):
        read_image(image(tmp_path / "a.png"), size)


def test_a_fit_that_is_none(tmp_path):
    with pytest.raises(ConfigError, match="Did you mean 'crop'"):
        read_image(image(tmp_path / "a.png"), 8, "corp")  # pyright: ignore[reportArgumentType]
