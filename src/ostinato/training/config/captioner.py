"""The settings of a captioner: what it sees, what it says, which network, how it learns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from tyro.conf import Positional

from ostinato.training.config.runs import Network
from ostinato.training.config.searching import Searching, WriterLearning
from ostinato.training.config.supervised import FileRun


@dataclass(frozen=True)
class CaptionedData:
    """What is seen, and what is said of it."""

    file: Positional[str] = ""
    """Images or vectors with captions: CSV, TSV, JSONL, Parquet, a folder of images, .npz, generated:shapes?…"""
    validation: str = "0.1"
    """Share of what is seen that is kept for validation, or a second file."""
    test: str | None = None
    """Share kept to test the best model at the end, or a file."""
    image_column: str | None = None
    """Column of a table with images, the names of their files (default: found by its name)."""
    vector: str | None = None
    """Columns of numbers, or one of colours (#rrggbb), that are seen instead of images: r,g,b."""
    caption_column: str | None = None
    """Column, or array of .npz, with captions or answers (default: found by its name)."""
    question_column: str | None = None
    """Column, or array of .npz, with questions (default: found by its name)."""
    questions: Literal["auto", "yes", "no"] = "auto"
    """Whether questions are read and answered (default: where there are some)."""
    images: str | None = None
    """Folder where the names of images begin (default: beside the table)."""
    image_size: int = 48
    """Pixels along a side to which images are brought."""
    fit: Literal["pad", "crop", "stretch"] = "pad"
    """How an image that is not square becomes so."""
    unreadable: Literal["refuse", "skip"] = "refuse"
    """What becomes of an image that cannot be read: an error, or left out and counted."""
    encoding: str = "utf-8"
    """Encoding of text files."""
    tokens: Literal["char", "byte", "word", "bpe", "symbols"] = "word"
    """What one symbol of captions and of questions is."""
    vocabulary_size: int | None = None
    """Most symbols of captions, and of questions (default: 30,000 of words, 2,048 of bpe)."""
    least: int = 1
    """Times a word, or another symbol, must be met to be known."""
    lowercase: bool = False
    """Read and write small letters only."""
    standardise: bool = True
    """Bring each number of vectors and regions to mean 0 and deviation 1 over what is learned from."""
    longest: int = 200
    """Symbols of a caption above which it is left out of learning."""


@dataclass(frozen=True)
class CaptionerNetwork(Network):
    """Which network."""

    hidden_size: int = 256
    """Units of each recurrent layer, of what writes and of what reads questions."""
    num_layers: int = 1
    """Recurrent layers of each, one above the other."""
    embedding_size: int = 128
    """Numbers a symbol is read as."""
    dropout: float = 0.1
    """Share of activations set to zero while learning: of symbols, between layers and before the scores."""
    channels: str = "32,48,64"
    """Channels of the convolutions that read an image, each halving it."""
    vector_size: int = 128
    """Numbers that what is seen comes to as a whole."""
    context: str = "state"
    """How the whole reaches the decoder: state, input, bias, joined by +; or all."""
    attention: Literal["auto", "none", "dot", "general", "additive", "location"] = "auto"
    """How the decoder looks at regions while it writes (default: general where there are regions)."""
    attend: Literal["after", "before"] = "after"
    """Look after each step (Luong) or before it (Bahdanau), so that it reads what is seen; before is slower."""
    input_feeding: bool = False
    """Let each step read what the one before it saw; with --attend after."""
    tied: bool = False
    """Use one matrix to read and to score what is written."""
    baseline: Literal["none", "blind", "unigram"] = "none"
    """In place of the model, to compare with: the same without what is seen, or how often each symbol occurs."""


@dataclass(frozen=True)
class CaptionerRun(FileRun):
    """A training run of a captioner: its settings and its folder."""

    kind: ClassVar[str] = "captioner"
    data: CaptionedData = field(default_factory=CaptionedData)
    model: CaptionerNetwork = field(default_factory=lambda: CaptionerNetwork(cell="gru"))
    training: WriterLearning = field(
        default_factory=lambda: WriterLearning(
            optimizer="adam", learning_rate=1e-3, weight_decay=0.0, gradient="full", batch_size=64
        )
    )
    search: Searching = field(default_factory=lambda: Searching(beam=3))
