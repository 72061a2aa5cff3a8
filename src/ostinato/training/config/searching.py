"""Settings of models that write sequences: how they learn, and how sequences are looked for once they have."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from ostinato._errors import ConfigError, did_you_mean
from ostinato.training.config.supervised import SetLearning

if TYPE_CHECKING:
    from ostinato.decoding.search import Search

DRAWN = ("temperature", "top_k", "top_p", "min_p")
INSIDE = ("sampling", "never")
"""Settings of a search that follow from others."""
DIVERSITY = 0.5
"""That of groups unless told (Vijayakumar et al., 2016, take 0.2 to 0.8)."""


@dataclass(frozen=True)
class WriterLearning(SetLearning):
    """How it learns."""

    label_smoothing: float = 0.0
    """Share of the probability that the loss wants spread over all symbols."""
    select: Literal["nats", "errors"] = "nats"
    """Figure of the validation that decides which weights are best: errors is the share not exactly right, greedily."""


@dataclass(frozen=True)
class Searching:
    """How sequences are looked for, once the model is trained. `ostinato.decoding.search` says what each does."""

    beam: int = 5
    """Hypotheses kept side by side; 1 takes the best symbol at each step."""
    length_penalty: float = 0.6
    """How much longer sequences are favoured; 0 ranks by probability alone."""
    coverage_penalty: float = 0.0
    """How much a sequence loses for places of the source that attention has left out."""
    no_repeat_ngram: int = 0
    """No sequence of so many symbols is written twice; 0 allows it."""
    groups: int = 1
    """Groups that the beam is divided into, each avoiding what those before it chose."""
    diversity: float = 0.0
    """How much they avoid it (default with groups: 0.5)."""
    min_length: int = 0
    """Symbols at least."""
    max_length: int = 200
    """Symbols at most; of a translation also as many, for its source, as was learned, half as many more, and 20."""

    def search(self, **asked: Any) -> Search:
        """Return it as `ostinato.decoding` takes it, with what is `asked` beside it or in its place.

        A beam holds at least as many hypotheses as are asked for. Any of temperature, top_k, top_p and min_p has
        symbols drawn by chance instead. Raises ConfigError for values that are not possible.
        """
        from ostinato.decoding.sampling import Sampling
        from ostinato.decoding.settings import Search

        _check_names(asked, [entry.name for entry in fields(Search) if entry.name not in INSIDE])
        drawn = {name: asked.pop(name) for name in DRAWN if name in asked}
        settings = {**asdict(self), **asked}
        wanted = settings.get("n_best", 1)
        if drawn:
            for name in ("beam", "groups", "diversity"):
                if name in asked:
                    got = f"{asked[name]} beside `{next(iter(drawn))}`"
                    raise ConfigError(name, got, "Draws are independent of each other", "`n_best` says how many")
            settings |= {"sampling": Sampling(**drawn), "beam": wanted, "groups": 1, "diversity": 0.0}
        elif "n_best" in asked and "beam" not in asked and isinstance(wanted, int):
            settings["beam"] = max(self.beam, wanted)
        if settings["groups"] != 1 and not settings["diversity"] and "diversity" not in asked:
            settings["diversity"] = DIVERSITY
        return Search(**settings)

    def check(self, attention: str) -> None:
        """Refuse settings that are not possible, or not with this attention. Raises ConfigError."""
        self.search()
        if self.coverage_penalty and attention == "none":
            got = f"{self.coverage_penalty:g} with `attention='none'`"
            raise ConfigError("coverage_penalty", got, "It is about where attention looks", "Leave it out")


def _check_names(asked: dict[str, Any], known: list[str]) -> None:
    for name in asked:
        if name not in (*known, *DRAWN):
            possible = f"They are {', '.join((*known, *DRAWN))}"
            raise ConfigError(name, "no setting of a search", possible, did_you_mean(name, (*known, *DRAWN)))
