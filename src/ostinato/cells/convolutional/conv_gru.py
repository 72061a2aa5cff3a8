"""The convolutional GRU (Ballas, Yao, Pal and Courville, 2016, arXiv:1511.06432, section 3.1, GRU-RCN)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ostinato.cells.convolutional.images import ImageCell


class ConvGRU(ImageCell):
    """A GRU over images, its products convolutions, its reset before the product, z the share that is new.

    A plain cell, because equations know no convolution. `ImageCell` says how images become rows.
    `weight_ih` holds the kernels of r, z and n, `weight_hh` those of r and z, `weight_rh` that of n, which sees r h.

    Use it as `conv-lstm`, with a quarter less to compute.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        image_size: tuple[int, int] = (1, 1),
        kernel_size: int = 3,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ):
        super().__init__(input_size, hidden_size, image_size, kernel_size)
        place: dict[str, Any] = {"device": device, "dtype": dtype}
        size = self.hidden_channels
        self.weight_ih = self.weights(3 * size, self.channels, **place)
        self.weight_hh = self.weights(2 * size, size, **place)
        self.weight_rh = self.weights(size, size, **place)
        self.bias = nn.Parameter(torch.empty(3 * size, **place)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all kernels anew, uniform on ±1/√(numbers a gate of a pixel sees); biases start at zero."""
        bound = ((self.channels + self.hidden_channels) * self.kernel_size**2) ** -0.5
        for weight in (self.weight_ih, self.weight_hh, self.weight_rh):
            nn.init.uniform_(weight, -bound, bound)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def settings(self) -> dict[str, Any]:
        """Return the keywords it was built with, but for sizes and place."""
        return {**super().settings(), "bias": self.bias is not None}

    def initial_state(self, batch_size: int, *, device=None, dtype=None) -> Tensor:
        """Return black images."""
        return self.zeros(batch_size, device, dtype)

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Take one step: x (B, C·h·w) and the state before it, to (h, h)."""
        h = self.images(state)
        from_x = self.convolve(self.images(x).to(h.dtype), self.weight_ih, self.bias)
        gates = from_x[:, : -self.hidden_channels] + self.convolve(h, self.weight_hh)
        r, z = torch.sigmoid(gates).chunk(2, dim=1)
        n = torch.tanh(from_x[:, -self.hidden_channels :] + self.convolve(r * h, self.weight_rh))
        h = ((1 - z) * h + z * n).flatten(1)
        return h, h
