"""The convolutional LSTM (Shi, Chen, Wang, Yeung, Wong and Woo, 2015, arXiv:1506.04214, eq. 3)."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ostinato.cells.convolutional.images import ImageCell


class Memory(NamedTuple):
    """The state: what is shown and what is kept, as flat images (B, K·h·w)."""

    h: Tensor
    c: Tensor


class ConvLSTM(ImageCell):
    """An LSTM over images, its products convolutions, with a peephole for each pixel unless `peephole=False`.

    A plain cell, because equations know no convolution. `ImageCell` says how images become rows.
    Kernels hold the gates in torch's order, i f g o; peepholes those of i, f and o.

    Use it for moving images: rain radar, video, fields of a simulation.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        image_size: tuple[int, int] = (1, 1),
        kernel_size: int = 3,
        peephole: bool = True,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ):
        super().__init__(input_size, hidden_size, image_size, kernel_size)
        place: dict[str, Any] = {"device": device, "dtype": dtype}
        gates = 4 * self.hidden_channels
        self.weight_ih = self.weights(gates, self.channels, **place)
        self.weight_hh = self.weights(gates, self.hidden_channels, **place)
        self.bias = nn.Parameter(torch.empty(gates, **place)) if bias else None
        shape = (3, self.hidden_channels, *self.image_size)
        self.weight_c = nn.Parameter(torch.empty(shape, **place)) if peephole else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all kernels anew, uniform on ±1/√(numbers a gate of a pixel sees); the rest starts at zero."""
        bound = ((self.channels + self.hidden_channels) * self.kernel_size**2) ** -0.5
        for parameter in self.parameters():
            nn.init.zeros_(parameter)
        for weight in (self.weight_ih, self.weight_hh):
            nn.init.uniform_(weight, -bound, bound)

    def settings(self) -> dict[str, Any]:
        """Return the keywords it was built with, but for sizes and place."""
        return {**super().settings(), "peephole": self.weight_c is not None, "bias": self.bias is not None}

    def initial_state(self, batch_size: int, *, device=None, dtype=None) -> Memory:
        """Return black images (h, c)."""
        return Memory(self.zeros(batch_size, device, dtype), self.zeros(batch_size, device, dtype))

    def step(self, x: Tensor, state: Memory) -> tuple[Tensor, Memory]:
        """Take one step: x (B, C·h·w) and the state before it, to (h, the state after it)."""
        h, c = (self.images(part) for part in state)
        seen = self.convolve(self.images(x).to(h.dtype), self.weight_ih, self.bias) + self.convolve(h, self.weight_hh)
        i, f, g, o = seen.chunk(4, dim=1)
        w_i, w_f, w_o = (0.0, 0.0, 0.0) if self.weight_c is None else self.weight_c
        i, f = torch.sigmoid(i + w_i * c), torch.sigmoid(f + w_f * c)
        c = f * c + i * torch.tanh(g)
        h = torch.sigmoid(o + w_o * c) * torch.tanh(c)
        return h.flatten(1), Memory(h.flatten(1), c.flatten(1))
