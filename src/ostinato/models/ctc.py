"""`CtcHead`: scores of symbols and of a blank for each step, learned without saying which step a symbol stands at.

Connectionist temporal classification (Graves, Fernández, Gomez and Schmidhuber, 2006). A path names a symbol or the
blank at each step; it spells what is left of it once repeats are joined and blanks taken out, B(π) (section 3.1). The
probability of a text is the sum over all paths that spell it (equation 3), found by dynamic programming (section 4.1),
here by torch's loss.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ostinato.decoding.ctc import Heard, Prior, ctc_beam, ctc_best_path, ctc_best_path_stream
from ostinato.decoding.prefixes import Transcripts


class CtcHead(nn.Module):
    """Score each step by itself.

    >>> head = CtcHead(8, symbols=4, blank=0)
    >>> head.log_probabilities(torch.zeros(5, 2, 8)).shape
    torch.Size([5, 2, 4])

    encoder_size  numbers a step of the encoder has.
    symbols       how many there are, the blank among them.
    blank         the number of the blank, which no target contains.
    """

    def __init__(self, encoder_size: int, symbols: int, blank: int):
        super().__init__()
        self.blank = blank
        self.scores = nn.Linear(encoder_size, symbols)

    def log_probabilities(self, outputs: Tensor) -> Tensor:
        """Return the log probability (T, B, V) of each symbol and of the blank at each step."""
        scores = self.scores(outputs)
        return (scores if scores.dtype == torch.float64 else scores.float()).log_softmax(-1)

    def losses(self, outputs: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
        """Return the nats (B,) of targets (U, B) in outputs (T, B, E); 0 of a row whose target does not fit."""
        nats = F.ctc_loss(
            self.log_probabilities(outputs), targets.T, lengths, target_lengths, blank=self.blank, reduction="none",
            zero_infinity=True,
        )  # fmt: skip
        return torch.where(self.fits(lengths, targets, target_lengths), nats, 0)

    def fits(self, lengths: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
        """Return bool (B,): whether a row has a step for each symbol and for a blank between two that are alike."""
        return steps_needed(targets, target_lengths) <= lengths

    def write(
        self,
        outputs: Tensor,
        lengths: Tensor,
        *,
        width: int = 1,
        n_best: int = 1,
        prior: Prior | None = None,
        bonus: float = 0.0,
    ) -> Transcripts:
        """Return the symbols that steps (T, B, E) spell: those of the best path, or found among `width` prefixes.

        prior  a language model over the same symbols, which prefixes are judged by too.
        bonus  what each symbol adds to the score.
        """
        log_probs = self.log_probabilities(outputs)
        if width == n_best == 1 and prior is None and not bonus:
            return ctc_best_path(log_probs, lengths, blank=self.blank)
        return ctc_beam(log_probs, lengths, blank=self.blank, width=width, n_best=n_best, prior=prior, bonus=bonus)

    def stream(self) -> CtcStream:
        """Return what writes symbols as steps come: those of the best path."""
        return CtcStream(self)


class CtcStream:
    """The best path, step by step: what is pushed may be cut anywhere."""

    def __init__(self, head: CtcHead):
        self._head = head
        self._heard: Heard | None = None

    @torch.no_grad()
    def push(self, outputs: Tensor) -> list[int]:
        """Return the symbols that steps (t, 1, E) add."""
        log_probs = self._head.log_probabilities(outputs)
        found, self._heard = ctc_best_path_stream(log_probs, None, self._heard, blank=self._head.blank)
        return found.tokens[0, 0, : int(found.lengths[0, 0])].tolist()


def steps_needed(targets: Tensor, target_lengths: Tensor) -> Tensor:
    """Return how many steps (B,) targets (U, B) need at least: one a symbol, and a blank between two that are alike.

    >>> steps_needed(torch.tensor([[3, 3], [3, 4]]), torch.tensor([2, 2]))
    tensor([3, 2])
    """
    known = torch.arange(1, max(1, len(targets)), device=targets.device)[:, None] < target_lengths
    repeats = (targets[1:] == targets[:-1]) & known[: max(0, len(targets) - 1)]
    return target_lengths + repeats.sum(0)
