"""The settings of a translator: which pairs, which network, how it learns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from tyro.conf import Positional

from ostinato.training.config.runs import Network
from ostinato.training.config.searching import Searching, WriterLearning
from ostinato.training.config.supervised import FileRun

Tokens = Literal["auto", "char", "byte", "word", "bpe", "symbols"]


@dataclass(frozen=True)
class PairData:
    """What is read, and what it is to become."""

    file: Positional[str] = ""
    """Pairs: TSV, CSV, JSONL, Parquet, a pronouncing dictionary, inflections; or sources, with --targets beside it."""
    targets: str | None = None
    """Of two parallel files, the one with the targets, line by line."""
    validation: str = "0.05"
    """Share of the sources kept for validation, or a second file; the targets of val.de stand in val.en."""
    test: str | None = None
    """Share of the sources kept to test the best model at the end, or a file."""
    format: Literal["auto", "parallel", "csv", "tsv", "jsonl", "parquet", "cmudict", "sigmorphon"] = "auto"
    """Format of the files (default: by name and content)."""
    source_column: str | None = None
    """Column of a table that holds the source (default: found by its name, else the first)."""
    target_column: str | None = None
    """Column that holds the target (default: found by its name, else the second)."""
    encoding: str = "utf-8"
    """Encoding of text files."""
    stress: bool = True
    """Of a pronouncing dictionary: keep the stress of vowels."""
    source_tokens: Tokens = "auto"
    """What one symbol of a source is (default: what suits the format: words of texts, characters of a word)."""
    target_tokens: Tokens = "auto"
    """What one symbol of a target is."""
    source_vocabulary: int | None = None
    """Most symbols of sources (default: 30,000 of words, 2,048 of bpe)."""
    target_vocabulary: int | None = None
    """Most symbols of targets."""
    least: int = 1
    """Times a word, or another symbol, must be met to be known."""
    lowercase: bool = False
    """Read and write small letters only."""
    reverse: bool = False
    """Read sources backwards (Sutskever, Vinyals and Le, 2014, section 3.3)."""
    longest: int = 200
    """Symbols of a source or a target above which a pair is left out of learning."""


@dataclass(frozen=True)
class TranslatorNetwork(Network):
    """Which network."""

    hidden_size: int = 256
    """Units of each recurrent layer of the encoder and direction."""
    num_layers: int = 1
    """Recurrent layers of the encoder, one above the other."""
    directions: Literal[1, 2] = 2
    """Read forward only, or in both directions."""
    embedding_size: int = 256
    """Numbers a symbol is read as, on both sides."""
    dropout: float = 0.3
    """Share of activations set to zero while learning: of symbols, between layers and before the scores."""
    decoder_cell: str | None = None
    """Cell that writes (default: the one that reads)."""
    decoder_size: int | None = None
    """Units of each of its layers (default: as many as the encoder has)."""
    decoder_layers: int | None = None
    """Its layers (default: as many as the encoder has)."""
    context: str = "state"
    """How the sum of the source reaches the decoder: state, input, bias, joined by +; or all."""
    attention: Literal["none", "dot", "general", "additive", "location"] = "general"
    """How the decoder looks at the source while it writes."""
    attend: Literal["after", "before"] = "after"
    """Look after each step (Luong) or before it (Bahdanau); before is slower."""
    input_feeding: bool = False
    """Let each step read what the one before it saw; slower."""
    coverage: bool = False
    """Let attention see where it looked so far; slower."""
    copy: bool = False
    """Let the decoder copy symbols of the source."""
    tied: bool = False
    """Use one matrix to read and to score what is written."""


@dataclass(frozen=True)
class TranslatorRun(FileRun):
    """A training run of a translator: its settings and its folder."""

    kind: ClassVar[str] = "translator"
    data: PairData = field(default_factory=PairData)
    model: TranslatorNetwork = field(default_factory=lambda: TranslatorNetwork(cell="gru"))
    training: WriterLearning = field(
        default_factory=lambda: WriterLearning(
            optimizer="adam", learning_rate=2e-3, weight_decay=0.0, gradient="full", batch_size=64
        )
    )
    search: Searching = field(default_factory=Searching)
