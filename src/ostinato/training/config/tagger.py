"""The settings of a tagger: which files, which network, how it learns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from tyro.conf import Positional

from ostinato.training.config.runs import Network
from ostinato.training.config.supervised import FileRun, SetLearning


@dataclass(frozen=True)
class TaggedData:
    """What is read, and which tags are learned."""

    file: Positional[str] = ""
    """Words with a tag each: CoNLL columns, CoNLL-U, JSONL; with --frames rows of numbers with a tag each; or .npz."""
    validation: str = "0.1"
    """Share kept for validation, or a second file."""
    test: str | None = None
    """Share kept to test the best model at the end, or a file."""
    word_column: str | None = None
    """Column of the words: of CoNLL its number from 1, otherwise its name (default: 1, FORM, found by its name)."""
    tag_column: str | None = None
    """Column of the tags, likewise; negative numbers count from the end (default: -1, UPOS, found by its name)."""
    format: Literal["auto", "columns", "conllu", "text", "rows"] = "auto"
    """Format of the files (default: by name and content); rows are CSV, JSONL, …"""
    encoding: str = "utf-8"
    """Encoding of text files."""
    scheme: Literal["auto", "iob2", "bioes", "plain"] = "auto"
    """How tags spell entities of several words (default: found in the tags); plain: each stands for itself."""
    lowercase: bool = True
    """Know words by their small letters; characters keep their case."""
    least: int = 1
    """Times a word must be met to be known by itself."""
    longest_word: int = 32
    """Characters of a word that are read; of a longer one the first and the last."""
    frames: str | None = None
    """Columns of numbers to read in place of words, joined by commas."""
    group: str | None = None
    """Of frames: column that says which rows follow each other (default: all do)."""
    window: int = 200
    """Of frames: steps that a long sequence is cut into, to learn from and to tag."""
    missing: Literal["refuse", "interpolate", "zero"] = "refuse"
    """What becomes of a number that is not there."""
    standardise: bool = True
    """Shift and scale each column of numbers by mean and deviation of the training part; both are kept in the run."""


@dataclass(frozen=True)
class TaggerNetwork(Network):
    """Which network."""

    hidden_size: int = 150
    """Units of each recurrent layer and direction."""
    num_layers: int = 1
    """Recurrent layers, one above the other."""
    dropout: float = 0.4
    """Share of activations set to zero, of words, between layers and before the tags, while learning."""
    directions: Literal[1, 2] = 2
    """Read forward only, or in both directions."""
    crf: bool = False
    """Judge whole sequences of tags by a chain over them, not each tag by itself."""
    embedding_size: int = 100
    """Numbers a word is read as; 0 reads characters only."""
    character_size: int = 50
    """Numbers a character is read as."""
    character_units: int = 50
    """Units of each of the two readings of a word's characters; 0 reads words only."""
    character_cell: str = "lstm"
    """Cell that reads characters."""
    unknown: float = 0.25
    """While learning, a word met n times is read as an unknown one with chance unknown / (unknown + n)."""
    baseline: Literal["none", "most-frequent", "logistic", "mlp"] = "none"
    """What learns in place of the recurrence, to see what it is worth: each reads a step by itself."""


@dataclass(frozen=True)
class TaggerLearning(SetLearning):
    """How it learns."""

    select: Literal["errors", "f1", "nats"] | None = None
    """Figure of the validation that decides which weights are best (default: errors; of entities f1)."""


@dataclass(frozen=True)
class TaggerRun(FileRun):
    """A training run of a tagger: its settings and its folder."""

    kind: ClassVar[str] = "tagger"
    data: TaggedData = field(default_factory=TaggedData)
    model: TaggerNetwork = field(default_factory=TaggerNetwork)
    training: TaggerLearning = field(
        default_factory=lambda: TaggerLearning(
            optimizer="adam", learning_rate=2e-3, weight_decay=0.0, gradient="full", clip_norm=5.0
        )
    )
