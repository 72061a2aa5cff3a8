"""The picture of a sound: the spectrogram and the symbols over the same seconds."""

import numpy as np
import pytest

from ostinato import ConfigError
from ostinato.training.pictures.sounds import Emission, Sound, draw_sound

FEATURES = np.random.default_rng(0).normal(size=(90, 40))
SPIKES = [Emission(3, "7"), Emission(20, "3")]


def probabilities() -> np.ndarray:
    """(30, 12): blank everywhere but in the spikes."""
    values = np.zeros((30, 12))
    values[:, 0] = 1
    for each in SPIKES:
        values[each.step] = 0
        values[each.step, int(each.symbol)] = 1
    return values


def drawn(saved, tmp_path, **changes):
    given = {"features": FEATURES, "frame_s": 0.01, "emissions": SPIKES, "step_s": 0.03, **changes}
    draw_sound(tmp_path / "sound.png", Sound(**given))
    return saved[-1].axes


def test_both_panels_show_the_same_seconds(saved, tmp_path):
    above, below = drawn(saved, tmp_path, probabilities=probabilities(), text="7 3", title="7_3.wav")
    assert above.images[0].get_array().shape == (40, 90)
    assert above.images[0].get_extent() == pytest.approx((0, 0.9, -0.5, 39.5))
    assert above.get_xlim() == below.get_xlim() == pytest.approx((0, 0.9))
    assert above.get_title("left") == "7_3.wav"
    assert below.get_xlabel() == "seconds\n7 3"


def test_each_symbol_stands_at_its_spike(saved, tmp_path):
    _, below = drawn(saved, tmp_path, probabilities=probabilities())
    assert [(text.get_text(), text.get_position()[0]) for text in below.texts] == [
        ("7", pytest.approx(0.105)),
        ("3", pytest.approx(0.615)),
    ]
    blank, *others = below.lines
    assert blank.get_color() == "grey"
    assert [line.get_ydata().argmax() for line in others] == [20, 3]  # a curve for each symbol that is ever likely


def test_without_probabilities_each_emission_is_a_line_and_those_of_a_step_stand_above_each_other(saved, tmp_path):
    _, below = drawn(saved, tmp_path, emissions=[Emission(3, "a"), Emission(3, "b"), Emission(5, "c")])
    assert len(below.collections[0].get_segments()) == 3
    heights = [text.get_position()[1] for text in below.texts]
    assert heights[1] > heights[0] == heights[2]
    assert below.get_ylim()[1] > heights[1]
    assert below.get_ylabel() == "emitted"


def test_the_lowest_channel_is_at_the_bottom(saved, tmp_path):
    above, _ = drawn(saved, tmp_path)
    assert above.images[0].origin == "lower"


@pytest.mark.parametrize("frames", [0, 1])
def test_hardly_any_sound_is_drawn_too(saved, tmp_path, frames):
    _, below = drawn(saved, tmp_path, features=FEATURES[:frames], emissions=[])
    assert below.get_xlabel() == "seconds\n(no text)"


def test_silence_and_what_is_no_number_are_drawn_without_a_warning(saved, tmp_path):
    silent = np.full((20, 40), -np.inf)
    silent[3, 4] = np.nan
    above, _ = drawn(saved, tmp_path, features=silent)
    assert above.images[0].get_array().mask.all()


def test_any_text_is_drawn_without_a_warning(strange, saved, tmp_path):
    drawn(saved, tmp_path, emissions=[Emission(1, strange)], text=strange, title=strange)
    assert (tmp_path / "sound.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features": np.zeros(3)}, r"features: shape \(3,\). Two axes"),
        ({"probabilities": np.zeros(3)}, r"probabilities: shape \(3,\). Two axes"),
        ({"probabilities": np.zeros((20, 3))}, "emissions: step 20. There are 20, counted from 0"),
        ({"frame_s": 0.0}, "frame_s: 0.0 was given. Seconds, more than 0"),
        ({"step_s": -1.0}, "step_s: -1.0 was given"),
    ],
)
def test_what_cannot_be_drawn_is_refused(saved, tmp_path, changes, message):
    with pytest.raises(ConfigError, match=message):
        drawn(saved, tmp_path, **changes)
