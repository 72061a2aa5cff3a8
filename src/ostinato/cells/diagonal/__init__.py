"""Networks in which no unit hears another one within a step; many of them are linear in the state."""

from ostinato.cells.diagonal.indrnn import IndRNN
from ostinato.cells.diagonal.lru import LRU
from ostinato.cells.diagonal.minimal import MinGRU, MinLSTM
from ostinato.cells.diagonal.qrnn import QRNNf, QRNNfo, QRNNifo
from ostinato.cells.diagonal.rglru import RGLRU
from ostinato.cells.diagonal.sru import SRU, SRUInputGates

CELLS = {
    "indrnn": IndRNN,
    "sru": SRU,
    "sru-input-gates": SRUInputGates,
    "qrnn-f": QRNNf,
    "qrnn-fo": QRNNfo,
    "qrnn-ifo": QRNNifo,
    "mingru": MinGRU,
    "minlstm": MinLSTM,
    "lru": LRU,
    "rglru": RGLRU,
}
