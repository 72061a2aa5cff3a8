"""`ostinato predict`: what a trained model answers to arguments, a file or standard input, line by line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import tyro

from ostinato._errors import ConfigError, RunError
from ostinato.cli.dictation import dictated
from ostinato.cli.results import say
from ostinato.cli.searching import SearchFlags, searching


@dataclass(frozen=True)
class Predict:
    """Answer sequences with a trained model, any number of them in constant memory."""

    run: tyro.conf.Positional[Path]
    """Folder of a run."""
    texts: tyro.conf.Positional[tuple[str, ...]] = ()
    """Texts to answer, one an argument; of a captioner files of images, or vectors."""
    file: str | None = None
    """File to answer instead, or - for standard input."""
    column: str | None = None
    """Column that holds the text (default: that of the run)."""
    encoding: str | None = None
    """Encoding of a text file (default: that of the run)."""
    file_format: str | None = None
    """Format of the file, of which `labelled` has a label before each text (default: by its name and content)."""
    format: str | None = None
    """Format of the answers (default: the first that the model has; jsonl is known to all)."""
    horizon: int | None = None
    """Of a forecaster: steps to look ahead (default: those of the run)."""
    samples: int | None = None
    """Of a forecaster: futures to draw (default: as many as in the run)."""
    seed: int | None = None
    """Seed of what is drawn (default: 0)."""
    prefix: str | None = None
    """Of models that write: what each answer begins with."""
    question: str | None = None
    """Of a captioner that answers questions: what is asked of all that have none of their own."""
    search: tyro.conf.OmitArgPrefixes[SearchFlags] = field(default_factory=SearchFlags)
    stream: bool = False
    """Of a transcriber: write the text of one sound while it is heard; --file - is standard input, WAV or raw."""
    rate: int | None = None
    """Samples a second of raw sound on standard input: 16 bits, the low byte first."""
    out: Path | None = None
    """File to write the answers to (default: standard output)."""


def run(arguments: list[str], program: str) -> int:
    """Print one answer a line."""
    asked = tyro.cli(Predict, prog=program, args=arguments)
    if (asked.file is None) == (not asked.texts):
        got = "texts and a file" if asked.texts else "nothing to answer"
        raise ConfigError("ostinato predict", got, "", "Give texts, or --file FILE, or --file - for standard input")

    _check_of_file(asked)

    from ostinato.training.opening import load  # imports torch, which --help does without

    model = load(asked.run)
    if not hasattr(model, "lines"):
        advice = f"To write with it: ostinato generate {asked.run}"
        raise RunError(str(asked.run), "a language model answers nothing", "Others do", advice)
    end = "" if asked.stream else "\n"
    lines = dictated(asked, model) if asked.stream else _answers(asked, model)
    if asked.out is None:
        _write(lines, sys.stdout, end)
        return 0
    part = asked.out.with_name(f".{asked.out.name}.part")
    try:
        with open(part, "w", encoding="utf-8") as file:
            _write(lines, file, end)
        part.replace(asked.out)
    finally:
        part.unlink(missing_ok=True)
    return 0


def _answers(asked: Predict, model: Any) -> Iterator[str]:
    if asked.rate is not None:
        raise ConfigError("--rate", "it was given without --stream", "Files say their rates themselves", "Leave it out")
    given = {"text": asked.column, "encoding": asked.encoding, **_reading(asked, model), **_ahead(asked, model)}
    given |= {"prefix": _prefix(asked, model), "question": _question(asked, model), **searching(asked.search, model)}
    form = asked.format or model.formats[0]
    return model.lines(asked.texts, asked.file, form, **{k: v for k, v in given.items() if v is not None})


def _check_of_file(asked: Predict) -> None:
    """Raise ConfigError for what is said of a file where there is none."""
    for name in ("column", "encoding", "file_format"):
        if asked.file is None and getattr(asked, name) is not None:
            got = f"'{getattr(asked, name)}' of texts that are arguments"
            raise ConfigError(
                f"--{name.replace('_', '-')}", got, "It is said of a file", "Leave it out, or give --file"
            )


def _reading(asked: Predict, model: Any) -> dict[str, Any]:
    """Return how a file is read, and who is told. Raises ConfigError for a format where the model knows one only."""
    if asked.file_format is not None and not hasattr(model.run.data, "format"):
        possible = "It is for classifiers and taggers"
        raise ConfigError("--file-format", "this run reads files by their names", possible, "Leave it out")
    return {"format": asked.file_format, "say": say if getattr(model, "sniffs", False) else None}


def _ahead(asked: Predict, model: Any) -> dict[str, int | None]:
    """Return what is asked of a forecaster. Raises ConfigError where the model is none."""
    ahead = {name: getattr(asked, name) for name in ("horizon", "samples")}
    for name, value in ahead.items():
        if value is not None and not getattr(model, "looks_ahead", False):
            raise ConfigError(f"--{name}", "this run looks at no steps ahead", "It is for forecasters", "Leave it out")
    if asked.seed is not None and not (getattr(model, "looks_ahead", False) or getattr(model, "searches", False)):
        raise ConfigError(
            "--seed", "this run draws nothing", "It is for forecasters and models that write", "Leave it out"
        )
    return {**ahead, "seed": asked.seed}


def _prefix(asked: Predict, model: Any) -> str | None:
    """Return what answers begin with. Raises ConfigError where the model writes none."""
    if asked.prefix is not None and not getattr(model, "searches", False):
        raise ConfigError("--prefix", "this run writes no sequences", "It is for translators", "Leave it out")
    return asked.prefix


def _question(asked: Predict, model: Any) -> str | None:
    """Return what is asked. Raises ConfigError where the model answers nothing."""
    if asked.question is not None and not getattr(model, "answers", False):
        possible = "It is for captioners that learned from questions"
        raise ConfigError("--question", "this run answers no questions", possible, "Leave it out")
    return asked.question


def _write(lines: Iterator[str], stream: TextIO, end: str) -> None:
    for line in lines:
        print(line, file=stream, end=end, flush=not end)
