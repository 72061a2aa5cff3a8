"""The settings of a forecaster: which series, which network, how far ahead it looks, how it learns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from tyro.conf import Positional

from ostinato.training.config.runs import Network
from ostinato.training.config.supervised import FileRun, SetLearning


@dataclass(frozen=True)
class SeriesData:
    """What is read."""

    file: Positional[str] = ""
    """Series to learn from: CSV, TSV, JSONL, Parquet, NPZ, lines of numbers, JSON piano rolls."""
    validation: str = "0.1"
    """Kept of the end of each series, before what is tested, to validate: a share, a number of steps, or a file."""
    test: str = "0.1"
    """Kept of the end of each series to test the best model: a share, a number of steps, 0 for none, or a file."""
    first: int | None = None
    """Steps of each series that are read, from its beginning (default: all)."""
    target: str | None = None
    """Columns to forecast, joined by commas (default: every column that is nothing else)."""
    covariates: str | None = None
    """Columns that are known ahead, joined by commas."""
    time: str | None = None
    """Column of the time (default: found by its name)."""
    time_format: str | None = None
    """How times are written, as of strptime, where they are neither ISO 8601 nor numbers."""
    item: str | None = None
    """Column that says which of several series a row belongs to."""
    missing: Literal["error", "interpolate"] = "error"
    """What becomes of missing values."""
    encoding: str = "utf-8"
    """Encoding of text files."""
    scaling: Literal["column", "item", "none"] = "column"
    """Whose mean and deviation values are read in: of each column over all series, of each series, or none."""
    context: int = 256
    """Steps of the pieces that are learned from, and read before a forecast."""
    every: int | None = None
    """Steps from one piece that is learned from to the next (default: half of the context)."""
    lags: str = "1"
    """Values that are read at each step, by how many steps ago, joined by commas: 1 is the last, 24 a day of hours."""
    season: int | None = None
    """Steps of a season, which seasonal-naive and MASE count by (default: by the times; else 1)."""
    calendar: bool = True
    """Read the hour of the day, the day of the week and of the year, where times are dates that show them."""


@dataclass(frozen=True)
class Ahead:
    """What is asked of it."""

    horizon: int = 24
    """Steps a forecast looks ahead."""
    origins: int | None = None
    """Steps from one forecast of a test to the next (default: the horizon)."""
    samples: int = 200
    """Futures that are drawn for a forecast."""


@dataclass(frozen=True)
class ForecasterNetwork(Network):
    """Which network."""

    hidden_size: int = 64
    """Units of each recurrent layer."""
    num_layers: int = 1
    """Recurrent layers, one above the other."""
    dropout: float = 0.1
    """Share of activations set to zero between layers and before the head while learning."""
    head: Literal["point", "gaussian", "student-t", "negative-binomial", "mixture", "bernoulli", "nade"] | None = None
    """What is said of the next values: a point, or a distribution (default: nade of bits, else gaussian)."""
    loss: Literal["squared", "absolute", "huber"] = "squared"
    """What a point minimises."""
    components: int = 5
    """Normal distributions of a mixture."""
    head_size: int = 100
    """Hidden units of nade."""
    direct: bool = True
    """Let the head see what the first layer reads as well as the last layer."""
    changes: bool = False
    """Read and say numbers as changes from the last value: for series whose level wanders or grows."""
    baseline: Literal["none", "seasonal-naive", "last-value", "hmm"] = "none"
    """What forecasts in place of the network, to see what it is worth."""
    states: int = 64
    """States of the hidden Markov model."""


@dataclass(frozen=True)
class ForecasterLearning(SetLearning):
    """How it learns."""

    select: Literal["loss", "mse"] = "loss"
    """Figure of the validation that decides which weights are best: the loss of a step, or of forecasts."""


@dataclass(frozen=True)
class ForecasterRun(FileRun):
    """A training run of a forecaster: its settings and its folder."""

    kind: ClassVar[str] = "forecaster"
    data: SeriesData = field(default_factory=SeriesData)
    model: ForecasterNetwork = field(default_factory=ForecasterNetwork)
    ahead: Ahead = field(default_factory=Ahead)
    training: ForecasterLearning = field(
        default_factory=lambda: ForecasterLearning(
            optimizer="adam", learning_rate=2e-3, weight_decay=0.0, gradient="full", steps=1000
        )
    )
