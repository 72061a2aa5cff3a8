"""Log-mel features beside the formula, in chunks, and at other rates."""

import numpy as np
import pytest

from ostinato._errors import ConfigError
from ostinato.data.speech import BadSound, Listener, LogMel, Sound
from ostinato.data.speech.resampling import Resampler, resampled

NOISE = np.random.default_rng(0).standard_normal(8000).astype(np.float32) * 0.1


def mel(frequency):
    return 1127 * np.log1p(np.asarray(frequency) / 700)


def by_the_formula(samples, rate, bands, window, step):
    """Log energies in triangles on the mel scale, as Kaldi defines them: mean taken off, pre-emphasis 0.97, Povey."""
    count = 1 + (len(samples) - window) // step
    cut = np.stack([samples[k * step : k * step + window] for k in range(count)]).astype(np.float64) * 32768
    cut -= cut.mean(1, keepdims=True)
    cut = cut - 0.97 * np.concatenate([cut[:, :1], cut[:, :-1]], 1)
    cut *= (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / (window - 1))) ** 0.85
    length = 1 << (window - 1).bit_length()
    power = np.abs(np.fft.rfft(cut, length)) ** 2
    edges = np.linspace(mel(20), mel(rate / 2), bands + 2)
    at = mel(np.arange(length // 2) * rate / length)[:, None]
    rising, falling = (at - edges[:-2]) / np.diff(edges)[:-1], (edges[2:] - at) / np.diff(edges)[1:]
    energy = power[:, : length // 2] @ np.maximum(0, np.minimum(rising, falling))
    return np.log(np.maximum(energy, np.finfo(np.float32).eps))


@pytest.mark.parametrize(("rate", "bands", "window", "step"), [(8000, 40, 200, 80), (16000, 23, 400, 160)])
def test_features_are_those_of_the_formula(rate, bands, window, step):
    expected = by_the_formula(NOISE, rate, bands, window, step)
    np.testing.assert_allclose(LogMel(rate, bands).frames(NOISE), expected, atol=2e-3)  # float32


@pytest.mark.parametrize("size", [1, 79, 80, 81, 777, 8000])
def test_frames_of_chunks_are_frames_of_the_whole(size):
    stream = LogMel(8000).stream()
    chunks = [stream.push(NOISE[start : start + size]) for start in range(0, len(NOISE), size)]
    np.testing.assert_array_equal(np.concatenate(chunks), LogMel(8000).frames(NOISE))


def test_the_same_sound_has_the_same_features():
    np.testing.assert_array_equal(LogMel(8000).frames(NOISE), LogMel(8000).frames(NOISE))


def test_what_is_shorter_than_a_window_has_no_frame():
    assert LogMel(8000).frames(NOISE[:199]).shape == (0, 40)
    assert LogMel(8000).frames(NOISE[:200]).shape == (1, 40)


@pytest.mark.parametrize(
    "settings",
    [{"rate": 0}, {"bands": 0}, {"bands": 1000}, {"window_ms": 5.0}, {"step_ms": 0.0}, {"window_ms": 2e3},
     {"step_ms": 0.01}, {"rate": 999}, {"rate": 1_000_001}],
)  # fmt: skip
def test_impossible_features_are_refused(settings):
    with pytest.raises(ConfigError):
        LogMel(**{"rate": 8000, **settings})


@pytest.mark.parametrize(
    ("rate", "bands", "window"), [(8000, 40, 25), (8000, 80, 16), (8000, 40, 3), (16000, 80, 10), (48000, 40, 25)]
)
def test_empty_bands_are_those_that_noise_does_not_move(rate, bands, window):
    features = LogMel(rate, bands, window, window)
    frames = features.frames(NOISE)
    assert features.empty_bands() == np.flatnonzero((frames == frames[0]).all(0)).tolist()


def test_bands_that_no_frequency_falls_into_are_refused_with_a_number_that_is_possible():
    said = (
        "80 were given, and 7 of them hold no frequency of a window of 16 ms at 8,000 Hz, the first number 1. .*--bands"
    )
    with pytest.raises(ConfigError, match=said) as caught:
        LogMel(8000, 80, 16.0).check_bands()
    most = int(str(caught.value).partition("Use --bands ")[2].partition(",")[0])
    assert 40 <= most < 80
    LogMel(8000, most, 16.0).check_bands()


@pytest.mark.parametrize(("rate", "wanted"), [(44100, 16000), (8000, 16000), (22050, 8000)])
def test_a_tone_keeps_its_pitch_at_another_rate(rate, wanted):
    tone = np.sin(2 * np.pi * 440 * np.arange(rate) / rate).astype(np.float32)
    expected = np.sin(2 * np.pi * 440 * np.arange(wanted) / wanted)
    heard = resampled(tone, rate, wanted)
    assert len(heard) == wanted
    np.testing.assert_allclose(heard[200:-200], expected[200:-200], atol=1e-3)


@pytest.mark.parametrize("size", [1, 100, 333])
def test_resampling_in_chunks_changes_nothing(size):
    resampler = Resampler(8000, 11025)
    chunks = [resampler.push(NOISE[start : start + size]) for start in range(0, 999, size)]
    np.testing.assert_array_equal(
        np.concatenate([*chunks, resampler.finish()]), resampled(NOISE[: len(chunks) * size], 8000, 11025)
    )


def test_what_was_resampled_and_mixed_is_said_once():
    listener = Listener(LogMel(8000))
    for rate, channels in [(8000, 1), (16000, 1), (16000, 2), (44100, 2)]:
        assert listener.frames(Sound(np.repeat(NOISE, rate // 8000), rate, channels), "a.wav").shape[1] == 40
    assert listener.lines() == [
        "resampled 2 sounds of 16,000 Hz to 8,000 Hz",
        "resampled 1 sound of 44,100 Hz to 8,000 Hz",
        "mixed 2 sounds of 2 channels into one channel",
    ]


def test_a_sound_shorter_than_a_window_is_refused():
    with pytest.raises(BadSound) as caught:
        Listener(LogMel(8000)).frames(Sound(NOISE[:100], 8000), "a.wav")
    assert caught.value.reason == "shorter than 25 ms"
    assert "12.5 ms" in str(caught.value)


def test_a_sound_that_is_refused_is_not_counted_as_resampled():
    listener = Listener(LogMel(8000))
    with pytest.raises(BadSound):
        listener.frames(Sound(NOISE[:100], 16000, 2), "a.wav")
    assert listener.lines() == []
