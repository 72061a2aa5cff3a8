"""How the tests reach the installed command, and the settings of a small and short run."""

import os
import shutil
import sys
from pathlib import Path

WORDS = ["the", "time", "traveller", "smiled", "at", "us", "and", "said", "nothing", "more", "of", "it"]
SMALL = [
    "--hidden-size", "16", "--num-layers", "1", "--batch-size", "4", "--k1", "16", "--steps", "12",
    "--validate-every", "6", "--sample-length", "10", "--threads", "1",
]  # fmt: skip


def entry_point() -> str:
    """Return the path of the installed `ostinato`."""
    beside = Path(sys.executable).with_name("ostinato")
    found = str(beside) if beside.exists() else shutil.which("ostinato")
    assert found, "ostinato is not installed"
    return found


def environment() -> dict[str, str]:
    """Return an environment with one thread, 100 columns and no colours."""
    return os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "100", "NO_COLOR": "1"}
