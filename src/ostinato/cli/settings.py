"""Reads the settings of a training command: defaults, then recipe or file (or the run that goes on), then flags."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import tyro

from ostinato._errors import ConfigError
from ostinato.training import config
from ostinato.training.config import AnyRunT

STYLE = (tyro.conf.OmitArgPrefixes,)


def read_settings(base: AnyRunT, arguments: list[str], program: str, description: str) -> AnyRunT:
    """Return the settings of a run of the kind of `base`."""
    early = _early(arguments)
    default = config.starting_point(early.recipe, early.config, base, control=early.control)
    if early.resume:
        default = _of_saved_run(early, arguments, program, description, default, base)
    return _parse(arguments, program, description, default)


def recipe_kind(arguments: list[str]) -> str | None:
    """Return the kind of run that the recipe among the arguments is for; None where there is no recipe."""
    recipe = _early(arguments).recipe
    return None if recipe is None else config.recipe_document(recipe)["kind"]


def _of_saved_run(
    early: argparse.Namespace, arguments: list[str], program: str, description: str, default: AnyRunT, base: AnyRunT
) -> AnyRunT:
    """Return the saved settings of the run that goes on, or `default` where none was begun yet."""
    from ostinato.training.run_folder import saved_settings

    asked = _parse(arguments, program, description, _emptied(default))
    saved = saved_settings(asked.folder, base)
    if saved is None:
        if _is_empty(asked):
            assert asked.needed is not None
            advice = f"Check --out, or give a {asked.needed[1].upper()}"
            raise ConfigError(str(asked.folder), "no run is there to go on with", "", advice)
        return default
    return replace(config.starting_point(early.recipe, early.config, saved, control=early.control), out=None)


def _early(arguments: list[str]) -> argparse.Namespace:
    """Read the flags that decide what the others start from."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--recipe")
    parser.add_argument("--config", type=Path)
    parser.add_argument("--control", action="store_true")
    parser.add_argument("--resume", action="store_true")
    try:
        return parser.parse_known_args(arguments)[0]
    except argparse.ArgumentError:  # a value is missing: the full parser says so
        return argparse.Namespace(recipe=None, config=None, control=False, resume=False)


def _parse(arguments: list[str], program: str, description: str, default: AnyRunT) -> AnyRunT:
    if _is_empty(default) and "--resume" not in arguments:
        default = _with_needed(default, tyro.MISSING)
    return tyro.cli(
        type(default),
        prog=program,
        description=f"{description} Flags come before --recipe and --config.",
        args=arguments,
        default=default,
        config=STYLE,
    )


def _is_empty(run: config.AnyRun) -> bool:
    return run.needed is not None and getattr(getattr(run, run.needed[0]), run.needed[1]) == run.needed[2]


def _emptied(run: AnyRunT) -> AnyRunT:
    return run if run.needed is None else _with_needed(run, run.needed[2])


def _with_needed(run: AnyRunT, value: Any) -> AnyRunT:
    assert run.needed is not None
    section, name, _ = run.needed
    return replace(run, **{section: replace(getattr(run, section), **{name: value})})
