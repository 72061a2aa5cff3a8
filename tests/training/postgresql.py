"""A PostgreSQL server of a test's own: in a temporary folder, on the loopback only, with a password."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PASSWORD = "between-us"


@contextmanager
def server() -> Iterator[str]:
    """Yield the URL of a database; skip the test, with the reason, where no server can be started."""
    programs, owner = _programs(), _owner()
    pytest.importorskip("psycopg", reason="the extra `postgresql` is not installed")
    with tempfile.TemporaryDirectory(prefix="ostinato-pg-", dir="/tmp") as name:  # a short path: it holds a socket
        folder, port = Path(name), _free_port()
        if owner:
            os.chown(folder, *pwd.getpwnam(owner)[2:4])

        def call(program: str, *arguments: str) -> None:
            command = [programs / program, *arguments]
            result = subprocess.run(command, cwd=folder, user=owner, capture_output=True, text=True, timeout=60)
            assert result.returncode == 0, result.stdout + result.stderr

        (folder / "password").write_text(PASSWORD)
        os.chmod(folder / "password", 0o644)
        call("initdb", "-D", "data", "-U", "tester", "--auth=scram-sha-256", "--pwfile=password", "--no-sync")
        options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder} -c fsync=off"
        call("pg_ctl", "-D", "data", "-w", "-l", "log", "-o", options, "start")
        try:
            yield f"postgresql://tester:{PASSWORD}@127.0.0.1:{port}/postgres"
        finally:
            call("pg_ctl", "-D", "data", "-m", "immediate", "stop")


def _programs() -> Path:
    found = shutil.which("pg_ctl")
    places = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not places:
        pytest.skip("no PostgreSQL server is installed (apt-get install postgresql)")
    return places[-1]


def _owner() -> str | None:
    """Return who is to run the server, which refuses to be run by root."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    pytest.skip("PostgreSQL refuses to be run by root, and there is no user postgres or nobody")
    return None


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
