"""The settings of a transcriber: which sounds, which features, which network, how it learns and writes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from tyro.conf import Positional

from ostinato.training.config.runs import Network
from ostinato.training.config.supervised import FileRun, SetLearning


@dataclass(frozen=True)
class SpeechData:
    """What is heard, and what is said in it."""

    file: Positional[str] = ""
    """Manifest (CSV, TSV, JSONL, Parquet), folder of sounds with texts beside them, archive of digits, or .npz."""
    validation: str = "0.1"
    """Share kept for validation, or a second file; with 0 the model is judged on what it learns from."""
    test: str | None = None
    """Share kept to test the best model at the end, or a file."""
    part: str | None = None
    """Column that says of each row whether it is for train, validation or test."""
    audio: str | None = None
    """Column of a manifest that names sounds, or holds them (default: found by its name)."""
    text: str | None = None
    """Column of what is said (default: found by its name)."""
    format: str | None = None
    """Format of the files (default: by name and content)."""
    encoding: str = "utf-8"
    """Encoding of text files."""
    tokens: Literal["char", "byte", "word", "bpe", "symbols"] = "char"
    """What one symbol of a text is."""
    vocabulary_size: int | None = None
    """Most symbols a word, bpe or symbols vocabulary may hold."""
    least: int = 1
    """Times a symbol must be met to be known."""
    lowercase: bool = False
    """Write small letters only."""
    rate: int | None = None
    """Samples a second that sounds are resampled to (default: those of the first sound to learn from)."""
    bands: int = 40
    """Mel bands of a frame."""
    window_ms: float = 25.0
    """Milliseconds of sound that a frame is made of."""
    step_ms: float = 10.0
    """Milliseconds between the beginnings of two frames."""
    standardise: bool = True
    """Shift and scale each band by mean and deviation of the training part; both are kept in the run."""
    centre: bool = False
    """Take each utterance's mean of a band away: voices and microphones differ less, but none can be streamed."""
    longest: float = 30.0
    """Seconds above which an utterance is left out of learning."""
    strings: int = 0
    """Of an archive of digits: strings of digits to make of its recordings; 0 reads each recording by itself."""
    test_strings: int = 500
    """Strings to validate with, and as many to test."""
    shortest_string: int = 3
    """Fewest digits of a string."""
    longest_string: int = 7
    """Most digits of a string."""
    silence: float = 0.1
    """Longest silence between two digits, in seconds."""
    speaker: str | None = None
    """Speaker of an archive of digits who is kept to test (default: the recordings 0 to 4 of all are)."""


@dataclass(frozen=True)
class TranscriberNetwork(Network):
    """Which network."""

    hidden_size: int = 128
    """Units of each recurrent layer and direction."""
    num_layers: int = 2
    """Recurrent layers, one above the other."""
    directions: Literal[1, 2] = 2
    """Read forward only, which can be done as sound comes, or in both directions."""
    dropout: float = 0.1
    """Share of activations set to zero between layers and before the scores while learning."""
    stack: int = 3
    """Frames that follow each other and are read as one step: fewer steps, each with more numbers."""
    noise: float = 0.3
    """Deviation of what is added to frames, once they are scaled, while learning."""
    loss: Literal["ctc", "transducer"] = "ctc"
    """How texts are learned and written: each step by itself (CTC), or after what was written (an RNN transducer)."""
    prediction_cell: str | None = None
    """Cell of a transducer's network over what was written (default: that of the encoder)."""
    prediction_size: int = 64
    """Units of that network."""
    joint: Literal["tanh", "sum"] = "tanh"
    """How a transducer joins what was heard and what was written: in a hidden layer, or as a sum of scores."""
    joint_size: int = 64
    """Units of the hidden layer."""
    baseline: Literal["none", "mlp"] = "none"
    """What reads each step by itself in place of the recurrence, to see what it is worth."""


@dataclass(frozen=True)
class TranscriberLearning(SetLearning):
    """How it learns."""

    select: Literal["cer", "wer", "exact", "nats"] | None = None
    """Figure of the validation that decides which weights are best (default: cer, of words and symbols wer)."""


@dataclass(frozen=True)
class Writing:
    """How texts are looked for, once the model is trained."""

    beam: int = 1
    """Texts kept side by side while sound is read (prefix search); 1 takes the best symbol at each step."""
    language_model: str | None = None
    """Run of a language model that scores texts too."""
    language_weight: float = 0.5
    """What its log probability of a text counts beside that of the sound."""
    symbol_bonus: float = 0.0
    """What each symbol adds to the score of a text, against a language model that favours short ones."""


@dataclass(frozen=True)
class TranscriberRun(FileRun):
    """A training run of a transcriber: its settings and its folder."""

    kind: ClassVar[str] = "transcriber"
    data: SpeechData = field(default_factory=SpeechData)
    model: TranscriberNetwork = field(default_factory=TranscriberNetwork)
    training: TranscriberLearning = field(
        default_factory=lambda: TranscriberLearning(
            optimizer="adam", learning_rate=2e-3, weight_decay=0.0, gradient="full", clip_norm=1.0, batch_size=16
        )
    )
    search: Writing = field(default_factory=Writing)
