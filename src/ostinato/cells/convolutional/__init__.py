"""Networks whose states are images, and whose products are convolutions."""

from ostinato.cells.convolutional.conv_gru import ConvGRU
from ostinato.cells.convolutional.conv_lstm import ConvLSTM

CELLS = {
    "conv-lstm": ConvLSTM,
    "conv-gru": ConvGRU,
}
"""Their inputs are images as rows: see `images.ImageCell`."""
