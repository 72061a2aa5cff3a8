"""Libraries that the tests compile are kept in `build/`, away from the user's own: a second run finds them again."""

import os
from importlib import import_module
from pathlib import Path

import pytest

os.environ["OSTINATO_CACHE"] = str(Path(__file__).parent.parent / "build" / "tests")


@pytest.fixture
def without_compiler(monkeypatch):
    """No compiled loop: for suites that go through the whole catalogue and ask what equations say, not how they run."""
    plan = import_module("ostinato.unroll.plan")
    monkeypatch.setattr(plan, "why_no_compiler", lambda: "this suite compiles nothing")


@pytest.fixture(autouse=True, scope="session")
def _quickly_built_doubles():
    """Loops of float64, which are there to agree, are built without optimisation; those of float32 as users' are."""
    kernel = import_module("ostinato.unroll.native.kernel")
    library = kernel.library

    def built(source: str, name: str):
        return library(source, name, ("-O0",) if "#define OSTINATO_DOUBLE" in source else ())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel, "library", built)
        yield
