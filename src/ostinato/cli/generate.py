"""`ostinato generate`: calls `TrainedLanguageModel.write` and prints the text as it is drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import tyro

from ostinato.decoding.sampling import Sampling


@dataclass(frozen=True)
class Generate:
    """Write text with a trained language model, printed as it is drawn."""

    run: tyro.conf.Positional[Path]
    """Folder of a run."""
    prompt: str = ""
    """Text to go on from."""
    length: int = 500
    """Most symbols to write."""
    sampling: Sampling = field(default_factory=Sampling)
    """How each symbol is chosen."""
    seed: int | None = None
    """Makes the text repeatable (default: another text each time)."""
    stop: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """End before this text; may be given several times."""


def run(arguments: list[str], program: str) -> int:
    """Print the prompt and what follows it."""
    asked = tyro.cli(
        Generate,
        prog=program,
        args=arguments,
        config=(tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff),
    )

    from ostinato.training.trained import open_language_model as load  # imports torch, which --help does without

    text = load(asked.run).write(
        asked.prompt, length=asked.length, sampling=asked.sampling, seed=asked.seed, stop=asked.stop
    )
    print(asked.prompt, end="", flush=True)
    for piece in text:
        print(piece, end="", flush=True)
    print()
    return 0
