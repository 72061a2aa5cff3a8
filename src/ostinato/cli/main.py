"""The entry point `ostinato`: finds the command, and turns every error a user can meet into one message.

Exit codes: 0 done, or saved and ended because SIGTERM asked for it, 1 a fault of ours or of the machine,
2 something the user can put right, 130 after Ctrl-C.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from ostinato._errors import ConfigError, OstinatoError, did_you_mean
from ostinato._version import __version__

# command → module, what it does. The module is imported when its command is given.
COMMANDS = {
    "train language-model": ("train_language_model", "train a language model on a text"),
    "train classifier": ("train_classifier", "train a classifier of texts, series or images"),
    "train tagger": ("train_tagger", "train a tagger of words, or of rows of numbers"),
    "train forecaster": ("train_forecaster", "train a forecaster of series: numbers, counts or bits over time"),
    "train transcriber": ("train_transcriber", "train a transcriber of speech into text"),
    "train translator": ("train_translator", "train a translator: sequences into sequences of their own length"),
    "train captioner": ("train_captioner", "train a captioner: images or vectors into words, questions into answers"),
    "train task": ("train_task", "train on a synthetic task, until it is solved"),
    "train reservoir": ("train_reservoir", "fit the readout of a reservoir"),
    "train influence-balancing": ("train_influence_balancing", "learn one number that truncation gets wrong"),
    "generate": ("generate", "write text with a trained model"),
    "predict": ("predict", "answer texts, series or a file of them with a trained model"),
    "evaluate": ("evaluate", "score a file with a trained model"),
    "inspect": ("inspect", "look inside a trained model: how far gradients reach, and more, as a page"),
    "tune language-model": ("tune", "search the settings of a language model"),
    "tune task": ("tune", "search the settings on a synthetic task"),
    "compare": ("compare", "show runs side by side: scores, settings that differ, curves"),
    "cells": ("cells", "list the cells, each with its equations"),
    "explain": ("explain", "show a cell: equations, sizes, cost, engine and why"),
    "recipes": ("recipes", "list the settings that ship with ostinato"),
    "doctor": ("doctor", "check this machine: versions, devices, compiler"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    if _is_follower():
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (until the process ends)
    try:
        code = _dispatch(list(sys.argv[1:] if arguments is None else arguments))
        sys.stdout.flush()
        return code
    except ConfigError as error:  # the same in every process: the first says it
        return 2 if _is_follower() else _complain(str(error), 2)
    except OstinatoError as error:
        return _complain(str(error), 2)
    except BrokenPipeError:
        # whoever read our output has left; Python would complain once more at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _complain(f"{where}{error.strerror or error}", 1)
    except KeyboardInterrupt:
        return 130


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_help())
        return 0
    if arguments[0] in ("-V", "--version"):
        print(f"ostinato {__version__}")
        return 0
    name, rest = _command(arguments)
    if name is None:
        return 2
    command = import_module(f"ostinato.cli.{COMMANDS[name][0]}")
    try:
        return command.run(rest, f"ostinato {name}")
    except ConfigError as error:
        from ostinato.cli.flags import as_typed

        raise as_typed(error, command) from None


def _command(arguments: list[str]) -> tuple[str | None, list[str]]:
    """Split the arguments into the name of a command and what follows it; None after a complaint."""
    first = arguments[0]
    if first in COMMANDS:
        return first, arguments[1:]
    kinds = {name.split()[1]: name for name in COMMANDS if name.startswith(f"{first} ")}
    if not kinds:
        verbs = list(dict.fromkeys(name.split()[0] for name in COMMANDS))
        near = did_you_mean(first, verbs) or f"Commands: {', '.join(verbs)}."
        _complain(f"ostinato: unknown command '{first}'. {near}", 2)
        return None, []
    usage = f"Type: ostinato {first} {' | '.join(kinds)} …"
    if first == "train" and "--recipe" in arguments and arguments[1].startswith("-"):
        return _of_recipe(arguments[1:])
    if len(arguments) < 2 or arguments[1] in ("-h", "--help"):
        _complain(f"ostinato {first}: what to {first}? {usage}", 2)
        return None, []
    if arguments[1] not in kinds:
        near = did_you_mean(arguments[1], kinds) or usage
        _complain(f"ostinato {first}: unknown kind '{arguments[1]}'. {near}", 2)
        return None, []
    return kinds[arguments[1]], arguments[2:]


def _of_recipe(arguments: list[str]) -> tuple[str | None, list[str]]:
    """Return the command that a recipe is for: `ostinato train --recipe NAME` needs no other word."""
    from ostinato.cli.settings import recipe_kind

    return f"train {recipe_kind(arguments)}", arguments


def _help() -> str:
    width = max(map(len, COMMANDS)) + 2
    lines = "\n".join(f"  {name:<{width}}{summary}" for name, (_, summary) in COMMANDS.items())
    return f"""usage: ostinato COMMAND …

Write the equations of a recurrent network; Ostinato gives you the network.

commands:
{lines}

  ostinato COMMAND --help   says what a command takes
  ostinato --version        prints the version

for a start:
  ostinato train language-model book.txt
  ostinato generate runs/book --prompt "It was"
  ostinato train --recipe irnn-adding """


def _complain(message: str, code: int) -> int:
    whose = f" process {os.environ['RANK']}:" if _is_follower() else ""
    print(f"ostinato:{whose} {message}" if not message.startswith("ostinato") else message, file=sys.stderr)
    return code


def _is_follower() -> bool:
    """Whether another process of the same run prints for this one; as `training.devices`, without torch."""
    return "LOCAL_RANK" in os.environ and int(os.environ.get("RANK", "0")) > 0
