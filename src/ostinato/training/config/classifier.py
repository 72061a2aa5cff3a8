"""The settings of a classifier: which files, which network, how it learns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from tyro.conf import Positional

from ostinato.training.config.runs import Network
from ostinato.training.config.supervised import FileRun, SetLearning


@dataclass(frozen=True)
class LabelledData:
    """What is read, and what is to be answered."""

    file: Positional[str] = ""
    """Labelled texts or frames: CSV, TSV, JSONL, Parquet, lines, a folder of labels, .ts, .npz, MNIST idx, hf://…"""
    validation: str = "0.1"
    """Share kept for validation, or a second file; with 0 the model is judged on what it learns from."""
    test: str | None = None
    """Share kept to test the best model at the end, or a file."""
    part: str | None = None
    """Column that says of each row whether it is for train, validation or test."""
    text: str | None = None
    """Column of the text (default: found by its name)."""
    label: str | None = None
    """Column of the answer (default: found by its name); several numbers are columns joined by commas."""
    answer: Literal["label", "labels", "numbers"] = "label"
    """What is answered to a sequence: one label, any number of labels, or numbers."""
    between: str = ","
    """What stands between the labels of a text that has several."""
    tokens: Literal["char", "byte", "word", "bpe"] = "word"
    """What one symbol of a text is."""
    vocabulary_size: int | None = None
    """Most symbols a word or bpe vocabulary may hold."""
    lower: bool = False
    """Read texts in lower case."""
    longest: int | None = None
    """Steps of a sequence that are read, from its beginning; the rest is left out and counted (default: all)."""
    format: str | None = None
    """Format of the files (default: by name and content)."""
    encoding: str = "utf-8"
    """Encoding of text files."""
    pixels: bool = False
    """Read images pixel by pixel, not row by row."""
    downsample: int | None = None
    """Side of a square that images are averaged to."""
    compress: float | None = None
    """Size beyond which numbers of frames are read by their logarithm, asinh(x / size), before they are scaled."""
    stack: int = 1
    """Frames that follow each other and are read as one, side by side: fewer steps, each with more numbers."""
    missing: Literal["refuse", "interpolate", "zero"] = "refuse"
    """What becomes of gaps in frames."""
    standardise: bool = True
    """Shift and scale each channel of frames by mean and deviation of the training part; both are kept in the run."""


@dataclass(frozen=True)
class ClassifierNetwork(Network):
    """Which network."""

    hidden_size: int = 128
    """Units of each recurrent layer and direction."""
    num_layers: int = 1
    """Recurrent layers, one above the other."""
    dropout: float = 0.3
    """Share of activations set to zero between layers and before the answer while learning."""
    directions: Literal[1, 2] = 2
    """Read forward only, or in both directions."""
    pooling: Literal["last", "mean", "max", "attention"] = "max"
    """How the outputs of all steps become one vector."""
    embedding_size: int | None = None
    """Numbers a symbol is read as (default: 100, at most one for each symbol)."""
    embedding_dropout: float = 0.1
    """Share of the numbers that are read of a step set to zero while learning."""
    symbol_dropout: float = 0.05
    """Share of symbols read as unknown ones while learning."""
    baseline: Literal["none", "majority", "ngram", "bag", "mlp", "convolution"] = "none"
    """What learns in place of the recurrence, to see what it is worth."""


@dataclass(frozen=True)
class ClassifierLearning(SetLearning):
    """How it learns."""

    class_weights: Literal["none", "root", "balanced"] = "none"
    """Weight of each label in what is learned from: the same, or by one over its count or the root of it."""
    select: Literal["errors", "macro_f1", "nats", "mse"] | None = None
    """Figure of the validation that decides which weights are best (default: errors; mse of numbers)."""


@dataclass(frozen=True)
class ClassifierRun(FileRun):
    """A training run of a classifier: its settings and its folder."""

    kind: ClassVar[str] = "classifier"
    data: LabelledData = field(default_factory=LabelledData)
    model: ClassifierNetwork = field(default_factory=ClassifierNetwork)
    training: ClassifierLearning = field(
        default_factory=lambda: ClassifierLearning(
            optimizer="adam", learning_rate=1e-3, weight_decay=0.0, gradient="full", clip_norm=1.0
        )
    )
