"""The C++ compiler of this machine, and the shared libraries it built, kept on disk.

A library is found again by the hash of everything it depends on: its source, the compiler, the flags, the processor
and Ostinato's version. Beside `<name>-<hash>.so` stand its source (.cpp) and its checksum (.sum): a file that does not
have its checksum is never loaded, because loading half a library kills the process. Every file is written under a
name of its own and renamed, so any number of processes may build the same library at once.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import hashlib
import json
import os
import platform
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ostinato._errors import EngineError
from ostinato._version import __version__

CANDIDATES = ("c++", "g++", "clang++")
"""Tried in this order where the environment variable CXX names none."""

FLAGS = ("-O3", "-std=c++17", "-fPIC", "-shared", "-fno-math-errno", "-ffp-contract=fast", "-fvisibility=hidden")
MACHINE_FLAGS = ("-march=native", "-mcpu=native")
"""The first one that a compiler knows is used; Apple's on ARM know the second only."""

TIMEOUT_S = 300

_ELSEWHERE = "Set OSTINATO_CACHE to a folder that can be written and that programs may be run from"

_PROBE = """
typedef float V __attribute__((vector_size(16)));
extern "C" __attribute__((visibility("default"))) int ostinato_probe(int a) {
  V v = {1, 2, 3, float(a)};
  v = v > 2 ? v : V{};
  if constexpr (sizeof(V) == 16) return int(v[0] + v[1] + v[2] + v[3]);
}
"""


@dataclass(frozen=True)
class Compiler:
    """A compiler that has built and run a small library here."""

    path: str
    version: str
    """The first line it prints about itself."""
    flags: tuple[str, ...]
    """All of them; the words that follow the program in CXX come first."""


class NotBuilt(EngineError):
    """A library that could not be compiled, written or loaded; `got` says why, in a clause."""


def find_compiler() -> Compiler:
    """Return the compiler in use; EngineError where there is none that works."""
    found = _search(os.environ.get("CXX", ""), os.environ.get("PATH", ""))
    if isinstance(found, Compiler):
        return found
    raise EngineError("engine 'native'", found, "", "Install g++ or clang++, or name one in CXX, or use engine='auto'")


def why_not() -> str | None:
    """Return in a few words why nothing can be compiled here; None where it can."""
    found = _search(os.environ.get("CXX", ""), os.environ.get("PATH", ""))
    return found if isinstance(found, str) else None


def library(source: str, name: str, flags: tuple[str, ...] = ()) -> ctypes.CDLL:
    """Return the shared library of a C++ source, built the first time this machine asks for it.

    `name` is how its files begin; `flags` are added to the compiler's own. NotBuilt says what the compiler or the disk
    said; each call tries again.
    """
    return _loaded(find_compiler(), source, name, flags)


def cache_folder() -> Path:
    """Return where libraries are kept: $OSTINATO_CACHE, or else `ostinato` in the user's own cache folder."""
    given = os.environ.get("OSTINATO_CACHE")
    if given:
        return Path(os.path.expanduser(given)).absolute() / "native"
    usual = "~/Library/Caches" if sys.platform == "darwin" else "~/.cache"
    home = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser(usual))
    return home / "ostinato" / "native" if home.is_absolute() else _private_folder()  # a user without a home


@functools.cache
def _loaded(compiler: Compiler, source: str, name: str, flags: tuple[str, ...]) -> ctypes.CDLL:
    flags = compiler.flags + flags
    key = _hash(source, compiler.version, *flags, _processor(), __version__)
    path = cache_folder() / f"{name}-{key}.so"
    if not (_is_trusted(path.parent) and _is_whole(path)):
        path = _built(compiler.path, flags, source, path.name)
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise NotBuilt("engine 'native'", f"its library cannot be loaded: {error}", "", _ELSEWHERE) from error


def _built(program: str, flags: tuple[str, ...], source: str, name: str) -> Path:
    """Build a library in the cache, or where that is full in a folder of this process; return where it is."""
    full = None
    for folder in (_writable_folder, _private_folder):
        try:
            path = folder() / name
            _build(program, flags, source, path)
            return path
        except OSError as error:
            full = full or error
    assert full is not None
    raise NotBuilt("engine 'native'", f"its library cannot be written: {full}", "", _ELSEWHERE) from full


def _build(program: str, flags: tuple[str, ...], source: str, path: Path) -> None:
    """Put the library of `source` at `path`, its source and its checksum beside it."""
    kept = path.with_suffix(".cpp")
    _put(kept, source.encode())
    try:
        built = _compile(program, flags, source, path.parent)
    except _CompilerFailed as failure:
        got = f"{Path(program).name} could not compile {kept}"
        raise NotBuilt("engine 'native'", got, "", f"Use engine='eager', and report this:\n{failure}") from failure
    _put(path, built)
    _put(path.with_suffix(".sum"), _checksum(built))


class _CompilerFailed(Exception):
    """The first lines of what it said."""


def _compile(program: str, flags: tuple[str, ...], source: str, folder: Path) -> bytes:
    handle, part = tempfile.mkstemp(suffix=".part", dir=folder)
    os.close(handle)
    try:
        # from standard input: no file's name gets into the library, so the same source gives the same bytes
        said = _run((program, *flags, "-x", "c++", "-", "-o", part), source)
        if said.returncode:
            lines = [line for line in (said.stderr + said.stdout).splitlines() if line.strip()]
            raise _CompilerFailed("\n".join(lines[:8]) or f"it exited with {said.returncode}, saying nothing")
        return Path(part).read_bytes()
    except FileNotFoundError as error:
        raise _CompilerFailed("it wrote no file") from error
    finally:
        Path(part).unlink(missing_ok=True)


def _run(command: tuple[str, ...], text: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        return subprocess.run(
            command, input=text, capture_output=True, env=environment, timeout=TIMEOUT_S,
            encoding="utf-8", errors="replace",
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise _CompilerFailed(f"it was still at work after {TIMEOUT_S} s") from error
    except OSError as error:  # not a program, or not for this processor
        raise _CompilerFailed(error.strerror or str(error)) from error


# ---- finding a compiler


@functools.cache
def _search(given: str, path: str) -> Compiler | str:
    """Return the first compiler that works, or the reason why the first one found does not; of CXX and PATH."""
    if os.name == "nt":
        return "it is not built on Windows"
    reason = ""
    for words in [shlex.split(given)] if given.strip() else [[name] for name in CANDIDATES]:
        program = shutil.which(words[0], path=path)
        if program is None:
            continue
        try:
            return _probed(program, tuple(words[1:]))
        except _CompilerFailed as failure:
            reason = reason or f"the C++ compiler {words[0]} failed: {str(failure).splitlines()[0]}"
        except OSError as error:
            return f"the compiled library cannot be written: {error}"
    if reason:
        return reason
    if given.strip():
        return f"no C++ compiler found (CXX is {given!r}, which is not on PATH)"
    return f"no C++ compiler found (looked for {', '.join(CANDIDATES)} on PATH)"


def _probed(program: str, words: tuple[str, ...]) -> Compiler:
    """Return the compiler, after it has built a small library that runs; what it said is kept for later processes.

    Only success is kept: a compiler is mended more often by installing what it lacks than by changing its own file.
    """
    stamps = [_stamp(found) for found in (program, *map(shutil.which, words)) if found]
    name = f"compiler-{_hash(program, *words, *stamps, _processor(), _PROBE, *FLAGS)}.json"
    folder = cache_folder()
    if _is_trusted(folder):
        try:
            kept = json.loads((folder / name).read_bytes())
            return Compiler(program, kept["version"], tuple(kept["flags"]))
        except (OSError, ValueError, KeyError, TypeError):  # never asked before, or a damaged file
            pass
    folder = _writable_folder()
    said = _run((program, *words, "--version"))
    version = next(iter(said.stdout.splitlines()), "")
    flags = _tried(program, words, folder)
    _put(folder / name, json.dumps({"version": version, "flags": flags}).encode())
    return Compiler(program, version, flags)


def _tried(program: str, words: tuple[str, ...], folder: Path) -> tuple[str, ...]:
    """Return the flags that built the probe."""
    wide = ("-mprefer-vector-width=512",) if "avx512f" in _processor().split() else ()
    first = None
    for machine in MACHINE_FLAGS:
        flags = (*words, *FLAGS, machine, *wide)
        try:
            built = _compile(program, flags, _PROBE, folder)
            _check_probe(built, folder)
            return flags
        except _CompilerFailed as failure:
            first = first or failure
    assert first is not None
    raise first


def _check_probe(built: bytes, folder: Path) -> None:
    handle, part = tempfile.mkstemp(suffix=".so", dir=folder)
    try:
        with open(handle, "wb") as file:
            file.write(built)
        answer = ctypes.CDLL(part).ostinato_probe(4)
    except (OSError, AttributeError) as error:
        raise _CompilerFailed(f"what it built cannot be loaded ({str(error).replace(part, 'the library')})") from error
    finally:
        Path(part).unlink(missing_ok=True)
    if answer != 7:
        raise _CompilerFailed(f"what it built answered {answer} where 7 is right")


def _stamp(path: str) -> str:
    facts = os.stat(path)
    return f"{facts.st_mtime_ns} {facts.st_size}"


@functools.cache
def _processor() -> str:
    """Return what -march=native stands for here: the first processor's family and abilities."""
    known = ("vendor_id", "cpu family", "model", "flags", "Features", "CPU implementer", "CPU part", "isa")
    try:
        handle = os.open("/proc/cpuinfo", os.O_RDONLY)
    except OSError:
        return f"{platform.system()} {platform.machine()} {platform.processor()}"
    try:
        text = os.read(handle, 16384).decode(errors="replace")  # the whole of it takes long where there are many
    finally:
        os.close(handle)
    rows = [line.partition(":") for line in text.split("\n\n")[0].splitlines()]
    return " ".join([platform.machine(), *(value.strip() for name, _, value in rows if name.strip() in known)])


# ---- files


def _is_trusted(folder: Path) -> bool:
    """Return whether only this user or root can have put files there; what is loaded from it is run."""
    try:
        facts = folder.stat()
    except OSError:
        return False
    return facts.st_uid in (0, os.geteuid()) and not facts.st_mode & stat.S_IWOTH


def _writable_folder() -> Path:
    """Return the cache's folder, or where it cannot be written one that lasts as long as this process."""
    folder = cache_folder()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return _private_folder()
    return folder if _is_trusted(folder) and os.access(folder, os.W_OK | os.X_OK) else _private_folder()


def _private_folder() -> Path:
    folder = _temporary_folder(os.getpid())
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


@functools.cache
def _temporary_folder(process: int) -> Path:
    """Return a folder that this process, and no child forked from it, takes away when it ends."""
    folder = Path(tempfile.mkdtemp(prefix="ostinato-"))
    atexit.register(lambda: os.getpid() == process and shutil.rmtree(folder, ignore_errors=True))
    return folder


def _is_whole(path: Path) -> bool:
    try:
        return path.with_suffix(".sum").read_bytes() == _checksum(path.read_bytes())
    except OSError:
        return False


def _checksum(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _put(path: Path, content: bytes) -> None:
    handle, part = tempfile.mkstemp(suffix=".part", dir=path.parent)
    try:
        with open(handle, "wb") as file:
            file.write(content)
        os.replace(part, path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise
