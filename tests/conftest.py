"""Libraries that the tests compile are kept in `build/`, away from the user's own: a second run finds them again."""

import os
from pathlib import Path

os.environ["OSTINATO_CACHE"] = str(Path(__file__).parent.parent / "build" / "tests")
