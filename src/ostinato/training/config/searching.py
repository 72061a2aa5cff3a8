"""How a trained model looks for the sequences it writes, where a run or a command says it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ostinato.decoding.search import Search

DRAWN = ("temperature", "top_k", "top_p", "min_p")


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
    """How much they avoid it."""
    min_length: int = 0
    """Symbols at least."""
    max_length: int = 200
    """Symbols at most."""

    def search(self, **asked: Any) -> Search:
        """Return it as `ostinato.decoding` takes it, with what is `asked` beside it or in its place.

        A beam holds at least as many hypotheses as are asked for. Any of temperature, top_k, top_p and min_p has
        symbols drawn by chance instead. Raises ConfigError for values that are not possible.
        """
        from ostinato.decoding.sampling import Sampling
        from ostinato.decoding.settings import Search

        drawn = {name: asked.pop(name) for name in DRAWN if name in asked}
        settings = {**asdict(self), **asked}
        wanted = settings.get("n_best", 1)
        if drawn:
            settings |= {"sampling": Sampling(**drawn), "beam": wanted, "groups": 1, "diversity": 0.0}
        elif "n_best" in asked and "beam" not in asked:
            settings["beam"] = max(self.beam, wanted)
        return Search(**settings)
