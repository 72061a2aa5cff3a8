"""A small text and small settings, so that a whole run takes a second."""

import random
from pathlib import Path

import pytest

WORDS = ["the", "time", "traveller", "smiled", "at", "us", "and", "said", "nothing", "more", "of", "it"]


@pytest.fixture
def text(tmp_path) -> Path:
    """Return a file of about 12,000 characters."""
    draw = random.Random(0)
    path = tmp_path / "book.txt"
    path.write_text("\n".join(" ".join(draw.choices(WORDS, k=9)) for _ in range(260)))
    return path


@pytest.fixture
def small() -> dict:
    """Return settings of a small and short run."""
    return {
        "hidden_size": 16,
        "num_layers": 1,
        "batch_size": 4,
        "k1": 16,
        "steps": 12,
        "validate_every": 6,
        "sample_length": 10,
        "threads": 1,
        "progress": False,
    }
