"""A browser without a window, for tests that open the page: CONTRIBUTING.md says how to get one."""

import os
import shutil
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "chromium-headless-shell", "google-chrome", "google-chrome-stable")
FLAGS = ["--no-sandbox", "--disable-gpu"]


def browser_file(own: str) -> str | None:
    """Return the program to start: the one that is named, playwright's own, or one on PATH."""
    if named := os.environ.get("OSTINATO_BROWSER"):
        assert Path(named).is_file(), f"OSTINATO_BROWSER names {named}, where there is no file"
        return named
    return own if Path(own).is_file() else next(filter(None, map(shutil.which, NAMES)), None)


@pytest.fixture(scope="module")
def browser():
    """Return a running Chromium; skipped where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        path = browser_file(playwright.chromium.executable_path)
        if path is None:
            pytest.skip("no browser: OSTINATO_BROWSER names none, playwright has none of its own, none is on PATH")
        started = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield started
        started.close()
