"""Where the trials of a study are counted: a SQLite file, or a database that several machines reach."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import RDBStorage
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, OperationalError, ProgrammingError, SQLAlchemyError

from ostinato._errors import ConfigError, RunError

HEARTBEAT_S, GRACE_S = 10, 60
"""How often a worker says that it is alive, and how long it may be silent before its trial is done again."""
TRIES, WAIT_S = 10, 0.3
"""Workers that begin at the same moment make the same tables: one succeeds, the others look again."""
WAIT_FOR_LOCK_S = 60


@contextmanager
def opened(
    url: str | None, folder: Path, stale: Callable[[optuna.Study, optuna.trial.FrozenTrial], None]
) -> Iterator[RDBStorage]:
    """Yield the storage at `url`, or the file `study.db` in the folder; `stale` gets trials whose worker is silent.

    Raises ConfigError for a URL that is none or whose driver is missing, RunError for a database that does not answer,
    then or later.
    """
    address = f"sqlite:///{folder / 'study.db'}" if url is None else _with_driver(url)
    with answering(url, folder):
        storage = _open(address, url, folder, stale)
        try:
            yield storage
        finally:
            storage.remove_session()
            storage.engine.dispose()


def _open(address: str, url: str | None, folder: Path, stale: Callable[..., None]) -> RDBStorage:
    is_file = address.startswith("sqlite")
    options: dict[str, Any] = {"connect_args": {"timeout": WAIT_FOR_LOCK_S}} if is_file else {"pool_pre_ping": True}
    for attempt in range(TRIES):
        try:
            with answering(url, folder), warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # the heartbeat
                return RDBStorage(
                    address, engine_kwargs=options, heartbeat_interval=HEARTBEAT_S, grace_period=GRACE_S,
                    heartbeat_stale_trial_callback=stale,
                )  # fmt: skip
        except _TakenError:
            if attempt == TRIES - 1:
                raise
            time.sleep(WAIT_S)
    raise AssertionError("the last attempt returns or raises")


class _TakenError(RunError):
    """Another worker makes the same tables now."""


@contextmanager
def answering(url: str | None, folder: Path) -> Iterator[None]:
    """Turn what a database says into an error that names it, without its password."""
    where = str(folder / "study.db") if url is None else _without_password(url)
    try:
        yield
    except (IntegrityError, ProgrammingError) as error:
        raise _TakenError(where, _first_line(error), "", "Begin the worker again") from None
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        taken = isinstance(error, OperationalError) and "already exists" in str(error)
        advice = "Start it, or check the URL; what trials reached so far is kept"
        raise (_TakenError if taken else RunError)(
            where, f"the database does not answer: {_first_line(error)}", "", advice
        ) from None
    except (ImportError, ModuleNotFoundError) as error:
        raise ConfigError("--storage", f"its driver is not installed: {error}", "", _driver_advice(url)) from None


def _with_driver(url: str) -> str:
    """Return the URL with the driver that our extra installs, where it names none."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        possible = "It is a URL, as postgresql://user:password@host/name or sqlite:///study.db"
        raise ConfigError("--storage", "this is no URL of a database", possible) from None
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    return parsed.render_as_string(hide_password=False)


def _without_password(url: str) -> str:
    return make_url(url).render_as_string(hide_password=True)


def _driver_advice(url: str | None) -> str:
    return "Type: pip install 'ostinato[postgresql]'" if "postgres" in str(url) else "Install it with pip"


def _first_line(error: BaseException) -> str:
    cause = error.__cause__ or error
    original = getattr(cause, "orig", None) or cause
    return str(original).strip().splitlines()[0]
