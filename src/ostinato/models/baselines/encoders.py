"""Whole sequences as vectors, without recurrence: what stands in a classifier where a recurrent network would.

Each is `encoder(embedded (T, B, E), lengths (B,)) -> features (B, output_size)`, and padding changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ostinato._errors import ConfigError, did_you_mean

WAYS = ("mean", "sum")


class Constant(nn.Module):
    """Nothing of the sequence: what is learned above it is how frequent each answer is."""

    output_size = 1

    def __init__(self, width: int):
        super().__init__()

    def forward(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """Return zeros (B, 1)."""
        return embedded.new_zeros(embedded.shape[1], 1)


class Bag(nn.Module):
    """The mean or the sum of embedded symbols, in whatever order they come: a bag of words.

    Raises ConfigError for another way than "mean" or "sum".
    """

    def __init__(self, width: int, way: str = "mean"):
        super().__init__()
        if way not in WAYS:
            raise ConfigError("way", f"'{way}'", f"Possible: {', '.join(WAYS)}", did_you_mean(way, WAYS))
        self.output_size, self.way = width, way

    def forward(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """Return the mean or the sum (B, E); of an empty sequence it is zero."""
        total = _kept(embedded, lengths).sum(0)
        if self.way == "sum":
            return total
        return total / lengths.to(total)[:, None].clamp(min=1)


class Summary(nn.Module):
    """Mean, deviation, smallest and greatest of each number of the frames: what a bag is to words."""

    def __init__(self, width: int):
        super().__init__()
        self.output_size = 4 * width

    def forward(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """Return the four, beside each other (B, 4 E); of an empty sequence they are zero."""
        there = _there(embedded, lengths)
        count = lengths.to(embedded)[:, None].clamp(min=1)
        mean = _kept(embedded, lengths).sum(0) / count
        variance = (embedded - mean).masked_fill(~there, 0.0).square().sum(0) / count
        least = embedded.masked_fill(~there, torch.inf).amin(0)
        most = embedded.masked_fill(~there, -torch.inf).amax(0)
        # the root has no slope at 0, where a number never changes
        deviation = variance.clamp(min=1e-12).sqrt()
        features = torch.cat([mean, deviation, least, most], -1)
        return features.masked_fill((lengths == 0).to(features.device)[:, None], 0.0)


class Perceptron(nn.Module):
    """One hidden layer over the mean of the steps, or over the first `steps` of them side by side.

    A sequence shorter than `steps` is followed by zeros, what is longer is not seen.
    """

    def __init__(self, width: int, hidden_size: int = 128, steps: int | None = None):
        super().__init__()
        for name, size in (("hidden_size", hidden_size), ("steps", 1 if steps is None else steps)):
            if size < 1:
                raise ConfigError(name, f"{size} was given", "A size is at least 1")
        self.output_size, self.steps = hidden_size, steps
        self.hidden = nn.Linear(width * (steps or 1), hidden_size)

    def forward(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """Return the hidden layer (B, hidden_size)."""
        if self.steps is None:
            read = Bag(embedded.shape[-1])(embedded, lengths)
        else:
            first = _kept(embedded, lengths)[: self.steps]
            read = F.pad(first, (0, 0, 0, 0, 0, self.steps - first.shape[0])).transpose(0, 1).flatten(1)
        return torch.relu(self.hidden(read))


class Convolution(nn.Module):
    """Filters over 3, 4 and 5 steps, and the greatest of each over time (Kim, 2014, arXiv:1408.5882, section 2).

    A sequence shorter than a filter is followed by zeros, so that it fits once.
    """

    def __init__(self, width: int, maps: int = 100, spans: Sequence[int] = (3, 4, 5)):
        super().__init__()
        if maps < 1 or not spans or min(spans) < 1:
            raise ConfigError("Convolution", f"maps={maps}, spans={tuple(spans)}", "Each is at least 1")
        self.output_size = maps * len(spans)
        self.filters = nn.ModuleList(nn.Conv1d(width, maps, span) for span in spans)

    def forward(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """Return the greatest answer of each filter (B, maps · len(spans))."""
        read = _kept(embedded, lengths).permute(1, 2, 0)
        starts = torch.arange(embedded.shape[0], device=embedded.device)
        features = []
        for convolve in self.filters:
            span: int = convolve.kernel_size[0]  # type: ignore[index,union-attr,assignment]
            answers = torch.relu(convolve(F.pad(read, (0, span - 1))))
            fits = starts < (lengths.to(starts.device)[:, None] - span + 1).clamp(min=1)
            # answers are 0 or more, so that 0 never hides one
            features.append((answers * fits[:, None]).amax(-1))
        return torch.cat(features, -1)


def _there(embedded: Tensor, lengths: Tensor) -> Tensor:
    """Return (T, B, 1): whether a step is the sequence's own."""
    return (torch.arange(embedded.shape[0])[:, None] < lengths.cpu()).to(embedded.device)[..., None]


def _kept(embedded: Tensor, lengths: Tensor) -> Tensor:
    """Return the steps, with zeros where there is only padding."""
    return embedded.masked_fill(~_there(embedded, lengths), 0.0)
