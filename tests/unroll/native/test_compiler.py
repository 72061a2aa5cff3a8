"""Building shared libraries: once, safely, and with a reason where it cannot be done."""

import errno
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ostinato import EngineError
from ostinato.unroll.native import compiler

SEVEN = 'extern "C" __attribute__((visibility("default"))) int seven() { return 7; }'

needs_compiler = pytest.mark.skipif(compiler.why_not() is not None, reason=str(compiler.why_not()))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty cache, and a process that remembers nothing."""
    monkeypatch.setenv("OSTINATO_CACHE", str(tmp_path / "cache"))
    forget()
    yield tmp_path / "cache" / "native"
    forget()


def forget():
    compiler._search.cache_clear()
    compiler._loaded.cache_clear()


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def only(folder: Path, ending: str) -> Path:
    (found,) = folder.glob(f"*{ending}")
    return found


@needs_compiler
def test_a_library_is_built_and_its_source_is_kept_beside_it(folder):
    assert compiler.library(SEVEN, "gru").seven() == 7
    assert only(folder, ".so").name.startswith("gru-")
    assert only(folder, ".cpp").read_text() == SEVEN


@needs_compiler
def test_the_same_source_is_loaded_once_in_a_process():
    assert compiler.library(SEVEN, "gru") is compiler.library(SEVEN, "gru")


@needs_compiler
def test_a_later_process_starts_no_compiler(monkeypatch):
    compiler.library(SEVEN, "gru")
    forget()
    monkeypatch.setattr(subprocess, "run", None)
    assert compiler.library(SEVEN, "gru").seven() == 7


@needs_compiler
@pytest.mark.parametrize("change", ["source", "flags", "processor", "version"])
def test_whatever_a_library_depends_on_is_in_its_name(folder, monkeypatch, change):
    compiler.library(SEVEN, "gru")
    forget()
    if change == "processor":
        monkeypatch.setattr(compiler, "_processor", lambda: "another one")
    if change == "version":
        monkeypatch.setattr(compiler, "__version__", "99")
    compiler.library(SEVEN + " " * (change == "source"), "gru", ("-DX",) if change == "flags" else ())
    assert len(list(folder.glob("*.so"))) == 2


@needs_compiler
@pytest.mark.parametrize(
    "damage",
    [lambda b: b"", lambda b: b[: len(b) // 2], lambda b: b[:5000] + bytes([b[5000] ^ 1]) + b[5001:]],
    ids=["empty", "half", "one bit"],
)
def test_a_damaged_library_is_built_again(folder, damage):
    compiler.library(SEVEN, "gru")
    path = only(folder, ".so")
    whole = path.read_bytes()
    replace(path, damage(whole))
    forget()
    assert compiler.library(SEVEN, "gru").seven() == 7
    assert path.read_bytes() == whole


def replace(path: Path, content: bytes) -> None:
    """Put other bytes in the place of a file that this process may have mapped."""
    path.unlink()
    path.write_bytes(content)


@needs_compiler
@pytest.mark.parametrize("ending", [".sum", ".json"])
def test_a_damaged_note_is_written_again(folder, ending):
    compiler.library(SEVEN, "gru")
    path = only(folder, ending)
    right = path.read_bytes()
    path.write_bytes(b"{")
    forget()
    assert compiler.library(SEVEN, "gru").seven() == 7
    assert path.read_bytes() == right


@needs_compiler
def test_two_processes_build_the_same_library_at_once(folder):
    code = (
        "import sys; from ostinato.unroll.native import compiler; print('ready', flush=True); sys.stdin.readline();"
        f"print(compiler.library({SEVEN!r}, 'gru').seven())"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    first, second = (subprocess.Popen([sys.executable, "-c", code], **pipes) for _ in range(2))
    assert [first.stdout.readline(), second.stdout.readline()] == ["ready\n", "ready\n"]
    for process in (first, second):
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [first.communicate(), second.communicate()] == [("7\n", ""), ("7\n", "")]
    assert sorted(p.suffix for p in folder.iterdir()) == [".cpp", ".json", ".so", ".sum"]


@needs_compiler
def test_a_build_that_is_interrupted_leaves_nothing_that_would_be_loaded(folder, monkeypatch):
    compiler.find_compiler()

    def interrupted(command, text=""):
        Path(command[-1]).write_bytes(b"half a library")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(compiler, "_run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            compiler.library(SEVEN, "gru")
    assert {p.suffix for p in folder.iterdir()} == {".json", ".cpp"}
    assert compiler.library(SEVEN, "gru").seven() == 7


@pytest.fixture
def full(folder, monkeypatch):
    """Return the folders whose disk is full: at first that of the cache."""
    places, build = [folder], compiler._build

    def checked(program, flags, source, path):
        if path.parent in places or not places:
            raise OSError(errno.ENOSPC, "No space left on device")
        build(program, flags, source, path)

    monkeypatch.setattr(compiler, "_build", checked)
    return places


@needs_compiler
def test_beside_a_full_cache_a_library_is_built_for_this_process(folder, full):
    assert compiler.library(SEVEN, "gru").seven() == 7
    assert not list(folder.glob("*.so"))


@needs_compiler
def test_where_every_disk_is_full_the_error_says_so_and_the_next_call_tries_again(full):
    places = [full.pop()]
    with pytest.raises(compiler.NotBuilt, match=r"No space left on device.*Set OSTINATO_CACHE"):
        compiler.library(SEVEN, "gru")
    full += [*places, "elsewhere"]
    assert compiler.library(SEVEN, "gru").seven() == 7


@needs_compiler
def test_a_mistake_in_a_source_is_shown_with_the_place_of_the_source(folder):
    with pytest.raises(EngineError, match="expected ") as error:
        compiler.library("int seven() { return 7 }", "gru")
    assert str(only(folder, ".cpp")) in str(error.value)
    assert not list(folder.glob("*.so"))


@needs_compiler
def test_the_cache_is_for_its_owner_only(folder):
    compiler.library(SEVEN, "gru")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@needs_compiler
def test_a_cache_that_cannot_be_made_is_replaced_by_a_folder_of_the_process(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("OSTINATO_CACHE", str(tmp_path / "file"))
    library = compiler.library(SEVEN, "gru")
    assert library.seven() == 7
    assert Path(library._name).parent == compiler._private_folder()


@needs_compiler
def test_a_cache_that_anyone_may_write_to_is_not_used(folder):
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    assert Path(compiler.library(SEVEN, "gru")._name).parent == compiler._private_folder()
    assert not list(folder.iterdir())


@needs_compiler
def test_a_forked_child_leaves_the_folder_of_its_parent(tmp_path):
    code = (
        "import os, sys; from ostinato.unroll.native import compiler; folder = compiler._private_folder();"
        "child = os.fork(); child or sys.exit(0); os.waitpid(child, 0); print(folder, folder.exists())"
    )
    said = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    folder, existed = said.stdout.split()
    assert existed == "True"
    assert not Path(folder).exists()


@needs_compiler
def test_cxx_names_the_compiler_and_its_first_words(tmp_path, monkeypatch):
    real = compiler.find_compiler().path
    wrapper = script(tmp_path / "wrapper", 'exec "$@"')
    monkeypatch.setenv("CXX", f"{wrapper} {real} -DWORD")
    assert compiler.find_compiler().path == wrapper
    assert compiler.find_compiler().flags[:2] == (real, "-DWORD")
    assert compiler.library(SEVEN.replace("7", "WORD + 7"), "gru").seven() == 8


@needs_compiler
def test_a_broken_compiler_is_passed_over_where_another_one_works(tmp_path, monkeypatch):
    script(tmp_path / "c++", "exit 1")
    (tmp_path / "g++").symlink_to(compiler.find_compiler().path)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert compiler.find_compiler().path == str(tmp_path / "g++")


@needs_compiler
def test_a_compiler_that_was_mended_is_used(tmp_path, monkeypatch):
    real = compiler.find_compiler().path
    monkeypatch.setenv("CXX", script(tmp_path / "mine", f'[ -e {tmp_path}/mended ] && exec {real} "$@"; exit 1'))
    assert compiler.why_not() is not None
    (tmp_path / "mended").touch()
    forget()
    assert compiler.why_not() is None


def test_without_a_compiler_there_is_a_reason(tmp_path, monkeypatch):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert compiler.why_not() == "no C++ compiler found (looked for c++, g++, clang++ on PATH)"
    with pytest.raises(EngineError, match=r"no C\+\+ compiler found.*Install g\+\+"):
        compiler.library(SEVEN, "gru")


def test_a_cxx_that_is_not_there_is_a_reason(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler -O1")
    assert compiler.why_not() == "no C++ compiler found (CXX is 'no-such-compiler -O1', which is not on PATH)"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("exit 1", "it exited with 1, saying nothing"),
        ("echo 'cannot find cc1plus' >&2; exit 1", "cannot find cc1plus"),
        ("exit 0", "what it built cannot be loaded"),
        ('for last; do :; done; rm -f "$last"', "it wrote no file"),
        (
            'for last; do :; done; echo garbage > "$last"',
            "what it built cannot be loaded",
        ),
        ("kill -9 $$", "it exited with -9, saying nothing"),
    ],
)
def test_a_broken_compiler_is_a_reason(tmp_path, monkeypatch, text, reason):
    monkeypatch.setenv("CXX", script(tmp_path / "broken", f'[ "$1" = --version ] && echo broken 1.0 && exit 0\n{text}'))
    assert compiler.why_not().startswith(f"the C++ compiler {tmp_path / 'broken'} failed: {reason}")


def test_a_file_that_is_no_program_is_a_reason(tmp_path, monkeypatch):
    (tmp_path / "text").write_text("not a program")
    (tmp_path / "text").chmod(0o755)
    monkeypatch.setenv("CXX", str(tmp_path / "text"))
    assert compiler.why_not() == f"the C++ compiler {tmp_path / 'text'} failed: Exec format error"


def test_a_compiler_that_does_not_end_is_a_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(compiler, "TIMEOUT_S", 0.2)
    monkeypatch.setenv("CXX", script(tmp_path / "slow", f"exec {shutil.which('sleep')} 60"))
    assert compiler.why_not() == f"the C++ compiler {tmp_path / 'slow'} failed: it was still at work after 0.2 s"
