"""Sounds that are made where they are needed."""

import numpy as np
import pytest
import soundfile


@pytest.fixture
def sound(tmp_path):
    """Write a tone of so many seconds into a file, of a rate and a number of channels, and return its path."""

    def written(name, seconds=0.5, rate=8000, channels=1, frequency=440.0):
        time = np.arange(int(seconds * rate)) / rate
        tone = 0.5 * np.sin(2 * np.pi * frequency * time)
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.stack([tone * (k + 1) / channels for k in range(channels)], 1), rate)
        return path

    return written
