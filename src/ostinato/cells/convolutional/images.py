"""Cells whose vectors are images: how the numbers of a row are laid out, and the convolution that keeps their size.

A row is a flat vector, its channels one after the other, each line by line; so the rest of the library (lengths,
resets, wrappers, streams, learned starts) takes these cells as it takes any other. Frames (T, B, C, h, w) go in as
`frames.flatten(2)`, and outputs come back as images by `outputs.unflatten(2, (-1, h, w))`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ostinato._errors import ConfigError
from ostinato.cells.cell import Cell
from ostinato.cells.definition import whole


class ImageCell(Cell):
    """What convolutional cells share. `input_size` is C·h·w, `hidden_size` is K·h·w, `image_size` is (h, w).

    Where no image size is given an image is one pixel, and the sizes are those of its channels.
    Raises ConfigError where the sizes are no whole number of channels, or the kernel has no middle.
    """

    def __init__(self, input_size: int, hidden_size: int, image_size: tuple[int, int], kernel_size: int):
        super().__init__()
        if len(image_size) != 2 or min(image_size) < 1:
            raise ConfigError("image_size", f"{image_size} was given", "It is (height, width), each at least 1")
        if kernel_size < 1 or kernel_size % 2 == 0:
            possible = "A kernel has a middle, so that images keep their size: 1, 3, 5 and so on"
            raise ConfigError("kernel_size", f"{kernel_size} was given", possible)
        self.image_size, self.kernel_size = (image_size[0], image_size[1]), kernel_size
        self.channels = self._channels("input_size", input_size)
        self.hidden_channels = self._channels("hidden_size", hidden_size)
        self.input_size, self.hidden_size, self.output_size = input_size, hidden_size, hidden_size

    def resized(self, input_size: int, hidden_size: int) -> ImageCell:
        """Return a fresh cell of the same settings, with other sizes."""
        like = next(self.parameters())
        return type(self)(input_size, hidden_size, **self.settings(), device=like.device, dtype=like.dtype)  # type: ignore[call-arg]

    def settings(self) -> dict[str, Any]:
        """Return the keywords it was built with, but for sizes and place."""
        return {"image_size": self.image_size, "kernel_size": self.kernel_size}

    def zeros(self, batch_size: int, device: torch.device | None, dtype: torch.dtype | None) -> Tensor:
        """Return black images."""
        like = next(self.parameters())
        return torch.zeros(batch_size, self.hidden_size, device=device or like.device, dtype=dtype or like.dtype)

    def images(self, rows: Tensor) -> Tensor:
        """Return flat rows (B, n) as images (B, channels, h, w)."""
        return rows.unflatten(1, (-1, *self.image_size))

    def convolve(self, images: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """Return images of the same height and width; beyond the edge, images are black."""
        return F.conv2d(
            images, weight.to(images.dtype), None if bias is None else bias.to(images.dtype), padding="same"
        )

    def weights(self, outputs: int, inputs: int, **place: Any) -> nn.Parameter:
        """Return a place for kernels from `inputs` channels to `outputs`."""
        return nn.Parameter(torch.empty(outputs, inputs, self.kernel_size, self.kernel_size, **place))

    def extra_repr(self) -> str:
        settings = ", ".join(f"{name}={value}" for name, value in self.settings().items())
        return f"{self.input_size}, {self.hidden_size}, {settings}"

    def _channels(self, name: str, size: int) -> int:
        pixels = self.image_size[0] * self.image_size[1]
        if size == 0 or whole(name, size) % pixels:
            possible = f"It is a number of channels times {self.image_size[0]} · {self.image_size[1]} = {pixels}"
            raise ConfigError(name, f"{size} was given", possible, f"{pixels} is one channel, {2 * pixels} are two")
        return size // pixels
