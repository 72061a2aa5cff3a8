"""The first recurrent networks, and what was soon added to them: leaks, delays, clocks."""

from ostinato.cells.foundations.clockwork import Clockwork
from ostinato.cells.foundations.delays import NARX, SkipConnections
from ostinato.cells.foundations.elman import Elman, ElmanReLU
from ostinato.cells.foundations.irnn import IRNN
from ostinato.cells.foundations.jordan import Jordan
from ostinato.cells.foundations.leaky import Leaky, LearnedLeak
from ostinato.cells.foundations.linear import LinearRNN

CELLS = {
    "elman": Elman,
    "elman-relu": ElmanReLU,
    "jordan": Jordan,
    "irnn": IRNN,
    "linear": LinearRNN,
    "leaky": Leaky,
    "learned-leak": LearnedLeak,
    "skip-connections": SkipConnections,
    "narx": NARX,
    "clockwork": Clockwork,
}
