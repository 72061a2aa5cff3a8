"""What the public calls share: a file and flat settings, over a recipe or over the run that goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ostinato.training import config
from ostinato.training.config import AnyRunT
from ostinato.training.run_folder import saved_settings


def called(function: str, begun: AnyRunT, file: str | Path | None, settings: dict[str, Any]) -> AnyRunT:
    """Return the run that a call of `function` asks for; `begun` says its folder, its recipe and whether it goes on.

    Raises ConfigError for a setting that is none, naming the function.
    """
    base = type(begun)()
    saved = saved_settings(begun.out, base) if begun.resume and begun.out is not None else None
    run = config.starting_point(begun.recipe, None, saved or base)
    run = config.override(run, function, settings if file is None else {"file": str(file), **settings})
    return replace(run, out=begun.out, resume=begun.resume, overwrite=begun.overwrite)
