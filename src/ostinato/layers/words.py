"""`Words`: a word as numbers, by itself and by its characters (Ling et al., 2015, arXiv:1508.02096).

A network that knows words by their number alone knows nothing of those it has not met; their characters tell endings,
capitals, digits and signs. Characters are read in both directions, each distinct word of a batch once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ostinato._errors import ConfigError
from ostinato.layers.recurrent import Recurrent


class Spelled(Protocol):
    """Words (T, B) of a batch."""

    inputs: Tensor
    """Their numbers (T, B); 0 is an unknown one."""
    letters: Tensor
    """The numbers of their characters (T, B, L); 0 is an unknown one, and what stands behind a word's end."""
    spans: Tensor
    """How many characters each has (T, B), 0 where there is no word."""
    spelling: Tensor
    """Equal numbers (T, B) for words that are spelled alike."""


class Words(nn.Module):
    """Give each word the numbers learned for it, beside the last outputs of two readings of its characters.

    counts          how often each known word was met, in the order of their numbers, from 1.
    characters      how many characters are known; their numbers begin with 1.
    unknown         a word met n times is read as an unknown one with chance unknown / (unknown + n) while learning, so
                    that there is something to learn about those (Kiperwasser and Goldberg, 2016, arXiv:1603.04351).
    embedding_size, character_size, character_units
                    numbers of a word, of a character, and of each reading; 0 leaves words, or characters, out.
    values          further keywords of the `Recurrent` that reads characters.

    Raises ConfigError for sizes that do not fit.
    """

    def __init__(
        self,
        counts: Sequence[int],
        characters: int,
        *,
        embedding_size: int = 100,
        character_size: int = 50,
        character_units: int = 50,
        cell: str = "lstm",
        unknown: float = 0.25,
        **values: Any,
    ):
        super().__init__()
        sizes = {"embedding_size": embedding_size, "character_units": character_units}
        if min(sizes.values()) < 0 or not any(sizes.values()):
            raise ConfigError("Words", ", ".join(f"{k}={v}" for k, v in sizes.items()), "One of both is above 0")
        if character_units and character_size < 1:
            raise ConfigError("character_size", f"{character_size} was given", "A size is a whole number, at least 1")
        if unknown < 0:
            raise ConfigError("unknown", f"{unknown:g} was given", "It is 0 or more", "Use 0.25, or 0 to leave it")
        self.embedding = embedding(len(counts) + 1, embedding_size) if embedding_size else None
        chances = unknown / (unknown + torch.tensor([torch.inf, *counts], dtype=torch.float32))
        self.is_random = unknown > 0
        self.register_buffer("chances", chances, persistent=False)
        if character_units:
            self.characters = embedding(characters + 1, character_size, padding_idx=0)
            self.spelling = Recurrent(cell, character_size, character_units, bidirectional=True, **values)
        self.output_size = embedding_size + (self.spelling.output_size if character_units else 0)

    def forward(self, words: Spelled) -> Tensor:
        """Return (T, B, E)."""
        parts = []
        if self.embedding is not None:
            parts.append(self.embedding(self._partly_unknown(words.inputs)))
        if hasattr(self, "spelling"):
            parts.append(self._spelled(words))
        return torch.cat(parts, -1) if len(parts) > 1 else parts[0]

    def _partly_unknown(self, words: Tensor) -> Tensor:
        if not (self.training and self.is_random):
            return words
        hidden = torch.rand(words.shape, device=words.device) < self.chances[words]  # type: ignore[index]
        return words.masked_fill(hidden, 0)

    def _spelled(self, words: Spelled) -> Tensor:
        """Read the characters of each distinct word, and give every word its own."""
        _, kind = words.spelling.flatten().unique(return_inverse=True)
        count = int(kind.max()) + 1 if kind.numel() else 0
        # any of the words that are spelled alike stands for all
        one = kind.new_zeros(count).scatter_(0, kind, torch.arange(len(kind), device=kind.device))
        spans = words.spans.flatten()[one]
        letters = words.letters.flatten(0, 1)[one, : int(spans.max()) if count else 0].T
        outputs, _ = self.spelling(self.characters(letters), lengths=spans)
        return self._ends(outputs, spans)[kind].unflatten(0, words.inputs.shape)

    def _ends(self, outputs: Tensor, spans: Tensor) -> Tensor:
        """Return where each direction ends: forward at a word's last character, backward at its first."""
        size = outputs.shape[-1] // 2
        if not len(outputs):
            return outputs.new_zeros(len(spans), 2 * size)
        last = (spans - 1).clamp(min=0)[None, :, None].expand(1, -1, size)
        both = torch.cat([outputs[..., :size].gather(0, last)[0], outputs[0, :, size:]], -1)
        return torch.where((spans > 0)[:, None], both, 0)


def embedding(count: int, size: int, padding_idx: int | None = None) -> nn.Embedding:
    """Return `count` rows of `size` numbers, drawn from ±√(3 / size) so that each row's norm is about 1.

    Lample et al. (2016, section 4.3). Row `padding_idx` is zero and stays so.
    """
    made = nn.Embedding(count, size, padding_idx=padding_idx)
    with torch.no_grad():
        made.weight.uniform_(-((3 / size) ** 0.5), (3 / size) ** 0.5)
        if padding_idx is not None:
            made.weight[padding_idx] = 0
    return made
