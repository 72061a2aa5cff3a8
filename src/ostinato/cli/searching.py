"""Flags of commands that let a model write: what differs from the search that its run says."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ostinato._errors import ConfigError

HEARING = ("language_model", "language_weight", "symbol_bonus")
"""What only transcribers are asked."""


@dataclass(frozen=True)
class SearchFlags:
    """Of models that write sequences: how they are looked for (default: as the run says)."""

    beam: int | None = None
    """Hypotheses kept side by side; 1 takes the best symbol at each step."""
    n_best: int | None = None
    """Sequences written for each item, the best first."""
    length_penalty: float | None = None
    """How much longer sequences are favoured; 0 ranks by probability alone."""
    coverage_penalty: float | None = None
    """How much a sequence loses for places of the source that attention has left out."""
    no_repeat_ngram: int | None = None
    """No sequence of so many symbols is written twice."""
    groups: int | None = None
    """Groups that the beam is divided into, each avoiding what those before it chose."""
    diversity: float | None = None
    """How much they avoid it (default with groups: 0.5)."""
    patience: float | None = None
    """An item is done once patience x beam of its sequences have ended."""
    min_length: int | None = None
    """Symbols at least."""
    max_length: int | None = None
    """Symbols at most."""
    temperature: float | None = None
    """Draw symbols by chance: below 1 bolder on the likely, above 1 more varied."""
    top_k: int | None = None
    """Draw from the k most probable symbols."""
    top_p: float | None = None
    """Draw from the fewest symbols that hold this share of the probability."""
    min_p: float | None = None
    """Draw from symbols with at least this share of the best one's probability."""

    language_model: str | None = None
    """Of transcribers: run of a language model that scores texts too."""
    language_weight: float | None = None
    """What its log probability of a text counts beside that of the sound."""
    symbol_bonus: float | None = None
    """What each symbol adds to the score of a text."""

    def given(self) -> dict[str, Any]:
        """Return the settings that were asked for."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def searching(flags: SearchFlags, model: Any) -> dict[str, Any]:
    """Return what is asked of a model's search. Raises ConfigError where the model does none."""
    given = flags.given()
    if given and not getattr(model, "searches", False):
        name = next(iter(given)).replace("_", "-")
        possible = "It is for translators, captioners and transcribers"
        raise ConfigError(f"--{name}", "this run writes no sequences", possible, "Leave it out")
    for name in HEARING:
        if name in given and not hasattr(model, "dictate"):
            got = f"{given[name]} of a run that hears no sound"
            raise ConfigError(f"--{name.replace('_', '-')}", got, "It is for transcribers", "Leave it out")
    return {"search": given} if given else {}
