"""The settings of a run: what is read, which network, how it learns. One dataclass a section, no torch.

A value comes from its default here, then from a recipe or a `--config` file, then from a flag.
The command line, its help and the `config.yaml` of a run folder are all made from these classes.
"""

from __future__ import annotations

import types
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
import yaml
from tyro.conf import Positional

from ostinato._errors import ConfigError, DataError, EquationError, did_you_mean

FORMAT = 1
DEFAULT_EPOCHS = 10
DEFAULT_SYMBOLS = 10_000_000
NOT_GIVEN = Path("<no text>")
HEADER = ("kind", "format", "ostinato", "published", "control")
"""What a document holds beside settings; `recipes` says what the last two are."""


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
class Network:
    """Which network: what all models are told of their recurrent layers."""

    cell: str = "lstm"
    """Name from `ostinato cells`, a file of equations (.eq), or the equations themselves."""
    hidden_size: int = 256
    """Units of each recurrent layer."""
    num_layers: int = 2
    """Recurrent layers, one above the other."""
    dropout: float = 0.2
    """Share of activations set to zero between layers while learning."""
    variational: bool = False
    """Set the same activations to zero at every step of a row."""
    norm: Literal["none", "layer", "rms"] = "none"
    """Norm of what products of a cell give."""
    weight_drop: float = 0.0
    """Share of recurrent weights left out for a whole step of learning."""
    recurrent_dropout: float = 0.0
    """Share left out, while learning, of what a cell writes into its state."""
    zoneout: float = 0.0
    """Share of units that keep their state for a step while learning."""
    residual: bool = False
    """Add each layer's input to its output."""
    highway: bool = False
    """Mix each layer's input with its output by a learned gate."""
    initial_state: Literal["zero", "learned"] = "zero"
    """State before the first symbol of a document."""
    initialisers: str = "uniform"
    """How parameters start, by names joined by +: "orthogonal + forget_bias(2)", "chrono(200)", "normal(0.1)", …"""
    engine: str = "auto"
    """What runs the recurrence: auto, or an engine by name."""


@dataclass(frozen=True)
class Model(Network):
    """Which network."""

    embedding_size: int | None = None
    """Numbers a symbol is read as; by default the model chooses."""
    tied: bool = False
    """Use one matrix to read and to predict symbols."""


@dataclass(frozen=True)
class Learning:
    """How it learns: what all models are told."""

    batch_size: int = 32
    """Rows (lanes of a text, sequences of a task) read side by side."""
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
    steps: int | None = None
    """Steps to take; with epochs too, whichever ends first."""
    validate_every: int | None = None
    """Steps between two validations (default: about twenty in a run)."""
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
class Training(Learning):
    """How it learns."""

    k1: int = 64
    """Learn once every k1 steps."""
    k2: int | None = None
    """Steps the gradient reaches back (default: k1)."""
    gradient: Literal[
        "truncated", "full", "randomized", "checkpointed", "rtrl", "snap", "uoro", "kf-rtrl", "e-prop"
    ] = "truncated"  # fmt: skip
    """How gradients are taken over time: back through k2 steps, through the whole lane, or forward with the state."""
    lengths: Literal["heavy-tailed", "geometric"] = "heavy-tailed"
    """How long the windows of --gradient randomized are, k1 steps on average."""
    spacing: int = 8
    """Steps between the places where --gradient randomized may cut."""
    memory_budget: int | None = None
    """Bytes that --gradient checkpointed may keep (default: a state every √T steps)."""
    epochs: float | None = None
    """Times the text is read (default: 10, but at most 10,000,000 symbols)."""
    sample_length: int = 200
    """Symbols written as a sample at each validation; 0 for none."""


@dataclass(frozen=True, kw_only=True)
class AnyRun:
    """What every run has: its folder, and where its settings begin."""

    kind: ClassVar[str]
    """What follows `ostinato train`."""
    needed: ClassVar[tuple[str, str, Any] | None] = None
    """Section, name and empty value of the setting that has no default."""
    out: Path | None = None
    """Folder of the run (default: in runs/, by what is learned)."""
    recipe: str | None = None
    """Settings to begin with, by name from `ostinato recipes`."""
    control: bool = False
    """Run the recipe's negative control instead: what must not reach its result."""
    config: Path | None = None
    """Settings to begin with, from a YAML file."""
    resume: bool = False
    """Go on with the run in the folder, where it stopped."""
    overwrite: bool = False
    """Begin anew in a folder that holds a run, and lose that run."""

    @property
    def folder(self) -> Path:
        """Where the run lives: `out`, or a folder in `runs/`."""
        return self.out if self.out is not None else Path("runs") / self.name

    @property
    def name(self) -> str:
        """What the folder is called unless told: by the recipe, or by what is learned."""
        raise TypeError(f"{type(self).__name__} does not define name")


AnyRunT = TypeVar("AnyRunT", bound=AnyRun)


@dataclass(frozen=True)
class Run(AnyRun):
    """A training run of a language model: its settings and its folder."""

    kind = "language-model"
    needed = ("data", "file", NOT_GIVEN)
    data: Data = field(default_factory=Data)
    model: Model = field(default_factory=Model)
    training: Training = field(default_factory=Training)

    @property
    def name(self) -> str:
        """The name of the text."""
        if self.data.file == NOT_GIVEN:
            raise ConfigError("file", "no text was given", "Give a file to learn from, or --resume with --out")
        return self.data.file.stem


@dataclass(frozen=True)
class Exercise:
    """What is to be learned."""

    task: Positional[
        Literal[
            "adding", "adding-1997", "copying", "copying-bits", "embedded-reber", "noise-free-lag", "random-filler",
            "temporal-order", "temporal-order-3",
        ]
    ] = "adding"  # fmt: skip
    """Task, by name."""
    length: int | None = None
    """How long its sequences are, as the task counts it (default: as published)."""
    test_sequences: int = 2560
    """Sequences kept to validate."""
    goal: float | None = None
    """Stop when the task's figure is no larger (default: as published)."""


@dataclass(frozen=True)
class TaskNetwork(Network):
    """Which network."""

    direct: bool = False
    """Let the outputs see the inputs as well as the last layer."""
    keywords: dict[str, float] = field(default_factory=dict)
    """Further keywords of the cell: names and numbers."""
    starts: dict[str, float] = field(default_factory=dict)
    """Symbols of the cell that start at a number, as `b_i -3`."""


@dataclass(frozen=True)
class TaskRun(AnyRun):
    """A training run on a synthetic task: its settings and its folder."""

    kind = "task"
    task: Exercise = field(default_factory=Exercise)
    model: TaskNetwork = field(default_factory=lambda: TaskNetwork(hidden_size=64, num_layers=1, dropout=0.0))
    training: Learning = field(
        default_factory=lambda: Learning(
            optimizer="adam", learning_rate=2e-3, weight_decay=0.0, warmup=0, final_fraction=1.0, steps=3000
        )
    )

    @property
    def name(self) -> str:
        """The recipe, or the task and the cell."""
        if self.recipe is not None:
            return self.recipe + ("-control" if self.control else "")
        cell = "own-cell" if "=" in self.model.cell or "." in self.model.cell else self.model.cell
        return f"{self.task.task}-{cell}"


@dataclass(frozen=True)
class Series:
    """What a reservoir is driven with."""

    series: Positional[Literal["mackey-glass", "memory-capacity"]] = "mackey-glass"
    """Chaos to predict, or noise to remember."""
    steps: int = 3000
    """Steps the readout is fitted on, those of the washout among them."""
    washout: int = 1000
    """First steps, which are not fitted."""
    ridge: float = 0.0
    """Penalty on the squared weights of the readout, relative to what it sees."""


@dataclass(frozen=True)
class Reservoir:
    """Which reservoir."""

    cell: str = "echo-state"
    """Name from `ostinato cells`, a file of equations (.eq), or the equations themselves."""
    hidden_size: int = 400
    """Units."""
    bias: bool = True
    """Give each unit a constant input."""
    initialisers: str = "uniform"
    """How its recurrent weights are drawn: uniform, or orthogonal, identity, glorot."""
    keywords: dict[str, float] = field(default_factory=dict)
    """Further keywords of the cell, as leak, spectral_radius, input_scale, sparsity."""


@dataclass(frozen=True)
class Fitting:
    """How it is fitted."""

    seed: int = 0
    """Seed of every random choice."""
    threads: int | None = None
    """Threads of the CPU (default: torch's choice)."""


@dataclass(frozen=True)
class ReservoirRun(AnyRun):
    """A reservoir with a fitted readout: its settings and its folder."""

    kind = "reservoir"
    series: Series = field(default_factory=Series)
    model: Reservoir = field(default_factory=Reservoir)
    training: Fitting = field(default_factory=Fitting)

    @property
    def name(self) -> str:
        """The recipe, or the series."""
        return self.series.series if self.recipe is None else self.recipe + ("-control" if self.control else "")


def sections(run: AnyRun | type[AnyRun]) -> dict[str, type]:
    """Return the sections of a run's settings: name → class."""
    kinds = get_type_hints(run if isinstance(run, type) else type(run))
    return {f.name: kinds[f.name] for f in fields(run) if is_dataclass(kinds[f.name])}


def override(run: AnyRunT, source: str, settings: dict[str, Any]) -> AnyRunT:
    """Return `run` with flat `settings` (name → value) over it; `source` is named in errors.

    >>> override(Run(), "example", {"hidden_size": 8}).model.hidden_size
    8
    """
    homes = {f.name: section for section, kind in sections(run).items() for f in fields(kind)}
    nested: dict[str, dict] = {}
    for name, value in settings.items():
        if name not in homes:
            raise _unknown(source, "setting", name, homes)
        nested.setdefault(homes[name], {})[name] = value
    return overlay(run, source, nested)


def overlay(run: AnyRunT, source: str, document: dict[str, Any]) -> AnyRunT:
    """Return `run` with the sections of a YAML document over it. Raises ConfigError."""
    known = sections(run)
    for name, values in document.items():
        if name in HEADER:
            continue
        if name not in known:
            raise _unknown(source, "section", name, known)
        where = f"{source} [{name}]"
        if not isinstance(values, dict):
            raise ConfigError(where, f"holds {values!r}", "It is a list of `key: value` lines")
        converted = _convert(where, known[name], values)
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
            "It holds sections (model:, training:, …), each with settings",
        )
    return document


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
        raise _unknown("recipe", "name", name, shipped)
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


def to_yaml(run: AnyRun, version: str) -> str:
    """Return the whole of `run` as the text of `config.yaml`."""
    document: dict[str, Any] = {"kind": run.kind, "format": FORMAT, "ostinato": version}
    for section in sections(run):
        values = asdict(getattr(run, section))
        document[section] = {k: str(v) if isinstance(v, Path) else v for k, v in values.items()}
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)


def refuse_two_ways(run: AnyRun) -> None:
    """Refuse to go on with a run and to begin it anew."""
    if run.resume and run.overwrite:
        raise ConfigError("--resume", "--overwrite was given too", "Going on, or beginning anew", "Leave one out")


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
