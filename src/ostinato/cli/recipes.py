"""`ostinato recipes`: prints the settings that ship with the package, from `training.config`."""

from __future__ import annotations

from dataclasses import dataclass

import tyro

from ostinato.training.config import recipe_text, recipes


@dataclass(frozen=True)
class Recipes:
    """List the settings that ship with ostinato, or print one."""

    name: tyro.conf.Positional[str | None] = None
    """Recipe to print as YAML."""


def run(arguments: list[str], program: str) -> int:
    """Print every recipe's name and first comment, or one recipe whole."""
    asked = tyro.cli(Recipes, prog=program, args=arguments)
    shipped = recipes()
    if asked.name is not None:
        print(recipe_text(asked.name), end="")
        return 0
    width = max(map(len, shipped)) + 2
    for name, text in shipped.items():
        print(f"{name:<{width}}{text.splitlines()[0].removeprefix('#').strip()}")
    print("\nTo train with one: ostinato train --recipe NAME [FILE]; --control runs what must not reach its result")
    return 0
