"""`ostinato evaluate`: scores a file with any trained model, by the `evaluate` of its kind, and prints the figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from ostinato._errors import ConfigError
from ostinato.cli.results import say
from ostinato.cli.searching import SearchFlags, searching
from ostinato.training.config.searching import DRAWN

if TYPE_CHECKING:
    from ostinato.training.captioner.trained import TrainedCaptioner
    from ostinato.training.classifier.trained import TrainedClassifier
    from ostinato.training.forecaster.trained import TrainedForecaster
    from ostinato.training.tagger.trained import TrainedTagger
    from ostinato.training.trained import TrainedLanguageModel
    from ostinato.training.transcriber.trained import TrainedTranscriber
    from ostinato.training.translator.trained import TrainedTranslator


@dataclass(frozen=True)
class Evaluate:
    """Score a file with a trained model: a text, or labelled sequences as it was trained on."""

    run: tyro.conf.Positional[Path]
    """Folder of a run."""
    file: tyro.conf.Positional[str]
    """File to score."""
    column: str | None = None
    """Column that holds the text (default: that of the run)."""
    label: str | None = None
    """Column that holds the answer (default: that of the run)."""
    encoding: str | None = None
    """Encoding of a text file (default: that of the run)."""
    file_format: str | None = None
    """Format of the file (default: by its name and content; that of the run for a file named alike)."""
    report: Path | None = None
    """Folder for tables and pictures of what was scored (default: none are written)."""
    targets: str | None = None
    """Of two parallel files, the one with the targets."""
    search: tyro.conf.OmitArgPrefixes[SearchFlags] = field(default_factory=SearchFlags)


def run(arguments: list[str], program: str) -> int:
    """Print one figure a line."""
    asked = tyro.cli(Evaluate, prog=program, args=arguments)

    from ostinato.training.opening import kind_of, load  # imports torch, which --help does without

    model = load(asked.run)
    if drawn := set(searching(asked.search, model).get("search", {})) & set(DRAWN):
        got = "figures of draws are others each time"
        raise ConfigError(f"--{min(drawn).replace('_', '-')}", got, "A search finds the same again", "Leave it out")
    if asked.targets is not None and kind_of(asked.run) != "translator":
        raise ConfigError("--targets", "this run reads one file", "It is for translators", "Leave it out")
    for line in KINDS[kind_of(asked.run)](model, asked):
        print(line)
    return 0


def _language_model(model: TrainedLanguageModel, asked: Evaluate) -> list[str]:
    _refuse_format(asked)
    scores = model.evaluate(asked.file, column=asked.column, encoding=asked.encoding)
    lanes = f" (read in {scores['lanes']} lanes)" if scores["lanes"] > 1 else ""
    return [
        f"nats a symbol     {scores['nats']:.4f}",
        f"bits a character  {scores['bits_per_character']:.4f}",
        f"perplexity        {scores['perplexity']:.4f}",
        f"symbols           {scores['symbols']:,}{lanes}",
    ]


def _refuse_format(asked: Evaluate) -> None:
    if asked.file_format is not None:
        possible = "It is for classifiers and taggers"
        raise ConfigError("--file-format", "this run reads files by their names", possible, "Leave it out")


def _classifier(model: TrainedClassifier, asked: Evaluate) -> list[str]:
    from ostinato.training.classifier.report import judged_lines

    given = {"text": asked.column, "label": asked.label, "encoding": asked.encoding, "format": asked.file_format}
    return judged_lines(model, asked.file, asked.report, {k: v for k, v in given.items() if v is not None}, say)


def _tagger(model: TrainedTagger, asked: Evaluate) -> list[str]:
    from ostinato.training.tagger.report import judged_lines

    given = {"text": asked.column, "label": asked.label, "encoding": asked.encoding, "format": asked.file_format}
    return judged_lines(model, asked.file, asked.report, {k: v for k, v in given.items() if v is not None})


def _forecaster(model: TrainedForecaster, asked: Evaluate) -> list[str]:
    _refuse_format(asked)
    given = {"target": asked.column, "encoding": asked.encoding}
    figures = model.evaluate(asked.file, **{k: v for k, v in given.items() if v is not None})
    return [f"{name:<16}{value:.6g}" for name, value in figures.items()]


def _translator(model: TrainedTranslator, asked: Evaluate) -> list[str]:
    from ostinato.training.translator.report import judged_lines

    given = {"text": asked.column, "label": asked.label, "encoding": asked.encoding, "format": asked.file_format}
    given |= {"targets": asked.targets, **searching(asked.search, model)}
    return judged_lines(model, asked.file, asked.report, say, **{k: v for k, v in given.items() if v is not None})


def _transcriber(model: TrainedTranscriber, asked: Evaluate) -> list[str]:
    from ostinato.training.transcriber.report import judged_lines

    given = {"audio": asked.column, "text": asked.label, "encoding": asked.encoding, "format": asked.file_format}
    given |= searching(asked.search, model)
    return judged_lines(model, asked.file, asked.report, say, **{k: v for k, v in given.items() if v is not None})


def _captioner(model: TrainedCaptioner, asked: Evaluate) -> list[str]:
    from ostinato.training.captioner.report import judged_lines

    _refuse_format(asked)
    given = {"text": asked.column, "label": asked.label, "encoding": asked.encoding, **searching(asked.search, model)}
    return judged_lines(model, asked.file, asked.report, say, **{k: v for k, v in given.items() if v is not None})


KINDS: dict[str, Callable[[Any, Evaluate], list[str]]] = {
    "language-model": _language_model,
    "classifier": _classifier,
    "tagger": _tagger,
    "forecaster": _forecaster,
    "transcriber": _transcriber,
    "translator": _translator,
    "captioner": _captioner,
}
