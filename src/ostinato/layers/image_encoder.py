"""A small convolutional encoder: an image as a matrix of regions, to attend to, and as one vector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn

from ostinato._errors import ConfigError

GROUP = 16
"""Channels that are normalised together."""


class Encoded(NamedTuple):
    """What an image is to a decoder."""

    vector: torch.Tensor
    """(B, C): the image as a whole."""
    regions: torch.Tensor
    """(B, R, E): its parts, row by row from the upper left."""


class ImageEncoder(nn.Module):
    """Convolutions that halve the image each, with a learned vector for the place of each region.

    size         pixels along a side of the square images
    channels     of each convolution; the last are E, the numbers of a region
    vector_size  C, the numbers of the whole

    Normalised in groups of channels (Wu & He, 2018, arXiv:1803.08494), so that an image is read alike alone and
    in a batch. `side` is the regions along a side, R = side². Raises ConfigError for sizes that cannot be.

    >>> encoder = ImageEncoder(36, (16, 32, 64), vector_size=100)
    >>> vector, regions = encoder(torch.zeros(2, 3, 36, 36, dtype=torch.uint8))
    >>> tuple(vector.shape), tuple(regions.shape)
    ((2, 100), (2, 25, 64))
    """

    def __init__(self, size: int, channels: Sequence[int], vector_size: int):
        super().__init__()
        _check(size, channels, vector_size)
        self.size, self.region_size, self.vector_size = size, channels[-1], vector_size
        blocks = [_block(before, after) for before, after in zip((3, *channels), channels, strict=False)]
        self.convolutions = nn.Sequential(*blocks)
        self.side = -(-size // 2 ** len(channels))
        self.places = nn.Parameter(torch.randn(self.side**2, self.region_size) * 0.1)
        self.whole = nn.Linear(self.side**2 * self.region_size, vector_size)

    def forward(self, images: torch.Tensor) -> Encoded:
        """Encode images (B, 3, size, size) of numbers from 0 to 255."""
        if images.shape[1:] != (3, self.size, self.size):
            got = f"images of shape {tuple(images.shape)}"
            raise ConfigError("ImageEncoder", got, f"Possible: (B, 3, {self.size}, {self.size})", "Resize them")
        found = self.convolutions(images.to(self.places.dtype) / 127.5 - 1)
        regions = found.flatten(2).transpose(1, 2) + self.places
        return Encoded(torch.tanh(self.whole(regions.flatten(1))), regions)


def _block(before: int, after: int) -> nn.Sequential:
    convolution = nn.Conv2d(before, after, 3, stride=2, padding=1)
    return nn.Sequential(convolution, nn.GroupNorm(max(1, after // GROUP), after), nn.ReLU())


def _check(size: int, channels: Sequence[int], vector_size: int) -> None:
    where = "ImageEncoder"
    if not channels or min(*channels, vector_size) < 1:
        got = f"channels {tuple(channels)}, a vector of {vector_size}"
        raise ConfigError(where, got, "Possible: numbers from 1", "Use channels (32, 64, 64)")
    for width in channels:
        if width > GROUP and width % (width // GROUP):
            raise ConfigError(where, f"{width} channels", f"Possible: up to {GROUP}, and multiples of it")
    if size < 2 ** len(channels):
        possible = f"{len(channels)} convolutions halve it each: it has {2 ** len(channels)} at least"
        raise ConfigError(where, f"images of {size} pixels", possible, "Use larger images, or fewer channels")
