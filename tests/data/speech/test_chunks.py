"""Sounds as they come: files and pipes in pieces are what they are as a whole."""

import io
import os
import threading

import numpy as np
import pytest
import soundfile

from ostinato._errors import ConfigError
from ostinato.data.speech import BadSound, read_sound
from ostinato.data.speech.chunks import file_chunks, piped_chunks


def joined(chunks):
    return np.concatenate(list(chunks.pieces))


def pipe(content: bytes):
    """Give the content through a real pipe, which cannot be sought in."""
    reading, writing = os.pipe()

    def write():
        with open(writing, "wb") as file:
            file.write(content)

    threading.Thread(target=write).start()
    return open(reading, "rb")


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
@pytest.mark.parametrize("seconds", [0.0001, 0.1, 9.0])
def test_a_file_in_pieces_is_the_file(sound, name, seconds):
    path = sound(name, 0.3, channels=2)
    chunks = file_chunks(path, seconds)
    assert chunks.rate == 8000
    np.testing.assert_array_equal(joined(chunks), read_sound(path).samples)


@pytest.mark.parametrize("form", ["WAV", "WAVEX"])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("channels", [1, 2])
def test_wav_comes_through_a_pipe(tmp_path, form, subtype, channels):
    values = np.random.default_rng(0).uniform(-1, 1, (4321, channels))
    soundfile.write(tmp_path / "a.wav", values, 16000, subtype=subtype, format=form)
    with pipe((tmp_path / "a.wav").read_bytes()) as stream:
        chunks = piped_chunks(stream)
        assert chunks.rate == 16000
        np.testing.assert_allclose(joined(chunks), read_sound(tmp_path / "a.wav").samples, atol=1e-7)


@pytest.mark.parametrize("length", [b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f"])
def test_a_wav_of_unknown_length_is_read_to_its_end(sound, length):
    path = sound("a.wav", 0.2)
    content = bytearray(path.read_bytes())
    content[4:8] = content[40:44] = length  # as programs write that stream
    with pipe(bytes(content)) as stream:
        np.testing.assert_array_equal(joined(piped_chunks(stream)), read_sound(path).samples)


def test_raw_samples_need_a_rate():
    values = np.array([0, 1, -32768, 32767, 5], "<i2")
    with pytest.raises(ConfigError, match="--rate"):
        piped_chunks(io.BytesIO(values.tobytes()))
    with pipe(values.tobytes() + b"\x01") as stream:
        chunks = piped_chunks(stream, 8000, 0.0001)
        np.testing.assert_array_equal(joined(chunks), values / np.float32(32768))


def test_an_empty_pipe_is_said():
    with pytest.raises(BadSound, match="standard input: it is empty"):
        piped_chunks(io.BytesIO())


@pytest.mark.parametrize("content", [b"RIFF", b"RIFF\0\0\0\0WAVE", b"RIFF\0\0\0\0AVI LIST"])
def test_a_damaged_header_is_said(content):
    with pytest.raises(BadSound, match="standard input: a WAV that cannot be read"):
        piped_chunks(io.BytesIO(content))


def test_a_wav_of_a_compressed_format_is_refused_with_a_way_out(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.ones(9) / 2, 8000, subtype="ULAW")
    with pytest.raises(BadSound, match=r"samples of 8 bits in format 7.*Convert it to 16-bit WAV"):
        piped_chunks(io.BytesIO((tmp_path / "a.wav").read_bytes()))


def test_a_pipe_of_samples_that_are_no_number_is_refused(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.full(9, np.nan), 8000, subtype="FLOAT")
    with pytest.raises(BadSound, match="standard input: 9 of its samples are no finite number"):
        joined(piped_chunks(io.BytesIO((tmp_path / "a.wav").read_bytes())))


def test_what_follows_the_samples_is_not_heard(sound):
    path = sound("a.wav", 0.2)
    content = path.read_bytes() + b"LIST" + (6).to_bytes(4, "little") + b"INFOxx"
    np.testing.assert_array_equal(joined(piped_chunks(io.BytesIO(content))), read_sound(path).samples)


def test_a_file_that_is_no_sound_is_said(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"no sound")
    with pytest.raises(BadSound, match=r"a\.wav: it cannot be read"):
        file_chunks(tmp_path / "a.wav")


@pytest.mark.parametrize("name", ["a.flac", "a.ogg", "a.aiff", "a.mp3", "a.au", "a.caf"])
def test_files_of_other_formats_are_not_taken_for_raw_samples(sound, name):
    with pytest.raises(BadSound, match="it begins as a file of another format"):
        piped_chunks(io.BytesIO(sound(name).read_bytes()), 8000)


def test_a_file_that_is_missing_or_empty_is_said(tmp_path):
    with pytest.raises(BadSound, match=r"none\.wav: there is no such file"):
        file_chunks(tmp_path / "none.wav")
    (tmp_path / "a.wav").touch()
    with pytest.raises(BadSound, match=r"a\.wav: the file is empty"):
        file_chunks(tmp_path / "a.wav")
