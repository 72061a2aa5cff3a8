"""Networks whose gates decide what is kept, written and shown."""

from ostinato.cells.gated.gru import GRU, GRUResetBefore
from ostinato.cells.gated.lstm import LSTM, ProjectedLSTM

CELLS = {
    "lstm": LSTM,
    "projected-lstm": ProjectedLSTM,
    "gru": GRU,
    "gru-reset-before": GRUResetBefore,
}
