"""What is seen, as a decoder takes it: one vector for the whole, and regions to attend to where there are some."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from ostinato.layers.image_encoder import ImageEncoder


class Sight(NamedTuple):
    """What is seen of a batch."""

    vector: Tensor
    """(B, C): the whole."""
    regions: Tensor | None
    """(B, R, E): its parts; None where it has none."""


class Seer(Protocol):
    """A module that gives the sight of what is seen, rows of the batch second."""

    vector_size: int
    """C."""
    region_size: int | None
    """E; None where there are no regions."""

    def __call__(self, seen: Tensor) -> Sight: ...


class ImageSeer(nn.Module):
    """Images (1, B, 3, S, S), through a convolutional encoder."""

    def __init__(self, encoder: ImageEncoder):
        super().__init__()
        self.encoder, self.vector_size, self.region_size = encoder, encoder.vector_size, encoder.region_size

    def forward(self, seen: Tensor) -> Sight:
        """Return the sight of images of bytes."""
        return Sight(*self.encoder(seen[0]))


class RegionSeer(nn.Module):
    """Regions (R, B, E) that were computed elsewhere; the whole is tanh(W m) of their mean m."""

    def __init__(self, region_size: int, vector_size: int):
        super().__init__()
        self.vector_size, self.region_size = vector_size, region_size
        self.whole = nn.Linear(region_size, vector_size)

    def forward(self, seen: Tensor) -> Sight:
        """Return the sight of regions of real numbers."""
        return Sight(torch.tanh(self.whole(seen.mean(0))), seen.transpose(0, 1))


class VectorSeer(nn.Module):
    """Vectors (1, B, D): the whole is tanh(V tanh(W x))."""

    region_size = None

    def __init__(self, size: int, vector_size: int):
        super().__init__()
        self.vector_size = vector_size
        self.whole = nn.Sequential(nn.Linear(size, vector_size), nn.Tanh(), nn.Linear(vector_size, vector_size))

    def forward(self, seen: Tensor) -> Sight:
        """Return the sight of vectors of real numbers."""
        return Sight(torch.tanh(self.whole(seen[0])), None)


class BlindSeer(nn.Module):
    """Sees nothing: the same vector of zeros for whatever there is, to compare with."""

    region_size = None
    nothing: Tensor

    def __init__(self, vector_size: int):
        super().__init__()
        self.vector_size = vector_size
        self.register_buffer("nothing", torch.zeros(vector_size), persistent=False)

    def forward(self, seen: Tensor) -> Sight:
        """Return zeros."""
        return Sight(self.nothing.expand(seen.shape[1], -1), None)


class Questioned(nn.Module):
    """What is seen in the light of a question q: each number scaled and shifted as the question says.

        r' = relu((1 + G q) r + B q)          Perez et al. (2018, arXiv:1709.07871), equation 1
        c  = [v, q, tanh(W r')]               W of all regions together
        c  = [v, q, tanh(A v) * tanh(D q)]    where there are no regions: Antol et al. (2015, arXiv:1505.00468)

    region_count, region_size  R and E of the regions; None where there are none.

    Attributes: `vector_size`, the numbers of c.
    """

    def __init__(self, vector_size: int, question_size: int, region_count: int | None, region_size: int | None):
        super().__init__()
        self.vector_size = 2 * vector_size + question_size
        if region_count is None or region_size is None:
            self.seen, self.asked = nn.Linear(vector_size, vector_size), nn.Linear(question_size, vector_size)
        else:
            self.scaled, self.shifted = (nn.Linear(question_size, region_size) for _ in range(2))
            self.whole = nn.Linear(region_count * region_size, vector_size)

    def forward(self, sight: Sight, question: Tensor) -> Sight:
        """Return the sight in the light of questions (B, Q)."""
        vector, regions = sight
        if regions is None:
            both = torch.tanh(self.seen(vector)) * torch.tanh(self.asked(question))
        else:
            scale, shift = 1 + self.scaled(question)[:, None], self.shifted(question)[:, None]
            regions = torch.relu(scale * regions + shift)
            both = torch.tanh(self.whole(regions.flatten(1)))
        return Sight(torch.cat([vector, question, both], -1), regions)
