"""Images and tables of them, written where a test asks for them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ostinato._errors import DataError
from ostinato.data.images import open_captioned

SHARED = Path(__file__).parents[4] / "shared" / "data"


def image(path, colour=(200, 30, 10), size=(8, 6), mode="RGB", **options):
    """Write an image of one colour and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).convert(mode).save(path, **options)
    return path


def noise(size, seed=0):
    """Return an image of noise, which no format stores in few bytes."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8))


def failure(source, **options):
    """Return the error of reading a source to its end."""
    with pytest.raises(DataError) as caught:
        list(open_captioned(source, **options))
    return str(caught.value)
