"""A loop whose library cannot be built: `auto` says why and goes on, by name it is an error, and both may try again."""

import pytest
import torch
from loops import D, assert_near, make, random, results

from ostinato import EngineError, Stream, plan, unroll
from ostinato.unroll.native import compiled, compiler, over_time

pytestmark = pytest.mark.skipif(compiler.why_not() is not None, reason=str(compiler.why_not()))

NAME = "a vector for a recurrence"
REASON = "its library cannot be written: [Errno 28] No space left on device"
CALL = {"steps": 9, "batch": 3, "lengths": [9, 4, 0]}


@pytest.fixture
def unbuilt(monkeypatch, tmp_path):
    """The kinds of library for which there is no room: the test adds to them."""
    monkeypatch.setenv("OSTINATO_CACHE", str(tmp_path))
    kinds, build = set(), compiler._build

    def checked(program, flags, source, path):
        if path.name.split("-")[0] in kinds:
            raise OSError(28, "No space left on device")
        build(program, (*flags, "-O0"), source, path)

    monkeypatch.setattr(compiler, "_build", checked)
    forget()
    yield kinds
    forget()


def forget():
    compiler._loaded.cache_clear()
    compiled.compiled.cache_clear()
    compiled._not_built.clear()
    over_time._built.cache_clear()


@pytest.mark.parametrize("kind", ["forward", "backward", "over_time"])
def test_auto_warns_once_says_why_and_gives_what_eager_gives(kind, unbuilt):
    unbuilt.add(kind)
    cell = make(NAME, torch.float64)
    assert plan(cell).engine == "native"
    with pytest.warns(RuntimeWarning, match="No space left on device"):
        found = results(cell, torch.float64, "auto", CALL)
    assert_near(found, results(cell, torch.float64, "eager", CALL), 1e-12)
    assert_near(found, results(cell, torch.float64, "auto", CALL), 0.0)  # in silence
    assert f"not native: {REASON}" in str(plan(cell))


def test_by_name_it_is_an_error_until_there_is_room(unbuilt):
    unbuilt.add("forward")
    cell, x = make(NAME, torch.float64), random(5, 3, D, seed=1)
    for _ in range(2):
        with pytest.raises(EngineError, match=r"No space left on device. Set OSTINATO_CACHE to a folder"):
            unroll(cell, x, engine="native")
    unbuilt.clear()
    torch.testing.assert_close(unroll(cell, x, engine="native"), unroll(cell, x, engine="eager"))


def test_only_a_loop_can_recompute(unbuilt):
    unbuilt.add("forward")
    with pytest.raises(EngineError, match="No space left on device"):
        unroll(make(NAME, torch.float64), random(5, 3, D, seed=1), recompute=True)


def test_a_stream_says_why_it_is_eager(unbuilt):
    unbuilt.add("forward")
    cell, x = make(NAME, torch.float64), random(1, D, seed=1)
    stream = Stream(cell)
    assert stream.engine == f"eager (not native: {REASON})"
    torch.testing.assert_close(stream(x), unroll(cell, x[None], engine="eager")[0][0].detach())
