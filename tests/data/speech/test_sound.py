"""Sounds: what is read, what is mixed down, and what cannot be heard."""

import pickle

import numpy as np
import pytest
import soundfile

from ostinato.data.speech import BadSound, LogMel, read_sound
from ostinato.data.speech.sound import is_sound, mixed


def failure(path):
    with pytest.raises(BadSound) as caught:
        read_sound(path)
    return caught.value


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg"])
def test_a_file_is_read_with_its_rate(sound, name):
    heard = read_sound(sound(name, seconds=0.25, rate=16000))
    assert (heard.rate, len(heard.samples), heard.channels, heard.seconds) == (16000, 4000, 1, 0.25)
    assert heard.samples.dtype == np.float32


def test_sixteen_bits_are_read_from_minus_one_to_one(tmp_path):
    values = np.array([-32768, -1, 0, 1, 32767], np.int16)
    soundfile.write(tmp_path / "a.wav", values, 8000)
    np.testing.assert_array_equal(read_sound(tmp_path / "a.wav").samples, values / np.float32(32768))


def test_channels_are_mixed_into_their_mean(tmp_path):
    left, right = np.array([0.5, 0.25, 0.0]), np.array([0.0, 0.25, -0.5])
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], 1), 8000, subtype="FLOAT")
    heard = read_sound(tmp_path / "a.wav")
    np.testing.assert_array_equal(heard.samples, [0.25, 0.25, -0.25])
    assert heard.channels == 2


def test_bytes_are_read_as_their_file_is(sound):
    path = sound("a.flac")
    np.testing.assert_array_equal(read_sound(path.read_bytes()).samples, read_sound(path).samples)


def test_a_missing_file_is_named(tmp_path):
    error = failure(tmp_path / "none.wav")
    assert error.reason == "whose sound is missing"
    assert str(tmp_path / "none.wav") in str(error)


def test_an_empty_file_is_named(tmp_path):
    (tmp_path / "a.wav").touch()
    assert failure(tmp_path / "a.wav").reason == "whose sound is an empty file"


def test_a_folder_is_no_sound(tmp_path):
    assert failure(tmp_path).reason == "whose sound is a folder"


@pytest.mark.parametrize("content", [b"RIFF", b"no sound at all", b"\0" * 999, "äöü".encode()])
def test_what_is_no_sound_cannot_be_read(tmp_path, content):
    (tmp_path / "a.wav").write_bytes(content)
    error = failure(tmp_path / "a.wav")
    assert error.reason == "whose sound cannot be read"
    assert "libsndfile" in str(error)


def test_a_file_that_is_cut_off_is_heard_as_far_as_it_goes(sound):
    path = sound("a.wav")
    path.write_bytes(path.read_bytes()[:1044])
    assert len(read_sound(path).samples) == 500


def test_a_header_without_samples_is_refused(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(0), 8000)
    assert failure(tmp_path / "a.wav").reason == "whose sound has no sample"


@pytest.mark.parametrize("value", [0.0, 0.5])
def test_silence_is_refused(tmp_path, value):
    soundfile.write(tmp_path / "a.wav", np.full(800, value), 8000)
    error = failure(tmp_path / "a.wav")
    assert error.reason == "whose sound is silent"
    assert "800 samples" in str(error)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1e9])
def test_samples_that_are_no_number_are_counted(tmp_path, value):
    samples = np.zeros(100)
    samples[[41, 50]] = value
    soundfile.write(tmp_path / "a.wav", samples, 8000, subtype="FLOAT")
    error = failure(tmp_path / "a.wav")
    assert error.reason == "whose sound has samples that are no number or far too large"
    assert "2 of its samples" in str(error)


@pytest.mark.parametrize("rate", [1, 999, 2_000_000])
def test_an_impossible_rate_is_refused(tmp_path, rate):
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).uniform(-1, 1, 99), rate)
    assert failure(tmp_path / "a.wav").reason == "of an impossible rate"


def test_a_header_that_promises_too_much_takes_no_memory(tmp_path):
    soundfile.write(tmp_path / "a.flac", np.random.default_rng(0).uniform(-1, 1, 5000), 8000)
    content = bytearray((tmp_path / "a.flac").read_bytes())
    content[21] |= 0x0F  # of 36 bits that count samples, the highest
    with pytest.raises(BadSound, match="cannot be read"):
        read_sound(bytes(content))


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3", "a.aiff"])
def test_whatever_happened_to_a_file_it_is_a_sound_or_a_bad_one(tmp_path, name):
    draw = np.random.default_rng(0)
    soundfile.write(tmp_path / name, draw.uniform(-0.5, 0.5, (2000, 2)), 8000)
    whole = (tmp_path / name).read_bytes()
    for _ in range(60):
        content = bytearray(whole[: int(draw.integers(1, len(whole) + 1))])
        for place in draw.integers(0, min(len(content), 80), 6):
            content[place] = draw.integers(256)
        try:
            samples = read_sound(bytes(content)).samples
        except BadSound:
            continue
        assert np.isfinite(LogMel(8000).frames(samples)).all()


def test_an_error_goes_through_a_pickle(tmp_path):
    error = pickle.loads(pickle.dumps(failure(tmp_path / "none.wav")))
    assert (error.reason, str(error)[-40:]) == ("whose sound is missing", str(failure(tmp_path / "none.wav"))[-40:])


@pytest.mark.parametrize(("name", "expected"), [("a.WAV", True), ("b/c.flac", True), ("a.txt", False), ("wav", False)])
def test_a_sound_is_known_by_its_name(name, expected):
    assert is_sound(name) is expected


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([-32768, 0, 16384], np.int16),
        ([-(2**31), 0, 2**30], np.int32),
        ([0, 128, 192], np.uint8),
        ([-1, 0, 0.5], float),
    ],
)
def test_an_array_of_any_type_is_from_minus_one_to_one(values, kind):
    heard = mixed(np.array(values, kind), "a")
    assert heard.dtype == np.float32
    np.testing.assert_array_equal(heard, np.array([-1, 0, 0.5], np.float32))


def test_channels_of_an_array_are_mixed_into_their_mean():
    np.testing.assert_array_equal(mixed(np.array([[100, 300], [-200, 0]], np.int16), "a") * 32768, [200, -100])


@pytest.mark.parametrize("values", [np.zeros((2, 800)), np.zeros((2, 2, 2)), np.float32(1), np.array(["a"]), [True]])
def test_an_array_that_is_no_sound_is_refused(values):
    with pytest.raises(BadSound, match="a: an array"):
        mixed(values, "a")


@pytest.mark.parametrize("riff", [b"\0\0\0\0", b"\x24\0\0\0", None])
def test_a_wav_that_was_never_given_its_length_has_what_stands_in_it(sound, tmp_path, riff):
    expected, content = read_sound(sound("a.wav")).samples, bytearray((tmp_path / "a.wav").read_bytes())
    content[40:44] = bytes(4)
    content[4:8] = riff or content[4:8]
    (tmp_path / "b.wav").write_bytes(content)
    np.testing.assert_array_equal(read_sound(tmp_path / "b.wav").samples, expected)
    np.testing.assert_array_equal(read_sound(bytes(content)).samples, expected)


def test_chunks_behind_no_samples_are_none(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(0), 8000)
    with (tmp_path / "a.wav").open("ab") as file:
        file.write(b"LIST" + (6).to_bytes(4, "little") + b"INFOxx")
    with pytest.raises(BadSound, match="it holds no sample"):
        read_sound(tmp_path / "a.wav")
