"""`torch.nn`'s recurrent layers on Ostinato's engines: `from ostinato import nn`."""

from ostinato.layers.torch_compat import GRU as GRU
from ostinato.layers.torch_compat import LSTM as LSTM
from ostinato.layers.torch_compat import RNN as RNN

__all__ = ["GRU", "LSTM", "RNN"]
