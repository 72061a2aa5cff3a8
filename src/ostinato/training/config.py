"""The settings of a run: what is read, which network, how it learns. One dataclass a section, no torch.

A value comes from its default here, then from a recipe or a `--config` file, then from a flag.
The command line, its help and the `config.yaml` of a run folder are all made from these classes.
"""

from __future__ import annotations

import types
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields, replace
from importlib import resources
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import yaml
from tyro.conf import Positional

from ostinato._errors import ConfigError, DataError, EquationError, did_you_mean

KIND = "language-model"
FORMAT = 1
DEFAULT_EPOCHS = 10
DEFAULT_SYMBOLS = 10_000_000
NOT_GIVEN = Path("<no text>")
HEADER = ("kind", "format", "ostinato")


@dataclass(frozen=True)
class Data:
    """What is read, and as which symbols."""

    file: Positional[Path] = NOT_GIVEN
    """Text to learn from: plain text of any size, JSONL or Parquet."""
    tokens: Literal["char", "byte", "word", "bpe"] = "char"
    """What one symbol is."""
    vocabulary_size: int | None = None
    """Most symbols a word or bpe vocabulary may hold."""
    column: str | None = None
    """Column of a JSONL or Parquet file that holds the text."""
    encoding: str = "utf-8"
    """Encoding of a plain text file."""
    validation: str = "0.1"
    """Share of the end of the text kept for validation, or a second file."""


@dataclass(frozen=True)
class Model:
    """Which network."""

    cell: str = "lstm"
    """Name from `ostinato cells`, a file of equations (.eq), or the equations themselves."""
    hidden_size: int = 256
    """Units of each recurrent layer."""
    num_layers: int = 2
    """Recurrent layers, one above the other."""
    embedding_size: int | None = None
    """Numbers a symbol is read as; by default the model chooses."""
    dropout: float = 0.2
    """Share of activations set to zero between layers while learning."""
    tied: bool = False
    """Use one matrix to read and to predict symbols."""
    residual: bool = False
    """Add each layer's input to its output."""
    initial_state: Literal["zero", "learned"] = "zero"
    """State before the first symbol of a document."""
    initialisers: str = "uniform"
    """How parameters start: uniform, orthogonal, identity, forget_bias, glorot or zeros."""
    engine: str = "auto"
    """What runs the recurrence: auto, or an engine by name."""


@dataclass(frozen=True)
class Training:
    """How it learns."""

    batch_size: int = 32
    """Lanes of the text read side by side."""
    k1: int = 64
    """Learn once every k1 steps."""
    k2: int | None = None
    """Steps the gradient reaches back (only k2 = k1 for now, the default)."""
    gradient: Literal["truncated", "full"] = "truncated"
    """How gradients are taken over time: every k1 steps, or once over the whole lane."""
    optimizer: Literal["adamw", "adam", "rmsprop", "sgd", "adagrad"] = "adamw"
    """Rule that turns gradients into steps."""
    learning_rate: float | None = None
    """Highest learning rate; the default depends on the optimizer."""
    weight_decay: float = 0.01
    """Pull of the weights towards zero."""
    warmup: int | None = None
    """Steps over which the learning rate rises from zero (default: 100, at most a tenth of the run)."""
    final_fraction: float = 0.05
    """Share of the learning rate left at the end of its cosine decay; 1 keeps it constant."""
    clip_norm: float | None = 1.0
    """Gradient norm above which the gradient is scaled down."""
    epochs: float | None = None
    """Times the text is read (default: 10, but at most 10,000,000 symbols)."""
    steps: int | None = None
    """Steps to take; with epochs too, whichever ends first."""
    validate_every: int | None = None
    """Steps between two validations (default: about twenty in a run)."""
    sample_length: int = 200
    """Symbols written as a sample at each validation; 0 for none."""
    seed: int = 0
    """Seed of every random choice."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Numbers the products are computed in."""
    threads: int | None = None
    """Threads of the CPU (default: torch's choice)."""
    tracker: Literal["none", "tensorboard"] = "none"
    """Where the figures are sent as well."""


@dataclass(frozen=True)
class Run:
    """A training run: its settings and its folder."""

    data: Data = field(default_factory=Data)
    model: Model = field(default_factory=Model)
    training: Training = field(default_factory=Training)
    out: Path | None = None
    """Folder of the run (default: runs/ and the name of the text)."""
    recipe: str | None = None
    """Settings to begin with, by name from `ostinato recipes`."""
    config: Path | None = None
    """Settings to begin with, from a YAML file."""
    resume: bool = False
    """Go on with the run in the folder, where it stopped."""
    overwrite: bool = False
    """Begin anew in a folder that holds a run, and lose that run."""


SECTIONS = {"data": Data, "model": Model, "training": Training}


def folder_of(run: Run) -> Path:
    """Return where the run lives: `out`, or `runs/<name of the text>`."""
    if run.out is not None:
        return run.out
    if run.data.file == NOT_GIVEN:
        raise ConfigError("file", "no text was given", "Give a file to learn from, or --resume with --out")
    return Path("runs") / run.data.file.stem


def override(run: Run, source: str, settings: dict[str, Any]) -> Run:
    """Return `run` with flat `settings` (name → value) over it; `source` is named in errors.

    >>> override(Run(), "example", {"hidden_size": 8}).model.hidden_size
    8
    """
    homes = {f.name: section for section, kind in SECTIONS.items() for f in fields(kind)}
    nested: dict[str, dict] = {}
    for name, value in settings.items():
        if name not in homes:
            raise _unknown(source, "setting", name, homes)
        nested.setdefault(homes[name], {})[name] = value
    return overlay(run, source, nested)


def overlay(run: Run, source: str, sections: dict[str, Any]) -> Run:
    """Return `run` with the sections of a YAML document over it. Raises ConfigError."""
    for name, values in sections.items():
        if name in HEADER:
            continue
        if name not in SECTIONS:
            raise _unknown(source, "section", name, SECTIONS)
        where = f"{source} [{name}]"
        if not isinstance(values, dict):
            raise ConfigError(where, f"holds {values!r}", "It is a list of `key: value` lines")
        converted = _convert(where, SECTIONS[name], values)
        run = replace(run, **{name: replace(getattr(run, name), **converted)})
    return run


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file of settings as a plain dictionary. Raises ConfigError naming line and column."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(str(path), "there is no such file", "It is a YAML file of settings") from None
    except IsADirectoryError:
        raise ConfigError(str(path), "this is a directory", "It is a YAML file of settings") from None
    except UnicodeDecodeError as error:
        raise ConfigError(str(path), f"byte {error.start} is not UTF-8", "It is a YAML file of settings") from None
    return parse_yaml(str(path), text)


def parse_yaml(source: str, text: str) -> dict[str, Any]:
    """Parse YAML settings; `source` is named in errors. Raises ConfigError."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{source}, line {mark.line + 1}, column {mark.column + 1}" if mark else source
        problem = getattr(error, "problem", None) or "this is not YAML"
        raise ConfigError(where, str(problem), "It is YAML, as in `training:` and `  epochs: 3` below it") from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise ConfigError(
            source,
            f"holds {type(document).__name__}",
            f"It holds the sections {', '.join(SECTIONS)}, each with settings",
        )
    return document


def recipes() -> dict[str, str]:
    """Return the shipped recipes: name → text of the YAML file."""
    folder = resources.files("ostinato.recipes")
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".yaml")), key=lambda f: f.name)
    return {f.name.removesuffix(".yaml"): f.read_text(encoding="utf-8") for f in files}


def recipe_text(name: str) -> str:
    """Return the YAML of a shipped recipe. Raises ConfigError for a name that is none."""
    shipped = recipes()
    if name not in shipped:
        raise _unknown("recipe", "name", name, shipped)
    return shipped[name]


def starting_point(recipe: str | None, config: Path | None, base: Run | None = None) -> Run:
    """Return the settings before any flag: defaults (or `base`), then the recipe, then the file."""
    run = base or Run()
    if recipe is not None:
        run = overlay(run, f"recipe {recipe}", parse_yaml(f"recipe {recipe}", recipe_text(recipe)))
    if config is not None:
        run = overlay(run, str(config), read_yaml(config))
    return replace(run, recipe=recipe, config=config)


def with_cell_text(run: Run) -> Run:
    """Return `run` with a cell file (.eq) replaced by its text, so that the run folder needs nothing else."""
    return replace(run, model=replace(run.model, cell=cell_text(run.model.cell)))


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


def to_yaml(run: Run, version: str) -> str:
    """Return the whole of `run` as the text of `config.yaml`."""
    document: dict[str, Any] = {"kind": KIND, "format": FORMAT, "ostinato": version}
    for section in SECTIONS:
        values = asdict(getattr(run, section))
        document[section] = {k: str(v) if isinstance(v, Path) else v for k, v in values.items()}
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)


def above_zero(name: str, value: float | None) -> None:
    """Refuse a setting that must be greater than zero (None passes)."""
    if value is not None and not value > 0:
        raise ConfigError(f"--{name.replace('_', '-')}", f"{name} is {value}", "It is greater than 0")


def check_seed(seed: int | None) -> None:
    """Refuse a seed that torch's generators do not take (None passes)."""
    if seed is not None and not 0 <= seed < 2**63:
        raise ConfigError("--seed", f"seed is {seed}", "It is a whole number from 0 to 2**63 - 1")


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines (equations) as blocks a person can read."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def _convert(where: str, section: type, values: dict[str, Any]) -> dict[str, Any]:
    kinds = get_type_hints(section)
    converted = {}
    for name, value in values.items():
        if name not in kinds:
            raise _unknown(where, "key", name, kinds)
        kind = kinds[name]
        if kind is str and isinstance(value, (int, float)) and not isinstance(value, bool):
            value = str(value)
        try:
            converted[name] = msgspec.convert(value, kind, strict=False, dec_hook=_read_path)
        except msgspec.ValidationError:
            choices = _choices(kind)
            near = did_you_mean(str(value), choices) if choices else ""
            raise ConfigError(where, f"{name} is {value!r}", f"It is {_in_words(kind)}", near) from None
    return converted


def _read_path(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, (str, Path)):
        return Path(value)
    raise msgspec.ValidationError("not a path")


def _choices(kind: Any) -> tuple[str, ...]:
    return get_args(kind) if get_origin(kind) is Literal else ()


def _in_words(kind: Any) -> str:
    if get_origin(kind) in (Union, types.UnionType):
        return " or ".join(_in_words(part) for part in get_args(kind))
    names = {
        bool: "true or false",
        float: "a number",
        int: "a whole number",
        str: "text",
        Path: "a path",
        type(None): "null",
    }
    return "one of " + ", ".join(_choices(kind)) if _choices(kind) else names[kind]


def _unknown(where: str, what: str, name: Any, known: Iterable[str]) -> ConfigError:
    near = did_you_mean(str(name), known)
    return ConfigError(where, f"unknown {what} '{name}'", near or f"Known: {', '.join(known)}")
