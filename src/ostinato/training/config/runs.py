"""The settings of each kind of run, one frozen dataclass a section: what is read, which network. No torch.

The command line, its help and the `config.yaml` of a run folder are all made from these classes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from tyro.conf import Positional

from ostinato._errors import ConfigError
from ostinato.training.config.learning import Learning, Training

DEFAULT_EPOCHS = 10
DEFAULT_SYMBOLS = 10_000_000
NOT_GIVEN = Path("<no text>")


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
    clip_inside: float = 0.0
    """Size at which each number of the gradient is cut on its way from a step to the one before; 0 leaves it."""
    clip_inside_at: Literal["state", "pre-activation"] = "state"
    """Where --clip-inside cuts: what goes into states, or into the functions of a cell."""
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
    embedding_dropout: float = 0.0
    """Share of these numbers set to zero while learning."""
    tied: bool = False
    """Use one matrix to read and to predict symbols."""
    baseline: Literal["none", "kneser-ney", "window-mlp"] = "none"
    """Model without recurrence in place of the network, to compare with."""
    order: int = 5
    """Symbols of an n-gram of --baseline kneser-ney, the predicted one among them."""
    window: int = 4
    """Symbols that --baseline window-mlp sees at once."""


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
            "adding", "adding-1997", "copying", "copying-bits", "embedded-reber", "noise-free-lag", "noisy-copy",
            "random-filler", "temporal-order", "temporal-order-3",
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
            optimizer="adam",
            learning_rate=2e-3,
            weight_decay=0.0,
            warmup=0,
            final_fraction=1.0,
            steps=3000,
            gradient="full",
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
