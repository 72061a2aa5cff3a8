"""`ostinato evaluate`: calls `TrainedLanguageModel.evaluate` and prints the scores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro


@dataclass(frozen=True)
class Evaluate:
    """Score a text with a trained language model: every symbol counts, the state is carried."""

    run: tyro.conf.Positional[Path]
    """Folder of a run."""
    file: tyro.conf.Positional[Path]
    """Text to score."""
    column: str | None = None
    """Column of a JSONL or Parquet file that holds the text (default: that of the run)."""
    encoding: str | None = None
    """Encoding of a plain text file (default: that of the run)."""


def run(arguments: list[str], program: str) -> int:
    """Print one score a line."""
    asked = tyro.cli(Evaluate, prog=program, args=arguments)

    from ostinato.training.trained import load  # imports torch, which --help does without

    scores = load(asked.run).evaluate(asked.file, column=asked.column, encoding=asked.encoding)
    lanes = f" (read in {scores['lanes']} lanes)" if scores["lanes"] > 1 else ""
    print(f"nats a symbol     {scores['nats']:.4f}")
    print(f"bits a character  {scores['bits_per_character']:.4f}")
    print(f"perplexity        {scores['perplexity']:.4f}")
    print(f"symbols           {scores['symbols']:,}{lanes}")
    return 0
