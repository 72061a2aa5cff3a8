"""What a kind of model that learns from labelled sequences says of itself, so that one course trains them all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import nn

from ostinato.training.progress import Display
from ostinato.training.run_folder import RunFolder
from ostinato.training.supervised.batches import Batches, Collate, Items


@dataclass(frozen=True)
class Parts:
    """A run that is put together: what learns, from what, and how it is judged."""

    model: Any
    """A module with `loss`, `count`, `advance`, `initial_state` and `plans`."""
    batches: Batches
    validate: Callable[[Any], dict[str, float]]
    """Figures of the model over the part that is kept to validate."""
    in_words: Callable[[dict[str, float]], str]
    """Says these figures in a line."""
    score: str
    """The figure that decides which weights are best; the smaller the better."""
    loss: str
    """What the mean loss of training is called: nats, mse."""
    said: list[str]
    """Lines that announce the data and the model."""
    fit: Callable[[], None] | None = None
    """Of a model that is solved for and takes no steps: finds its weights."""
    kept: tuple[Items, Collate] = field(kw_only=True)
    """What is kept to validate, and what makes a batch of some of it that the model's loss is taken of."""


class Shape(Protocol):
    """One kind: how its files become items, and its items a model."""

    kind: str
    """What follows `ostinato train`."""

    def check(self, run: Any) -> None:
        """Refuse settings that cannot be, before anything is read. Raises ConfigError or DataError."""
        ...

    def prepare(self, run: Any, folder: RunFolder, display: Display) -> Any:
        """Read the files once and write what is learned from into `folder.items`; return the run as it is resolved.

        Raises DataError for what cannot be learned from; what is left out is counted and said.
        """
        ...

    def assemble(self, run: Any, folder: RunFolder) -> Parts:
        """Make the model from the run's seed, and the batches it learns from."""
        ...

    def card(self, run: Any, folder: RunFolder, model: nn.Module, figures: dict[str, Any]) -> str:
        """Return the text of the model card."""
        ...

    def report(self, run: Any, folder: RunFolder, display: Display) -> dict[str, float]:
        """Judge the best weights: write tables and pictures into the folder, say the figures, and return those of the
        test part; where there is none, those of the part kept to validate."""
        ...
