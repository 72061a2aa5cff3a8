"""`TransducerHead`: what is said next, from what is heard and what has been written (Graves, 2012, arXiv:1211.3711).

A prediction network reads the symbols written so far, ŷ_0 = ∅ (a vector of zeros), y_1, …, y_u (his section 2.1). A
joint network scores every symbol and the blank at frame t after u symbols, from the encoder's h_t and the prediction
network's p_u: as their sum (eq. 12 to 15), or by a hidden layer (Graves, Mohamed and Hinton, 2013, arXiv:1303.5778,
section 3.2). Unlike in CTC a frame may write several symbols, and what is written depends on what was.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from ostinato._errors import ConfigError, did_you_mean
from ostinato.decoding.prefixes import Transcripts
from ostinato.decoding.transducer import (
    Heard,
    Transducer,
    transducer_beam,
    transducer_greedy,
    transducer_greedy_stream,
)
from ostinato.layers.recurrent import Recurrent
from ostinato.layers.stack import check_share, dropped
from ostinato.layers.transducer import lattice_loss, log_probabilities

JOINTS = ("tanh", "sum")
AT_ONCE = 2**23
"""Numbers of the joint network's first layer (B, T, U+1, J) that are kept for the gradient at most: 32 MiB."""


class TransducerHead(nn.Module):
    """A prediction network of any cell, and a joint network over it and an encoder.

    >>> head = TransducerHead(8, symbols=4, blank=0, cell="gru", hidden_size=5)
    >>> steps, targets = torch.zeros(6, 2, 8), torch.tensor([[1, 2], [3, 3]])
    >>> head.losses(steps, torch.tensor([6, 4]), targets, torch.tensor([2, 1])).shape
    torch.Size([2])

    encoder_size    numbers a step of the encoder has.
    symbols         how many there are, the blank among them.
    blank           the number of the blank, which no target contains.
    embedding_size  numbers a written symbol is read as; None is the smaller of 64 and the number of symbols.
    hidden_size     units of the prediction network, in each of `num_layers`.
    joint           "tanh", a hidden layer of `joint_size` units, or "sum" of two scores.
    dropout         of what the prediction network gives, while learning.
    values          further keywords of `Recurrent` and of the cell.

    Raises ConfigError for sizes and names that do not fit.
    """

    def __init__(
        self,
        encoder_size: int,
        symbols: int,
        blank: int = 0,
        cell: Any = "lstm",
        *,
        embedding_size: int | None = None,
        hidden_size: int = 64,
        num_layers: int = 1,
        joint: str = "tanh",
        joint_size: int = 64,
        dropout: float = 0.0,
        **values: Any,
    ):
        super().__init__()
        embedding_size = min(64, symbols) if embedding_size is None else embedding_size
        _check(joint, values, embedding_size=embedding_size, joint_size=joint_size)
        check_share("dropout", dropout)
        self.blank, self.joint, self.dropout, self.at_once = blank, joint, dropout, AT_ONCE
        self.embedding = nn.Embedding(symbols, embedding_size, padding_idx=blank)
        self.prediction = Recurrent(cell, embedding_size, hidden_size, num_layers, dropout=dropout, **values)
        size = symbols if joint == "sum" else joint_size
        self.heard = nn.Linear(encoder_size, size)
        self.predicted = nn.Linear(self.prediction.output_size, size, bias=False)
        self.scores = nn.Linear(size, symbols) if joint == "tanh" else nn.Identity()
        scores = self.scores if isinstance(self.scores, nn.Linear) else self.heard
        with torch.no_grad():  # most steps write nothing: at first nine in ten, and nobody writes without an end
            scores.bias[blank] += math.log(9 * max(1, symbols - 1))

    def losses(self, outputs: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
        """Return the nats (B,) of targets (U, B) in outputs (T, B, E); 0 of a row without a step."""
        if not len(outputs):
            outputs = outputs.new_zeros(1, *outputs.shape[1:])
        inside = torch.arange(len(targets), device=targets.device)[:, None] < target_lengths.to(targets.device)
        targets = torch.where(inside, targets, self.blank)
        heard, predicted = (x.transpose(0, 1) for x in (self.heard(outputs), self.predict(targets, target_lengths)))
        nats = lattice_loss(*self._lattice(heard, predicted, targets.T), lengths.clamp(min=1), target_lengths)
        return torch.where(self.fits(lengths, targets, target_lengths), nats, 0)

    def fits(self, lengths: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
        """Return bool (B,): whether a row has a step, in which any number of symbols can be written."""
        return lengths > 0

    def predict(self, targets: Tensor, target_lengths: Tensor) -> Tensor:
        """Return what the prediction network gives (U+1, B, J) before the first of targets (U, B) and after each."""
        read = self.embedding(F.pad(targets, (0, 0, 1, 0), value=self.blank))
        outputs, _ = self.prediction(read, lengths=target_lengths + 1)
        if self.training and self.dropout:
            outputs = dropped(outputs, self.dropout, self.prediction.variational)
        return self.predicted(outputs)

    def join(self, heard: Tensor, predicted: Tensor) -> Tensor:
        """Return the scores (…, V) of all symbols from what was heard and what is predicted, both (…, J)."""
        both = heard + predicted
        return self.scores(torch.tanh(both)) if self.joint == "tanh" else both

    def _lattice(self, heard: Tensor, predicted: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return ln ∅ and ln y (B, T, U+1); of long sounds some frames at once, computed again for their gradient."""
        frames = max(1, self.at_once // max(1, predicted.numel()))
        if frames >= heard.shape[1]:
            return self._frames(heard, predicted, targets)
        pieces = [
            checkpoint(self._frames, part, predicted, targets, use_reentrant=False, preserve_rng_state=False)
            for part in heard.split(frames, 1)
        ]
        blank, right = (torch.cat(both, 1) for both in zip(*pieces, strict=True))
        return blank, right

    def _frames(self, heard: Tensor, predicted: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        scores = self.join(heard[:, :, None], predicted[:, None])
        scores = scores if scores.dtype == torch.float64 else scores.float()
        return log_probabilities(scores, targets, self.blank)

    def write(
        self,
        outputs: Tensor,
        lengths: Tensor,
        *,
        width: int = 1,
        n_best: int = 1,
        prior: Any = None,
        bonus: float = 0.0,
    ) -> Transcripts:
        """Return the symbols written in steps (T, B, E): the best at each step, or found by a beam of `width`.

        Raises ConfigError for `prior` and `bonus`, which CTC knows: a transducer has a language model of its own.
        """
        if prior is not None or bonus:
            got = "a language model beside a transducer" if prior is not None else f"a bonus of {bonus:g}"
            raise ConfigError("search", got, "Its prediction network is one", "Leave it out, or train with --loss ctc")
        heard, network = self.heard(outputs), self.decoder(outputs.shape[1])
        if width == n_best == 1:
            return transducer_greedy(network, heard, lengths)
        return transducer_beam(network, heard, lengths, width=width, n_best=n_best)

    def decoder(self, rows: int) -> Transducer:
        """Return the network as a search reads it, which starts `rows` texts; frames are those of `heard`."""

        def predict(symbols: Tensor, state: Any) -> tuple[Tensor, Any]:
            outputs, state = self.prediction(self.embedding(symbols)[None], state)
            return self.predicted(outputs[0]), state

        start = torch.full((rows,), self.blank, device=self.embedding.weight.device)
        return Transducer(predict, self.join, self.prediction.initial_state(rows), start, self.blank)

    def stream(self) -> TransducerStream:
        """Return what writes symbols as steps come: the best at each step."""
        return TransducerStream(self)


class TransducerStream:
    """The best symbol of each step, as steps come: what is pushed may be cut anywhere."""

    def __init__(self, head: TransducerHead):
        self._head, self._network = head, head.decoder(1)
        self._where: Heard | None = None

    @torch.no_grad()
    def push(self, outputs: Tensor) -> list[int]:
        """Return the symbols that steps (t, 1, E) add."""
        found, self._where = transducer_greedy_stream(self._network, self._head.heard(outputs), None, self._where)
        return found.tokens[0, 0, : int(found.lengths[0, 0])].tolist()


def _check(joint: str, values: dict[str, Any], **sizes: int) -> None:
    if joint not in JOINTS:
        raise ConfigError("joint", f"'{joint}'", f"Possible: {', '.join(JOINTS)}", did_you_mean(joint, JOINTS))
    if values.get("bidirectional"):
        raise ConfigError("bidirectional", "True was given", "A prediction network reads what is written, forward")
    for name, size in sizes.items():
        if not isinstance(size, int) or size < 1:
            raise ConfigError(name, f"{size} was given", "A size is a whole number, at least 1")
