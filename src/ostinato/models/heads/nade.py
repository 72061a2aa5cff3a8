"""NADE: the bits of a frame one after the other (Larochelle and Murray, 2011, "The neural autoregressive distribution
estimator"), with biases from the past (RNN-NADE: Boulanger-Lewandowski, Bengio and Vincent, 2012, arXiv:1206.6392)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ostinato.layers.stack import check_size
from ostinato.models.heads.head import Head


class NADE(Head):
    """P(v) = Π_d P(v_d | v_<d), an exact joint distribution of the D bits of a frame:

        h_d = sigmoid(c + Σ_{e<d} v_e W_e)
        P(v_d = 1 | v_<d) = sigmoid(b_d + V_d · h_d)

    with b and c linear in the features, which is what makes it an RNN-NADE. `hidden_size` is that of h_d.
    """

    support = "bits"

    def __init__(self, input_size: int, size: int, hidden_size: int = 100):
        super().__init__(input_size, size)
        check_size("hidden_size", hidden_size)
        self.b = nn.Linear(input_size, size)
        self.c = nn.Linear(input_size, hidden_size)
        self.W = nn.Parameter(torch.empty(size, hidden_size).uniform_(-1, 1) * size**-0.5)
        self.V = nn.Parameter(torch.empty(size, hidden_size).uniform_(-1, 1) * hidden_size**-0.5)

    def loss(self, features: Tensor, targets: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(self.scores(features, targets), targets, reduction="sum")

    def scores(self, features: Tensor, frames: Tensor) -> Tensor:
        """Return b_d + V_d · h_d (N, D) for given frames (N, D).

        h changes only after a bit that is 1, so there are as many as a frame has ones, and one more: of 88 keys four.
        """
        bits = frames.long()
        ones_before = bits.cumsum(-1) - bits
        most = int(bits.sum(-1).amax()) if len(bits) else 0
        keys = torch.arange(self.size, device=bits.device)
        places = torch.where(bits > 0, keys, self.size).sort(-1).values[:, :most]
        rows = F.embedding(places, F.pad(self.W, (0, 0, 0, 1)))  # the row after the last is for none: zeros
        sums = [self.c(features)]
        for k in range(most):
            sums.append(sums[-1] + rows[..., k, :])
        hidden = torch.sigmoid(torch.stack(sums, -2))
        scores = (hidden @ self.V.T).gather(-2, ones_before[..., None, :])
        return self.b(features) + scores.squeeze(-2)

    @torch.no_grad()
    def sample(self, features: Tensor, generator: torch.Generator | None = None) -> Tensor:
        b, before = self.b(features), self.c(features)
        coins = torch.rand(b.shape, generator=generator, device=b.device, dtype=b.dtype)
        bits = []
        for d in range(self.size):
            score = b[..., d] + torch.sigmoid(before) @ self.V[d]
            bit = (coins[..., d] < torch.sigmoid(score)).to(b)
            before = before + bit[..., None] * self.W[d]
            bits.append(bit)
        return torch.stack(bits, -1)
