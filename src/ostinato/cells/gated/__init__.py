"""Networks whose gates decide what is kept, written and shown."""

from ostinato.cells.gated.atr import ATR
from ostinato.cells.gated.bistable import BRC, NBRC
from ostinato.cells.gated.cfn import CFN
from ostinato.cells.gated.gru import GRU, GRUResetBefore
from ostinato.cells.gated.hyper_lstm import HyperLSTM
from ostinato.cells.gated.janet import JANET
from ostinato.cells.gated.li_gru import LiGRU
from ostinato.cells.gated.light_ru import LightRU
from ostinato.cells.gated.lstm import LSTM, ProjectedLSTM
from ostinato.cells.gated.lstm_1997 import LSTM1997, LSTMNoForgetGate
from ostinato.cells.gated.lstm_coupled import CoupledLSTM
from ostinato.cells.gated.lstm_peephole import PeepholeLSTM
from ostinato.cells.gated.mc_lstm import MassConservingLSTM
from ostinato.cells.gated.memory_controller_lstm import MemoryControllerLSTM
from ostinato.cells.gated.mgu import MGU, MGU1, MGU2, MGU3
from ostinato.cells.gated.minimal_rnn import MinimalRNN
from ostinato.cells.gated.miru import MiRU1, MiRU2
from ostinato.cells.gated.multiplicative import MultiplicativeLSTM, MultiplicativeRNN
from ostinato.cells.gated.mut import MUT1, MUT2, MUT3
from ostinato.cells.gated.nas import NASCell
from ostinato.cells.gated.ran import RAN
from ostinato.cells.gated.recurrent_highway import RecurrentHighway, UncoupledRecurrentHighway
from ostinato.cells.gated.residual_lstm import ResidualLSTM
from ostinato.cells.gated.scrn import SCRN
from ostinato.cells.gated.sgrn import SGRN
from ostinato.cells.gated.sgu import DSGU, SGU
from ostinato.cells.gated.slstm import SLSTM
from ostinato.cells.gated.star import STAR
from ostinato.cells.gated.strongly_typed import TGRU, TLSTM, TRNN
from ostinato.cells.gated.tau_gru import TauGRU
from ostinato.cells.gated.ugrnn import UGRNN, IntersectionRNN
from ostinato.cells.gated.wmc_lstm import WMCLSTM

CELLS = {
    "lstm": LSTM,
    "projected-lstm": ProjectedLSTM,
    "lstm-1997": LSTM1997,
    "lstm-no-forget-gate": LSTMNoForgetGate,
    "peephole-lstm": PeepholeLSTM,
    "coupled-lstm": CoupledLSTM,
    "gru": GRU,
    "gru-reset-before": GRUResetBefore,
    "mgu": MGU,
    "mgu1": MGU1,
    "mgu2": MGU2,
    "mgu3": MGU3,
    "mut1": MUT1,
    "mut2": MUT2,
    "mut3": MUT3,
    "li-gru": LiGRU,
    "ugrnn": UGRNN,
    "intersection-rnn": IntersectionRNN,
    "janet": JANET,
    "cfn": CFN,
    "ran": RAN,
    "atr": ATR,
    "minimal-rnn": MinimalRNN,
    "scrn": SCRN,
    "light-ru": LightRU,
    "miru1": MiRU1,
    "miru2": MiRU2,
    "sgu": SGU,
    "dsgu": DSGU,
    "sgrn": SGRN,
    "star": STAR,
    "trnn": TRNN,
    "tgru": TGRU,
    "tlstm": TLSTM,
    "residual-lstm": ResidualLSTM,
    "multiplicative-rnn": MultiplicativeRNN,
    "multiplicative-lstm": MultiplicativeLSTM,
    "nas": NASCell,
    "tau-gru": TauGRU,
    "brc": BRC,
    "nbrc": NBRC,
    "mc-lstm": MassConservingLSTM,
    "memory-controller-lstm": MemoryControllerLSTM,
    "wmc-lstm": WMCLSTM,
    "slstm": SLSTM,
    "hyper-lstm": HyperLSTM,
    "recurrent-highway": RecurrentHighway,
    "recurrent-highway-uncoupled": UncoupledRecurrentHighway,
}
