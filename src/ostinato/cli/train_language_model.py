"""`ostinato train language-model`: calls `ostinato.training.language_model.train`."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import replace
from pathlib import Path

import tyro

from ostinato._errors import ConfigError
from ostinato.training import config
from ostinato.training.config import Run

STYLE = (tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff)


def run(arguments: list[str], program: str) -> int:
    """Train, print how it went and what to type next."""
    settings = read_settings(arguments, program)

    from ostinato.training.language_model import train  # imports torch, which --help does without
    from ostinato.training.progress import make_display

    outcome = train(settings, make_display())
    folder = shlex.quote(str(outcome.folder))  # to be typed as it is printed
    if outcome.stopped:
        print(f"Stopped at step {outcome.step:,} of {outcome.steps:,}; everything is saved. To go on:")
        print(f"  ostinato train language-model --out {folder} --resume")
        return 128 + outcome.stopped
    if outcome.best_nats is not None:
        print(f"Best on the validation text: {outcome.best_nats:.4f} nats at step {outcome.best_step:,}.")
    print(f"Done: {outcome.step:,} steps in {outcome.seconds:,.0f} s. To write with the model:")
    print(f"  ostinato generate {folder}")
    return 0


def read_settings(arguments: list[str], program: str) -> Run:
    """Return the settings: defaults, then recipe or file (or the run that goes on), then flags."""
    early = _early(arguments)
    default = config.starting_point(early.recipe, early.config)
    if early.resume:
        default = _of_saved_run(early, arguments, program, default)
    return _parse(arguments, program, default)


def _of_saved_run(early: argparse.Namespace, arguments: list[str], program: str, default: Run) -> Run:
    """Return the saved settings of the run that goes on, or `default` where none was begun yet."""
    from ostinato.training.run_folder import saved_settings

    asked = _parse(arguments, program, replace(default, data=replace(default.data, file=config.NOT_GIVEN)))
    saved = saved_settings(config.folder_of(asked))
    if saved is None:
        if asked.data.file == config.NOT_GIVEN:
            raise ConfigError(
                str(config.folder_of(asked)),
                "no run is there to go on with",
                "",
                "Check --out, or give a FILE",
            )
        return default
    return replace(config.starting_point(early.recipe, early.config, saved), out=None)


def _early(arguments: list[str]) -> argparse.Namespace:
    """Read the flags that decide what the others start from."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--recipe")
    parser.add_argument("--config", type=Path)
    parser.add_argument("--resume", action="store_true")
    try:
        return parser.parse_known_args(arguments)[0]
    except argparse.ArgumentError:  # a value is missing: the full parser says so
        return argparse.Namespace(recipe=None, config=None, resume=False)


def _parse(arguments: list[str], program: str, default: Run) -> Run:
    if default.data.file == config.NOT_GIVEN and "--resume" not in arguments:
        default = replace(default, data=replace(default.data, file=tyro.MISSING))
    return tyro.cli(
        Run,
        prog=program,
        description="Train a language model on a text. Flags come before --recipe and --config.",
        args=arguments,
        default=default,
        config=STYLE,
    )
