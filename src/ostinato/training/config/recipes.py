"""Where settings begin: a recipe that ships with the library, its negative control, a file, a text of equations."""

from __future__ import annotations

from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

from ostinato._errors import ConfigError, DataError, EquationError
from ostinato.training.config.documents import overlay, parse_yaml, read_yaml, unknown
from ostinato.training.config.runs import AnyRunT, Run


def recipes() -> dict[str, str]:
    """Return the shipped recipes: name → text of the YAML file.

    Beside sections a recipe holds `kind`, what follows `ostinato train`; `published`, the result it is to reach; and
    `control`, the sections in which its negative control differs, with `expected`, what that control should do.
    """
    folder = resources.files("ostinato.recipes")
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".yaml")), key=lambda f: f.name)
    return {f.name.removesuffix(".yaml"): f.read_text(encoding="utf-8") for f in files}


def recipe_text(name: str) -> str:
    """Return the YAML of a shipped recipe. Raises ConfigError for a name that is none."""
    shipped = recipes()
    if name not in shipped:
        raise unknown("recipe", "name", name, shipped)
    return shipped[name]


def recipe_document(name: str) -> dict[str, Any]:
    """Return a shipped recipe, read. Raises ConfigError for a name that is none."""
    return {"kind": Run.kind, **parse_yaml(f"recipe {name}", recipe_text(name))}


def starting_point(
    recipe: str | None, config: Path | None, base: AnyRunT | None = None, *, control: bool = False
) -> AnyRunT:
    """Return the settings before any flag: `base` (by default those of a language model), the recipe, the file.

    `control` puts what its negative control changes over the recipe.
    """
    run: Any = base or Run()
    if control and recipe is None:
        raise ConfigError("--control", "no recipe was given", "It runs a recipe's negative control", "Add --recipe")
    if recipe is not None:
        run = _with_recipe(run, recipe, control)
    if config is not None:
        run = overlay(run, str(config), read_yaml(config))
    return replace(run, recipe=recipe, config=config)


def _with_recipe(run: AnyRunT, recipe: str, control: bool) -> AnyRunT:
    document, source = recipe_document(recipe), f"recipe {recipe}"
    if document["kind"] != run.kind:
        advice = f"Type: ostinato train {document['kind']} --recipe {recipe}"
        raise ConfigError(source, f"it is no recipe of `ostinato train {run.kind}`", "", advice)
    run = overlay(run, source, document)
    if not control:
        return run
    changes = {k: v for k, v in document.get("control", {}).items() if k != "expected"}
    if not changes:
        raise ConfigError("--control", f"{source} has none", "", "Leave --control out")
    return overlay(run, f"{source} [control]", changes)


def with_cell_text(run: Any) -> Any:
    """Return `run` with cell files (.eq) replaced by their text, so that the run folder needs nothing else."""
    cells = {name: getattr(run.model, name, None) for name in ("cell", "decoder_cell", "prediction_cell")}
    return replace(run, model=replace(run.model, **{name: cell_text(cell) for name, cell in cells.items() if cell}))


def cell_text(cell: str) -> str:
    """Return the text of a file of equations (.eq); a name or equations are returned as they are.

    Raises DataError for a file that cannot be read, EquationError naming the file for a text that cannot.
    """
    if not cell.strip().endswith(".eq"):
        return cell
    path, possible = Path(cell.strip()), "It is a text file of equations, one a line"
    from ostinato.equations.parse import parse  # imports numpy, which --help does without

    try:
        text = path.read_text(encoding="utf-8")
        parse(text)
    except FileNotFoundError:
        raise DataError(str(path), "there is no such file", possible) from None
    except IsADirectoryError:
        raise DataError(str(path), "this is a directory", possible) from None
    except UnicodeDecodeError as error:
        raise DataError(str(path), f"byte {error.start} is not UTF-8", possible) from None
    except EquationError as error:
        raise error.within(str(path)) from None
    return text
